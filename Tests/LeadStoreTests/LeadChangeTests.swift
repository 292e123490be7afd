import Leads
import Postgres
import TestSupport
import Testing

@testable import LeadStore

/// Leads that are changed and merged, also while contacts are registered for them.
struct LeadChangeTests {
    /// Keys as they are given: their forms are Identity's.
    private static let keys: LeadStore.KeyReading = { externalID, phone, email in
        [(IdentityKind.externalID, externalID), (.phone, phone), (.email, email)].compactMap { kind, value in
            value.flatMap { $0.isEmpty || $0 == "no key" ? nil : LeadIdentity(kind: kind, value: $0) }
        }
    }

    private func register(
        _ database: TestDatabase, _ sourceID: Int, externalID: String? = nil, phone: String? = nil,
        email: String? = nil, name: String? = nil
    ) async throws -> Contact {
        try await database.register(
            NewContact(
                sourceID: sourceID, leadExternalID: externalID, leadPhone: phone, leadEmail: email, leadName: name),
            keys: Self.keys(externalID, phone, email))
    }

    @discardableResult
    private func change(_ database: TestDatabase, _ id: Int, _ change: LeadChange) async throws -> LeadWithContacts {
        try await database.store.changeLead(id: id, change, for: .everything, by: .api, keys: Self.keys)
    }

    private func identities(_ database: TestDatabase, of id: Int) async throws -> [String] {
        try await database.value(
            "select coalesce(array_agg(value order by value), '{}') from lead_identities where lead_id = \(id)")
    }

    private func unsound(_ database: TestDatabase) async throws -> [String] {
        let results = try await Reconciler(database.connectionConfiguration).check()
        return results.flatMap(\.details)
    }

