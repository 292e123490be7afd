import Leads
import TestSupport
import Testing

@testable import LeadStore

/// Whoever is shown masked data is shown no other, whatever it reads.
struct MaskedViewerTests {
    private static let secrets = [
        "9001234567", "anna.k", "Annabel", "Kowalski", "my secret", "client 20250001", "because of Anna", "hand",
    ]

    @Test func `nothing that was said by or of a lead is in any answer`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, ids) = try await database.team([5, 5])
            func register(_ keys: [LeadIdentity], event: String) async throws -> Contact {
                try await database.register(
                    NewContact(
                        sourceID: source.id, leadExternalID: "client 20250001", leadPhone: "+79001234567",
                        leadEmail: "anna.k@x.ru", leadName: "Annabel Kowalski", message: "my secret",
                        sourceEventID: event), keys: keys)
            }
            let phone = LeadIdentity(kind: .phone, value: "+79001234567")
            let contact = try await register(
                [LeadIdentity(kind: .externalID, value: "client 20250001"), phone], event: "anna.k@x.ru")
            _ = try await register([LeadIdentity(kind: .externalID, value: "other"), phone], event: "79001234567")
            let holder = try #require(contact.operator?.id)
            let colleague = try #require(ids.first { $0 != holder })
            let transfer = ContactChange(.transfer(Assignment(operatorID: colleague, reason: "because of Anna")))
            _ = try await store.changeContact(id: contact.id, transfer, for: .everything, by: .api)
            _ = try await store.changeOperator(
                id: colleague, OperatorChange(isActive: false, requeues: true), for: .everything, by: .api)
            try await database.byHand(
                "insert into events (contact_id, kind, data) values (\(contact.id), 'noted', '{\"by\": \"hand\"}')")

            func answers(_ viewer: Viewer) async throws -> [String] {
                let part = try await store.newEvents(after: 0, atMost: 1000)
                return [
                    "\(try await store.contact(id: contact.id, for: viewer))",
                    "\(try await store.contacts(ContactFilter(), Page(), for: viewer))",
                    "\(try await store.lead(id: contact.lead.id, for: viewer))",
                    "\(try await store.leads(Page(), for: viewer))",
                    "\(try await store.contacts(ofLead: contact.lead.id, Page(), for: viewer))",
                    "\(try await store.possibleDuplicates(Page(), for: viewer))",
                    "\(try await store.history(ofContact: contact.id, LogPage(), for: viewer))",
                    "\(try await store.events(LogPage(limit: 1000), for: viewer))",
                    "\(part.events(for: viewer))",
                    "\(try await store.oldEvents(after: 0, atMost: 1000, for: viewer).events(for: viewer))",
                    "\(try await store.explanation(contactID: contact.id, for: viewer))",
                    "\(try await store.changeContact(id: contact.id, ContactChange(), for: viewer, by: .api))",
                    "\(try await store.changeContact(id: contact.id, ContactChange(priority: viewer.isMasked ? 3 : 2), for: viewer, by: .api))",
                ]
            }
            let plain = try await answers(.everything).joined()
            for secret in Self.secrets { #expect(plain.contains(secret), "\(secret)") }
            for (number, answer) in try await answers(Viewer(reach: .everything, isMasked: true)).enumerated() {
                for secret in Self.secrets { #expect(!answer.contains(secret), "\(number): \(secret)") }
            }
            let masked = try await store.contact(id: contact.id, for: Viewer(reach: .everything, isMasked: true))
            #expect(masked.message == nil && masked.sourceEventID == "a•••@x.ru" && masked.source.name == source.name)
            #expect(
                [masked.lead.phone, masked.lead.email, masked.lead.name, masked.lead.externalID] == [
                    "+7 900 •••-••-67", "a•••@x.ru", "A•••", "client ••••••01",
                ])
            // What the product says itself stays.
            let told = try await store.events(LogPage(limit: 1000), for: Viewer(reach: .everything, isMasked: true))
                .elements
            #expect(
                told.contains { $0.reason == "operator_inactive" }
                    && told.contains { $0.kind == "noted" && $0.data == nil })
            #expect(told.contains { $0.kind == "operator_changed" && $0.data?.contains("is_active") ?? false })
        }
    }

    @Test func `whoever is shown masked data registers nothing`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([5])
            let request = Intake.Request(
                contact: NewContact(sourceID: source.id), keys: [], for: Viewer(reach: .everything, isMasked: true),
                by: .api)
            let outcome = await database.intake.register([request])[0]
            guard case .failure(.notAllowed) = outcome else {
                Issue.record("\(outcome)")
                return
            }
        }
    }
}
