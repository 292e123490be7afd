import EmbeddedPostgres
import Foundation
public import LeadStore
public import Postgres

/// A fresh database with the product's schema, made for one test and dropped after it.
public struct TestDatabase: Sendable {
    public let name: String
    public let connectionString: String
    /// The server's Unix socket.
    public let socket: String
    public let pool: Pool

    public var store: LeadStore { LeadStore(pool: pool) }

    public var connectionConfiguration: ConnectionConfiguration {
        // Tests make much at once, on machines that do other things.
        ConnectionConfiguration(connectionString: connectionString, statementDeadline: .seconds(30))
    }

    /// Runs `body` on a database of its own.
    /// - Parameter configure: changes the pool's configuration.
    public static func with(
        _ configure: (inout Pool.Configuration) -> Void = { _ in },
        _ body: (TestDatabase) async throws -> Void
    ) async throws {
        await TestCluster.shared.takePlace()
        do {
            try await withPlace(configure, body)
        } catch {
            await TestCluster.shared.leavePlace()
            throw error
        }
        await TestCluster.shared.leavePlace()
    }

    private static func withPlace(
        _ configure: (inout Pool.Configuration) -> Void, _ body: (TestDatabase) async throws -> Void
    ) async throws {
        let (name, connectionString, socket) = try await TestCluster.shared.createDatabase()
        var configuration = Pool.Configuration(
            connection: ConnectionConfiguration(
                connectionString: connectionString,
                // The product's own, with time for a busy machine.
                sessionSettings: LeadStore.sessionSettings.merging(
                    ["statement_timeout": "20s", "lock_timeout": "10s"], uniquingKeysWith: { $1 })),
            maximumConnections: 4, leaseTimeout: .seconds(60))
        configure(&configuration)
        let pool = Pool(configuration)
        let result: Result<Void, any Error>
        do {
            result = .success(
                try await body(
                    TestDatabase(name: name, connectionString: connectionString, socket: socket, pool: pool)))
        } catch {
            result = .failure(error)
        }
        await pool.close()
        try await TestCluster.shared.dropDatabase(name)
        try result.get()
    }

    /// The first column of the first row of a query, over a connection of its own.
    public func value<Value: ColumnDecodable & Sendable>(
        _ query: Statement, as type: Value.Type = Value.self
    ) async throws -> Value {
        let connection = try await Connection.open(connectionConfiguration)
        let result = try await connection.execute(query)
        await connection.close()
        return try result[0].decode(Value.self)
    }
}

/// The one PostgreSQL all tests of a run share. It goes when the process ends.
public actor TestCluster {
    public static let shared = TestCluster()

    private var administration: Task<(Cluster, Connection), any Error>?
    private var lastNumber = 0
    /// How many tests may have a database at a time: each has some connections, of which the server has 200.
    private var places = 16
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private static let template = "leads_template"

    /// Connects to the cluster, starting it and making the template on first use.
    private func connection() async throws -> (Cluster, Connection) {
        if administration == nil {
            administration = Task { try await Self.start() }
        }
        return try await administration!.value
    }

    private static func start() async throws -> (Cluster, Connection) {
        var configuration = Cluster.Configuration(directory: "/tmp/leads-crm-tests-\(geteuid())")
        configuration.durability = .throwaway
        configuration.databaseName = "administration"
        // A session that wants it waits for a standby that is not there.
        configuration.settings = ["synchronous_standby_names": "nobody", "synchronous_commit": "local"]
        let cluster = try await Cluster.start(configuration)
        ClusterEnd.directory = cluster.directory
        atexit { ClusterEnd.stop() }

        let connection = try await Connection.open(
            ConnectionConfiguration(connectionString: cluster.connectionString, statementDeadline: .seconds(60)))
        for row in try await connection.execute(
            "select datname from pg_database where datname like 'leads\\_%' or datname like 'test\\_%'")
        {
            let name = try row.decode(String.self)
            try await connection.execute("drop database \(unsafe: name) with (force)")
        }
        try await connection.execute("create database \(unsafe: template)")
        let migrator = Migrator(migrations: LeadStore.migrations, repeatables: LeadStore.repeatables)
        try await migrator.run(
            ConnectionConfiguration(connectionString: "\(cluster.connectionString) dbname=\(template)"))
        return (cluster, connection)
    }

    func takePlace() async {
        guard places == 0 else {
            places -= 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    func leavePlace() {
        if waiting.isEmpty { places += 1 } else { waiting.removeFirst().resume() }
    }

    func createDatabase() async throws -> (name: String, connectionString: String, socket: String) {
        let (cluster, connection) = try await connection()
        lastNumber += 1
        let name = "test_\(lastNumber)"
        try await connection.execute(
            "create database \(unsafe: name) template \(unsafe: Self.template) strategy file_copy")
        return (name, "\(cluster.connectionString) dbname=\(name)", "\(cluster.socketDirectory)/.s.PGSQL.5432")
    }

    func dropDatabase(_ name: String) async throws {
        let (_, connection) = try await connection()
        try await connection.execute("drop database \(unsafe: name) with (force)")
    }
}

/// Stops the cluster from `atexit`, where nothing asynchronous runs any more.
private enum ClusterEnd {
    /// Written once, before the handler is registered.
    nonisolated(unsafe) static var directory = ""

    static func stop() {
        let file = "\(directory)/data/postmaster.pid"
        guard let text = try? String(contentsOfFile: file, encoding: .utf8),
            let pid = text.split(separator: "\n").first.flatMap({ pid_t($0) }), pid > 1
        else { return }
        kill(pid, SIGQUIT)
        let deadline = Date().addingTimeInterval(10)
        while FileManager.default.fileExists(atPath: file), Date() < deadline { usleep(10_000) }
        try? FileManager.default.removeItem(atPath: directory)
    }
}
