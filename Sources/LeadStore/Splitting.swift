import Postgres

extension Array where Element: Sendable {
    /// What becomes of a batch that failed for the sake of some of its members: each half by itself, the outcomes in order.
    func inHalves<Outcome: Sendable>(_ perform: ([Element]) async -> [Outcome]) async -> [Outcome] {
        let middle = count / 2
        let first = await perform(Array(self[..<middle]))
        return first + (await perform(Array(self[middle...])))
    }
}

extension StoreError {
    /// Whether a transaction may have failed for what one of its members holds: the server refused data, or a rule of the
    /// schema did, or it ran out of room for one so large. A server that is away, or a schema that is not as expected,
    /// fails all alike.
    var mayBeOneMembers: Bool {
        switch self {
        case .unexpected(let error), .unavailable(let error):
            switch error.sqlState {
            case SQLState.Class.dataException?, SQLState.Class.integrityConstraintViolation?,
                SQLState.Class.programLimitExceeded?, SQLState.Class.raisedInFunction?, .outOfMemory?:
                true
            default: error.code == .invalidParameter || error.code == .unexpectedColumn
            }
        default: false
        }
    }
}
