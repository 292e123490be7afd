import LeadStore
import Leads
import Postgres
import TestSupport
import Testing

/// Load and limit hold whoever writes: here, people who type SQL by hand.
struct LoadCountingTests {
    private func insert(_ source: Int, _ operatorID: Int, count: Int = 1, forced: Bool = false) -> String {
        """
        insert into leads (name) select 'by hand' where not exists (select from leads);
        insert into contacts (lead_id, source_id, operator_id, status, assigned_at, first_assigned_at, is_forced)
        select (select min(id) from leads), \(source), \(operatorID), 'active', now(), now(), \(forced)
        from generate_series(1, \(count))
        """
    }

    @Test func `decisions go with the contacts and the snapshots they are about`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([9])
            for _ in 1...3 { _ = try await database.register(source.id) }
            func decisions() async throws -> Int { try await database.value("select count(*) from decisions") }
            #expect(try await decisions() == 3)
            try await database.byHand("delete from contacts where id = 2")
            #expect(try await decisions() == 2)
            try await database.byHand(
                "delete from decision_snapshots where id = (select min(id) from decision_snapshots)")
            #expect(try await decisions() == 1)
            try await database.byHand("truncate contacts cascade")
            #expect(try await decisions() == 0)
        }
    }

    @Test func `inserts, moves, closings, deletions and truncation by hand are counted`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([10, 10])
            try await database.byHand(insert(source.id, ids[0], count: 7))
            #expect(try await database.load(of: ids[0]) == 7)
            try await database.byHand("update contacts set operator_id = \(ids[1]) where id % 2 = 0")
            #expect(try await database.drift() == 0)
            #expect(try await database.load(of: ids[1]) == 3)
            try await database.byHand("update contacts set status = 'closed', closed_at = now() where id <= 3")
            #expect(try await database.drift() == 0)
            try await database.byHand("delete from contacts where id = 4")
            #expect(try await database.drift() == 0)
            try await database.byHand("update contacts set message = 'no change of load'")
            #expect(try await database.drift() == 0)
            try await database.byHand("truncate contacts cascade")
            #expect(try await database.load(of: ids[0]) == 0)
            #expect(try await database.drift() == 0)
        }
    }

    @Test func `a lead's contacts are counted through every kind of change`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([10])
            try await database.byHand(insert(source.id, ids[0], count: 5))
            try await database.byHand("insert into leads (name) values ('second')")
            try await database.byHand("update contacts set lead_id = (select max(id) from leads) where id <= 2")
            try await database.byHand("delete from contacts where id = 3")
            let counts: [Int] = try await database.value("select array_agg(contact_count order by id) from leads")
            #expect(counts == [2, 2])
        }
    }

    @Test func `an assignment by hand beyond the limit fails by the name of the rule`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([2])
            try await database.byHand(insert(source.id, ids[0], count: 2))
            let error = try await #require(throws: PostgresError.self) {
                try await database.byHand(insert(source.id, ids[0]))
            }
            #expect(error.constraint == "operator_loads_load_within_ceiling")
            #expect(try await database.load(of: ids[0]) == 2)
        }
    }

    @Test func `a forced assignment lifts the ceiling, which sinks with the load and never rises by itself`()
        async throws
    {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([2])
            try await database.byHand(insert(source.id, ids[0], count: 2))
            try await database.byHand(insert(source.id, ids[0], count: 2, forced: true))
            func ceiling() async throws -> Int {
                try await database.value("select ceiling from operator_loads where operator_id = \(ids[0])")
            }
            #expect(try await ceiling() == 4)
            try await database.byHand("update contacts set status = 'closed', closed_at = now() where id = 1")
            #expect(try await ceiling() == 3)
            let error = try await #require(throws: PostgresError.self) {
                try await database.byHand(insert(source.id, ids[0]))
            }
            #expect(error.constraint == "operator_loads_load_within_ceiling")
            try await database.byHand("update contacts set status = 'closed', closed_at = now() where id in (2, 3)")
            #expect(try await ceiling() == 2)
            try await database.byHand(insert(source.id, ids[0]))
            #expect(try await database.drift() == 0)
        }
    }

    @Test func `a limit lowered below the load evicts nobody and admits nobody`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([5])
            for _ in 1...5 { _ = try await database.register(source.id) }
            _ = try await database.store.changeOperator(
                id: ids[0], OperatorChange(maxLoad: 3), for: .everything, by: .api)
            #expect(try await database.load(of: ids[0]) == 5)
            #expect(try await database.register(source.id).status == .new)
            _ = try await database.store.changeContact(id: 1, ContactChange(.close), for: .everything, by: .api)
            #expect(try await database.load(of: ids[0]) == 4)
            #expect(try await database.strandsNobody())
            for id in 2...3 {
                _ = try await database.store.changeContact(id: id, ContactChange(.close), for: .everything, by: .api)
            }
            // Two left of five, the limit is three: the one that waited has the free place.
            #expect(try await database.load(of: ids[0]) == 3)
            #expect(try await database.drift() == 0)
        }
    }

    @Test func `a mixed statement cannot smuggle an ordinary assignment in beside a forced one`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1])
            try await database.byHand(insert(source.id, ids[0]))
            let error = try await #require(throws: PostgresError.self) {
                try await database.byHand(
                    """
                    insert into contacts (lead_id, source_id, operator_id, status, assigned_at, first_assigned_at, is_forced)
                    select (select min(id) from leads), \(source.id), \(ids[0]), 'active', now(), now(), forced
                    from unnest(array[true, false]) as forced
                    """)
            }
            #expect(error.constraint == "operator_loads_load_within_ceiling")
        }
    }
}
