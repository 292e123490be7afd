import LeadStore

/// `/stats`
struct StatisticsHandlers: Sendable {
    let store: LeadStore

    @Sendable func distribution(_ call: Call) async throws(Problem) -> Reply {
        let statistics = try await asking { () throws(StoreError) in try await store.distributionStatistics() }
        return Reply { $0.statistics(statistics) }
    }
}