    @Test func `a changed key is one more, a removed one is none`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([10])
            let id = try await register(database, source.id, phone: "1", name: "Anna").lead.id
            let changed = try await change(database, id, LeadChange(name: "Boris", phone: "2", externalID: "x"))
            #expect(changed.lead.phone == "2" && changed.lead.name == "Boris" && changed.lead.externalID == "x")
            #expect(changed.lead.updatedAt != nil && changed.contacts.count == 1)
            #expect(try await identities(database, of: id) == ["1", "2", "x"])
            #expect(try await register(database, source.id, phone: "1").lead.id == id)
            let removed = try await change(database, id, LeadChange(name: "", phone: "", email: ""))
            #expect(removed.lead.phone == nil && removed.lead.name == nil && removed.lead.email == nil)
            #expect(try await identities(database, of: id) == ["1", "x"])
            #expect(try await register(database, source.id, phone: "2").lead.id != id)
            let noKey = try await change(database, id, LeadChange(phone: "no key"))
            #expect(noKey.lead.phone == "no key")
            #expect(try await identities(database, of: id) == ["1", "x"])
            let events: [String] = try await database.value(
                "select array_agg(data::text order by id) from events where kind = 'lead_changed' and contact_id is null"
            )
            #expect(
                events == [
                    #"{"fields": ["name", "phone", "external_id"], "lead_id": \#(id)}"#,
                    #"{"fields": ["name", "phone"], "lead_id": \#(id)}"#,
                    #"{"fields": ["phone"], "lead_id": \#(id)}"#,
                ])
            #expect(try await unsound(database) == [])
        }
    }

    @Test func `a change to what is there already changes nothing`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([10])
            let id = try await register(database, source.id, phone: "1", name: "Anna").lead.id
            for nothing in [LeadChange(), LeadChange(name: "Anna", phone: "1", email: "")] {
                #expect(try await change(database, id, nothing).lead.updatedAt == nil)
            }
            #expect(
                try await database.value("select count(*) from events where kind = 'lead_changed'", as: Int.self) == 0)
        }
    }

    @Test func `a key of another lead is refused, and nothing of the change is made`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([10])
            let owner = try await register(database, source.id, phone: "1").lead.id
            let id = try await register(database, source.id, phone: "2", name: "Anna").lead.id
            do throws(StoreError) {
                _ = try await database.store.changeLead(
                    id: id, LeadChange(name: "B", phone: "1"), for: .everything, by: .api, keys: Self.keys)
                Issue.record("the key was taken twice")
            } catch {
                guard case .leadKeyTaken(leadID: owner) = error else { throw error }
            }
            #expect(try await database.store.lead(id: id, for: .everything).lead.name == "Anna")
            // What two show and one is recognised by stays with that one when the other shows it no more.
            try await database.byHand("update leads set phone = '1' where id = \(id)")
            try await change(database, id, LeadChange(phone: ""))
            #expect(try await identities(database, of: owner) == ["1"])
        }
    }

    @Test func `a merged lead gives everything to the other and is found there`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, ids) = try await database.team([2])
            let survivor = try await register(database, source.id, externalID: "x", name: "Anna").lead.id
            let merged = try await register(database, source.id, externalID: "y", phone: "1", name: "Anya").lead.id
            let waiting = try await register(database, source.id, phone: "1")
            let third = try await register(database, source.id, externalID: "z", phone: "1").lead.id
            _ = try await register(database, source.id, externalID: "x", phone: "1")
            #expect(
                try await store.possibleDuplicates(Page(), for: .everything).elements.map(\.lead.id) == [
                    merged, survivor,
                ])

            let lead = try await store.mergeLead(id: merged, into: survivor, for: .everything, by: .api)
            #expect(lead.lead.id == survivor && lead.lead.contactCount == 4 && lead.contacts.count == 4)
            #expect(lead.lead.externalID == "x" && lead.lead.phone == "1" && lead.lead.name == "Anna")
            #expect(try await identities(database, of: survivor) == ["1", "x", "y"])
            #expect(try await store.lead(id: merged, for: .everything) == lead)
            #expect(try await store.lead(LeadIdentity(kind: .externalID, value: "y"), for: .everything) == lead)
            #expect(try await store.contacts(ofLead: merged, Page(), for: .everything).elements == lead.contacts)
            var filter = ContactFilter()
            filter.leadID = merged
            #expect(try await store.contacts(filter, Page(), for: .everything).elements == lead.contacts)
            #expect(try await store.leads(Page(), for: .everything).elements.map(\.lead.id) == [survivor, third])
            let pairs = try await store.possibleDuplicates(Page(), for: .everything).elements
            #expect(pairs.map { [$0.lead.id, $0.otherLead.id] } == [[survivor, third]])
            #expect(pairs[0].kind == .phone)

            // The contacts are the same to those who work on them.
            let contact = try await store.contact(id: waiting.id, for: .everything)
            #expect(contact.status == .new && contact.version == waiting.version && contact.lead.id == survivor)
            #expect(try await database.load(of: ids[0]) == 2)
            #expect(try await register(database, source.id, phone: "1").lead.id == survivor)
            #expect(try await change(database, merged, LeadChange(name: "A")).lead.id == survivor)
            let event: String = try await database.value("select data::text from events where kind = 'lead_merged'")
            #expect(event == #"{"into": \#(survivor), "lead_id": \#(merged)}"#)
            #expect(try await unsound(database) == [])
        }
    }

    @Test func `merges of merged leads make no chains`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, _) = try await database.team([10])
            var ids: [Int] = []
            for _ in 1...5 { ids.append(try await database.register(source.id).lead.id) }
            _ = try await store.mergeLead(id: ids[0], into: ids[1], for: .everything, by: .api)
            _ = try await store.mergeLead(id: ids[1], into: ids[2], for: .everything, by: .api)
            // Both stand for others by now.
            _ = try await store.mergeLead(id: ids[3], into: ids[0], for: .everything, by: .api)
            _ = try await store.mergeLead(id: ids[1], into: ids[4], for: .everything, by: .api)
            let pointed: [Int] = try await database.value(
                "select array_agg(merged_into order by id) from leads where merged_into is not null")
            #expect(pointed == Array(repeating: ids[4], count: 4))
            let before: Int = try await database.value("select count(*) from events where kind = 'lead_merged'")
            let lead = try await store.mergeLead(id: ids[2], into: ids[3], for: .everything, by: .api)
            #expect(lead.lead.id == ids[4] && lead.lead.contactCount == 5)
            #expect(try await database.value("select count(*) from events where kind = 'lead_merged'") == before)
            for missing in [(ids[0], 999_999), (999_999, ids[0])] {
                await #expect {
                    try await store.mergeLead(id: missing.0, into: missing.1, for: .everything, by: .api)
                } throws: {
                    if case .leadNotFound? = $0 as? StoreError { true } else { false }
                }
            }
            #expect(try await unsound(database) == [])
        }
    }

    @Test func `a lead with more keys and contacts than one statement takes is merged whole`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1_000_000])
            let merged = try await register(database, source.id, phone: "1").lead.id
            let survivor = try await register(database, source.id, phone: "2").lead.id
            try await database.byHand(
                """
                insert into lead_identities (kind, value, lead_id)
                select 'external_id', 'id ' || n, \(merged) from generate_series(1, 3000) n;
                insert into contacts (lead_id, source_id, operator_id, status, assigned_at, first_assigned_at)
                select \(merged), \(source.id), \(ids[0]), 'active', now(), now() from generate_series(1, 12345);
                """)
            let lead = try await database.store.mergeLead(id: merged, into: survivor, for: .everything, by: .api)
            #expect(lead.lead.contactCount == 12347 && lead.contacts.count == LeadWithContacts.contactsById)
            #expect(try await identities(database, of: survivor).count == 3002)
            #expect(try await database.load(of: ids[0]) == 12347)
            #expect(try await unsound(database) == [])
        }
    }

    /// Registers by a key whose lead is merged meanwhile, again and again, by several clients and in both directions.
    @Test func `contacts registered while their leads are merged and changed end on the lead that stays`() async throws
    {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, _) = try await database.team([10, 10])
            let rounds = 25
            for round in 1...rounds {
                var ids: [Int] = []
                for number in 1...3 {
                    ids.append(try await register(database, source.id, phone: "\(round).\(number)").lead.id)
                }
                try await withThrowingTaskGroup { [ids] group in
                    for number in 0..<12 {
                        group.addTask {
                            // Now and then with a key nobody has yet, which the lead gets beside the merge.
                            _ = try await register(
                                database, source.id, phone: "\(round).\(1 + number % 3)",
                                email: number % 4 == 0 ? "\(round).\(number)@" : nil)
                        }
                    }
                    group.addTask {
                        _ = try await store.mergeLead(id: ids[0], into: ids[1], for: .everything, by: .api)
                    }
                    group.addTask {
                        _ = try await store.mergeLead(id: ids[1], into: ids[0], for: .everything, by: .api)
                    }
                    group.addTask {
                        _ = try await store.mergeLead(id: ids[2], into: ids[round % 2], for: .everything, by: .api)
                    }
                    group.addTask { try await change(database, ids[0], LeadChange(externalID: "\(round)")) }
                    group.addTask {
                        for contact in try await store.leads(Page(limit: 3, order: .descending), for: .everything)
                            .elements.flatMap(
                                \.contacts)
                        {
                            _ = try await store.changeContact(
                                id: contact.id, ContactChange(.close), for: .everything, by: .api)
                        }
                    }
                    try await group.waitForAll()
                }
            }
            let leads: Int = try await database.value("select count(*) from leads where merged_into is null")
            #expect(leads == rounds)
            let counts: [Int] = try await database.value(
                "select array_agg(contact_count) from leads where merged_into is null")
            #expect(counts == Array(repeating: 15, count: rounds))
            #expect(try await unsound(database) == [])
            let deadlocks: Int = try await database.value(
                "select deadlocks from pg_stat_database where datname = current_database()")
            #expect(deadlocks == 0)
        }
    }

    /// Pairs whose leads are merged elsewhere at the same time: each merge writes pairs with leads that others take away.
    @Test func `merges of leads that are pairs of each other leave no pair behind`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, _) = try await database.team([10])
            for round in 1...15 {
                var ids: [Int] = []
                for _ in 1...6 { ids.append(try await database.register(source.id).lead.id) }
                try await database.byHand(
                    """
                    insert into possible_duplicates (lead_id, other_lead_id, kind)
                    select a, b, 'phone' from unnest(array\(ids)) a, unnest(array\(ids)) b where a < b
                    """)
                try await withThrowingTaskGroup { [ids] group in
                    for (merged, survivor) in [(0, 1), (2, 3), (4, 5), (1, 2), (5, 0)] {
                        group.addTask {
                            _ = try await store.mergeLead(
                                id: ids[merged], into: ids[survivor], for: .everything, by: .api)
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try await database.value("select count(*) from possible_duplicates", as: Int.self) == 0)
                #expect(
                    try await database.value("select count(*) from leads where merged_into is null", as: Int.self)
                        == round)
            }
            #expect(try await unsound(database) == [])
        }
    }

    /// Runs `body` while another transaction has done something that makes it wait; what that one does then has to
    /// wait for nobody.
    private func beside(
        _ database: TestDatabase, holding first: String, _ body: @escaping @Sendable () async throws -> Void,
        waitsFor lockType: String = "%", then: String
    ) async throws {
        let other = try await Connection.open(database.connectionConfiguration)
        try await other.runScript("begin; \(first)")
        async let done: Void = body()
        let isWaiting = try await eventually {
            try await database.value(
                """
                select exists (
                    select from pg_locks l join pg_stat_activity a using (pid)
                    where not l.granted and a.datname = current_database() and l.locktype like \(lockType))
                """)
        }
        #expect(isWaiting)
        do {
            // Nobody else is to find the deadlock first.
            try await other.runScript("set local lock_timeout = '20ms'; \(then)")
        } catch {
            Issue.record("each waits for the other: \(error)")
        }
        try await other.runScript("commit")
        await other.close()
        try await done
    }

    @Test func `a merge does not hold the pairs while it waits for contacts`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, _) = try await database.team([1])
            var ids: [Int] = []
            for _ in 1...4 { ids.append(try await database.register(source.id).lead.id) }
            let waiting = try await database.register(source.id)
            try await database.byHand(
                """
                insert into possible_duplicates (lead_id, other_lead_id, kind)
                values (\(ids[0]), \(waiting.lead.id), 'phone')
                """
            )
            // As a registration of others that is about to place the one who waits.
            try await beside(
                database, holding: "select from contacts where id = \(waiting.id) for update",
                { [ids] in _ = try await store.mergeLead(id: waiting.lead.id, into: ids[1], for: .everything, by: .api)
                },
                then: """
                    insert into possible_duplicates (lead_id, other_lead_id, kind)
                    values (\(ids[2]), \(ids[3]), 'phone')
                    """)
            let pairs = try await store.possibleDuplicates(Page(), for: .everything).elements
            #expect(Set(pairs.map { [$0.lead.id, $0.otherLead.id] }) == [[ids[0], ids[1]], [ids[2], ids[3]]])
            #expect(try await unsound(database) == [])
        }
    }

    @Test func `a changed lead is not held while a merge has all keys`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([10])
            let id = try await register(database, source.id, phone: "1").lead.id
            try await beside(
                database, holding: "lock table lead_identities in access exclusive mode",
                { try await change(database, id, LeadChange(name: "Anna", phone: "2")) },
                then: "select from leads where id = \(id) for no key update")
            #expect(try await identities(database, of: id) == ["1", "2"])
        }
    }

    @Test func `a merge of few keys holds no lead while one of many keys has them all`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, _) = try await database.team([10])
            let merged = try await register(database, source.id, phone: "1").lead.id
            let survivor = try await register(database, source.id, phone: "2").lead.id
            let key = Locks.number(for: LeadIdentity(kind: .phone, value: "1"))
            let registration = try await Connection.open(database.connectionConfiguration)
            try await registration.runScript("begin; select pg_advisory_xact_lock(\(key))")
            async let done = store.mergeLead(id: merged, into: survivor, for: .everything, by: .api)
            #expect(try await eventually { try await database.somebodyWaits() })
            try await beside(
                database, holding: "lock table lead_identities in access exclusive mode",
                { try await registration.runScript("commit") }, waitsFor: "relation",
                then: "select from leads where id = \(survivor) for no key update")
            await registration.close()
            #expect(try await done.contacts.count == 2)
        }
    }
}
