/// Brings a database to the schema a program was built with.
///
/// Migrations are applied once, in order, each in a transaction of its own; one whose text has changed since it was
/// applied is refused. Repeatable scripts (functions, views) are run again whenever their text changes, in the order
/// given, all in one transaction but for those that want one of their own afterwards. Any number of processes may migrate at once: one works, the others wait. Versions
/// the program does not know are left alone, so that an old program can run beside a newer schema.
public struct Migrator: Sendable {
    public struct Migration: Sendable {
        /// Counts from 1 without gaps.
        public let version: Int
        public let name: String
        public let sql: String

        public init(version: Int, name: String, sql: String) {
            self.version = version
            self.name = name
            self.sql = sql
        }
    }

    public struct Repeatable: Sendable {
        public let name: String
        public let sql: String
        /// Whether it is run in a transaction of its own, once all others have been committed: it may take long, and those
        /// who write are not to wait for it.
        public let isAlone: Bool

        public init(name: String, sql: String, isAlone: Bool = false) {
            self.name = name
            self.sql = sql
            self.isAlone = isAlone
        }
    }

    /// What a run did.
    public struct Outcome: Sendable, Equatable {
        public var applied: [String] = []
        public var repeated: [String] = []

        public init() {}
    }

    private let migrations: [Migration]
    private let repeatables: [Repeatable]
    private let progress: @Sendable (String) -> Void
    /// The advisory lock under which one process migrates; the number has no meaning beyond being ours.
    private static let lockKey = 7_105_116_200_001
    private static let lockPollInterval: Duration = .milliseconds(50)
    /// How often a script is tried that could not get a table lock within `lock_timeout`.
    private static let lockAttempts = 100

    public init(
        migrations: [Migration], repeatables: [Repeatable], progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        precondition(
            migrations.map(\.version) == Array(1...max(migrations.count, 1)).prefix(migrations.count).map(\.self))
        self.migrations = migrations
        self.repeatables = repeatables
        self.progress = progress
    }

    /// The highest version of the migrations given.
    public var latestVersion: Int { migrations.count }

    /// Migrates over a connection of its own, which must lead to the server directly, not through a transaction pooler.
    /// - Throws: `PostgresError`; `migrationRefused` when an applied migration's text has changed.
    @discardableResult
    public func run(_ configuration: ConnectionConfiguration) async throws(PostgresError) -> Outcome {
        var configuration = configuration
        configuration.isPooled = false
        configuration.statementDeadline = .seconds(86_400)
        // DDL behind a long reader would make every later query wait behind it: give up soon and try again.
        // And a statement that was about to begin when this program was stopped must not hold everybody's lock for long.
        configuration.sessionSettings = [
            "lock_timeout": "100ms", "client_min_messages": "warning", "client_connection_check_interval": "1s",
        ]
        let connection = try await Connection.open(configuration)
        do throws(PostgresError) {
            let outcome = try await migrate(connection)
            await connection.close()
            return outcome
        } catch {
            await connection.close()  // which also frees the advisory lock
            throw error
        }
    }

    /// The highest migration applied to the database, 0 for none.
    /// - Throws: `PostgresError`.
    public static func appliedVersion(_ pool: Pool) async throws(PostgresError) -> Int {
        let exists = try await pool.read("select to_regclass('schema_migrations') is not null")
        guard try exists[0].decode(Bool.self) else { return 0 }
        return try await pool.read("select coalesce(max(version), 0) from schema_migrations")[0].decode(Int.self)
    }

    private func migrate(_ connection: Connection) async throws(PostgresError) -> Outcome {
        // An instance whose role may not change the schema starts all the same when there is nothing to change.
        if try await isUpToDate(connection) { return Outcome() }
        try await lock(connection)
        try await connection.runScript(
            """
            create table if not exists schema_migrations (
                version integer constraint schema_migrations_pkey primary key,
                name text not null,
                checksum text not null,
                applied_at timestamptz not null default clock_timestamp()
            );
            create table if not exists schema_repeatables (
                name text constraint schema_repeatables_pkey primary key,
                checksum text not null,
                applied_at timestamptz not null default clock_timestamp()
            );
            comment on table schema_migrations is 'Migrations applied to this database, each once, never edited.';
            comment on table schema_repeatables is 'Functions and views in the version last applied.';
            """)
        var outcome = Outcome()
        let applied = try await appliedChecksums(connection, "select name, checksum from schema_migrations")
        for migration in migrations {
            let checksum = try await checksum(of: migration.sql, connection)
            if let known = applied[migration.name] {
                guard known == checksum else {
                    throw PostgresError(
                        .migrationRefused, note: "\(migration.name) was changed after it had been applied")
                }
                continue
            }
            progress("migration \(migration.name)")
            try await inTransaction(connection, scripts: [migration.sql]) {
                """
                insert into schema_migrations (version, name, checksum)
                values (\(migration.version)::bigint::integer, \(migration.name), \(checksum))
                """
            }
            outcome.applied.append(migration.name)
        }
        try await repeatScripts(connection, &outcome)
        return outcome
    }

