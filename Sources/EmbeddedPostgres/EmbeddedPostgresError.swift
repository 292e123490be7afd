/// Why a private cluster could not be found, initialised, started or stopped, and what to do about it.
public enum EmbeddedPostgresError: Error, Sendable, Equatable {
    /// No complete PostgreSQL installation was found in the places named.
    case binariesNotFound(searched: [String])
    /// There is no account the server may run as.
    case noServerUser(reason: String)
    /// The directory cannot hold a cluster.
    case directoryUnusable(path: String, reason: String)
    /// Another process holds the directory's lock.
    case inUse(directory: String, pid: Int32?)
    /// `data` holds files, but not a cluster; nothing was deleted.
    case notACluster(path: String)
    /// The cluster was made by another major version of PostgreSQL.
    case versionMismatch(directory: String, madeBy: String, found: String, binaries: String)
    /// A PostgreSQL tool could not be run, failed, or did not end in time.
    case commandFailed(command: String, reason: String)
    /// The server did not start; `log` is the end of its log.
    case startFailed(reason: String, log: String)
    /// The server did not stop.
    case stopFailed(directory: String, reason: String)
    /// The task that started the cluster was cancelled.
    case cancelled
}

extension EmbeddedPostgresError: CustomStringConvertible {
    /// What happened and what to do, in English.
    public var description: String {
        switch self {
        case .binariesNotFound(let searched):
            """
            No PostgreSQL server was found (looked in \(searched.joined(separator: ", "))). Install one with \
            `apt-get install postgresql`, set LEADS_POSTGRES_BIN to the directory that holds initdb, postgres, \
            pg_ctl, pg_isready and psql, or set DATABASE_URL to use an existing server.
            """
        case .noServerUser(let reason):
            """
            PostgreSQL refuses to run as root, and \(reason). Run leads-crm as an ordinary user or through sudo, \
            or install PostgreSQL with `apt-get install postgresql`, which creates the user postgres.
            """
        case .directoryUnusable(let path, let reason):
            "\(path) cannot hold the database: \(reason)"
        case .inUse(let directory, let pid):
            """
            Another leads-crm (pid \(pid.map(String.init) ?? "unknown")) is using \(directory). Stop it first, \
            choose another directory, or set DATABASE_URL to share one database.
            """
        case .notACluster(let path):
            """
            \(path) is not empty, but it is not a PostgreSQL cluster either (it has no PG_VERSION). Nothing was \
            deleted. Move it away, or choose another directory.
            """
        case .versionMismatch(let directory, let madeBy, let found, let binaries):
            """
            \(directory) was made by PostgreSQL \(madeBy), but the server found in \(binaries) is \(found), which \
            cannot read it. Install the older one beside it with `apt-get install postgresql-\(madeBy)` (or point \
            LEADS_POSTGRES_BIN at it), or convert the directory with pg_upgrade.
            """
        case .commandFailed(let command, let reason):
            "`\(command)` failed: \(reason)"
        case .startFailed(let reason, let log):
            "PostgreSQL did not start: \(reason)\nThe end of its log:\n\(log)"
        case .stopFailed(let directory, let reason):
            """
            PostgreSQL in \(directory) did not stop: \(reason) Its data is safe; the next start adopts the \
            running server.
            """
        case .cancelled:
            "Starting PostgreSQL was cancelled."
        }
    }
}
