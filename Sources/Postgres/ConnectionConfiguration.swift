/// Where the database is and how connections to it behave.
public struct ConnectionConfiguration: Sendable {
    /// A libpq connection string: a `postgresql://` URI or `keyword=value` pairs. Several hosts are allowed. It may
    /// hold a password, so it is never logged. `PG…` variables and service files supply what it leaves out.
    public var connectionString: String
    /// Shown in `pg_stat_activity`.
    public var applicationName: String
    /// Server settings of every session, for instance `statement_timeout`. Left out when `isPooled`, because a
    /// transaction pooler refuses start-up options; give the role the same settings there. `options` of the string, of a
    /// service file or `PGOPTIONS` are added, and win.
    public var sessionSettings: [String: String]
    /// Whether a transaction pooler such as PgBouncer stands in between: no named prepared statements, no options.
    public var isPooled: Bool
    /// How long this side waits for one statement. The server's own `statement_timeout` should be shorter: this one is
    /// for a server that has stopped answering. The connection is given up then, unless readers share it: their answers
    /// are dropped when they come.
    public var statementDeadline: Duration
    /// How long a connection that readers share may owe answers without completing any before it is given up; longer than
    /// `statementDeadline` and `statement_timeout`.
    public var silenceLimit: Duration = .seconds(10)
    /// Called on the database thread for each warning and notice.
    public var noticeReceived: (@Sendable (Notice) -> Void)?

    public init(
        connectionString: String,
        applicationName: String = "leads-crm",
        sessionSettings: [String: String] = [:],
        isPooled: Bool = false,
        statementDeadline: Duration = .seconds(5),
        noticeReceived: (@Sendable (Notice) -> Void)? = nil
    ) {
        self.connectionString = connectionString
        self.applicationName = applicationName
        self.sessionSettings = sessionSettings
        self.isPooled = isPooled
        self.statementDeadline = statementDeadline
        self.noticeReceived = noticeReceived
    }

    /// The keywords and values for `PQconnectdbParams`. Those before `dbname` are defaults, which the string, variables and
    /// service files may override; those behind it may not be.
    ///
    /// `tcp_user_timeout` and the keepalives together notice a cut network in about three seconds; either alone may
    /// take minutes. A standby is passed over, so that a list of hosts leads to the primary. GSSAPI would keep decrypted
    /// bytes of which neither the socket nor OpenSSL tells.
    /// - Throws: `PostgresError` with the code `invalidConnectionString`.
    func keywords() throws(PostgresError) -> [(String, String)] {
        let target = try ConnectionTarget(connectionString)
        let defaults = [
            ("fallback_application_name", applicationName),
            ("connect_timeout", "2"),
            ("tcp_user_timeout", "3000"),
            ("keepalives_idle", "2"),
            ("keepalives_interval", "1"),
            ("keepalives_count", "3"),
            ("target_session_attrs", "read-write"),
        ].filter { !target.given.contains($0.0) }
        var keywords =
            defaults + [("dbname", connectionString), ("client_encoding", "UTF8"), ("gssencmode", "disable")]
        if !isPooled && !sessionSettings.isEmpty {
            let ours = sessionSettings.sorted { $0.key < $1.key }.map { "-c \($0.key)=\($0.value)" }
            keywords.append(("options", (ours + [target.options]).joined(separator: " ")))
        }
        return keywords
    }
}
