import LeadStore
import Leads
import Postgres
import TestSupport
import Testing

/// Sources with so many operators that only those drawn are locked.
struct LargePoolTests {
    private func register(
        _ intake: Intake, _ source: Source, _ count: Int, at once: Int = 40
    ) async throws -> [Contact] {
        var contacts: [Contact] = []
        for start in stride(from: 0, to: count, by: once) {
            let requests = (start..<min(start + once, count)).map { _ in
                Intake.Request(contact: NewContact(sourceID: source.id), keys: [], for: .everything, by: .api)
            }
            contacts += try await intake.register(requests).map { try $0.get().contact }
        }
        return contacts
    }

    private func drawnSnapshots(_ database: TestDatabase) async throws -> Int {
        try await database.value("select count(*) from decision_snapshots where total_weight is not null")
    }

    @Test func `everybody gets the share that is due, and every decision can be made again`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team(Array(repeating: 1000, count: 120))
            let intake = database.intake
            let contacts = try await register(intake, source, 6000, at: 200)
            var counts: [Int: Int] = [:]
            for contact in contacts { counts[contact.operator?.id ?? 0, default: 0] += 1 }
            // Weights count from 1 to 120.
            for group in 0..<4 {
                let members = group * 30..<(group + 1) * 30
                let share = Double(members.reduce(0) { $0 + $1 + 1 }) / 7260
                let count = Double(members.reduce(0) { $0 + (counts[ids[$1]] ?? 0) })
                #expect(abs(count - 6000 * share) < 5 * (6000 * share * (1 - share)).squareRoot(), "\(group): \(count)")
            }
            // The first transaction looks at everybody, and remembers the pool.
            #expect(try await drawnSnapshots(database) == 29)
            let locked: Int = try await database.value(
                "select max(cardinality(operator_ids)) from decision_snapshots where total_weight is not null")
            #expect(locked < 120)
            for contact in contacts.shuffled().prefix(100) {
                let explanation = try await database.store.explanation(contactID: contact.id, for: .everything)
                #expect(explanation.isReproduced == true)
                #expect(explanation.poolWeight == (explanation.candidates.count == 120 ? nil : 7260))
                guard case .placed(let operatorID, let name) = explanation.outcome else {
                    Issue.record("contact \(contact.id) waits")
                    continue
                }
                #expect(operatorID == contact.operator?.id && name == contact.operator?.name)
            }
            #expect(try await database.drift() == 0)
        }
    }

    @Test func `nobody gets more than it can carry, and who comes too late waits`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team(Array(repeating: 4, count: 100))
            let intake = database.intake
            try await withThrowingTaskGroup { group in
                for _ in 0..<5 { group.addTask { _ = try await register(intake, source, 100, at: 20) } }
                try await group.waitForAll()
            }
            let placed: Int = try await database.value("select count(*) from contacts where status = 'active'")
            let waiting: Int = try await database.value("select count(*) from contacts where status = 'new'")
            #expect(placed == 400 && waiting == 100)
            #expect(try await database.value("select max(load) from operator_loads", as: Int.self) == 4)
            #expect(try await drawnSnapshots(database) > 0)
            #expect(try await database.drift() == 0)
            #expect(try await database.strandsNobody())
        }
    }

    @Test func `changed weights and activity count from the next contact on`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team(Array(repeating: 1000, count: 100))
            let intake = database.intake
            let (store, kept) = (database.store, Set(ids.prefix(70)))
            _ = try await register(intake, source, 80)
            #expect(try await drawnSnapshots(database) == 1)
            for id in ids where !kept.contains(id) {
                _ = try await store.changeOperator(id: id, OperatorChange(isActive: false), for: .everything, by: .api)
            }
            let present = try await register(intake, source, 200)
            #expect(present.allSatisfy { kept.contains($0.operator?.id ?? 0) })
            _ = try await store.changeOperator(id: ids[99], OperatorChange(isActive: true), for: .everything, by: .api)
            try await store.setWeights(
                sourceID: source.id,
                ids.map { NewWeight(operatorID: $0, weight: $0 == ids[99] ? 1_000_000 : 1) }, replacing: true,
                for: .everything, by: .api)
            let heavy = try await register(intake, source, 100)
            #expect(heavy.filter { $0.operator?.id == ids[99] }.count > 90)
            #expect(try await drawnSnapshots(database) > 4)
        }
    }

    @Test func `a changed strategy counts from the next contact on`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team(Array(repeating: 1000, count: 80))
            let intake = database.intake
            _ = try await register(intake, source, 80)
            #expect(try await drawnSnapshots(database) == 1)
            let known = Intake.Request(
                contact: NewContact(sourceID: source.id), keys: [LeadIdentity(kind: .externalID, value: "returning")],
                for: .everything, by: .api)
            let first = try await intake.register([known])[0].get().contact
            #expect(try await drawnSnapshots(database) == 2)

            _ = try await database.store.changeSource(
                id: source.id, SourceChange(stickyDays: 30), for: .everything, by: .api)
            for _ in 1...5 {
                #expect(try await intake.register([known])[0].get().contact.operator?.id == first.operator?.id)
            }
            _ = try await database.store.changeSource(
                id: source.id, SourceChange(strategy: .leastLoaded, stickyDays: 0), for: .everything, by: .api)
            let contacts = try await register(intake, source, 80, at: 10)
            #expect(try await drawnSnapshots(database) == 2)
            // 86 are there already; 80 more do not lift the least loaded of 80 operators above 3.
            #expect(ids.count == 80 && contacts.count == 80)
            #expect(contacts.allSatisfy { ($0.operator?.currentLoad ?? .max) <= 3 })
        }
    }

    @Test func `whoever waits is served before newcomers`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team(Array(repeating: 1000, count: 80))
            let intake = database.intake
            _ = try await register(intake, source, 80)
            // By hand, so that nothing serves it at once: somebody waits beside free places.
            try await database.byHand(
                """
                insert into contacts (lead_id, source_id, status, waiting_reason, waiting_since)
                select lead_id, source_id, 'new', 'behind_queue', clock_timestamp() from contacts limit 1
                """)
            let waiting: Int = try await database.value("select id from contacts where status = 'new'")
            let newcomer = try #require(try await register(intake, source, 1).first)
            let served = try await database.store.contact(id: waiting, for: .everything)
            #expect(served.status == .active && ids.contains(served.operator?.id ?? 0))
            #expect(newcomer.status == .active)
            let order: [Int] = try await database.value(
                "select array_agg(contact_id order by id) from (select * from decisions order by id desc limit 2) d")
            #expect(order == [waiting, newcomer.id])
        }
    }

    @Test func `registering, closing and changing at once oversteps no limit and strands nobody`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team(Array(repeating: 8, count: 90))
            let intake = database.intake
            try await withThrowingTaskGroup { group in
                for _ in 0..<4 {
                    group.addTask {
                        for _ in 0..<8 {
                            for contact in try await register(intake, source, 20, at: 20)
                            where contact.status == .active && contact.id % 4 != 0 {
                                _ = try await database.store.changeContact(
                                    id: contact.id, ContactChange(.close), for: .everything, by: .api)
                            }
                        }
                    }
                }
                group.addTask {
                    for round in 0..<30 {
                        let change = OperatorChange(isActive: round % 2 == 1, maxLoad: 7 + round % 3)
                        _ = try await database.store.changeOperator(
                            id: ids[round / 2 % 90], change, for: .everything, by: .api)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await drawnSnapshots(database) > 0)
            #expect(try await database.drift() == 0)
            #expect(try await database.strandsNobody())
            let deadlocks: Int = try await database.value(
                "select deadlocks from pg_stat_database where datname = current_database()")
            #expect(deadlocks == 0)
        }
    }
}
