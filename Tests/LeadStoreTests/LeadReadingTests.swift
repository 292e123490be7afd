import LeadStore
import Leads
import Postgres
import TestSupport
import Testing

struct LeadReadingTests {
    @Test func `leads asked for at once are those that a list has, and the merged are shown as the others`()
        async throws
    {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, _) = try await database.team([3])
            let key = LeadIdentity(kind: .phone, value: "1")
            for _ in 1...4 { _ = try await database.register(source.id) }
            for _ in 1...5 { _ = try await database.register(NewContact(sourceID: source.id), keys: [key]) }
            try await database.byHand("insert into leads (name) values ('nobody''s')")
            let all = try await store.leads(Page(), for: .everything).elements
            #expect(all.map(\.contacts.count) == [1, 1, 1, 1, 5, 0])
            for _ in 1...3 {
                let found = try await withThrowingTaskGroup(of: LeadWithContacts.self) { group in
                    for lead in all + all { group.addTask { try await store.lead(id: lead.lead.id, for: .everything) } }
                    return try await group.reduce(into: [:]) { $0[$1.lead.id, default: []].append($1) }
                }
                for lead in all { #expect(found[lead.lead.id] == [lead, lead]) }
            }
            let merged = all[0].lead.id
            let survivor = try await store.mergeLead(id: merged, into: all[4].lead.id, for: .everything, by: .api)
            #expect(survivor.contacts.count == 6 && survivor.contacts.map(\.id) == survivor.contacts.map(\.id).sorted())
            async let asMerged = store.lead(id: merged, for: .everything)
            async let asItself = store.lead(id: survivor.lead.id, for: .everything)
            async let byKey = store.lead(key, for: .everything)
            #expect(try await [asMerged, asItself, byKey] == [survivor, survivor, survivor])
            await #expect(throws: StoreError.self) { try await store.lead(id: 4711, for: .everything) }
            await #expect(throws: StoreError.self) {
                try await store.lead(LeadIdentity(kind: .phone, value: "2"), for: .everything)
            }
        }
    }

    @Test func `of a lead with very many contacts the latest are shown, in order of id`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([1])
            let lead = try await database.register(source.id).lead.id
            try await database.byHand(
                """
                insert into contacts (lead_id, source_id, status, waiting_reason, waiting_since)
                select \(lead), \(source.id), 'new', 'all_at_limit', now()
                from generate_series(1, \(LeadWithContacts.contactsById + 10))
                """)
            let shown = try await database.store.lead(id: lead, for: .everything).contacts.map(\.id)
            let latest: [Int] = try await database.value(
                """
                select array_agg(id order by id)
                from (select id from contacts order by id desc limit \(LeadWithContacts.contactsById)) latest
                """)
            #expect(shown == latest)
        }
    }
}
