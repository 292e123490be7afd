import Identity
import LeadStore
import Leads

/// `/leads`
struct LeadHandlers: Sendable {
    let store: LeadStore
    let phoneRegion: PhoneRegion

    @Sendable func list(_ call: Call) async throws(Problem) -> Reply {
        let page = try call.query { Page(&$0) }
        let leads = try await asking { () throws(StoreError) in try await store.leads(page) }
        return .listing(leads, call) { $0.lead($1) }
    }

    @Sendable func show(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.id("lead_id")
        let lead = try await asking { () throws(StoreError) in try await store.lead(id: id) }
        return Reply { $0.lead(lead) }
    }

    @Sendable func showByExternalID(_ call: Call) async throws(Problem) -> Reply {
        let externalID = try call.text("external_id")
        let keys = LeadKeys(externalID: externalID, phone: nil, email: nil, region: phoneRegion)
        guard let key = keys.identities.first else { throw .leadNotFound }
        let lead = try await asking { () throws(StoreError) in try await store.lead(key) }
        return Reply { $0.lead(lead) }
    }

    @Sendable func contacts(_ call: Call) async throws(Problem) -> Reply {
        let (id, page) = try call.idAndQuery("lead_id") { Page(&$0) }
        let contacts = try await asking { () throws(StoreError) in try await store.contacts(ofLead: id, page) }
        return .listing(contacts, call) { $0.contact($1) }
    }
}
