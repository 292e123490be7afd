import LeadStore
import Leads
import Postgres
import TestSupport
import Testing

struct ExplanationTests {
    private func register(_ database: TestDatabase, _ source: Source, _ size: Int, leads: Int) async throws {
        _ = await database.intake.register(
            (0..<size).map { number in
                Intake.Request(
                    contact: NewContact(sourceID: source.id, priority: number % 3),
                    keys: number % 4 == 0 ? [LeadIdentity(kind: .phone, value: "+7900\(number % leads)")] : [],
                    for: .everything, by: .api
                )
            })
    }

    @Test func `thousands of decisions of every strategy come out the same when they are made again`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            var generator = SeededGenerator()
            for strategy in Strategy.allCases {
                let (source, ids) = try await database.team([60, 50, 40, 30, 3], strategy: strategy)
                _ = try await store.changeSource(
                    id: source.id, SourceChange(stickyDays: 30), for: .everything, by: .api)
                for size in [1, 1, 3, 20, 150, 300] {
                    try await register(database, source, size, leads: 7)
                    let open: [Int] = try await database.value(
                        """
                        select coalesce(array_agg(id), '{}') from contacts
                        where source_id = \(source.id) and status = 'active'
                        """)
                    for id in open.shuffled(using: &generator).prefix(40) {
                        let move: ContactChange.Move =
                            switch Int.random(in: 0..<4, using: &generator) {
                            case 0: .release(reason: nil)
                            case 1: .assign(Assignment(operatorID: ids.randomElement(using: &generator)!, force: true))
                            default: .close
                            }
                        let changed = try await store.changeContact(
                            id: id, ContactChange(move), for: .everything, by: .api)
                        if changed.status == .closed && Bool.random(using: &generator) {
                            _ = try await store.changeContact(
                                id: id, ContactChange(.reopen), for: .everything, by: .api)
                        }
                    }
                }
            }
            let ids: [Int] = try await database.value("select array_agg(id order by id) from contacts")
            var rules: [DecisionRule: Int] = [:]
            for id in ids {
                let explanation = try await store.explanation(contactID: id, for: .everything)
                let contact = try await store.contact(id: id, for: .everything)
                rules[explanation.rule, default: 0] += 1
                let isByHand = explanation.rule == .manual || explanation.rule == .forced
                #expect(explanation.isReproduced == (isByHand ? nil : true), "contact \(id)")
                guard case .placed(let operatorID, _) = explanation.outcome else { continue }
                if contact.status == .active { #expect(operatorID == contact.operator?.id) }
                let chosen = explanation.candidates.first { $0.operatorID == operatorID }
                #expect(isByHand || (chosen != nil && chosen?.exclusion == nil && chosen?.probability != 0))
            }
            #expect(ids.count > 2800)
            for rule in DecisionRule.allCases where rule != .queue {
                #expect(rules[rule, default: 0] > 10, "\(rule): \(rules)")
            }
        }
    }

    @Test func `a decision without its details still tells what was decided`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([5])
            let contact = try await database.register(source.id)
            let before = try await database.store.explanation(contactID: contact.id, for: .everything)
            try await database.store.removeDecisionDetails(olderThanDays: 1)
            #expect(try await database.store.explanation(contactID: contact.id, for: .everything) == before)
            try await database.byHand("update decision_snapshots set taken_at = taken_at - interval '25 hours'")
            try await database.store.removeDecisionDetails(olderThanDays: 1)
            let after = try await database.store.explanation(contactID: contact.id, for: .everything)
            #expect(after.candidates == [] && after.isReproduced == nil)
            #expect(after.outcome == .placed(operatorID: ids[0], name: "operator"))
            #expect(after.decidedAt == before.decidedAt && after.strategy == before.strategy)
        }
    }

    @Test func `a contact that was requeued and waits is explained by how things stand`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1, 1])
            let contact = try await database.register(source.id)
            _ = try await database.register(source.id)
            let owner = try #require(contact.operator?.id)
            _ = try await database.store.changeOperator(
                id: owner, OperatorChange(isActive: false, requeues: true), for: .everything, by: .api)
            let explanation = try await database.store.explanation(contactID: contact.id, for: .everything)
            #expect(explanation.outcome == .waiting(.allAtLimit))
            #expect(explanation.candidates.map(\.operatorID) == ids)
            #expect(explanation.candidates.first { $0.operatorID == owner }?.exclusion == .inactive)
        }
    }

    @Test func `an operator without a weight is explained with none`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([1])
            let contact = try await database.register(source.id)
            let guest = try await database.store.createOperator(NewOperator(name: "guest"), for: .everything, by: .api)
            let change = ContactChange(.transfer(Assignment(operatorID: guest.id)))
            _ = try await database.store.changeContact(id: contact.id, change, for: .everything, by: .api)
            let explanation = try await database.store.explanation(contactID: contact.id, for: .everything)
            #expect(explanation.candidates.map(\.weight) == [0])
            #expect(explanation.rule == .manual && explanation.isReproduced == nil)
        }
    }

    @Test func `a contact made by hand has no decision to explain`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([5])
            try await database.byHand(
                """
                insert into leads (name) values ('by hand');
                insert into contacts (lead_id, source_id, status, waiting_reason, waiting_since)
                select id, \(source.id), 'new', 'behind_queue', now() from leads
                """)
            let failure = try await #require(throws: StoreError.self) {
                try await database.store.explanation(contactID: 1, for: .everything)
            }
            guard case .decisionNotFound = failure else { throw failure }
        }
    }
}
