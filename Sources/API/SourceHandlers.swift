import HTTPTypes
import JSON
import LeadStore
import Leads

/// `/sources`, with the weights of their operators in both references' shapes.
struct SourceHandlers: Sendable {
    let store: LeadStore

    @Sendable func create(_ call: Call) async throws(Problem) -> Reply {
        let new = try call.body { NewSource(&$0) }
        let made = try await asking { () throws(StoreError) in
            try await store.createSource(new, for: call.viewer, by: call.actor)
        }
        return Reply(.created) { json in json.object { $0.source(made) } }
    }

    @Sendable func list(_ call: Call) async throws(Problem) -> Reply {
        let page = try call.query { Page(&$0) }
        let sources = try await asking { () throws(StoreError) in try await store.sources(page, for: call.viewer) }
        return .listing(sources, call) { json, source in json.object { $0.source(source) } }
    }

    @Sendable func show(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.id("source_id")
        let source = try await asking { () throws(StoreError) in try await store.source(id: id, for: call.viewer) }
        let weights = try await weights(of: id, call)
        return Reply { $0.sourceWithWeights(source, weights) }
    }

    @Sendable func change(_ call: Call) async throws(Problem) -> Reply {
        let (id, change) = try call.idAndBody("source_id") { SourceChange(&$0) }
        let changed = try await asking { () throws(StoreError) in
            try await store.changeSource(id: id, change, for: call.viewer, by: call.actor)
        }
        return Reply { json in json.object { $0.source(changed) } }
    }

    @Sendable func distribution(_ call: Call) async throws(Problem) -> Reply {
        let weights = try await weights(of: try call.id("source_id"), call)
        return Reply { json in json.array(weights) { $0.distributionRow($1.weight) } }
    }

    @Sendable func addWeights(_ call: Call) async throws(Problem) -> Reply {
        try await setDistribution(call, replacing: false, status: .created)
    }

    @Sendable func replaceWeights(_ call: Call) async throws(Problem) -> Reply {
        try await setDistribution(call, replacing: true, status: .ok)
    }

    @Sendable func bareWeights(_ call: Call) async throws(Problem) -> Reply {
        let weights = try await weights(of: try call.id("source_id"), call)
        return Reply { json in json.array(weights) { $0.bareWeight($1.weight) } }
    }

    @Sendable func replaceBareWeights(_ call: Call) async throws(Problem) -> Reply {
        let (id, new) = try call.idAndBodyList("source_id") { NewWeight(bare: &$0) }
        let sent = try await set(new, of: id, replacing: true, call)
        return Reply { json in json.array(sent) { $0.bareWeight($1) } }
    }

    @Sendable func shares(_ call: Call) async throws(Problem) -> Reply {
        let (id, request) = try call.idAndQuery("source_id") { SharesRequest(&$0) }
        let shares = try await asking { () throws(StoreError) in
            try await store.shares(ofSource: id, request, for: call.viewer)
        }
        return Reply { json in json.array(shares) { $0.sourceShare($1) } }
    }

    private func setDistribution(
        _ call: Call, replacing: Bool, status: HTTPResponse.Status
    ) async throws(Problem) -> Reply {
        let (id, new) = try call.idAndBody("source_id", NewWeight.distribution)
        let sent = try await set(new, of: id, replacing: replacing, call)
        return Reply(status) { json in json.array(sent) { $0.distributionRow($1) } }
    }

    /// Stores the weights and returns the rows of the operators named, in the order they were named.
    private func set(
        _ new: [NewWeight], of id: Int, replacing: Bool, _ call: Call
    ) async throws(Problem) -> [Weight] {
        let weights = try await asking { () throws(StoreError) in
            try await store.setWeights(sourceID: id, new, replacing: replacing, for: call.viewer, by: call.actor)
        }
        let stored = Dictionary(weights.map { ($0.weight.operatorID, $0.weight) }, uniquingKeysWith: { $1 })
        var named: Set<Int> = []
        return new.compactMap { named.insert($0.operatorID).inserted ? stored[$0.operatorID] : nil }
    }

    private func weights(of id: Int, _ call: Call) async throws(Problem) -> [WeightedOperator] {
        try await asking { () throws(StoreError) in try await store.weights(sourceID: id, for: call.viewer) }
    }
}
