import LeadStore
import Leads
import Postgres
import TestSupport
import Testing

/// What the deterministic strategies remember: one sequence, whoever registers and however many at once.
struct TurnTests {
    /// The operators of a source's contacts in the order in which they were placed.
    private func sequence(_ database: TestDatabase, _ sourceID: Int) async throws -> [Int] {
        try await database.value(
            """
            select coalesce(array_agg(operator_id order by arrival), '{}')
            from contacts where source_id = \(sourceID) and operator_id is not null
            """)
    }

    private func weigh(_ database: TestDatabase, _ sourceID: Int, _ weights: [Int: Int]) async throws {
        try await database.store.setWeights(
            sourceID: sourceID, weights.map { NewWeight(operatorID: $0, weight: $1) }, replacing: true,
            for: .everything, by: .api)
    }

    @Test func `smooth weighted round robin goes on where the last transaction ended`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([100, 100, 100], strategy: .smoothWeighted)
            try await weigh(database, source.id, [ids[0]: 5, ids[1]: 1, ids[2]: 1])
            for size in [1, 1, 3, 2, 7, 1, 6] {
                _ = await database.intake.register(
                    (0..<size).map { _ in
                        Intake.Request(contact: NewContact(sourceID: source.id), keys: [], for: .everything, by: .api)
                    }
                )
            }
            let once = [0, 0, 1, 0, 2, 0, 0].map { ids[$0] }
            #expect(try await sequence(database, source.id) == once + once + once)
        }
    }

    @Test func `shares are exact in every window, however many register at once`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1000, 1000, 1000], strategy: .smoothWeighted)
            try await weigh(database, source.id, [ids[0]: 5, ids[1]: 1, ids[2]: 1])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...140 { group.addTask { _ = try await database.register(source.id) } }
                try await group.waitForAll()
            }
            let sequence = try await sequence(database, source.id)
            #expect(sequence.count == 140)
            for start in 0...(sequence.count - 7) {
                let window = sequence[start..<start + 7]
                #expect(ids.map { id in window.count { $0 == id } } == [5, 1, 1])
            }
        }
    }

    @Test func `turns go round, past who is full, and a freed operator's turn counts`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([100, 1, 100], strategy: .roundRobin)
            var contacts: [Contact] = []
            for _ in 1...5 { contacts.append(try await database.register(source.id)) }
            #expect(contacts.map { $0.operator?.id } == [ids[0], ids[1], ids[2], ids[0], ids[2]])
            _ = try await database.store.changeContact(
                id: contacts[1].id, ContactChange(.close), for: .everything, by: .api)
            #expect(try await database.register(source.id).operator?.id == ids[1])
            #expect(try await database.register(source.id).operator?.id == ids[0])
        }
    }

    @Test func `what an operator is owed, in contacts, survives a change of weights`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([100, 100], strategy: .smoothWeighted)
            try await weigh(database, source.id, [ids[0]: 1, ids[1]: 3])
            _ = try await database.register(source.id)
            func credits() async throws -> [Int] {
                try await database.value(
                    "select array_agg(credit order by operator_id) from source_turns where source_id = \(source.id)")
            }
            #expect(try await credits() == [1, -1])
            try await weigh(database, source.id, [ids[0]: 1000, ids[1]: 3000])
            #expect(try await credits() == [1000, -1000])
            let newcomer = try await database.store.createOperator(
                NewOperator(name: "new", maxLoad: 100), for: .everything, by: .api)
            try await weigh(database, source.id, [ids[1]: 3000, newcomer.id: 1000])
            // The mean of those who stay: the one who left takes nothing along.
            #expect(try await credits() == [-1000, -1000])
            #expect(try await database.register(source.id).operator?.id == ids[1])
        }
    }

    @Test func `another strategy begins without a memory`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([9, 9], strategy: .smoothWeighted)
            _ = try await database.register(source.id)
            _ = try await database.store.changeSource(
                id: source.id, SourceChange(strategy: .smoothWeighted), for: .everything, by: .api)
            #expect(try await database.value("select count(*) from source_turns", as: Int.self) == 2)
            _ = try await database.store.changeSource(
                id: source.id, SourceChange(strategy: .roundRobin), for: .everything, by: .api)
            #expect(try await database.value("select count(*) from source_turns", as: Int.self) == 0)
        }
    }

    @Test
    func `of equally loaded operators the one who is idle longest is chosen, wherever the last contact came from`()
        async throws
    {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([10, 10, 10], strategy: .leastLoaded)
            let other = try await database.store.createSource(NewSource(name: "other"), for: .everything, by: .api)
            try await weigh(database, other.id, [ids[1]: 1])
            func close(_ contact: Contact) async throws {
                _ = try await database.store.changeContact(
                    id: contact.id, ContactChange(.close), for: .everything, by: .api)
            }
            var order: [Int] = []
            var contacts: [Contact] = []
            for _ in 1...3 {
                let contact = try await database.register(source.id)
                contacts.append(contact)
                if let id = contact.operator?.id, id != ids[1] { order.append(id) }
            }
            #expect(order.count == 2)
            for contact in contacts { try await close(contact) }
            try await close(try await database.register(other.id))
            order.append(ids[1])
            for expected in order {
                let contact = try await database.register(source.id)
                #expect(contact.operator?.id == expected)
            }
        }
    }

    @Test func `a batch leaves the operators idle in the order of its decisions`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([9, 9, 9, 9, 9], strategy: .leastLoaded)
            for _ in 1...6 {
                _ = await database.intake.register(
                    (1...5).map { _ in
                        Intake.Request(contact: NewContact(sourceID: source.id), keys: [], for: .everything, by: .api)
                    })
                let decided: [Int] = try await database.value(
                    """
                    select array_agg(d.operator_id order by d.ordinal) from decisions d
                    where d.snapshot_id = (select max(id) from decision_snapshots)
                    """)
                let idle: [Int] = try await database.value(
                    "select array_agg(operator_id order by last_assignment) from operator_loads")
                #expect(decided == idle && Set(idle) == Set(ids))
            }
        }
    }

    @Test func `weights set to what they are change nothing and leave no event`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1, 1])
            func events() async throws -> Int {
                try await database.value("select count(*) from events where kind = 'weights_changed'")
            }
            let before = try await events()
            try await database.store.setWeights(sourceID: source.id, [], replacing: false, for: .everything, by: .api)
            try await database.store.setWeights(
                sourceID: source.id, [NewWeight(operatorID: ids[0], weight: 1)], replacing: false, for: .everything,
                by: .api)
            #expect(try await events() == before)
            try await database.store.setWeights(sourceID: source.id, [], replacing: true, for: .everything, by: .api)
            #expect(try await events() == before + 1)
        }
    }
}