    /// Whether the database holds the migrations given and, unless a newer program has been there, the repeatable scripts.
    /// - Throws: `PostgresError`.
    public func isUpToDate(_ connection: Connection) async throws(PostgresError) -> Bool {
        let exist: Statement = """
            select to_regclass('schema_migrations') is not null and to_regclass('schema_repeatables') is not null
            """
        guard try await connection.execute(exist)[0].decode(Bool.self) else { return false }
        let applied = try await appliedChecksums(connection, "select name, checksum from schema_migrations")
        for migration in migrations {
            guard try await applied[migration.name] == checksum(of: migration.sql, connection) else { return false }
        }
        if applied.count > migrations.count { return true }
        let repeated = try await appliedChecksums(connection, "select name, checksum from schema_repeatables")
        for script in repeatables {
            guard try await repeated[script.name] == checksum(of: script.sql, connection) else { return false }
        }
        return true
    }

    private func repeatScripts(_ connection: Connection, _ outcome: inout Outcome) async throws(PostgresError) {
        // A newer program has been here: its functions and views must not be put back to what this one knows.
        let newest: Int = try await connection.execute("select coalesce(max(version), 0) from schema_migrations")[0]
            .decode(Int.self)
        guard newest <= latestVersion else { return }
        let known = try await appliedChecksums(connection, "select name, checksum from schema_repeatables")
        var changed: [(script: Repeatable, checksum: String)] = []
        for script in repeatables {
            let checksum = try await checksum(of: script.sql, connection)
            if known[script.name] != checksum { changed.append((script, checksum)) }
        }
        let together = changed.filter { !$0.script.isAlone }
        if !together.isEmpty {
            progress("functions and views: \(together.count)")
            try await runRepeatables(together, connection)
        }
        for alone in changed where alone.script.isAlone {
            progress("\(alone.script.name), beside those who write")
            try await runRepeatables([alone], connection)
        }
        outcome.repeated = changed.map(\.script.name)
    }

    private func runRepeatables(
        _ changed: [(script: Repeatable, checksum: String)], _ connection: Connection
    ) async throws(PostgresError) {
        try await inTransaction(connection, scripts: changed.map(\.script.sql)) {
            """
            insert into schema_repeatables (name, checksum)
            select * from unnest(\(changed.map(\.script.name)), \(changed.map(\.checksum)))
            on conflict (name) do update set checksum = excluded.checksum, applied_at = clock_timestamp()
            """
        }
    }

    /// Waits for the lock by polling: waiting inside `pg_advisory_lock` holds a snapshot, which deadlocks with a
    /// CREATE INDEX CONCURRENTLY of the process that has it.
    private func lock(_ connection: Connection) async throws(PostgresError) {
        var hasSaidSo = false
        while try await connection.execute("select pg_try_advisory_lock(\(Self.lockKey))")[0].decode(Bool.self) == false
        {
            if !hasSaidSo { progress("another process is migrating, waiting for it") }
            hasSaidSo = true
            do { try await Task.sleep(for: Self.lockPollInterval) } catch { throw PostgresError(.cancelled) }
        }
    }

    private func inTransaction(
        _ connection: Connection, scripts: [String], record: () -> Statement
    ) async throws(PostgresError) {
        for attempt in 1... {
            do throws(PostgresError) {
                try await connection.execute("begin")
                for script in scripts { try await connection.runScript(script) }
                _ = try await connection.send([record(), "commit"], commits: true)
                return
            } catch {
                guard await connection.isOpen else { throw error }
                try? await connection.rollBack()
                guard error.sqlState == .lockNotAvailable, attempt < Self.lockAttempts else { throw error }
                if attempt == 1 { progress("a table is in use, trying again") }
                do { try await Task.sleep(for: .milliseconds(50)) } catch { throw PostgresError(.cancelled) }
            }
        }
    }

    private func appliedChecksums(
        _ connection: Connection, _ query: Statement
    ) async throws(PostgresError) -> [String: String] {
        var checksums: [String: String] = [:]
        for row in try await connection.execute(query) {
            let (name, checksum) = try row.decode(String.self, String.self)
            checksums[name] = checksum
        }
        return checksums
    }

    private func checksum(of sql: String, _ connection: Connection) async throws(PostgresError) -> String {
        try await connection.execute("select encode(sha256(convert_to(\(sql), 'UTF8')), 'hex')")[0].decode(String.self)
    }
}
