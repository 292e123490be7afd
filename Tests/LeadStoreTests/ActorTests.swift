import Leads
import TestSupport
import Testing

@testable import LeadStore

/// Every event says who made it happen.
struct ActorTests {
    private static let key = Actor(kind: .key, id: "k1234567", name: "telegram bot")
    private static let person = Actor(kind: .person, id: "7", name: "Vera")

    private func events(_ database: TestDatabase, after position: Int = 0) async throws -> [Event] {
        try await database.store.events(LogPage(after: position, limit: 1000), for: .everything).elements
    }

    private func logged(_ actor: Actor) -> Event.Actor {
        Event.Actor(kind: actor.kind.rawValue, id: actor.id, name: actor.name)
    }

    @Test func `registrations that share a transaction have an actor each`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([100])
            let actors = [Self.key, .api, Self.person, Actor(kind: .command, name: "leads-crm import")]
            let registered = await database.intake.register(
                actors.map {
                    Intake.Request(contact: NewContact(sourceID: source.id), keys: [], for: .everything, by: $0)
                })
            let contacts = try registered.map { try $0.get().contact.id }
            let events = try await events(database).filter { $0.kind == "registered" }
            #expect(events.map(\.contactID) == contacts)
            #expect(events.map(\.actor) == actors.map(logged))
        }
    }

    @Test func `closings that share a transaction have an actor each, and who is given the place has none`()
        async throws
    {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([2])
            let active = [try await database.register(source.id), try await database.register(source.id)]
            let waiting = try await database.register(source.id)
            let seen = try await database.store.standings(ofContacts: active.map { ($0.id, .everything) })
            let edits = try zip(zip(active, seen), [Self.key, Self.person]).map { contact, actor in
                ContactEdit(
                    id: contact.0.id, seen: try #require(contact.1), ContactChange(.close, priority: 3),
                    for: .everything, by: actor)
            }
            let start = try await events(database).count
            let batch = ClosingBatch(edits, .together)
            try await database.store.transaction { (transaction) throws(StoreError) in
                let found = try await transaction.run(batch.close(without: []))
                _ = try await transaction.finish(with: try batch.plan(found, without: []).statements)
            }
            let events = try await events(database, after: start)
            for (contact, actor) in zip(active, [Self.key, Self.person]) {
                let own = events.filter { $0.contactID == contact.id }
                #expect(own.map(\.kind) == ["closed", "priority_changed"])
                #expect(own.allSatisfy { $0.actor == logged(actor) })
            }
            let served = try #require(events.first { $0.contactID == waiting.id })
            #expect(served.kind == "assigned" && served.actor == logged(.system))
        }
    }

    @Test func `whoever changes a contact, a lead, an operator or a source is in the event`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, ids) = try await database.team([5, 5])
            let key = LeadIdentity(kind: .phone, value: "+79001234567")
            let contact = try await database.register(
                NewContact(sourceID: source.id, leadPhone: "+79001234567"), keys: [key])
            let other = try await database.register(source.id)
            let holder = try #require(contact.operator?.id)
            let colleague = try #require(ids.first { $0 != holder })
            let start = try await events(database).count
            for change in [
                ContactChange(.transfer(Assignment(operatorID: colleague))), ContactChange(.release(reason: "ill")),
                ContactChange(priority: 4, message: "m"), ContactChange(.close), ContactChange(.reopen),
            ] {
                _ = try await store.changeContact(id: contact.id, change, for: .everything, by: Self.person)
            }
            _ = try await store.changeLead(
                id: contact.lead.id, LeadChange(name: "Anna"), for: .everything, by: Self.person
            ) { _, _, _ in
                []
            }
            _ = try await store.mergeLead(id: other.lead.id, into: contact.lead.id, for: .everything, by: Self.person)
            let made = try await store.createOperator(NewOperator(name: "new"), for: .everything, by: Self.person)
            _ = try await store.changeOperator(
                id: made.id, OperatorChange(maxLoad: 3), for: .everything, by: Self.person)
            _ = try await store.changeOperator(
                id: colleague, OperatorChange(isActive: false, requeues: true), for: .everything, by: Self.person)
            try await store.archiveOperator(id: made.id, for: .everything, by: Self.person)
            let added = try await store.createSource(NewSource(name: "new"), for: .everything, by: Self.person)
            _ = try await store.changeSource(
                id: added.id, SourceChange(stickyDays: 3), for: .everything, by: Self.person)
            try await store.setWeights(
                sourceID: added.id, [NewWeight(operatorID: holder)], replacing: true, for: .everything, by: Self.person)
            let events = try await events(database, after: start)
            let kinds = Set(events.filter { $0.actor == logged(Self.person) }.map(\.kind))
            let expected: [Event.Kind] = [
                .transferred, .released, .priorityChanged, .messageChanged, .closed, .reopened, .leadChanged,
                .leadMerged, .operatorCreated, .operatorChanged, .operatorArchived, .sourceCreated, .sourceChanged,
                .weightsChanged,
            ]
            #expect(kinds == Set(expected.map(\.rawValue)))
            // What the product does by itself: it places those who wait.
            #expect(events.filter { $0.kind == "assigned" }.allSatisfy { $0.actor == logged(.system) })
            #expect(events.allSatisfy { [logged(Self.person), logged(.system)].contains($0.actor) })
        }
    }

    @Test func `what is configured is told with before and after, and names without either`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let person = try await store.createOperator(
                NewOperator(name: "Olga", maxLoad: 3), for: .everything, by: .api)
            let source = try await store.createSource(
                NewSource(name: "site", description: "old \"form\"", strategy: .roundRobin, stickyDays: 2),
                for: .everything, by: .api)
            for weight in [2, 2, 5] {
                try await store.setWeights(
                    sourceID: source.id, [NewWeight(operatorID: person.id, weight: weight)], replacing: true,
                    for: .everything, by: .api)
            }
            try await store.setWeights(sourceID: source.id, [], replacing: true, for: .everything, by: .api)
            for change in [
                SourceChange(name: "site"), SourceChange(name: "shop"),
                SourceChange(description: "", strategy: .leastLoaded, stickyDays: 0),
                SourceChange(description: "line\nbreak \\ \""), SourceChange(stickyDays: 0),
            ] {
                _ = try await store.changeSource(id: source.id, change, for: .everything, by: .api)
            }
            let events = try await events(database)
            #expect(
                events.map { "\($0.kind) \($0.toOperatorID.map(String.init) ?? "-") \($0.data ?? "-")" } == [
                    #"operator_created \#(person.id) {"max_load": 3, "is_active": true}"#,
                    #"source_created - {"strategy": "round_robin", "source_id": \#(source.id), "sticky_days": 2}"#,
                    weights(source.id, operators: 1, person.id, "null", "2"),
                    weights(source.id, operators: 1, person.id, "2", "5"),
                    weights(source.id, operators: 0, person.id, "5", "null"),
                    #"source_changed - {"name": {}, "source_id": \#(source.id)}"#,
                    #"source_changed - {"strategy": {"to": "least_loaded", "from": "round_robin"}, "#
                        + #""source_id": \#(source.id), "description": {"to": null, "from": "old \"form\""}, "#
                        + #""sticky_days": {"to": 0, "from": 2}}"#,
                    #"source_changed - {"source_id": \#(source.id), "#
                        + #""description": {"to": "line\nbreak \\ \"", "from": null}}"#,
                ])
        }
    }

    private func weights(_ sourceID: Int, operators: Int, _ operatorID: Int, _ from: String, _ to: String) -> String {
        #"weights_changed - {"weights": [{"to": \#(to), "from": \#(from), "operator_id": \#(operatorID)}], "#
            + #""replaced": true, "operators": \#(operators), "source_id": \#(sourceID)}"#
    }

    @Test func `of very many weights an event names the first that differ and says how many more there are`() {
        let old = Dictionary(uniqueKeysWithValues: (1...WeightDifferences.longestList + 2).map { ($0, 1) })
        let few = WeightDifferences(from: old, to: old.mapValues { _ in 1 })
        #expect(few.isEmpty && few.fields == #""weights": []"#)
        let many = WeightDifferences(from: old, to: old.mapValues { _ in 2 }).fields
        #expect(many.split(separator: "operator_id").count == WeightDifferences.longestList + 1)
        #expect(many.hasSuffix(#"], "more_weights": 2"#))
        let all = WeightDifferences(from: old, to: old.filter { $0.key > 2 }.merging([1: 3]) { $1 })
        #expect(
            all.fields
                == #""weights": [{"operator_id": 1, "from": 1, "to": 3}, {"operator_id": 2, "from": 1, "to": null}]"#)
    }
}
