import LeadStore
import Leads
import Postgres
import TestSupport
import Testing

struct IntakeTests {
    @Test func `50 places and 400 concurrent contacts make exactly 50 assignments`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team(Array(repeating: 5, count: 10))
            let placed = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 1...400 { group.addTask { try await database.register(source.id).operator != nil } }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(placed == 50)
            #expect(try await database.value("select max(load - max_load) from operator_loads", as: Int.self) == 0)
            #expect(try await database.drift() == 0)
            #expect(try await database.strandsNobody())
        }
    }

    @Test func `registering and closing at once strands nobody and never deadlocks`() async throws {
        try await TestDatabase.with { database in
            let (first, ids) = try await database.team(Array(repeating: 2, count: 4))
            let second = try await database.store.createSource(NewSource(name: "second"), for: .everything, by: .api)
            try await database.store.setWeights(
                sourceID: second.id, ids.reversed().map { NewWeight(operatorID: $0) }, replacing: true,
                for: .everything, by: .api)
            try await withThrowingTaskGroup { group in
                for number in 0..<300 {
                    group.addTask {
                        let contact = try await database.register(number % 2 == 0 ? first.id : second.id)
                        if number % 3 != 0 {
                            _ = try await database.store.changeContact(
                                id: contact.id, ContactChange(.close), for: .everything, by: .api)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await database.drift() == 0)
            #expect(try await database.strandsNobody())
            let deadlocks: Int = try await database.value(
                "select deadlocks from pg_stat_database where datname = current_database()")
            #expect(deadlocks == 0)
        }
    }

    @Test func `changing weights, limits and activity beside traffic strands nobody`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([3, 3, 3])
            try await withThrowingTaskGroup { group in
                group.addTask {
                    for _ in 0..<120 {
                        let contact = try await database.register(source.id)
                        if contact.id % 2 == 0 {
                            _ = try await database.store.changeContact(
                                id: contact.id, ContactChange(.close), for: .everything, by: .api)
                        }
                    }
                }
                group.addTask {
                    for round in 0..<40 {
                        let weights = ids.enumerated().filter { (round + $0.offset) % 3 != 0 }
                        try await database.store.setWeights(
                            sourceID: source.id, weights.map { NewWeight(operatorID: $0.element) }, replacing: true,
                            for: .everything, by: .api)
                    }
                }
                group.addTask {
                    for round in 0..<40 {
                        let change = OperatorChange(
                            isActive: round % 2 == 1, maxLoad: 1 + round % 30, requeues: round % 4 == 0)
                        _ = try await database.store.changeOperator(
                            id: ids[round % 3], change, for: .everything, by: .api)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await database.drift() == 0)
            #expect(try await database.strandsNobody())
        }
    }

    @Test func `a key that a lead is given by one contact does not make the next one's person the same`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([10])
            func request(_ keys: [LeadIdentity]) -> Intake.Request {
                Intake.Request(contact: NewContact(sourceID: source.id), keys: keys, for: .everything, by: .api)
            }
            let first = LeadIdentity(kind: .externalID, value: "first")
            let phone = LeadIdentity(kind: .phone, value: "+79001234567")
            let intake = database.intake
            let known = try await intake.register([request([first])])[0].get().contact
            let contacts = try await intake.register([
                request([first, phone]), request([LeadIdentity(kind: .externalID, value: "second"), phone]),
            ]).map { try $0.get().contact }
            #expect(contacts[0].lead.id == known.lead.id)
            #expect(contacts[1].lead.id != known.lead.id)
            #expect(try await database.store.possibleDuplicates(Page(), for: .everything).elements.count == 1)
        }
    }

    @Test func `a list is decided in order, each member seeing what the earlier ones left`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([2])
            let outcomes = await database.intake.register(
                (1...3).map { _ in
                    Intake.Request(contact: NewContact(sourceID: source.id), keys: [], for: .everything, by: .api)
                })
            let contacts = try outcomes.map { try $0.get().contact }
            #expect(contacts.map(\.operator?.id) == [ids[0], ids[0], nil])
            #expect(contacts.map(\.id).sorted() == contacts.map(\.id))
        }
    }

    @Test func `a member that cannot be registered fails alone`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([5])
            let key = LeadIdentity(kind: .phone, value: "+79001234567")
            let outcomes = await database.intake.register([
                Intake.Request(contact: NewContact(sourceID: 999), keys: [key], for: .everything, by: .api),
                Intake.Request(contact: NewContact(sourceID: source.id), keys: [], for: .everything, by: .api),
            ])
            guard case .failure(.sourceNotFound) = outcomes[0] else {
                Issue.record("an unknown source was accepted")
                return
            }
            #expect(try outcomes[1].get().contact.status == .active)
            #expect(try await database.value("select count(*) from leads", as: Int.self) == 1)
        }
    }

    @Test func `the same event of a source is the same contact, at once and for ever`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([50])
            let contact = NewContact(sourceID: source.id, sourceEventID: "event 1")
            let ids = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 1...20 { group.addTask { try await database.register(contact).id } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(ids.count == 1)
            let again = try await database.intake.register([
                Intake.Request(contact: contact, keys: [], for: .everything, by: .api)
            ])[0]
            .get()
            #expect(again.isRepetition && ids.contains(again.contact.id))
            let twice = await database.intake.register(
                Array(
                    repeating: Intake.Request(
                        contact: NewContact(sourceID: source.id, sourceEventID: "event 2"), keys: [], for: .everything,
                        by: .api),
                    count: 2))
            #expect(try twice[0].get().contact.id == twice[1].get().contact.id)
            #expect(try await database.drift() == 0)
        }
    }

    @Test func `closing one contact many times at once writes one event`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([5])
            let contact = try await database.register(source.id)
            try await withThrowingTaskGroup { group in
                for _ in 1...20 {
                    group.addTask {
                        _ = try await database.store.changeContact(
                            id: contact.id, ContactChange(.close), for: .everything, by: .api)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await database.value("select count(*) from events where kind = 'closed'", as: Int.self) == 1)
            #expect(try await database.drift() == 0)
        }
    }

    @Test func `event ids that differ in bytes are different events, also within a list`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([5])
            let outcomes = await database.intake.register(
                ["\u{e9}", "e\u{301}"].map {
                    Intake.Request(
                        contact: NewContact(sourceID: source.id, sourceEventID: $0), keys: [], for: .everything,
                        by: .api)
                })
            #expect(try outcomes[0].get().contact.id != outcomes[1].get().contact.id)
        }
    }

    @Test func `one person by several keys at once is one lead`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([1000])
            let keys = [
                LeadIdentity(kind: .externalID, value: "tg-1"), LeadIdentity(kind: .phone, value: "+79001234567"),
                LeadIdentity(kind: .email, value: "a@b.c"),
            ]
            _ = try await database.register(NewContact(sourceID: source.id), keys: keys)
            let leads = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<60 {
                    group.addTask {
                        try await database.register(NewContact(sourceID: source.id), keys: [keys[number % 3]]).lead.id
                    }
                }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(leads.count == 1)
            #expect(try await database.value("select count(*) from leads", as: Int.self) == 1)
        }
    }
}
