public import Postgres

/// Why the store could not do what was asked, in the product's terms.
public enum StoreError: Error, Sendable {
    case operatorNotFound
    case sourceNotFound
    case contactNotFound
    case leadNotFound
    /// The contact was never decided by the product.
    case decisionNotFound
    /// The contact is not of a version the change is meant for.
    case versionConflict
    /// A closed contact has to be opened again first.
    case contactClosed
    /// Nobody has the contact, so nobody can hand it over.
    case contactUnassigned
    case operatorInactive
    case operatorAtLimit
    /// A set of weights names an operator that does not exist.
    case weightedOperatorNotFound(id: Int)
    /// An element of a set of weights names another source than the one it was sent to.
    case weightOfAnotherSource
    case sourceNameTaken
    case personNotFound
    case keyNotFound
    case sessionNotFound
    /// A link that has been used, has expired or was never given.
    case linkInvalid
    case loginTaken
    /// Nobody would be left who may administer.
    case lastAdmin
    /// Somebody whose role is operator is to be one of the operators.
    case operatorUnnamed
    /// There are keys or people already.
    case accessClosed
    /// Whoever asks may not do this, to anything.
    case notAllowed
    /// What a lead is to be recognised by is a key of another one.
    case leadKeyTaken(leadID: Int)
    /// Who the lead was has been erased: it takes no new data.
    case leadErased
    /// Somebody may be talking to the person right now.
    case leadHasOpenContacts
    /// The database cannot be reached, is too busy or has no room; nothing was changed, trying again soon is right.
    case unavailable(PostgresError)
    /// What is asked for at once is more than this instance reads in time; trying again soon is right.
    case tooManyLongReads
    /// More registrations wait than the intake takes, or this one has waited for too long; nothing was changed.
    case intakeFull
    /// More contacts wait to be closed than the store takes, or this one has waited for too long; nothing was changed.
    case tooManyClosings
    /// Another transaction has held what the request needs (a key, its lead, the source's operators) for longer than it was
    /// waited for; nothing was changed, trying again soon is right.
    case heldByOthers
    /// The key of the request was used for another one.
    case idempotencyKeyReused
    /// A request with this key has been under way for longer than it was waited for.
    case idempotencyKeyInUse
    /// The answer to the COMMIT was lost: the change may have happened or not.
    case outcomeUnknown
    /// What came before it failed for a reason that is likely to concern it, too: it was not tried.
    case notTried
    /// The caller went away.
    case cancelled
    /// A fault of this program or its schema.
    case unexpected(PostgresError)

    /// Reads a database error by the name of the constraint it broke, else by its class.
    init(_ error: PostgresError) {
        switch (error.code, error.sqlState, error.constraint) {
        case (_, _, "sources_name_unique"?): self = .sourceNameTaken
        case (_, _, "people_login_unique"?): self = .loginTaken
        case (_, _, "people_operator"?): self = .operatorNotFound
        case (_, _, "people_operator_named"?): self = .operatorUnnamed
        case (.outcomeUnknown, _, _): self = .outcomeUnknown
        case (.cancelled, _, _): self = .cancelled
        case (.poolExhausted, _, _), (.unavailable, _, _), (.poolClosed, _, _), (.deadlineExceeded, _, _),
            (.connectionFailed, _, _), (.connectionLost, _, _):
            self = .unavailable(error)
        case (.server, let state?, _) where Self.isPassing(state): self = .unavailable(error)
        default: self = .unexpected(error)
        }
    }

    /// Whether a statement took too long, whatever for.
    var isSlowness: Bool {
        guard case .unavailable(let error) = self else { return false }
        return error.sqlState == .queryCanceled
    }

    /// Whether a lock, or a statement that waited for several, took too long.
    var isTimeout: Bool {
        guard case .unavailable(let error) = self else { return false }
        return error.sqlState == .lockNotAvailable || error.sqlState == .queryCanceled
    }

    private static func isPassing(_ state: SQLState) -> Bool {
        switch state {
        case .serializationFailure, .deadlockDetected, .lockNotAvailable, .queryCanceled, .readOnlyTransaction,
            .featureNotSupported, .invalidStatementName, .duplicatePreparedStatement,
            .idleSessionTimeout, .idleInTransactionTimeout,
            .adminShutdown, .crashShutdown, .cannotConnectNow,
            SQLState.Class.connectionException, SQLState.Class.insufficientResources:
            true
        default: false
        }
    }
}
