import LeadStore
import Leads
import Postgres
import TestSupport
import Testing

struct QueueTests {
    private func waiting(_ database: TestDatabase) async throws -> [Int] {
        try await database.value(
            "select coalesce(array_agg(id order by priority desc, arrival), '{}') from contacts where status = 'new'")
    }

    @Test func `who waits is placed by priority, then in order of arrival`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1])
            _ = try await database.register(source.id)
            let low = try await database.register(source.id)
            let later = try await database.register(source.id)
            let high = try await database.register(source.id, priority: 9)
            #expect(try await waiting(database) == [high.id, low.id, later.id])
            for expected in [high, low, later] {
                let active: Int = try await database.value("select id from contacts where status = 'active'")
                _ = try await database.store.changeContact(
                    id: active, ContactChange(.close), for: .everything, by: .api)
                let next: Int = try await database.value("select id from contacts where status = 'active'")
                #expect(next == expected.id)
            }
            #expect(try await database.load(of: ids[0]) == 1)
        }
    }

    @Test func `one operator of two sources takes whoever waited longest`() async throws {
        try await TestDatabase.with { database in
            let (first, ids) = try await database.team([1])
            let second = try await database.store.createSource(NewSource(name: "second"), for: .everything, by: .api)
            try await database.store.setWeights(
                sourceID: second.id, [NewWeight(operatorID: ids[0])], replacing: true, for: .everything, by: .api)
            _ = try await database.register(first.id)
            let order = [
                try await database.register(second.id), try await database.register(first.id),
                try await database.register(second.id),
            ]
            _ = try await database.store.changeOperator(
                id: ids[0], OperatorChange(maxLoad: 3), for: .everything, by: .api)
            #expect(try await waiting(database) == [order[2].id])
        }
    }

    @Test func `a queue longer than one transaction is drained to the end`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1])
            _ = await database.intake.register(
                (0...1200).map { _ in
                    Intake.Request(contact: NewContact(sourceID: source.id), keys: [], for: .everything, by: .api)
                })
            #expect(try await waiting(database).count == 1200)
            _ = try await database.store.changeOperator(
                id: ids[0], OperatorChange(maxLoad: 1_000_000), for: .everything, by: .api)
            #expect(try await eventually { try await waiting(database) == [] })
            let inversions: Int = try await database.value(
                """
                select count(*) from (
                    select e.id, lag(e.id) over (order by c.arrival) as previous
                    from events e join contacts c on c.id = e.contact_id where e.kind = 'assigned') o
                where previous > id
                """)
            #expect(inversions == 0)
        }
    }

    @Test func `capacity nobody announced is found by the next registration, which waits its turn`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1])
            _ = await database.intake.register(
                (0...150).map { _ in
                    Intake.Request(contact: NewContact(sourceID: source.id), keys: [], for: .everything, by: .api)
                })
            // As if an instance had died between raising the limit and draining the queue.
            try await database.byHand("update operator_loads set max_load = 120 where operator_id = \(ids[0])")
            let newcomer = try await database.register(source.id)
            #expect(newcomer.status == .new)
            #expect(try await eventually { try await database.load(of: ids[0]) == 120 })
            let left = try await waiting(database)
            #expect(left.count == 32 && left.last == newcomer.id)
        }
    }

    @Test func `the sweep finds what was left behind, and nothing otherwise`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1])
            for _ in 1...5 { _ = try await database.register(source.id) }
            #expect(try await database.store.sweep() == 0)
            try await database.byHand("update operator_loads set max_load = 9 where operator_id = \(ids[0])")
            #expect(try await database.store.sweep() == 1)
            #expect(try await waiting(database) == [])
            #expect(try await database.store.sweep() == 0)
        }
    }

    @Test func `the reason shown is the engine's, whatever changes meanwhile`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let source = try await store.createSource(NewSource(name: "source"), for: .everything, by: .api)
            let contact = try await database.register(source.id)
            func reason() async throws -> WaitingReason? {
                try await store.contact(id: contact.id, for: .everything).waitingReason
            }
            #expect(contact.waitingReason == .noOperators)
            let person = try await store.createOperator(
                NewOperator(name: "a", isActive: false, maxLoad: 1), for: .everything, by: .api)
            try await store.setWeights(
                sourceID: source.id, [NewWeight(operatorID: person.id)], replacing: true, for: .everything, by: .api)
            let second = try await database.register(source.id)
            #expect(second.waitingReason == .allInactive)
            #expect(try await reason() == .allInactive)
            _ = try await store.changeOperator(
                id: person.id, OperatorChange(isActive: true), for: .everything, by: .api)
            #expect(try await reason() == nil)
            #expect(try await store.contact(id: second.id, for: .everything).waitingReason == .allAtLimit)
            try await store.setWeights(sourceID: source.id, [], replacing: true, for: .everything, by: .api)
            #expect(try await store.contact(id: second.id, for: .everything).waitingReason == .noOperators)
        }
    }

    @Test func `requeued contacts keep their place and go to somebody else`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([3, 1])
            var contacts: [Contact] = []
            for _ in 1...4 { contacts.append(try await database.register(source.id)) }
            _ = try await database.store.changeOperator(
                id: ids[0], OperatorChange(isActive: false, requeues: true), for: .everything, by: .api)
            #expect(try await database.load(of: ids[0]) == 0)
            #expect(try await waiting(database) == contacts.filter { $0.operator?.id == ids[0] }.map(\.id))
            _ = try await database.store.changeOperator(
                id: ids[1], OperatorChange(maxLoad: 2), for: .everything, by: .api)
            #expect(try await waiting(database).count == 2)
            #expect(try await database.drift() == 0)
        }
    }
}
