import LeadStore
import Leads
import Postgres
import Schema
import TestSupport
import Testing

/// Each kind of drift, made by hand past the triggers, is found and mended, and nothing else is.
struct ReconcilerTests {
    private typealias Subject = Reconciler.Subject

    private func found(_ database: TestDatabase) async throws -> [Subject: [String]] {
        let results = try await Reconciler(database.connectionConfiguration).check()
        #expect(results.map(\.subject) == Subject.allCases)
        return Dictionary(
            uniqueKeysWithValues: results.filter { $0.findings > 0 }.map { ($0.subject, $0.details) })
    }

    private func mended(_ database: TestDatabase) async throws -> [Subject: [String]] {
        let results = try await Reconciler(database.connectionConfiguration).repair()
        return Dictionary(
            uniqueKeysWithValues: results.filter { $0.findings > 0 }.map { ($0.subject, $0.details) })
    }

    /// Runs statements that no trigger and no foreign key hears of.
    private func unnoticed(_ database: TestDatabase, _ sql: String) async throws {
        try await database.byHand("set session_replication_role = replica; \(sql)")
    }

    /// Two operators with limits of 5 and 1, six contacts active and two waiting, four leads.
    private func busy(_ body: (TestDatabase, Source, [Int]) async throws -> Void) async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([5, 1])
            for number in 1...8 {
                let key = LeadIdentity(kind: .externalID, value: "id \(number % 4)")
                _ = try await database.register(
                    NewContact(sourceID: source.id, leadExternalID: key.value), keys: [key])
            }
            try await body(database, source, ids)
        }
    }

    @Test func `nothing is found in an empty database and in one at work`() async throws {
        try await TestDatabase.with { database in
            let drift = try await found(database)
            #expect(drift == [:])
        }
        try await busy { database, _, _ in
            #expect(try await found(database) == [:])
            try await database.store.foldTallies()
            _ = try await database.store.changeContact(id: 1, ContactChange(.close), for: .everything, by: .api)
            let results = try await Reconciler(database.connectionConfiguration).check()
            #expect(results.allSatisfy { $0.findings == 0 && $0.details == [] })
            let lookedAt = Dictionary(uniqueKeysWithValues: results.map { ($0.subject, $0.lookedAt) })
            #expect(lookedAt[.loads] == 2)
            #expect(lookedAt[.counts] == 4)
            #expect(lookedAt[.queue] == 1)
            #expect(try await mended(database) == [:])
        }
    }

    @Test func `a wrong load is found and mended`() async throws {
        try await busy { database, _, ids in
            try await database.byHand("update operator_loads set load = load - 1 where operator_id = \(ids[0])")
            let isFree = try await found(database)
            #expect(isFree[.loads] == ["operator \(ids[0]): load 4, recount 5"])
            // Whoever looks at the load alone sees a free place.
            #expect(isFree[.queue]?.count == 2)
            #expect(isFree.count == 2)
            #expect(try await mended(database) == [.loads: ["operator \(ids[0]): load 4 → 5, ceiling 5 → 5"]])
            #expect(try await found(database) == [:])
        }
    }

    @Test func `a load and a ceiling that are too high are mended together`() async throws {
        try await busy { database, _, ids in
            try await database.byHand(
                "update operator_loads set load = 9, ceiling = 12 where operator_id = \(ids[0])")
            let drift = try await found(database)
            #expect(drift[.loads] == ["operator \(ids[0]): load 9, recount 5"])
            #expect(drift[.ceilings] == ["operator \(ids[0]): ceiling 12, load 9, limit 5"])
            #expect(drift.count == 2)
            #expect(try await mended(database) == [.loads: ["operator \(ids[0]): load 9 → 5, ceiling 12 → 5"]])
            #expect(try await found(database) == [:])
        }
    }

    @Test func `a ceiling that would let too many in is found and mended`() async throws {
        try await busy { database, _, ids in
            try await database.byHand("update operator_loads set ceiling = 6 where operator_id = \(ids[0])")
            #expect(
                try await found(database) == [.ceilings: ["operator \(ids[0]): ceiling 6, load 5, limit 5"]])
            #expect(try await mended(database) == [.loads: ["operator \(ids[0]): load 5 → 5, ceiling 6 → 5"]])
            #expect(try await found(database) == [:])
        }
    }

    @Test func `a wrong number of a lead's contacts is found and mended`() async throws {
        try await busy { database, _, _ in
            let ids: [Int] = try await database.value("select array_agg(id order by id) from leads")
            try await database.byHand(
                """
                update leads set contact_count = 7 where id = \(ids[0]);
                update leads set contact_count = 0 where id = \(ids[1])
                """)
            #expect(
                try await found(database) == [
                    .counts: ["lead \(ids[0]): 7 contacts, recount 2", "lead \(ids[1]): 0 contacts, recount 2"]
                ])
            #expect(
                try await mended(database) == [
                    .counts: ["lead \(ids[0]): 7 contacts → 2", "lead \(ids[1]): 0 contacts → 2"]
                ])
            #expect(try await found(database) == [:])
        }
    }

    @Test(arguments: [true, false])
    func `wrong counts by source are found and mended, folded or not`(isFolded: Bool) async throws {
        try await busy { database, source, _ in
            if isFolded { try await database.store.foldTallies() }
            try await database.byHand(
                """
                insert into contact_tally_changes (source_id, contacts, waiting_contacts) values (\(source.id), 1, -1);
                insert into contact_tally_changes (leads) values (3);
                insert into contact_tally_changes (source_id, operator_id, contacts) values (999, 999, 2)
                """)
            let drift = try await found(database)
            #expect(drift.keys.map(\.rawValue) == ["tallies"])
            #expect(
                drift[.tallies]?.sorted() == [
                    "leads (contacts, open, waiting, leads): tallied {0,0,0,7}, recount {0,0,0,4}",
                    "source \(source.id), operator none (contacts, open, waiting, leads): tallied {3,2,1,0}, recount {2,2,2,0}",
                    "source 999, operator 999 (contacts, open, waiting, leads): tallied {2,0,0,0}, recount {NULL,NULL,NULL,NULL}",
                ])
            #expect(try await mended(database)[.tallies]?.count == 3)
            #expect(try await found(database) == [:])
            try await database.store.foldTallies()
            #expect(try await found(database) == [:])
        }
    }

    @Test func `wrong counts by time are found and mended`() async throws {
        try await busy { database, source, ids in
            try await database.store.foldTallies()
            let quarter: String = try await database.value(
                "select to_char(max(quarter) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI\"Z\"') from source_quarters")
            // Eight came, and six of them were given to somebody.
            let given: Int = try await database.value(
                "select contacts from operator_quarters where operator_id = \(ids[0])")
            try await unnoticed(
                database,
                """
                update source_quarters set contacts = 9;
                update operator_quarters set contacts = contacts + 2 where operator_id = \(ids[0]);
                insert into operator_quarters (source_id, quarter, operator_id, contacts) values (77, '2020-01-01', 78, -3);
                delete from contact_minutes
                """)
            let wrong = try await found(database)
            #expect(wrong.keys.map(\.self) == [.quarters])
            let lines = wrong[.quarters] ?? []
            #expect(
                lines.first
                    == "source 77, operator 78, assigned in the quarter from 2020-01-01T00:00Z: tallied -3, recount 0")
            #expect(
                lines.contains("source \(source.id), registered in the quarter from \(quarter): tallied 9, recount 8"))
            #expect(
                lines.contains(
                    "source \(source.id), operator \(ids[0]), assigned in the quarter from \(quarter): "
                        + "tallied \(given + 2), recount \(given)"))
            #expect(lines.contains { $0.contains("registered in the minute") && $0.hasSuffix("recount 8") })
            #expect(try await mended(database)[.quarters]?.count == lines.count)
            #expect(try await found(database) == [:])
            #expect(try await mended(database) == [:])
        }
    }

    @Test func `contacts that no trigger saw are counted, and what is over the limit is left to people`() async throws {
        try await busy { database, source, ids in
            try await unnoticed(
                database,
                """
                insert into contacts (lead_id, source_id, operator_id, status, assigned_at, first_assigned_at)
                select (select min(id) from leads), \(source.id), \(ids[1]), 'active', now(), now()
                from generate_series(1, 2)
                """)
            let excess =
                "operator \(ids[1]): 3 active contacts, limit 1, forced 0, no lowering of the limit on record"
            let drift = try await found(database)
            #expect(Set(drift.keys) == [.loads, .limits, .counts, .tallies, .quarters, .spans])
            #expect(drift[.limits] == [excess])
            let counters = try await mended(database).keys
            #expect(Set(counters) == [.loads, .counts, .tallies, .quarters, .spans])
            #expect(try await found(database) == [.limits: [excess]])
            #expect(try await database.load(of: ids[1]) == 3)
            for id: Int in try await database.value(
                "select array_agg(id) from contacts where status = 'active' and operator_id = \(ids[1])",
                as: [Int].self
            ).prefix(2) {
                _ = try await database.store.changeContact(id: id, ContactChange(.close), for: .everything, by: .api)
            }
            #expect(try await found(database) == [:])
        }
    }

    @Test func `contacts that lists of their time would leave out are found, and listed again once that is mended`()
        async throws
    {
        try await busy { database, _, _ in
            func listed() async throws -> Int {
                var filter = ContactFilter()
                filter.createdFrom = Timestamp(microseconds: 0)
                return try await database.store.contacts(filter, Page(), for: .everything).elements.count
            }
            try await database.store.foldTallies()
            #expect(try await listed() == 8)
            try await unnoticed(database, "delete from contact_spans")
            #expect(try await listed() == 0)
            #expect(try await found(database)[.spans]?.count == 8)
            #expect(try await mended(database)[.spans]?.count == 1)
            #expect(try await found(database) == [:])
            #expect(try await listed() == 8)
            try await unnoticed(
                database, "update contacts set created_at = created_at + interval '1 day' where id in (2, 3)")
            #expect(
                try await found(database)[.spans]
                    == [2, 3].map {
                        "contact \($0) was created outside the time on record for its part of the ids"
                    })
            #expect(Set(try await mended(database).keys) == [.quarters, .spans])
            #expect(try await found(database) == [:])
        }
    }

    @Test func `decisions about what is gone are found and left to people`() async throws {
        try await busy { database, _, _ in
            let snapshot: Int = try await database.value("select max(id) from decision_snapshots")
            try await unnoticed(
                database,
                """
                insert into decisions (contact_id, snapshot_id, ordinal, operator_id)
                values (999, \(snapshot), 7, 1), (1, 888, 0, 1)
                """)
            let last: Int = try await database.value("select max(id) from decisions")
            #expect(
                try await found(database) == [
                    .decisions: [
                        "decision \(last - 1) is about contact 999, which is gone",
                        "decision \(last) was among candidates 888, which are gone",
                    ]
                ])
            #expect(try await mended(database) == [:])
        }
    }

    @Test func `forced contacts explain what is over the limit, no more than there are`() async throws {
        try await busy { database, source, ids in
            func insert(forced: Bool) -> String {
                """
                insert into contacts (lead_id, source_id, operator_id, status, assigned_at, first_assigned_at, is_forced)
                values ((select min(id) from leads), \(source.id), \(ids[1]), 'active', now(), now(), \(forced))
                """
            }
            try await database.byHand(insert(forced: true))
            #expect(try await found(database) == [:])
            try await unnoticed(database, insert(forced: false))
            _ = try await mended(database)
            #expect(
                try await found(database)[.limits]
                    == ["operator \(ids[1]): 3 active contacts, limit 1, forced 1, no lowering of the limit on record"])
        }
    }

    @Test func `a lowered limit explains what was there before, and nothing given since`() async throws {
        try await busy { database, source, ids in
            try await database.byHand(
                """
                update operator_loads set max_load = 2 where operator_id = \(ids[0]);
                insert into events (kind, to_operator_id, data)
                values ('operator_changed', \(ids[0]), '{"max_load": {"from": 5, "to": 2}}'),
                    ('operator_changed', \(ids[1]), '{"name": {}}')
                """)
            #expect(try await found(database) == [:])
            try await unnoticed(
                database,
                """
                with given as (
                    insert into contacts (lead_id, source_id, operator_id, status, assigned_at, first_assigned_at)
                    values ((select min(id) from leads), \(source.id), \(ids[0]), 'active', now(), now())
                    returning id
                )
                insert into events (contact_id, kind, to_operator_id) select id, 'registered', \(ids[0]) from given
                """)
            _ = try await mended(database)
            #expect(
                try await found(database) == [
                    .limits: [
                        "operator \(ids[0]): 6 active contacts, limit 2, forced 0, 1 given after the limit was last lowered"
                    ]
                ])
        }
    }

    @Test func `a raised limit explains nothing`() async throws {
        try await busy { database, source, ids in
            try await database.byHand(
                """
                insert into events (kind, to_operator_id, data)
                values ('operator_changed', \(ids[1]), '{"max_load": {"from": 1, "to": 9}}')
                """)
            try await unnoticed(
                database,
                """
                insert into contacts (lead_id, source_id, operator_id, status, assigned_at, first_assigned_at)
                values ((select min(id) from leads), \(source.id), \(ids[1]), 'active', now(), now())
                """)
            #expect(try await found(database)[.limits]?.count == 1)
        }
    }

    @Test func `leads that are not found by their keys are named, odd ids are not`() async throws {
        try await busy { database, source, _ in
            for externalID in ["  ", "---", "\u{00A0}\u{2003}", " x ", "\u{0958}", "é", "ID-\u{1D15E}"] {
                _ = try await database.register(NewContact(sourceID: source.id, leadExternalID: externalID))
            }
            // The key of " x " and the like is Identity's to find; here nobody gave it.
            let made: [Int] = try await database.value(
                "select array_agg(id order by id) from leads where external_id ~ '[[:alnum:]]' and id > 4")
            let ids: [Int] = try await database.value("select array_agg(id order by id) from leads")
            try await database.byHand(
                """
                update leads set merged_into = \(ids[1]) where id = \(ids[0]);
                insert into leads (merged_into) values (\(ids[0]));
                """)
            let last: Int = try await database.value("select max(id) from leads")
            let drift = try await found(database)
            #expect(drift.keys.map(\.rawValue) == ["leads"])
            #expect(
                Set(drift[.leads] ?? [])
                    == Set(
                        [
                            "lead \(ids[0]) was merged and still owns keys",
                            "lead \(ids[0]) was merged and still has contacts",
                            "lead \(last) was merged into lead \(ids[0]), which was merged itself",
                        ] + made.map { "lead \($0) has an external id by which it is not found" }))
            #expect(try await mended(database) == [:])
        }
    }

    @Test func `who waits beside capacity is named until the queue is served`() async throws {
        try await busy { database, _, ids in
            try await database.byHand("update operator_loads set max_load = 9 where operator_id = \(ids[0])")
            let waiting: [Int] = try await database.value(
                "select array_agg(id order by id) from contacts where status = 'new'")
            #expect(
                try await found(database) == [
                    .queue: waiting.map { "contact \($0) waits although an operator could take it" }
                ])
            #expect(try await database.store.sweep() == 1)
            #expect(try await found(database) == [:])
        }
    }

    @Test func `a queue that is being drained is waited for`() async throws {
        try await busy { database, source, ids in
            _ = await database.intake.register(
                (0..<60).map { _ in
                    Intake.Request(contact: NewContact(sourceID: source.id), keys: [], for: .everything, by: .api)
                })
            try await database.byHand("update operator_loads set max_load = 100 where operator_id = \(ids[0])")
            async let drained: Void = {
                for _ in 1...8 {
                    try await Task.sleep(for: .milliseconds(450))
                    try await database.byHand(
                        """
                        update contacts set status = 'active', operator_id = \(ids[0]), waiting_reason = null,
                            waiting_since = null, assigned_at = now(), first_assigned_at = now()
                        where id in (select id from contacts where status = 'new' order by arrival limit 10)
                        """)
                }
            }()
            #expect(try await found(database) == [:])
            try await drained
        }
    }

    @Test func `triggers and constraints that are off are named`() async throws {
        try await busy { database, _, _ in
            try await database.byHand(
                """
                alter table contacts disable trigger contacts_count_updated;
                alter table leads add constraint leads_loose check (id > 0) not valid
                """)
            #expect(
                try await found(database)[.guards]?.sorted() == [
                    "the constraint leads_loose on leads is not validated",
                    "the trigger contacts_count_updated on contacts is switched off",
                ])
        }
    }

    @Test func `guards that are gone are missed by name`() async throws {
        try await busy { database, _, _ in
            try await database.byHand(
                """
                drop trigger contacts_count_truncated on contacts;
                alter table operator_loads drop constraint operator_loads_load_within_ceiling;
                """)
            #expect(
                try await found(database)[.guards]?.sorted() == [
                    "the constraint operator_loads_load_within_ceiling is missing",
                    "the trigger contacts_count_truncated is missing",
                ])
        }
    }

    @Test func `at most twenty are named of as many as there are`() async throws {
        try await busy { database, _, _ in
            try await database.byHand(
                "insert into leads (name, contact_count) select 'canary', 3 from generate_series(1, 500)")
            let results = try await Reconciler(database.connectionConfiguration).check()
            let counts = try #require(results.first { $0.subject == .counts })
            #expect(counts.findings == 500)
            #expect(counts.details.count == Reconciler.longestList)
            let text = "\(results)"
            #expect(!text.contains("canary"))
            let mended = try await Reconciler(database.connectionConfiguration).repair()
            #expect(mended.first { $0.subject == .counts }?.findings == 500)
            #expect(try await found(database) == [:])
        }
    }

    @Test func `writers while counters are mended lose nothing`() async throws {
        try await busy { database, source, ids in
            try await database.byHand(
                """
                update operator_loads set max_load = 500, load = load + 3, ceiling = 500;
                update leads set contact_count = contact_count + 5;
                insert into contact_tally_changes (source_id, contacts, leads) values (\(source.id), 2, 0), (null, 0, 9)
                """)
            let reconciler = Reconciler(database.connectionConfiguration)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 1...6 {
                    group.addTask {
                        for number in 1...15 {
                            let key = LeadIdentity(kind: .externalID, value: "id \((worker + number) % 6)")
                            let contact = try await database.register(
                                NewContact(sourceID: source.id, leadExternalID: key.value), keys: [key])
                            if number.isMultiple(of: 3) {
                                _ = try await database.store.changeContact(
                                    id: contact.id, ContactChange(.close), for: .everything, by: .api)
                            }
                        }
                    }
                }
                for _ in 1...2 {
                    group.addTask {
                        for _ in 1...5 { _ = try await reconciler.repair() }
                    }
                }
                group.addTask { for _ in 1...10 { try await database.store.foldTallies() } }
                try await group.waitForAll()
            }
            #expect(try await found(database) == [:])
            let deadlocks: Int = try await database.value(
                "select deadlocks from pg_stat_database where datname = current_database()")
            #expect(deadlocks == 0)
            #expect(try await database.load(of: ids[0]) > 0)
        }
    }

    @Test func `a lock that others hold is told, and nothing is changed`() async throws {
        try await busy { database, _, ids in
            try await database.byHand("update operator_loads set load = 4 where operator_id = \(ids[0])")
            let other = try await Connection.open(database.connectionConfiguration)
            _ = try await other.send(["begin", "select from operator_loads for update"])
            let error = await #expect(throws: ReconcilerError.self) {
                try await Reconciler(database.connectionConfiguration).repair()
            }
            guard case .locked? = error else { Issue.record("\(String(describing: error))"); return }
            await other.close()
            #expect(try await database.load(of: ids[0]) == 4)
        }
    }

    @Test func `a database of an older schema is left alone`() async throws {
        try await TestDatabase.with { database in
            try await database.byHand("delete from schema_repeatables where name = 'report/report.sql'")
            let error = await #expect(throws: ReconcilerError.self) {
                try await Reconciler(database.connectionConfiguration).check()
            }
            guard case .schemaIsOlder? = error else { Issue.record("\(String(describing: error))"); return }
        }
    }
}
