import JSON
import LeadStore

/// `/stats`, and what the references count under `/contacts/stats`
struct StatisticsHandlers: Sendable {
    let store: LeadStore

    @Sendable func distribution(_ call: Call) async throws(Problem) -> Reply {
        let statistics = try await asking { () throws(StoreError) in try await store.distributionStatistics() }
        return Reply { $0.statistics(statistics) }
    }

    @Sendable func contactDistribution(_ call: Call) async throws(Problem) -> Reply {
        let rows = try await asking { () throws(StoreError) in try await store.contactDistribution() }
        return Reply { json in json.array(rows) { $0.contactDistribution($1) } }
    }
}
