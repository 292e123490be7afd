import EmbeddedPostgres
import LeadStore
import Logging
import Postgres
import Schema

/// The database this process works on: the one it was told of, or one it starts itself.
struct Database {
    let connectionString: String
    /// Of the schema's owner.
    private let directConnectionString: String
    /// Of an account that may make roles.
    private let rolesConnectionString: String
    private let isPooled: Bool
    let cluster: Cluster?
    private let logger: Logger

    private static let appRole = "leads_app"
    private static let ownerRole = "leads_owner"

    /// Finds the database, starting the embedded one when none was named. That one's roles are made, and everything is
    /// given to their owner, also what an earlier version left to the superuser.
    /// - Parameter dataDirectory: where the embedded one lives.
    private static func open(dataDirectory: String, logger: Logger) async throws -> Database {
        let url = Setting.databaseURL.value
        guard url.isEmpty else {
            let direct = Setting.databaseDirectURL.value
            try requireTLS(.databaseURL)
            if !direct.isEmpty { try requireTLS(.databaseDirectURL) }
            let owner = direct.isEmpty ? url : direct
            return Database(
                connectionString: url, directConnectionString: owner, rolesConnectionString: owner,
                isPooled: try Setting.databasePooled.bool(), cluster: nil, logger: logger)
        }
        var configuration = Cluster.Configuration(directory: dataDirectory)
        configuration.progress = { logger.info("\($0)") }
        let cluster = try await Cluster.start(configuration)
        let database = Database(
            connectionString: cluster.connectionString(as: appRole),
            directConnectionString: cluster.connectionString(as: ownerRole),
            rolesConnectionString: cluster.connectionString, isPooled: false, cluster: cluster, logger: logger)
        do {
            try await database.withRolesConnection { connection in
                try await connection.runScript(Schema.ownership.sql)
                try await connection.execute(LeadStore.ownerMayLogIn)
            }
            return database
        } catch {
            await database.close()
            throw error
        }
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
            guard case .inUse = inUse,
                let instances = try await Cluster.connectionString(toRunning: configuration, as: appRole),
                let owner = try await Cluster.connectionString(toRunning: configuration, as: ownerRole)
            else { throw inUse }
            logger.debug("an instance runs PostgreSQL in \(dataDirectory): using that")
            return Database(
                connectionString: instances, directConnectionString: owner, rolesConnectionString: owner,
                isPooled: false, cluster: nil, logger: logger)
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

    /// Opens the database at this program's schema, made if there is none: one that an instance runs has it.
    static func current(dataDirectory: String, logger: Logger) async throws -> Database {
        do {
            return try await migrated(dataDirectory: dataDirectory, logger: logger)
        } catch let inUse as EmbeddedPostgresError {
            guard case .inUse = inUse else { throw inUse }
            return try await existing(dataDirectory: dataDirectory, logger: logger)
        }
    }

    private func migrate() async throws {
        let logger = logger
        let migrator = Migrator(
            migrations: LeadStore.migrations, repeatables: LeadStore.repeatables,
            progress: { logger.info("\($0)") })
        let outcome = try await migrator.run(ConnectionConfiguration(connectionString: directConnectionString))
        // Nobody but this program looks after the roles there.
        guard cluster == nil else { return try await createRoles() }
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
        try await withRolesConnection { [logger] connection in
            try await connection.runScript(Schema.ownership.sql)
            try await connection.runScript(Schema.roles.sql)
            let left = try await connection.execute(LeadStore.rightsLeftOpen)[0].decode([String].self)
            for right in left {
                logger.warning("only a superuser can change this, run migrate --roles as one: \(right)")
            }
        }
    }

    /// Runs `body` on a connection that may make roles, which is closed afterwards.
    private func withRolesConnection(_ body: (Connection) async throws -> Void) async throws {
        // Waiting behind a report would make every writer wait behind us.
        let connection = try await Connection.open(
            ConnectionConfiguration(
                connectionString: rolesConnectionString, sessionSettings: ["lock_timeout": "5s"]))
        do {
            try await body(connection)
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
