import Leads
import Postgres
import TestSupport
import Testing

@testable import LeadStore

/// People who are erased, also while they come again.
struct ErasureTests {
    private func phone(_ value: String) -> LeadIdentity { LeadIdentity(kind: .phone, value: value) }

    private func unsound(_ database: TestDatabase) async throws -> [String] {
        try await Reconciler(database.connectionConfiguration).check().flatMap(\.details)
    }

    private func deadlocks(_ database: TestDatabase) async throws -> Int {
        try await database.value("select deadlocks from pg_stat_database where datname = current_database()")
    }

    /// A registration of somebody who says much, with a key of idempotency.
    private func register(
        _ database: TestDatabase, _ sourceID: Int, phone number: String, event: String? = nil, key: String? = nil
    ) async throws -> Intake.Outcome {
        let contact = NewContact(
            sourceID: sourceID, leadPhone: number, leadName: "Anna \(number)", message: "call \(number)",
            sourceEventID: event)
        let idempotency = key.map {
            Intake.Idempotency(owner: "anonymous", key: $0, content: Array(number.utf8)) { registered in
                Intake.StoredAnswer(status: 201, body: Array("\(registered.contact.lead.phone ?? "")".utf8))
            }
        }
        return try await database.intake.register(
            Intake.Request(
                contact: contact, keys: [phone(number)], for: .everything, by: .api, idempotency: idempotency))
    }

    private func contact(of outcome: Intake.Outcome) throws -> Contact {
        guard case .registered(let registered, _) = outcome else { throw StoreError.contactNotFound }
        return registered.contact
    }

    private func close(_ database: TestDatabase, leads ids: [Int]) async throws {
        for id in ids {
            for contact in try await database.store.contacts(ofLead: id, Page(), for: .everything).elements {
                _ = try await database.store.changeContact(
                    id: contact.id, ContactChange(.close), for: .everything, by: .api)
            }
        }
    }

    /// How many rows still say who the leads were or what they wrote.
    private func traces(_ database: TestDatabase, of leadIDs: [Int]) async throws -> Int {
        try await database.value(
            """
            select
                (select count(*) from leads where (id = any(\(leadIDs)) or merged_into = any(\(leadIDs)))
                    and coalesce(external_id, phone, email, name) is not null)
                + (select count(*) from lead_identities where lead_id = any(\(leadIDs)))
                + (select count(*) from possible_duplicates where lead_id = any(\(leadIDs)) or other_lead_id = any(\(leadIDs)))
                + (select count(*) from contacts where lead_id = any(\(leadIDs))
                    and coalesce(message, source_event_id) is not null)
                + (select count(*) from contacts c join idempotency_keys k on k.contact_id = c.id
                    where c.lead_id = any(\(leadIDs)))
                + (select count(*) from contacts c join events e on e.contact_id = c.id where c.lead_id = any(\(leadIDs))
                    and (e.data is not null or e.reason = 'she shouted'))
                + (select count(*) from lead_erasures where lead_id = any(\(leadIDs)) and finished_at is null)
            """)
    }

