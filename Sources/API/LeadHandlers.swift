import Identity
import LeadStore
import Leads

/// `/leads`
struct LeadHandlers: Sendable {
    let store: LeadStore
    let phoneRegion: PhoneRegion

    @Sendable func list(_ call: Call) async throws(Problem) -> Reply {
        let (filter, page) = try call.query { (LeadFilter(&$0), Page(&$0)) }
        let query = filter.text.flatMap { LeadQuery($0, region: phoneRegion) }
        let leads = try await asking { () throws(StoreError) in
            if let query {
                try await store.leads(matching: query, page, for: call.viewer)
            } else {
                try await store.leads(page, for: call.viewer)
            }
        }
        return .listing(leads, call) { $0.lead($1) }
    }

    @Sendable func show(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.id("lead_id")
        let lead = try await asking { () throws(StoreError) in try await store.lead(id: id, for: call.viewer) }
        return Reply { $0.lead(lead) }
    }

    @Sendable func showByExternalID(_ call: Call) async throws(Problem) -> Reply {
        let externalID = try call.text("external_id")
        let keys = LeadKeys(externalID: externalID, phone: nil, email: nil, region: phoneRegion)
        guard let key = keys.identities.first else { throw .leadNotFound }
        let lead = try await asking { () throws(StoreError) in try await store.lead(key, for: call.viewer) }
        return Reply { $0.lead(lead) }
    }

    @Sendable func duplicates(_ call: Call) async throws(Problem) -> Reply {
        let page = try call.query { Page(&$0) }
        let pairs = try await asking { () throws(StoreError) in
            try await store.possibleDuplicates(page, for: call.viewer)
        }
        return .listing(pairs, call) { $0.possibleDuplicate($1) }
    }

    @Sendable func change(_ call: Call) async throws(Problem) -> Reply {
        let (id, change) = try call.idAndBody("lead_id") { LeadChange(&$0) }
        let region = phoneRegion
        let lead = try await asking { () throws(StoreError) in
            try await store.changeLead(id: id, change, for: call.viewer, by: call.actor) { externalID, phone, email in
                LeadKeys(externalID: externalID, phone: phone, email: email, region: region).identities
            }
        }
        return Reply { $0.lead(lead) }
    }

    @Sendable func merge(_ call: Call) async throws(Problem) -> Reply {
        let (id, merge) = try call.idAndBody("lead_id") { LeadMerge(&$0) }
        guard id != merge.into else {
            throw .invalid([.refused("a lead cannot be merged into itself", at: "into", input: .integer(id))])
        }
        let lead = try await asking { () throws(StoreError) in
            try await store.mergeLead(id: id, into: merge.into, for: call.viewer, by: call.actor)
        }
        return Reply { $0.lead(lead) }
    }

    @Sendable func erase(_ call: Call) async throws(Problem) -> Reply {
        let (id, erasure) = try call.idAndQuery("lead_id") { LeadErasure(&$0) }
        try await asking { () throws(StoreError) in
            try await store.eraseLead(id: id, closingContacts: erasure.force, for: call.viewer, by: call.actor)
        }
        return .message("Lead erased")
    }

    @Sendable func contacts(_ call: Call) async throws(Problem) -> Reply {
        let (id, page) = try call.idAndQuery("lead_id") { Page(&$0) }
        let contacts = try await asking { () throws(StoreError) in
            try await store.contacts(ofLead: id, page, for: call.viewer)
        }
        return .listing(contacts, call) { $0.contact($1) }
    }
}
