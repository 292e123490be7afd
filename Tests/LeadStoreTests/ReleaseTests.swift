import LeadStore
import Leads
import Postgres
import TestSupport
import Testing

/// Contacts that go back to the queue: whom they are not for, and that nobody is overtaken on the way.
struct ReleaseTests {
    private func release(_ contact: Contact, _ database: TestDatabase) async throws -> Contact {
        try await database.store.changeContact(
            id: contact.id, ContactChange(.release(reason: nil)), for: .everything, by: .api)
    }

    @Test func `a released contact waits for somebody else, and holds up nobody`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1, 1], strategy: .roundRobin)
            let first = try await database.register(source.id)
            let second = try await database.register(source.id)
            let third = try await database.register(source.id)
            let released = try await release(first, database)
            #expect(released.status == .new && released.waitingReason == .allAtLimit)
            // The place it left went to the third, which had waited, behind it in the queue.
            #expect(try await database.store.contact(id: third.id, for: .everything).operator?.id == ids[0])
            _ = try await database.store.changeContact(id: third.id, ContactChange(.close), for: .everything, by: .api)
            #expect(try await database.store.contact(id: first.id, for: .everything).waitingReason == .excluded)
            #expect(try await database.register(source.id).operator?.id == ids[0])
            _ = try await database.store.changeContact(id: second.id, ContactChange(.close), for: .everything, by: .api)
            #expect(try await database.store.contact(id: first.id, for: .everything).operator?.id == ids[1])
            #expect(try await database.store.sweep() == 0)
        }
    }

    @Test func `what everybody has released goes to whoever is free`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([5, 5], strategy: .roundRobin)
            let contact = try await database.register(source.id)
            #expect(try await release(contact, database).operator?.id == ids[1])
            #expect(try await release(contact, database).operator != nil)
            #expect(try await database.drift() == 0)
        }
    }

    @Test func `an operator of another source is excluded nowhere else`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1])
            let contact = try await database.register(source.id)
            // Nobody else is configured: it comes back at once.
            let released = try await release(contact, database)
            #expect(released.operator?.id == ids[0] && released.version == contact.version + 2)
            let other = try await database.store.createOperator(
                NewOperator(name: "other", isActive: false), for: .everything, by: .api)
            try await database.store.setWeights(
                sourceID: source.id, [NewWeight(operatorID: other.id)], replacing: false, for: .everything, by: .api)
            #expect(try await release(contact, database).waitingReason == .excluded)
            try await database.store.archiveOperator(id: other.id, for: .everything, by: .api)
            #expect(try await database.store.contact(id: contact.id, for: .everything).operator?.id == ids[0])
        }
    }

    @Test func `thousands of contacts nobody may take at the head do not hide those behind`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1, 1], strategy: .roundRobin)
            for _ in 1...2 { _ = try await database.register(source.id) }
            try await database.byHand(
                """
                insert into leads (name) values ('by hand');
                insert into contacts (lead_id, source_id, status, priority, waiting_reason, waiting_since, released_by)
                select l.id, \(source.id), 'new', 9, 'excluded', now(), '{\(ids[0])}'
                from (select max(id) as id from leads) l, generate_series(1, 3000);
                """)
            let behind = try await database.register(source.id)
            #expect(behind.waitingReason == .allAtLimit)
            _ = try await database.store.changeOperator(
                id: ids[0], OperatorChange(maxLoad: 100), for: .everything, by: .api)
            #expect(try await database.store.contact(id: behind.id, for: .everything).operator?.id == ids[0])
            let left: Int = try await database.value("select count(*) from contacts where status = 'new'")
            #expect(left == 3000)
            #expect(try await database.register(source.id).operator?.id == ids[0])
            #expect(try await database.store.sweep() == 0)
        }
    }

    @Test func `a released contact passes nobody of a queue longer than one transaction serves`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1, 2000])
            _ = try await database.store.changeOperator(
                id: ids[1], OperatorChange(isActive: false), for: .everything, by: .api)
            _ = try await database.register(source.id)
            _ = await database.intake.register(
                (1...705).map { _ in
                    Intake.Request(contact: NewContact(sourceID: source.id), keys: [], for: .everything, by: .api)
                })
            let last = try await database.register(source.id)
            let wanted = Assignment(operatorID: ids[0], force: true)
            _ = try await database.store.changeContact(
                id: last.id, ContactChange(.assign(wanted)), for: .everything, by: .api)
            try await database.byHand("update operator_loads set is_active = true where operator_id = \(ids[1])")
            let released = try await release(last, database)
            #expect(released.status == .new)
            #expect(try await eventually { try await database.load(of: ids[1]) == 706 })
            let placedAfter: Int = try await database.value(
                """
                select count(*) from events
                where kind = 'assigned' and actor_kind = 'system'
                    and id > (select max(id) from events where contact_id = \(last.id) and kind = 'assigned')
                """)
            #expect(placedAfter == 0)
        }
    }

    @Test func `who assigns the same contact to the same operator at once is told of no limit`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1])
            let spare = try await database.store.createOperator(
                NewOperator(name: "spare", maxLoad: 1), for: .everything, by: .api)
            for _ in 1...20 {
                let contact = try await database.register(source.id)
                let change = ContactChange(.assign(Assignment(operatorID: spare.id)))
                try await withThrowingTaskGroup(of: Int?.self) { group in
                    for _ in 1...4 {
                        group.addTask {
                            try await database.store.changeContact(id: contact.id, change, for: .everything, by: .api)
                                .operator?.id
                        }
                    }
                    for try await operatorID in group { #expect(operatorID == spare.id) }
                }
                _ = try await database.store.changeContact(
                    id: contact.id, ContactChange(.close), for: .everything, by: .api)
            }
            #expect(try await database.load(of: ids[0]) == 0)
        }
    }

    /// Whether a change of the queue waits while somebody serves it, holding the row of the operator it serves.
    private func waits(
        for operatorID: Int, _ database: TestDatabase, _ change: @escaping @Sendable () async throws -> Void
    ) async throws {
        let serving = try await Connection.open(database.connectionConfiguration)
        _ = try await serving.send(["begin"])
        _ = try await serving.send(["select from operator_loads where operator_id = \(operatorID) for update"])
        let changing = Task { try await change() }
        let waits = try await eventually { try await database.somebodyWaits() }
        #expect(waits, "the queue changed while somebody was serving it")
        _ = try await serving.send(["commit"])
        await serving.close()
        try await changing.value
    }

    @Test func `no contact appears in a queue ahead of others while somebody serves it`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, ids) = try await database.team([1, 1, 1], strategy: .roundRobin)
            var contacts: [Contact] = []
            for _ in 1...4 { contacts.append(try await database.register(source.id)) }
            try await waits(for: ids[1], database) { [contacts] in
                _ = try await store.changeContact(
                    id: contacts[3].id, ContactChange(priority: 9), for: .everything, by: .api)
            }
            try await waits(for: ids[1], database) { [contacts] in
                _ = try await store.changeContact(
                    id: contacts[0].id, ContactChange(.release(reason: nil)), for: .everything, by: .api)
            }
            try await waits(for: ids[1], database) {
                _ = try await store.changeOperator(
                    id: ids[0], OperatorChange(isActive: false, requeues: true), for: .everything, by: .api)
            }
            try await waits(for: ids[1], database) {
                try await store.archiveOperator(id: ids[2], for: .everything, by: .api)
            }
            #expect(try await database.drift() == 0)
        }
    }

    @Test func `one of another source that is gone when its row is free leaves its turn to the next one there`()
        async throws
    {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, ids) = try await database.team([1])
            let (other, _) = try await database.team([])
            try await store.setWeights(
                sourceID: other.id, [NewWeight(operatorID: ids[0], weight: 1)], replacing: true, for: .everything,
                by: .api)
            let placed = try await database.register(source.id)
            let own = try await database.register(source.id, priority: 1)
            let first = try await database.register(other.id, priority: 5)
            let next = try await database.register(other.id, priority: 3)
            // Somebody closes the first one, and takes a while.
            let closing = try await Connection.open(database.connectionConfiguration)
            _ = try await closing.send([
                "begin",
                """
                update contacts
                set status = 'closed', closed_at = clock_timestamp(), waiting_reason = null, waiting_since = null
                where id = \(first.id)
                """,
            ])
            let releasing = Task {
                try await store.changeContact(
                    id: placed.id, ContactChange(.release(reason: nil)), for: .everything, by: .api)
            }
            #expect(try await eventually { try await database.somebodyWaits() })
            _ = try await closing.send(["commit"])
            await closing.close()
            _ = try await releasing.value
            #expect(try await store.contact(id: next.id, for: .everything).operator?.id == ids[0])
            #expect(try await store.contact(id: own.id, for: .everything).status == .new)
        }
    }
}
