import LeadStore
import Leads

/// `/events`, the same live, and the events of one contact
struct EventHandlers: Sendable {
    let store: LeadStore
    let tail: EventTail

    @Sendable func list(_ call: Call) async throws(Problem) -> Reply {
        let page = try call.query { LogPage(&$0) }
        let events = try await asking { () throws(StoreError) in try await store.events(page, for: call.viewer) }
        return .log(events, call) { $0.event($1) }
    }

    /// Behind an event it goes on at once, also while the database is away. From now on can only be told by the database:
    /// whoever is answered misses nothing that is committed afterwards.
    @Sendable func stream(_ call: Call) async throws(Problem) -> Reply {
        if case .registered = call.viewer.reach { throw .forbidden }
        let after = try call.query { StreamStart(&$0) }.after
        if let after = try call.lastEventID ?? after {
            return Reply(
                try tail.stream(after: after, isCertain: false, for: call.viewer, account: call.caller.account))
        }
        let end = try await asking { () throws(StoreError) in try await tail.end() }
        return Reply(try tail.stream(after: end, isCertain: true, for: call.viewer, account: call.caller.account))
    }

    /// What was done to what is everybody's: keys, people, operators, sources, weights, leads.
    @Sendable func audit(_ call: Call) async throws(Problem) -> Reply {
        let query = try call.query { AuditQuery(&$0) }
        let events = try await asking { () throws(StoreError) in try await store.audit(query) }
        return .listing(events, call) { $0.event($1) }
    }

    @Sendable func history(_ call: Call) async throws(Problem) -> Reply {
        let (id, page) = try call.idAndQuery("contact_id") { LogPage(historyOf: &$0) }
        let events = try await asking { () throws(StoreError) in
            try await store.history(ofContact: id, page, for: call.viewer)
        }
        return .log(events, call) { $0.event($1) }
    }
}

/// Where a stream begins.
struct StreamStart {
    /// The last event the reader has seen; nil for what comes from now on.
    let after: Int?

    init(_ fields: inout Fields) {
        after = fields.optionalInteger("after", in: 0...Int.max)
    }
}

extension LogPage {
    /// Part of a contact's history, which is all of it unless somebody asks for less.
    init(historyOf fields: inout Fields) {
        self.init(&fields, limit: 1000)
    }
}
