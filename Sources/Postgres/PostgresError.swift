/// What went wrong between this process and PostgreSQL.
///
/// The description names codes, constraints and tables only. The server's own message may quote a row's values, so it
/// is shown only for the SQLSTATE classes that never do, and is otherwise reachable through `serverMessage` alone.
public struct PostgresError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// The server answered a statement with an error.
        case server
        /// The connection string cannot be read, or asks for what is not there. The description says what is wrong with
        /// it without repeating any of it.
        case invalidConnectionString
        /// No connection could be opened.
        case connectionFailed
        /// The connection broke before the statement's outcome was known to be durable; nothing was committed.
        case connectionLost
        /// The connection broke, or its deadline passed, while a COMMIT was under way: it may have happened or not.
        case outcomeUnknown
        /// The statement's deadline passed.
        case deadlineExceeded
        /// The calling task was cancelled.
        case cancelled
        /// No connection became free before the lease's deadline.
        case poolExhausted
        /// The server has been unreachable for several attempts; callers are refused at once while attempts go on.
        case unavailable
        /// The pool was shut down.
        case poolClosed
        /// A parameter cannot be sent, for instance text that holds U+0000.
        case invalidParameter
        /// A column did not hold the type the caller asked for.
        case unexpectedColumn
        /// A migration's text differs from the one that was applied.
        case migrationRefused
        /// A statement wants what is not spoken here: COPY from or to the client.
        case unsupported
    }

    public let code: Code
    public let sqlState: SQLState?
    public let constraint: String?
    public let table: String?
    /// What the server or libpq said. May quote user data: never log it.
    public let serverMessage: String?
    private let note: String?

    init(
        _ code: Code, sqlState: SQLState? = nil, constraint: String? = nil, table: String? = nil,
        serverMessage: String? = nil, note: String? = nil
    ) {
        self.code = code
        self.sqlState = sqlState
        self.constraint = constraint
        self.table = table
        self.serverMessage = serverMessage
        self.note = note
    }

    public var description: String {
        var text = "PostgreSQL: \(code)"
        if let sqlState { text += " SQLSTATE \(sqlState)" }
        if let constraint { text += " constraint \(constraint)" }
        if let table { text += " table \(table)" }
        if let note { text += ": \(note)" }
        if let serverMessage, messageIsHarmless { text += ": \(serverMessage)" }
        return text
    }

    /// Data and constraint errors quote the offending values; the other classes speak of the statement or the server.
    private var messageIsHarmless: Bool {
        guard let sqlState else { return code == .connectionFailed }
        switch sqlState {
        case SQLState.Class.dataException, SQLState.Class.integrityConstraintViolation: return false
        default: return !sqlState.code.hasPrefix("P0")
        }
    }

    /// Whether the connection itself is gone, as opposed to one statement having failed on it.
    public var isConnectionLoss: Bool {
        switch code {
        case .connectionFailed, .connectionLost: true
        case .server:
            switch sqlState {
            case .adminShutdown?, .crashShutdown?, .cannotConnectNow?, .idleSessionTimeout?, .idleInTransactionTimeout?:
                true
            case let state? where SQLState.Class.connectionException ~= state: true
            default: false
            }
        default: false
        }
    }

    /// Whether the session did not hold a prepared statement that was thought to be there, or held it already.
    var isOfPreparation: Bool {
        code == .server && (sqlState == .invalidStatementName || sqlState == .duplicatePreparedStatement)
    }

    /// Whether another session is likely to do better: the server is no primary any more, or the session's prepared
    /// statements are not those it was thought to hold, or were planned before a migration («cached plan must not change
    /// result type»).
    var isFaultOfSession: Bool {
        isOfPreparation || code == .server && (sqlState == .readOnlyTransaction || sqlState == .featureNotSupported)
    }

    /// Whether the same transaction may simply be run again: nothing of it was committed and the cause is passing.
    public var isRetryable: Bool {
        switch sqlState {
        case .serializationFailure?, .deadlockDetected?: code == .server
        default: isFaultOfSession || isConnectionLoss && code != .connectionFailed
        }
    }
}
