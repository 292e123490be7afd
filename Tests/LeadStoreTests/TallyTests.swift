import LeadStore
import Leads
import Postgres
import TestSupport
import Testing

/// The numbers of contacts that statistics show are those of a recount, whoever writes and whoever folds.
struct TallyTests {
    @Test func `every kind of change by hand is counted, folded or not`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([100, 100])
            let second = try await database.store.createSource(NewSource(name: "second"), for: .everything, by: .api)
            let changes = [
                """
                insert into leads (name) values ('a'), ('b'), ('c');
                insert into contacts (lead_id, source_id, operator_id, status, assigned_at, first_assigned_at)
                select 1, \(source.id), \(ids[0]), 'active', now(), now() from generate_series(1, 10)
                """,
                """
                insert into contacts (lead_id, source_id, status, waiting_reason, waiting_since)
                select 2, \(second.id), 'new', 'no_operators', now() from generate_series(1, 5)
                """,
                "update contacts set operator_id = \(ids[1]) where id <= 3",
                "update contacts set source_id = \(second.id) where id in (4, 5)",
                "update contacts set status = 'closed', closed_at = now(), waiting_reason = null, waiting_since = null where id > 8",
                "update contacts set message = 'no change of numbers'",
                "update contacts set created_at = created_at - id * interval '7 minutes'",
                """
                update contacts set assigned_at = assigned_at - id * interval '7 minutes',
                    first_assigned_at = first_assigned_at - interval '1 day' where operator_id is not null
                """,
                """
                update contacts set source_id = \(source.id), operator_id = \(ids[0]), assigned_at = '2001-02-03 04:05:06+00',
                    created_at = '0001-01-01 00:00:00+00' where id in (3, 4)
                """,
                "delete from contacts where id in (1, 9, 12)",
                "update leads set merged_into = 1 where id = 3",
                "update leads set merged_into = null where id = 3; delete from leads where id = 3",
                "truncate contacts cascade",
                "truncate leads cascade",
            ]
            for change in changes {
                try await database.byHand(change)
                #expect(try await database.drift() == 0, "\(change)")
                try await database.store.foldTallies()
                #expect(try await database.drift() == 0, "folded: \(change)")
            }
            let left: Int = try await database.value(
                """
                select (select count(*) from contact_counts where contacts <> 0 or leads <> 0)
                    + (select count(*) from report.registrations) + (select count(*) from report.assignments)
                    + (select count(*) from registered_minutes where contacts <> 0)
                """)
            #expect(left == 0)
        }
    }

    @Test func `folding leaves no changes behind, and one row a pair`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([100])
            for _ in 1...20 { _ = try await database.register(source.id) }
            try await database.store.foldTallies()
            let changes: Int = try await database.value("select count(*) from contact_tally_changes")
            let tallies: Int = try await database.value("select count(*) from contact_tallies where contacts <> 0")
            #expect((changes, tallies) == (0, 1))
        }
    }

    @Test func `what changes nothing about when contacts came is one change an operator, however many they are`()
        async throws
    {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([100, 100])
            try await database.byHand(
                """
                insert into leads (name) values ('a');
                insert into contacts (lead_id, source_id, operator_id, status, created_at, assigned_at, first_assigned_at)
                select 1, \(source.id), case when n <= 50 then \(ids[0]) else \(ids[1]) end, 'active',
                    now() - n * interval '1 hour', now() - n * interval '1 hour', now() - n * interval '1 hour'
                from generate_series(1, 100) n
                """)
            try await database.store.foldTallies()
            try await database.byHand("update contacts set status = 'closed', closed_at = now()")
            let (changes, timed): (Int, Int) = (
                try await database.value("select count(*) from contact_tally_changes"),
                try await database.value(
                    "select count(*) from contact_tally_changes where quarter is not null or minute is not null")
            )
            #expect((changes, timed) == (2, 0))
            #expect(try await database.drift() == 0)
        }
    }

    @Test func `minutes are kept for some hours, quarters for ever`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([100])
            for hours in [0, 2, 4, 400] {
                let contact = try await database.register(source.id)
                try await database.byHand(
                    "update contacts set created_at = now() - interval '\(hours) hours' where id = \(contact.id)")
            }
            try await database.store.foldTallies()
            try await database.byHand("update contact_minutes set minute = minute - interval '100 minutes'")
            _ = try await database.register(source.id)
            try await database.store.foldTallies()
            let (minutes, quarters): (Int, Int) = (
                try await database.value("select sum(contacts)::bigint from registered_minutes"),
                try await database.value("select sum(contacts)::bigint from report.registrations")
            )
            // Of now and, moved back, of now and of two hours ago, of which the last is forgotten.
            #expect((minutes, quarters) == (2, 5))
        }
    }

    @Test func `writers and folders at once lose nothing and never wait for each other in a circle`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([30, 30, 30])
            let store = database.store
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...8 {
                    group.addTask {
                        for _ in 1...15 {
                            let contact = try await database.register(source.id)
                            if contact.id.isMultiple(of: 2) {
                                _ = try await store.changeContact(
                                    id: contact.id, ContactChange(.close), for: .everything, by: .api)
                            }
                        }
                    }
                }
                for _ in 1...3 {
                    group.addTask { for _ in 1...20 { try await store.foldTallies() } }
                }
                group.addTask {
                    for _ in 1...20 {
                        let statistics = try await store.distributionStatistics(for: .everything)
                        let bySource = statistics.bySource.reduce(0) { $0 + $1.totalContacts }
                        #expect(bySource == statistics.summary.totalContacts)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await eventually(within: .seconds(5)) { try await database.drift() == 0 })
            #expect(try await store.distributionStatistics(for: .everything).summary.totalContacts == 120)
            let deadlocks: Int = try await database.value(
                "select deadlocks from pg_stat_database where datname = current_database()")
            #expect(deadlocks == 0)
        }
    }

    @Test func `a recount mends whatever was wrong`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([5])
            for _ in 1...3 { _ = try await database.register(source.id) }
            try await database.store.foldTallies()
            try await database.byHand("update contact_tallies set contacts = 7")
            #expect(try await database.drift() > 0)
            try await database.byHand("select recount_contact_tallies()")
            #expect(try await database.drift() == 0)
        }
    }

    @Test func `contacts from before the triggers are counted when these are made`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([5])
            for _ in 1...3 { _ = try await database.register(source.id) }
            try await database.byHand(
                """
                drop function tally_contacts() cascade;
                delete from contact_tallies;
                delete from contact_tally_changes;
                delete from schema_repeatables where name = 'functions/tally_contacts.sql'
                """)
            let migrator = Migrator(migrations: LeadStore.migrations, repeatables: LeadStore.repeatables)
            #expect(
                try await migrator.run(database.connectionConfiguration).repeated == ["functions/tally_contacts.sql"])
            #expect(try await database.drift() == 0)
        }
    }

    @Test func `contacts from before they were counted by time are counted beside those who write`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([1000, 1000])
            for _ in 1...20 { _ = try await database.register(source.id) }
            try await database.store.foldTallies()
            // Some were counted by the old functions and are not summed up yet.
            for _ in 1...5 { _ = try await database.register(source.id) }
            try await database.byHand(
                """
                update contact_tally_changes set quarter = null, minute = null, registered = 0;
                truncate contact_minutes, source_quarters, operator_quarters;
                delete from schema_repeatables where name = 'functions/count_contact_times.sql'
                """)
            #expect(try await database.drift() > 0)
            let migrator = Migrator(migrations: LeadStore.migrations, repeatables: LeadStore.repeatables)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...4 {
                    group.addTask {
                        for _ in 1...10 {
                            let contact = try await database.register(source.id)
                            _ = try await database.store.changeContact(
                                id: contact.id - 10, ContactChange(.close), for: .everything, by: .api)
                        }
                    }
                }
                group.addTask { for _ in 1...5 { try await database.store.foldTallies() } }
                group.addTask {
                    let outcome = try await migrator.run(database.connectionConfiguration)
                    #expect(outcome.repeated == ["functions/count_contact_times.sql"])
                }
                try await group.waitForAll()
            }
            #expect(try await database.drift() == 0)
            try await database.store.foldTallies()
            #expect(try await database.drift() == 0)
        }
    }

    @Test func `thousands of contacts change hands in a time that grows with their number alone`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([100_000, 100_000])
            try await database.byHand(
                """
                insert into leads (name) values ('a');
                insert into contacts (lead_id, source_id, operator_id, status, assigned_at, first_assigned_at)
                select 1, \(source.id), \(ids[0]), 'active', now(), now() from generate_series(1, 20000)
                """)
            // The statement limit of a session is 3 s; comparing every contact with every other took 20.
            try await database.store.archiveOperator(id: ids[0], for: .everything, by: .api)
            #expect(try await database.load(of: ids[0]) == 0)
            #expect(try await database.drift() == 0)
        }
    }
}
