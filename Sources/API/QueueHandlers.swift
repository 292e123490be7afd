import JSON
import LeadStore

/// `/queue`
struct QueueHandlers: Sendable {
    let store: LeadStore

    @Sendable func list(_ call: Call) async throws(Problem) -> Reply {
        let groups = try await asking { () throws(StoreError) in try await store.waitingGroups(for: call.viewer) }
        let language = call.language
        return Reply { json in json.array(groups) { $0.waitingGroup($1, in: language) } }
    }
}
