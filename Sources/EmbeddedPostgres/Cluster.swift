/// A private PostgreSQL cluster in a directory of its own.
///
/// ```swift
/// let cluster = try await Cluster.start(.init(directory: ".leads-crm"))
/// print(cluster.connectionString)
/// try await cluster.stop()
/// ```
///
/// One process at a time uses a directory; its lock lasts until ``stop()`` or the end of the process, even if
/// the value is dropped. A server that outlives a killed process is adopted by the next start.
public actor Cluster {
    /// The role that may do everything.
    static let superuser = "postgres"

    /// A libpq keyword string for the configured database and the role that may do everything.
    public nonisolated let connectionString: String
    /// The private directory of the server's Unix socket.
    public nonisolated let socketDirectory: String
    /// The directory in use, which differs from the configured one if the server's account cannot reach that.
    public nonisolated let directory: String
    /// The PostgreSQL installation in use.
    public nonisolated let binaries: Binaries

    private let server: Server
    private var lock: DirectoryLock?

    private init(_ server: Server, lock: DirectoryLock) {
        self.server = server
        self.lock = lock
        connectionString = server.connectionString(as: Self.superuser)
        socketDirectory = server.socketDirectory
        directory = server.directory.path
        binaries = server.binaries
    }

    /// Finds PostgreSQL, makes the cluster and its database if missing, and starts or adopts the server.
    public static func start(_ configuration: Configuration) async throws(EmbeddedPostgresError) -> Cluster {
        let directory = try await ClusterDirectory.prepare(configuration)
        let lock = try DirectoryLock(directory)
        do {
            let madeBy = textFile(directory.data + "/PG_VERSION")?.trimmed
            let server = Server(
                directory: directory,
                binaries: try await .find(preferring: madeBy, as: directory.owner),
                socketDirectory: try await directory.socketDirectory(),
                configuration: configuration
            )
            try await run(server)
            return Cluster(server, lock: lock)
        } catch {
            lock.release()
            throw error
        }
    }

    /// Whether a cluster has been made for a configuration, as far as this account can see.
    public static func exists(_ configuration: Configuration) -> Bool {
        ClusterDirectory.candidates(configuration).contains { EmbeddedPostgres.exists($0 + "/data/PG_VERSION") }
    }

    /// The same for another role.
    public nonisolated func connectionString(as role: String) -> String {
        server.connectionString(as: role)
    }

    /// How to reach the server that another process runs in the configured directory; nil when none runs there yet.
    public static func connectionString(
        toRunning configuration: Configuration, as role: String
    ) async throws(EmbeddedPostgresError) -> String? {
        let directory = try await ClusterDirectory.prepare(configuration)
        guard let socketDirectory = PostmasterFile(data: directory.data)?.socketDirectory else { return nil }
        return Server.connectionString(socketDirectory: socketDirectory, to: configuration.databaseName, as: role)
    }

    /// Stops the server and releases the directory; stopping twice is harmless.
    public func stop() async throws(EmbeddedPostgresError) {
        defer { abandon() }
        try await server.halt()
    }

    /// Kills every process of the server, as a loss of power would; for tests of recovery.
    public func crash() async throws(EmbeddedPostgresError) {
        try await server.endProcesses(after: .zero)
    }

    /// Starts the server again after ``crash()`` or ``stop()``.
    public func startAgain() async throws(EmbeddedPostgresError) {
        if lock == nil { lock = try DirectoryLock(server.directory) }
        try await Self.run(server)
    }

    /// Starts the server again if it has died, as after the system killed it for want of memory.
    /// - Returns: whether it had died.
    public func revive() async throws(EmbeddedPostgresError) -> Bool {
        guard lock != nil, !server.isAlive else { return false }
        try await Self.run(server)
        return true
    }

    /// Gives up the directory and leaves the server running, as our sudden death would.
    func abandon() {
        lock?.release()
        lock = nil
    }

    private static func run(_ server: Server) async throws(EmbeddedPostgresError) {
        try await server.initialise()
        try await server.launch()
        do {
            try await server.createDatabase()
        } catch {
            try await server.halt()
            throw error
        }
    }
}
