import JSON
import LeadStore
import Leads

/// `/stats`, and what the references count under `/contacts/stats`
struct StatisticsHandlers: Sendable {
    let store: LeadStore

    @Sendable func distribution(_ call: Call) async throws(Problem) -> Reply {
        let statistics = try await asking { () throws(StoreError) in
            try await store.distributionStatistics(for: call.viewer)
        }
        return Reply { $0.statistics(statistics) }
    }

    @Sendable func overview(_ call: Call) async throws(Problem) -> Reply {
        let request = try call.query { OverviewRequest(&$0) }
        let overview = try await asking { () throws(StoreError) in
            try await store.overview(request, for: call.viewer)
        }
        return Reply { $0.overview(overview) }
    }

    @Sendable func contactDistribution(_ call: Call) async throws(Problem) -> Reply {
        let rows = try await asking { () throws(StoreError) in
            try await store.contactDistribution(for: call.viewer)
        }
        return Reply { json in json.array(rows) { $0.contactDistribution($1) } }
    }
}