    @Test func `nothing is left of an erased lead but numbers, times and decisions`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, people) = try await database.team([3, 3])
            let first = try contact(of: try await register(database, source.id, phone: "1", event: "e1", key: "k1"))
            let other = try contact(of: try await register(database, source.id, phone: "2", event: "e2", key: "k2"))
            let pair = try contact(of: try await register(database, source.id, phone: "3"))
            let lead = first.lead.id
            _ = try await store.changeLead(id: lead, LeadChange(email: "a@b"), for: .everything, by: .api) {
                _, _, email in
                email.map { [LeadIdentity(kind: .email, value: $0)] } ?? []
            }
            _ = try await store.changeContact(
                id: first.id, ContactChange(.release(reason: "she shouted"), priority: 3), for: .everything, by: .api)
            _ = try await store.mergeLead(id: other.lead.id, into: lead, for: .everything, by: .api)
            try await database.byHand(
                """
                insert into possible_duplicates (lead_id, other_lead_id, kind)
                select \(lead), id, 'phone' from leads where id > \(lead) and merged_into is null on conflict do nothing
                """)
            try await close(database, leads: [lead, pair.lead.id])
            #expect(try await traces(database, of: [lead]) > 10)
            let report: Statement = """
                select array_agg(c::text order by contact_id) from report.contacts c
                """
            let decisions: Statement = "select array_agg(d::text order by id) from decisions d"
            let before = try await (
                database.value(report, as: [String].self), database.value(decisions, as: [String].self),
                store.distributionStatistics(for: .everything).summary.totalContacts
            )

            // By the number of the one that was merged into it.
            try await store.eraseLead(id: other.lead.id, for: .everything, by: .api)
            #expect(try await traces(database, of: [lead, other.lead.id]) == 0)
            #expect(try await database.value(report, as: [String].self) == before.0)
            #expect(try await database.value(decisions, as: [String].self) == before.1)
            #expect(try await store.distributionStatistics(for: .everything).summary.totalContacts == before.2)
            let shown = try await store.lead(id: lead, for: .everything)
            #expect(shown.lead.phone == nil && shown.lead.name == nil && shown.lead.email == nil)
            #expect(shown.contacts.count == 2 && shown.lead.contactCount == 2)
            #expect(try await database.load(of: people[0]) == 0)
            let events: [String] = try await database.value(
                """
                select array_agg(concat_ws(' ', kind, actor_kind, data::text) order by id)
                from events where kind like 'lead%'
                """)
            #expect(
                events.sorted() == [
                    #"lead_changed api {"lead_id": \#(lead)}"#, #"lead_erased api {"lead_id": \#(lead)}"#,
                    #"lead_merged api {"into": \#(lead), "lead_id": \#(other.lead.id)}"#,
                ])
            // Again it changes nothing; others are as they were.
            try await store.eraseLead(id: lead, for: .everything, by: .api)
            #expect(
                try await database.value("select count(*) from events where kind = 'lead_erased'", as: Int.self) == 1)
            #expect(try await store.lead(id: pair.lead.id, for: .everything).lead.phone == "3")
            #expect(try await unsound(database) == [])
            await #expect { try await store.eraseLead(id: 999_999, for: .everything, by: .api) } throws: {
                if case .leadNotFound? = $0 as? StoreError { true } else { false }
            }
        }
    }

    @Test func `who comes again is somebody else, and the erased lead takes nothing`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, _) = try await database.team([10])
            let first = try contact(of: try await register(database, source.id, phone: "1", event: "e", key: "k"))
            let other = try contact(of: try await register(database, source.id, phone: "2"))
            try await close(database, leads: [first.lead.id])
            try await store.eraseLead(id: first.lead.id, for: .everything, by: .api)
            let again = try contact(of: try await register(database, source.id, phone: "1", event: "e", key: "k"))
            #expect(again.id != first.id && again.lead.id != first.lead.id && again.lead.phone == "1")
            await #expect {
                try await store.changeLead(id: first.lead.id, LeadChange(name: "A"), for: .everything, by: .api) {
                    _, _, _ in []
                }
            } throws: { $0.isOfErasedLead }
            for (one, another) in [(first.lead.id, other.lead.id), (other.lead.id, first.lead.id)] {
                await #expect {
                    try await store.mergeLead(id: one, into: another, for: .everything, by: .api)
                } throws: { $0.isOfErasedLead }
            }
            // Nor by hand.
            let error = try await #require(throws: PostgresError.self) {
                try await database.byHand("update leads set name = 'A' where id = \(first.lead.id)")
            }
            #expect(error.constraint == "leads_erased_shows_nothing")
            #expect(try await unsound(database) == [])
        }
    }

    @Test func `whoever does not see all contacts erases nobody, and who erased somebody is told`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, people) = try await database.team([10])
            let lead = try contact(of: try await register(database, source.id, phone: "1")).lead.id
            let before = try await traces(database, of: [lead])
            let limited = [
                Viewer(reach: .everything, sourceIDs: [source.id]), Viewer(reach: .ownContacts(ofOperator: people[0])),
                Viewer(reach: .registered(byKey: "key")),
            ]
            for viewer in limited {
                for id in [lead, 999_999] {
                    await #expect {
                        try await store.eraseLead(id: id, closingContacts: true, for: viewer, by: .api)
                    } throws: {
                        if case .notAllowed? = $0 as? StoreError { true } else { false }
                    }
                }
            }
            #expect(try await traces(database, of: [lead]) == before)
            let admin = Actor(kind: .person, id: "7", name: "Olga")
            try await store.eraseLead(id: lead, closingContacts: true, for: .everything, by: admin)
            for kind in ["lead_erased", "closed"] {
                let told: [String] = try await database.value(
                    """
                    select array_agg(concat_ws(' ', actor_kind, actor_id, actor_name)) from events where kind = \(kind)
                    """)
                #expect(told == ["person 7 Olga"], "\(kind)")
            }
            // Nothing is not masked.
            let masked = try await store.lead(id: lead, for: Viewer(reach: .everything, isMasked: true))
            #expect(
                [masked.lead.externalID, masked.lead.phone, masked.lead.email, masked.lead.name].allSatisfy {
                    $0 == nil
                })
            #expect(masked.contacts.count == 1 && masked.contacts[0].message == nil)
        }
    }

    @Test func `open contacts are a reason to refuse, or are closed along with it`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, ids) = try await database.team([1])
            let active = try contact(of: try await register(database, source.id, phone: "1"))
            let waiting = try contact(of: try await register(database, source.id, phone: "1"))
            let other = try contact(of: try await register(database, source.id, phone: "2"))
            #expect(waiting.status == .new && other.status == .new)
            let before = try await traces(database, of: [active.lead.id])
            await #expect { try await store.eraseLead(id: active.lead.id, for: .everything, by: .api) } throws: {
                if case .leadHasOpenContacts? = $0 as? StoreError { true } else { false }
            }
            #expect(try await traces(database, of: [active.lead.id]) == before)
            try await store.eraseLead(id: active.lead.id, closingContacts: true, for: .everything, by: .api)
            #expect(try await traces(database, of: [active.lead.id]) == 0)
            #expect(try await eventually { try await store.contact(id: other.id, for: .everything).status == .active })
            #expect(try await database.load(of: ids[0]) == 1)
            #expect(try await unsound(database) == [])
        }
    }

    @Test func `a lead with more contacts and keys than a transaction takes is erased whole`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, ids) = try await database.team([10])
            let lead = try contact(of: try await register(database, source.id, phone: "1")).lead.id
            try await close(database, leads: [lead])
            try await database.byHand(
                """
                insert into lead_identities (kind, value, lead_id)
                select 'external_id', 'id ' || n, \(lead) from generate_series(1, 2000) n;
                insert into contacts (
                    lead_id, source_id, operator_id, status, assigned_at, first_assigned_at, closed_at, message,
                    source_event_id)
                select \(lead), \(source.id), \(ids[0]), 'closed', now(), now(), now(), 'm', 'e' || n
                from generate_series(1, 1500) n;
                insert into events (contact_id, kind, reason) select id, 'released', 'she shouted' from contacts;
                """)
            try await store.eraseLead(id: lead, for: .everything, by: .api)
            #expect(try await traces(database, of: [lead]) == 0)
            #expect(
                try await database.value("select count(*) from events where kind = 'lead_erased'", as: Int.self) == 1)
            #expect(try await store.lead(id: lead, for: .everything).lead.contactCount == 1501)
            #expect(try await unsound(database) == [])
        }
    }

    @Test func `an erasure that was cut short is finished by the sweep`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, _) = try await database.team([10])
            let lead = try contact(of: try await register(database, source.id, phone: "1", event: "e", key: "k")).lead
                .id
            try await close(database, leads: [lead])
            // As it is when the instance dies behind the first of several transactions.
            try await database.byHand("select erase_leads(array[\(lead)], '{}')")
            #expect(try await traces(database, of: [lead]) > 0)
            try await store.settleErasures()
            #expect(try await traces(database, of: [lead]) > 0, "it may still be under way")
            try await database.byHand("update lead_erasures set begun_at = begun_at - interval '1 minute'")
            try await store.settleErasures()
            #expect(try await traces(database, of: [lead]) == 0)
            let event: String = try await database.value(
                "select actor_kind || data::text from events where kind = 'lead_erased'")
            #expect(event == #"system{"lead_id": \#(lead)}"#)
            #expect(try await unsound(database) == [])
        }
    }

    @Test func `who registers while a lead is erased waits and is somebody else`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, _) = try await database.team([10])
            let first = try contact(of: try await register(database, source.id, phone: "1", event: "e"))
            try await close(database, leads: [first.lead.id])
            // The erasure has the keys and the lead, and waits for the contact.
            let other = try await Connection.open(database.connectionConfiguration)
            try await other.runScript("begin; select from contacts where id = \(first.id) for update")
            async let erased: Void = store.eraseLead(id: first.lead.id, for: .everything, by: .api)
            #expect(try await eventually { try await database.somebodyWaits() })
            async let byPhone = register(database, source.id, phone: "1")
            async let byEvent = register(database, source.id, phone: "3", event: "e")
            let everybodyWaits = try await eventually {
                try await database.value(
                    """
                    select count(*) from pg_stat_activity where datname = current_database()
                    and wait_event_type = 'Lock' and wait_event = 'advisory'
                    """, as: Int.self) >= 1
            }
            #expect(everybodyWaits)
            try await other.runScript("commit")
            await other.close()
            try await erased
            let came = try await [contact(of: byPhone), contact(of: byEvent)]
            for contact in came { #expect(contact.id != first.id && contact.lead.id != first.lead.id) }
            #expect(try await traces(database, of: [first.lead.id]) == 0)
            #expect(try await unsound(database) == [])
        }
    }

    @Test func `a contact registered just before makes it refuse`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, _) = try await database.team([10])
            let first = try contact(of: try await register(database, source.id, phone: "1"))
            try await close(database, leads: [first.lead.id])
            let key = Locks.number(for: phone("1"))
            let registration = try await Connection.open(database.connectionConfiguration)
            try await registration.runScript("begin; select pg_advisory_xact_lock(\(key))")
            async let erased: Void = store.eraseLead(id: first.lead.id, for: .everything, by: .api)
            #expect(try await eventually { try await database.somebodyWaits() })
            try await registration.runScript(
                """
                insert into contacts (lead_id, source_id, status, waiting_reason, waiting_since, source_event_id)
                values (\(first.lead.id), \(source.id), 'new', 'all_at_limit', now(), 'late');
                commit
                """)
            await registration.close()
            do {
                try await erased
                Issue.record("it was erased with an open contact")
            } catch {
                guard case .leadHasOpenContacts? = error as? StoreError else { throw error }
            }
            #expect(try await store.lead(id: first.lead.id, for: .everything).lead.phone == "1")
        }
    }

    @Test func `an answer that is being given again is neither waited for with locks nor left`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, _) = try await database.team([10])
            let first = try contact(of: try await register(database, source.id, phone: "1", key: "k"))
            try await close(database, leads: [first.lead.id])
            let replay = try await Connection.open(database.connectionConfiguration)
            try await replay.runScript("begin; update idempotency_keys set replays = replays + 1")
            async let erased: Void = store.eraseLead(id: first.lead.id, for: .everything, by: .api)
            let isBare = try await eventually {
                try await database.value("select name is null from leads where id = \(first.lead.id)", as: Bool.self)
            }
            #expect(isBare)
            // It may go on to whatever the erasure had.
            try await replay.runScript(
                "set local lock_timeout = '20ms'; select from contacts where id = \(first.id) for update")
            #expect(
                try await database.value("select count(*) from events where kind = 'lead_erased'", as: Int.self) == 0)
            try await replay.runScript("commit")
            await replay.close()
            try await erased
            #expect(try await traces(database, of: [first.lead.id]) == 0)
        }
    }

    /// Everything that finds, changes and makes leads, on a few people, for as long as it takes to meet what matters.
    @Test func `erasures beside registrations, merges, changes and closings leave nothing of the erased`() async throws
    {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, _) = try await database.team([30, 30])
            let outcomes = Counts()
            try await withThrowingTaskGroup { group in
                for client in 0..<4 {
                    group.addTask {
                        for number in 0..<60 {
                            let who = "\((client + number) % 12)"
                            _ = try await register(
                                database, source.id, phone: who, event: number % 3 == 0 ? "e\(number)" : nil,
                                key: number % 2 == 0 ? "k\(number) \(who)" : nil)
                        }
                    }
                }
                for client in 0..<2 {
                    group.addTask {
                        for number in 0..<60 {
                            let leads = try await store.leads(Page(limit: 8, order: .descending), for: .everything)
                                .elements
                            guard let lead = leads.randomElement(), let other = leads.randomElement() else { continue }
                            do throws(StoreError) {
                                switch number % 3 {
                                case 0:
                                    _ = try await store.mergeLead(
                                        id: lead.lead.id, into: other.lead.id, for: .everything, by: .api)
                                case 1:
                                    _ = try await store.changeLead(
                                        id: lead.lead.id, LeadChange(name: "B", email: "\(client)\(number)@"),
                                        for: .everything, by: .api
                                    ) { _, _, email in
                                        email.map { [LeadIdentity(kind: .email, value: $0)] } ?? []
                                    }
                                default:
                                    for contact in lead.contacts where contact.status != .closed {
                                        _ = try await store.changeContact(
                                            id: contact.id, ContactChange(.close), for: .everything, by: .api)
                                    }
                                }
                            } catch {
                                guard case .leadErased = error else { throw error }
                                await outcomes.add("refused")
                            }
                        }
                    }
                }
                for client in 0..<2 {
                    group.addTask {
                        for _ in 0..<40 {
                            let leads = try await store.leads(Page(limit: 8, order: .descending), for: .everything)
                                .elements
                            guard let lead = leads.filter({ $0.lead.name != nil }).randomElement() else { continue }
                            do throws(StoreError) {
                                try await store.eraseLead(
                                    id: lead.lead.id, closingContacts: client == 0, for: .everything, by: .api)
                                await outcomes.add("erased")
                            } catch {
                                guard case .leadHasOpenContacts = error else { throw error }
                                await outcomes.add("open")
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let erased: [Int] = try await database.value(
                "select coalesce(array_agg(id), '{}') from leads where erased_at is not null and merged_into is null")
            #expect(try await traces(database, of: erased) == 0)
            let told: [Int] = try await database.value(
                """
                select coalesce(array_agg((data ->> 'lead_id')::bigint), '{}') from events where kind = 'lead_erased'
                """)
            #expect(told.sorted() == erased.sorted())
            #expect(erased.count > 5, "hardly anybody was erased")
            #expect(await outcomes["refused"] + outcomes["open"] > 0, "nothing met an erasure")
            #expect(try await unsound(database) == [])
            #expect(try await database.strandsNobody())
            #expect(try await deadlocks(database) == 0)
        }
    }

    @Test func `leads are erased when their last contact has been closed for so many days`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, ids) = try await database.team([10])
            // Each with two contacts: closed for 40 and 20 days, 40 and 5, 40 and open; one without any; and of today.
            try await database.byHand(
                """
                insert into leads (id, name, created_at) overriding system value
                select n, 'Lead ' || n, now() - interval '50 days' from generate_series(1001, 5000) n;
                insert into contacts (
                    lead_id, source_id, operator_id, status, created_at, assigned_at, first_assigned_at, closed_at)
                select n, \(source.id), \(ids[0]), 'closed', t, t, t, t
                from generate_series(1001, 4999) n, lateral (select now() - interval '40 days' as t) times;
                insert into contacts (
                    lead_id, source_id, operator_id, status, created_at, assigned_at, first_assigned_at, closed_at)
                select n, \(source.id), \(ids[0]), 'closed', t, t, t, t
                from generate_series(1001, 4990) n,
                    lateral (select now() - case when n % 40 = 0 then interval '20 days' else interval '5 days' end as t) times;
                insert into contacts (lead_id, source_id, status, waiting_reason, waiting_since)
                select n, \(source.id), 'new', 'all_at_limit', now() from generate_series(4991, 4999) n;
                insert into leads (id, name) overriding system value values (6001, 'young');
                """)
            let expected: [Int] = try await database.value(
                "select array_agg(n::bigint) from generate_series(1001, 5000) n where n % 40 = 0 and n <= 4990 or n = 5000"
            )
            var erased = 0
            var turns = 0
            while turns < 12 {
                erased += try await store.eraseExpiredLeads(afterDays: 10)
                turns += 1
            }
            #expect(erased == expected.count)
            let found: [Int] = try await database.value(
                "select array_agg(id order by id) from leads where erased_at is not null")
            #expect(found == expected.sorted())
            #expect(try await store.eraseExpiredLeads(afterDays: 36_500) == 0)
            #expect(
                try await database.value(
                    "select count(*) from events where kind = 'lead_erased' and actor_kind = 'system'", as: Int.self)
                    == expected.count)
        }
    }

    @Test func `erased values leave the planner's statistics, too`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, _) = try await database.team([100])
            var leads: [Int] = []
            for _ in 1...2 {
                leads.append(
                    try await database.register(
                        NewContact(sourceID: source.id, leadName: "Canary Kenar", message: "Canary")
                    ).lead.id)
            }
            for number in 1...5 { _ = try await register(database, source.id, phone: "\(number)") }
            try await database.byHand("analyze leads; analyze contacts")
            let known: Statement = """
                select count(*) from pg_stats
                where schemaname = 'public'
                    and concat(most_common_vals::text, histogram_bounds::text, most_common_elems::text) ilike '%canary%'
                """
            #expect(try await database.value(known, as: Int.self) >= 2)
            for lead in leads { try await store.eraseLead(id: lead, closingContacts: true, for: .everything, by: .api) }
            try await store.settleErasures()
            #expect(try await database.value(known, as: Int.self) >= 2, "it is not done for each")
            try await store.settleErasures(forgettingAfter: .zero)
            #expect(try await database.value(known, as: Int.self) == 0)
            #expect(try await database.value("select count(*) from lead_erasures", as: Int.self) == 0)
        }
    }
}

extension Error {
    fileprivate var isOfErasedLead: Bool {
        if case .leadErased? = self as? StoreError { true } else { false }
    }
}

/// How often something happened.
private actor Counts {
    private var counts: [String: Int] = [:]

    func add(_ name: String) { counts[name, default: 0] += 1 }

    subscript(name: String) -> Int { counts[name] ?? 0 }
}
