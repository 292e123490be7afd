import HTTPTypes
import Identity
import LeadStore
import Leads

/// `/contacts`
struct ContactHandlers: Sendable {
    let store: LeadStore
    let intake: Intake
    let phoneRegion: PhoneRegion
    let observation: Observation

    @Sendable func register(_ call: Call) async throws(Problem) -> Reply {
        let registered = try await register(try call.body { NewContact(&$0) })
        let contact = registered.contact
        observation.registered(registered.isRepetition ? .repeated : contact.status == .new ? .waiting : .placed)
        return Reply(registered.isRepetition ? .ok : .created) { $0.contact(contact) }
    }

    private func register(_ new: NewContact) async throws(Problem) -> Intake.Registered {
        let keys = LeadKeys(
            externalID: new.leadExternalID, phone: new.leadPhone, email: new.leadEmail, region: phoneRegion)
        let outcomes = try await asking { () throws(StoreError) in
            try await intake.register([Intake.Request(contact: new, keys: keys.identities)])
        }
        return try await asking { () throws(StoreError) in try outcomes[0].get() }
    }

    @Sendable func list(_ call: Call) async throws(Problem) -> Reply {
        let (filter, page) = try call.query { (ContactFilter(&$0), Page(&$0)) }
        let contacts = try await asking { () throws(StoreError) in try await store.contacts(filter, page) }
        return .listing(contacts, call) { $0.contact($1) }
    }

    @Sendable func show(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.id("contact_id")
        let found = try await asking { () throws(StoreError) in try await store.contact(id: id) }
        return Reply { $0.contact(found) }
    }

    @Sendable func changeStatus(_ call: Call) async throws(Problem) -> Reply {
        let (id, change) = try call.idAndBody("contact_id") { StatusChange(&$0) }
        _ = try await asking { () throws(StoreError) in
            change.isActive ? try await store.reopenContact(id: id) : try await store.closeContact(id: id)
        }
        return .message("Contact status updated to \(change.isActive ? "active" : "inactive")")
    }

    @Sendable func close(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.id("contact_id")
        let closed = try await asking { () throws(StoreError) in try await store.closeContact(id: id) }
        return Reply { $0.contact(closed) }
    }

    @Sendable func reopen(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.id("contact_id")
        let reopened = try await asking { () throws(StoreError) in try await store.reopenContact(id: id) }
        return Reply { $0.contact(reopened) }
    }
}
