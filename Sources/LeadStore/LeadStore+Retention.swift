import Postgres

/// What is not kept for ever.
extension LeadStore {
    /// How long the answers to requests with an `Idempotency-Key` are kept.
    private static let idempotencyHours = 72

    /// How long what is too old is removed at a time: other work of the sweep waits behind it.
    private static let longestRemoval: Duration = .seconds(5)

    /// Drops the candidates of decisions older than so many days; what was decided stays. Of very many it leaves some to
    /// the next call.
    /// - Throws: `StoreError`.
    public func removeDecisionDetails(olderThanDays days: Int) async throws(StoreError) {
        try await removeInParts { () async throws(StoreError) in
            try await transaction { (transaction) throws(StoreError) in
                let found = try await transaction.finish(with: ["select remove_decision_details(\(days)::integer)"])
                return try reading { () throws(PostgresError) in try found[0][0].decode(Int.self) }
            }
        }
    }

    /// Forgets the answers to requests with an `Idempotency-Key` once they are older than 72 hours by the database's clock.
    /// Of very many it leaves some to the next call.
    /// - Throws: `StoreError`.
    public func removeIdempotencyKeys() async throws(StoreError) {
        try await removeInParts { () async throws(StoreError) in
            try await transaction { (transaction) throws(StoreError) in
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
        }
    }

    /// - Parameter removePart: removes some and says how many.
    private func removeInParts(_ removePart: () async throws(StoreError) -> Int) async throws(StoreError) {
        let end = ContinuousClock.now + Self.longestRemoval
        while try await removePart() > 0, ContinuousClock.now < end {}
    }
}
