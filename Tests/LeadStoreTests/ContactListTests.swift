import LeadStore
import Leads
import Postgres
import TestSupport
import Testing

/// Lists of contacts show what their filters say, in order of id, in whatever order the contacts were created.
struct ContactListTests {
    @Test func `contacts of a certain time are found wherever their ids are`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([100_000])
            // Ten thousand in order of time, brought in after them some of long before and after, and one that was moved.
            try await database.byHand(
                """
                insert into leads (name) values ('a');
                insert into contacts (lead_id, source_id, operator_id, status, created_at, assigned_at, first_assigned_at)
                select 1, \(source.id), \(ids[0]), 'active', timestamptz '2026-11-01 00:00+00' + n * interval '1 minute', now(), now()
                from generate_series(1, 10000) n;
                insert into contacts (lead_id, source_id, operator_id, status, created_at, assigned_at, first_assigned_at)
                select 1, \(source.id), \(ids[0]), 'active', timestamptz '2026-10-31 00:00+00' + n * interval '1 day', now(), now()
                from generate_series(1, 20) n;
                update contacts set created_at = '2026-11-05' where id = 9999;
                delete from contacts where id = 10003
                """)
            var generator = SeededGenerator()
            for folded in [false, true] {
                if folded { try await database.store.foldTallies() }
                for _ in 1...60 {
                    var filter = ContactFilter()
                    let start = Int.random(in: -2000...31000, using: &generator)
                    let end = start + Int.random(in: 0...8000, using: &generator)
                    if generator.next() % 3 > 0 { filter.createdFrom = november(minutes: start) }
                    if generator.next() % 3 > 0 { filter.createdTo = november(minutes: end) }
                    let page = Page(
                        limit: 50, order: generator.next() % 2 == 0 ? .ascending : .descending,
                        cursor: generator.next() % 2 == 0 ? Int.random(in: 0...10021, using: &generator) : nil)
                    let found = try await database.store.contacts(filter, page, for: .everything).elements.map(\.id)
                    let expected: [Int] = try await database.value(
                        """
                        select array(
                            select id from contacts
                            where created_at >= coalesce(\(filter.createdFrom), '-infinity')
                                and created_at <= coalesce(\(filter.createdTo), 'infinity')
                                and case when \(page.order == .ascending)
                                    then id > coalesce(\(page.cursor), 0)
                                    else id < coalesce(\(page.cursor), 9223372036854775807)
                                end
                            order by case when \(page.order == .ascending) then id else -id end
                            limit 50)
                        """)
                    #expect(found == expected, "\(filter), \(page), folded \(folded)")
                }
            }
            let (rows, parts): (Int, Int) = (
                try await database.value("select count(*) from contact_spans"),
                try await database.value("select count(distinct part) from contact_spans")
            )
            #expect((rows, parts) == (3, 3))
        }
    }

    @Test func `spans are made for contacts that are there before them`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([5])
            let contact = try await database.register(source.id)
            try await database.byHand(
                """
                drop function note_contact_spans() cascade;
                delete from contact_spans;
                delete from schema_repeatables where name = 'functions/note_contact_spans.sql'
                """)
            let migrator = Migrator(migrations: LeadStore.migrations, repeatables: LeadStore.repeatables)
            #expect(
                try await migrator.run(database.connectionConfiguration).repeated == [
                    "functions/note_contact_spans.sql"
                ])
            var filter = ContactFilter()
            filter.createdFrom = contact.createdAt
            #expect(
                try await database.store.contacts(filter, Page(), for: .everything).elements.map(\.id) == [contact.id])
        }
    }

    /// The first of November 2026 and so many minutes.
    private func november(minutes: Int) -> Timestamp {
        Timestamp(microseconds: 1_793_491_200_000_000 + Int64(minutes) * 60_000_000)
    }
}
