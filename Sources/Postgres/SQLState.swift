/// A five-character SQLSTATE code as PostgreSQL reports it (appendix A of its manual).
///
/// Patterns match either one code or a whole class:
/// ```swift
/// switch error.sqlState {
/// case .uniqueViolation: …
/// case SQLState.Class.connectionException: …
/// }
/// ```
public struct SQLState: Sendable, Hashable, CustomStringConvertible {
    public let code: String

    public init(_ code: String) {
        self.code = code
    }

    public var description: String { code }

    public static let warning = SQLState("01000")
    public static let featureNotSupported = SQLState("0A000")
    public static let uniqueViolation = SQLState("23505")
    public static let readOnlyTransaction = SQLState("25006")
    public static let inFailedTransaction = SQLState("25P02")
    public static let invalidStatementName = SQLState("26000")
    public static let serializationFailure = SQLState("40001")
    public static let deadlockDetected = SQLState("40P01")
    public static let insufficientPrivilege = SQLState("42501")
    public static let duplicatePreparedStatement = SQLState("42P05")
    public static let lockNotAvailable = SQLState("55P03")
    public static let outOfMemory = SQLState("53200")
    public static let queryCanceled = SQLState("57014")
    public static let adminShutdown = SQLState("57P01")
    public static let crashShutdown = SQLState("57P02")
    public static let idleSessionTimeout = SQLState("57P05")
    public static let idleInTransactionTimeout = SQLState("25P03")
    public static let cannotConnectNow = SQLState("57P03")

    /// The first two characters of a code, which name its class.
    public struct Class: Sendable {
        let prefix: String

        public static let connectionException = Class(prefix: "08")
        public static let dataException = Class(prefix: "22")
        public static let integrityConstraintViolation = Class(prefix: "23")
        public static let insufficientResources = Class(prefix: "53")
        public static let programLimitExceeded = Class(prefix: "54")
        /// What functions and triggers raise.
        public static let raisedInFunction = Class(prefix: "P0")
    }

    /// Matches a code against its class in a `case` pattern.
    public static func ~= (pattern: Class, state: SQLState) -> Bool {
        state.code.hasPrefix(pattern.prefix)
    }
}
