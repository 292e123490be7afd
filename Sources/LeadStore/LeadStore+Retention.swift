import Postgres

/// What is not kept for ever.
extension LeadStore {
    /// How long the answers to requests with an `Idempotency-Key` are kept.
    private static let idempotencyHours = 72

    /// Drops the candidates of decisions older than so many days; what was decided stays.
    /// - Throws: `StoreError`.
    public func removeDecisionDetails(olderThanDays days: Int) async throws(StoreError) {
        var removed = 0
        repeat {
            removed = try await transaction { (transaction) throws(StoreError) in
                let found = try await transaction.finish(with: ["select remove_decision_details(\(days)::integer)"])
                return try reading { () throws(PostgresError) in try found[0][0].decode(Int.self) }
            }
        } while removed > 0
    }

    /// Forgets the answers to requests with an `Idempotency-Key` once they are older than 72 hours by the database's clock.
    /// - Throws: `StoreError`.
    public func removeIdempotencyKeys() async throws(StoreError) {
        var removed = 0
        repeat {
            removed = try await transaction { (transaction) throws(StoreError) in
                let found = try await transaction.finish(with: [
                    """
                    delete from idempotency_keys
                    where (owner, key) in (
                        select owner, key
                        from idempotency_keys
                        where created_at < clock_timestamp() - make_interval(hours => \(Self.idempotencyHours)::integer)
                        order by created_at
                        limit 1000
                        for update skip locked)
                    """
                ])
                return found[0].affectedRows
            }
        } while removed > 0
    }
}
