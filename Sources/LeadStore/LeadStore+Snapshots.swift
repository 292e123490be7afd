import Postgres

/// Old snapshots, which keep the space of dead rows.
extension LeadStore {
    /// Ends the sessions of analysts whose transaction has lasted longer and keeps a snapshot.
    /// - Returns: how many.
    /// - Throws: `StoreError`.
    public func endOldReportSnapshots(olderThanSeconds seconds: Int) async throws(StoreError) -> Int {
        try await transaction { (transaction) throws(StoreError) in
            let found = try await transaction.finish(with: ["select end_old_report_snapshots(\(seconds)::integer)"])
            return try reading { () throws(PostgresError) in try found[0][0].decode(Int.self) }
        }
    }
}
