import LeadStore
import Leads

/// `/events`, and the events of one contact
struct EventHandlers: Sendable {
    let store: LeadStore

    @Sendable func list(_ call: Call) async throws(Problem) -> Reply {
        let page = try call.query { LogPage(&$0) }
        let events = try await asking { () throws(StoreError) in try await store.events(page) }
        return .log(events, call) { $0.event($1) }
    }

    @Sendable func history(_ call: Call) async throws(Problem) -> Reply {
        let (id, page) = try call.idAndQuery("contact_id") { LogPage(historyOf: &$0) }
        let events = try await asking { () throws(StoreError) in try await store.history(ofContact: id, page) }
        return .log(events, call) { $0.event($1) }
    }
}

extension LogPage {
    /// Part of a contact's history, which is all of it unless somebody asks for less.
    init(historyOf fields: inout Fields) {
        self.init(&fields, limit: 1000)
    }
}
