import EmbeddedPostgres
import LeadStore
import Logging
import Postgres
import Schema

/// The database this process works on: the one it was told of, or one it starts itself.
struct Database {
    let connectionString: String
    private let directConnectionString: String
    private let isPooled: Bool
    let cluster: Cluster?
    private let logger: Logger

    /// Finds the database, starting the embedded one when none was named.
    /// - Parameter dataDirectory: where the embedded one lives.
    private static func open(dataDirectory: String, logger: Logger) async throws -> Database {
        let url = Setting.databaseURL.value
        guard url.isEmpty else {
            let direct = Setting.databaseDirectURL.value
            try requireTLS(.databaseURL)
            if !direct.isEmpty { try requireTLS(.databaseDirectURL) }
            return Database(
                connectionString: url, directConnectionString: direct.isEmpty ? url : direct,
                isPooled: try Setting.databasePooled.bool(), cluster: nil, logger: logger)
        }
        var configuration = Cluster.Configuration(directory: dataDirectory)
        configuration.progress = { logger.info("\($0)") }
        let cluster = try await Cluster.start(configuration)
        return Database(
            connectionString: cluster.connectionString, directConnectionString: cluster.connectionString,
            isPooled: false, cluster: cluster, logger: logger)
    }

    /// Refuses a database beyond this host whose connection is not protected as `LEADS_DATABASE_TLS` has it.
    private static func requireTLS(_ setting: Setting) throws {
        let target: ConnectionTarget
        do { target = try ConnectionTarget(setting.value) } catch { throw SettingError("\(setting.name): \(error)") }
        guard let least = try Setting.databaseTLS.sslMode(), !target.satisfies(least) else { return }
        throw SettingError(
            """
            \(setting.name) leads beyond this host with sslmode=\(target.sslMode.rawValue): \
            \(least == .require ? "anybody in between could read" : "anybody in between could read, or be the database").
            Add sslmode=verify-full and sslrootcert=FILE with the authority's certificate to it, or set PGSSLMODE and \
            PGSSLROOTCERT.
            Where the network is trusted, set \(Setting.databaseTLS.name)=off instead\
            \(least == .require ? "." : ", or require for encryption alone.")
            """)
    }

    /// Opens the database as it is: the embedded one is started if it is not running, but not made; one that an
    /// instance runs is shared with it.
    static func existing(dataDirectory: String, logger: Logger) async throws -> Database {
        guard Setting.databaseURL.value.isEmpty else {
            return try await open(dataDirectory: dataDirectory, logger: logger)
        }
        let configuration = Cluster.Configuration(directory: dataDirectory)
        guard Cluster.exists(configuration) else {
            throw SettingError(
                "there is no database in \(dataDirectory): name its directory with --data-directory, or set "
                    + Setting.databaseURL.name)
        }
        do {
            return try await open(dataDirectory: dataDirectory, logger: logger)
        } catch let inUse as EmbeddedPostgresError {
            guard case .inUse = inUse, let running = try await Cluster.connectionString(toRunning: configuration) else {
                throw inUse
            }
            logger.debug("an instance runs PostgreSQL in \(dataDirectory): using that")
            return Database(
                connectionString: running, directConnectionString: running, isPooled: false, cluster: nil,
                logger: logger)
        }
    }

    /// Opens the database and brings it to this program's schema.
    static func migrated(dataDirectory: String, logger: Logger) async throws -> Database {
        let database = try await open(dataDirectory: dataDirectory, logger: logger)
        do {
            try await database.migrate()
            try Task.checkCancellation()
            return database
        } catch {
            await database.close()
            throw error
        }
    }

    private func migrate() async throws {
        let logger = logger
        let migrator = Migrator(
            migrations: LeadStore.migrations, repeatables: LeadStore.repeatables,
            progress: { logger.info("\($0)") })
        let outcome = try await migrator.run(ConnectionConfiguration(connectionString: directConnectionString))
        guard outcome != Migrator.Outcome() else {
            logger.debug("the schema is up to date")
            return
        }
        // What is new needs rights too, or instances that connect as leads_app could not use it.
        guard try await hasRoles() else { return }
        do {
            try await createRoles()
        } catch {
            // Whoever may change the schema need not be one who may give rights.
            logger.warning("leads_app and leads_report were given no new rights, run migrate --roles: \(error)")
        }
    }

    private func hasRoles() async throws -> Bool {
        let connection = try await Connection.open(ConnectionConfiguration(connectionString: directConnectionString))
        do {
            let found = try await connection.execute(LeadStore.rolesExist)
            await connection.close()
            return try found[0].decode(Bool.self)
        } catch {
            await connection.close()
            throw error
        }
    }

    func createRoles() async throws {
        // Waiting behind a report would make every writer wait behind us.
        let connection = try await Connection.open(
            ConnectionConfiguration(
                connectionString: directConnectionString, sessionSettings: ["lock_timeout": "5s"]))
        do {
            try await connection.runScript(Schema.roles.sql)
            await connection.close()
        } catch {
            await connection.close()
            throw error
        }
    }

    func pool(size: Int) -> Pool {
        let logger = logger
        return Pool(
            Pool.Configuration(
                connection: ConnectionConfiguration(
                    connectionString: connectionString,
                    sessionSettings: LeadStore.sessionSettings,
                    isPooled: isPooled,
                    noticeReceived: { notice in
                        logger.warning("PostgreSQL sent a \(notice.severity), SQLSTATE \(notice.sqlState)")
                    }),
                maximumConnections: size))
    }

    /// What checks the database and mends its counters, through the direct connection if one is named.
    var reconciler: Reconciler {
        Reconciler(
            ConnectionConfiguration(
                connectionString: directConnectionString,
                isPooled: isPooled && directConnectionString == connectionString))
    }

    /// Stops the PostgreSQL that this process has started, if it has.
    func close() async {
        do {
            try await cluster?.stop()
        } catch {
            logger.error("PostgreSQL did not stop: \(error)")
        }
    }
}
