import Postgres

/// How busy the connections to the database are.
public struct PoolUse: Sendable {
    public let idle: Int
    public let leased: Int
    public let opening: Int
    /// Requests that wait for a connection.
    public let waiting: Int
}

extension LeadStore {
    public var poolUse: PoolUse {
        get async {
            let counts = await pool.counts
            return PoolUse(
                idle: counts.idle, leased: counts.leased, opening: counts.opening, waiting: counts.waiting)
        }
    }
}
