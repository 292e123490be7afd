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
    /// Whether tests reach their databases over TCP and TLS, as `LEADS_TEST_TLS=1` has it, instead of over the socket.
    public static let isOverTLS = ProcessInfo.processInfo.environment["LEADS_TEST_TLS"] == "1"

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
                    ["statement_timeout": "20s", "lock_timeout": "10s"], uniquingKeysWith: { $1 }),
                statementDeadline: .seconds(30)),
            maximumConnections: 4, leaseTimeout: .seconds(60))
        configuration.connection.silenceLimit = .seconds(60)
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

    private struct Administration {
        let cluster: Cluster
        let connection: Connection
        /// What leads to the cluster; the name of a database is to be added.
        let target: String
    }

    private var administration: Task<Administration, any Error>?
    private var lastNumber = 0
    /// How many tests may have a database at a time: each has some connections, of which the server has 200.
    private var places = 16
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private static let template = "leads_template"

    /// Connects to the cluster, starting it and making the template on first use.
    private func started() async throws -> Administration {
        if administration == nil {
            administration = Task { try await Self.start() }
        }
        return try await administration!.value
    }

    private static func start() async throws -> Administration {
        var configuration = Cluster.Configuration(directory: "/tmp/leads-crm-tests-\(geteuid())")
        configuration.durability = .throwaway
        configuration.databaseName = "administration"
        // A session that wants it waits for a standby that is not there.
        configuration.settings = ["synchronous_standby_names": "nobody", "synchronous_commit": "local"]
        // An address of this host that nobody else is likely to listen on: the port is always the same.
        let address = "127.\(UInt8.random(in: 1...254)).\(UInt8.random(in: 1...254)).1"
        if TestDatabase.isOverTLS { configuration.settings["listen_addresses"] = address }
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
        let target =
            TestDatabase.isOverTLS ? try await encrypt(connection, address: address) : cluster.connectionString
        return Administration(cluster: cluster, connection: connection, target: target)
    }

    /// Makes the cluster speak TLS.
    /// - Returns: what leads to it over TLS, with its certificate and its host's name verified.
    private static func encrypt(_ connection: Connection, address: String) async throws -> String {
        let authority = try TestAuthority()
        ClusterEnd.authority = authority
        for (file, path) in [("server.crt", authority.certificate), ("server.key", authority.key)] {
            let text = try String(contentsOfFile: path, encoding: .utf8)
            // The server's account writes its files itself: it need not be ours.
            try await connection.runScript(
                """
                copy (select regexp_split_to_table(rtrim('\(text)', E'\\n'), E'\\n'))
                to program 'umask 077; cat > \(file)'
                """)
        }
        try await connection.runScript("alter system set ssl = on")
        try await connection.execute("select pg_reload_conf()")
        let target = """
            host=localhost hostaddr=\(address) port=5432 user=postgres sslmode=verify-full sslrootcert=\(authority.root)
            """
        let isReady = await eventually(within: .seconds(30)) {
            let tried = try? await Connection.open(
                ConnectionConfiguration(connectionString: "\(target) dbname=postgres"))
            await tried?.close()
            return tried != nil
        }
        precondition(isReady, "the cluster does not speak TLS")
        return target
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
        let administration = try await started()
        lastNumber += 1
        let name = "test_\(lastNumber)"
        try await administration.connection.execute(
            "create database \(unsafe: name) template \(unsafe: Self.template) strategy file_copy")
        return (
            name, "\(administration.target) dbname=\(name)", "\(administration.cluster.socketDirectory)/.s.PGSQL.5432"
        )
    }

    func dropDatabase(_ name: String) async throws {
        try await started().connection.execute("drop database \(unsafe: name) with (force)")
    }
}

/// Stops the cluster from `atexit`, where nothing asynchronous runs any more.
private enum ClusterEnd {
    /// Both are written once, while the cluster is started.
    nonisolated(unsafe) static var directory = ""
    nonisolated(unsafe) static var authority: TestAuthority?

    static func stop() {
        authority?.remove()
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
