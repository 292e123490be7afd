import Leads
import Postgres

/// Every key by which some leads are found, locked before the leads: then nobody is about to find them.
struct LeadKeyLocks: Sendable {
    /// Beyond this many keys the table of keys is locked instead of each of them.
    static let limit = 1000

    /// As read before the locks; one more than the limit when there are more than that.
    private let keys: Set<LeadIdentity>

    private var areTooMany: Bool { keys.count > Self.limit }

    init(_ keys: Set<LeadIdentity>) {
        self.keys = keys
    }

    /// Two statements.
    /// - Parameter others: further lock numbers to take along with the keys'.
    func locks(and others: Set<Int> = []) -> [Statement] {
        [
            Locks.keys(areTooMany ? others : others.union(keys.map { Locks.number(for: $0) })),
            areTooMany ? "lock table lead_identities in access exclusive mode" : Self.share,
        ]
    }

    /// Keeps a transaction that locks all keys away. Whoever came to the keys with a lead in its hands would wait for that
    /// one, and that one for the lead.
    static let share: Statement = "lock table lead_identities in row exclusive mode"

    /// Asks for the keys of the locked leads, for ``areAll(_:)``.
    func check(_ leadIDs: [Int]) -> Statement {
        areTooMany ? "select where false" : Self.keys(of: leadIDs)
    }

    /// Whether no key has come since they were read.
    func areAll(_ found: QueryResult) throws(PostgresError) -> Bool {
        if areTooMany { return true }
        return Set(try Self.keys(found)).isSubset(of: keys)
    }

    static func keys(of leadIDs: [Int]) -> Statement {
        "select kind::text, value from lead_identities where lead_id = any(\(leadIDs))"
    }

    static func keys(_ found: QueryResult) throws(PostgresError) -> [LeadIdentity] {
        try found.map { (row) throws(PostgresError) in
            let (kind, value) = try row.decode(IdentityKind.self, String.self)
            return LeadIdentity(kind: kind, value: value)
        }
    }
}
