import LeadStore
import Leads
import Postgres
import TestSupport
import Testing

/// Requests that share a transaction, next to the same requests one after the other.
struct IntakeBatchTests {
    /// What is stored, apart from times and from what is drawn at random.
    private static let tables: [(name: String, query: Statement)] = [
        (
            "contacts",
            """
            select string_agg(concat_ws(' ', id, lead_id, source_id, coalesce(operator_id, 0), status, priority, arrival,
                quote_nullable(message), quote_nullable(source_event_id), quote_nullable(waiting_reason)), E'\\n' order by id)
            from contacts
            """
        ),
        (
            "leads",
            """
            select string_agg(concat_ws(' ', id, quote_nullable(external_id), quote_nullable(phone),
                quote_nullable(email), quote_nullable(name), contact_count), E'\\n' order by id)
            from leads
            """
        ),
        (
            "identities",
            "select string_agg(concat_ws(' ', kind, value, lead_id), E'\\n' order by kind, value) from lead_identities"
        ),
        (
            "duplicates",
            "select string_agg(concat_ws(' ', lead_id, other_lead_id, kind), E'\\n' order by lead_id, other_lead_id, kind) from possible_duplicates"
        ),
        (
            "loads",
            "select string_agg(concat_ws(' ', operator_id, load), E'\\n' order by operator_id) from operator_loads"
        ),
        (
            "turns",
            """
            select string_agg(concat_ws(' ', source_id, operator_id, credit), E'\\n' order by source_id, operator_id)
            from source_turns
            where credit <> 0
            """
        ),
        (
            "events",
            """
            select string_agg(concat_ws(' ', contact_id, kind, coalesce(to_operator_id, 0), quote_nullable(reason)), E'\\n'
                order by contact_id, kind)
            from events
            where contact_id is not null
            """
        ),
        (
            "decisions",
            """
            select string_agg(concat_ws(' ', contact_id, coalesce(operator_id, 0), reason, rule), E'\\n'
                order by contact_id)
            from decisions
            """
        ),
    ]

    /// Requests of people known by some of their keys, with events that come again and sources that do not exist.
    private static func requests(_ sourceIDs: [Int], _ count: Int, _ generator: inout SeededGenerator) -> [Intake
        .Request]
    {
        (0..<count).map { number in
            let person = Int.random(in: 0..<count / 3, using: &generator)
            let other = Int.random(in: 0..<count / 3, using: &generator)
            var identities: [LeadIdentity] = []
            var contact = NewContact(sourceID: sourceIDs.randomElement(using: &generator)!)
            if Int.random(in: 0..<30, using: &generator) == 0 { contact.sourceID = 1_000_000 }
            if Bool.random(using: &generator) {
                contact.leadExternalID = "p\(person)"
                identities.append(LeadIdentity(kind: .externalID, value: "p\(person)"))
            }
            if Bool.random(using: &generator) {
                let phone = Int.random(in: 0..<5, using: &generator) == 0 ? other : person
                contact.leadPhone = "+7\(phone)"
                identities.append(LeadIdentity(kind: .phone, value: "+7\(phone)"))
            }
            if Int.random(in: 0..<3, using: &generator) == 0 {
                contact.leadEmail = "p\(person)@one.ru"
                identities.append(LeadIdentity(kind: .email, value: "p\(person)@one.ru"))
            }
            if Int.random(in: 0..<3, using: &generator) == 0 { contact.leadName = "name \(number)" }
            if Int.random(in: 0..<4, using: &generator) == 0 {
                contact.sourceEventID = "event \(Int.random(in: 0..<count / 4, using: &generator))"
            }
            contact.message = "message \(number)"
            return Intake.Request(contact: contact, keys: identities, for: .everything, by: .api)
        }
    }

    /// What is stored after the requests, with at most so many to a transaction, and what each was told.
    private func registered(
        _ strategy: Strategy, batchLimit: Int, seed: UInt64,
        transform: (TestDatabase, Intake, [Intake.Request]) async throws -> [String]
    ) async throws -> [String: String] {
        var stored: [String: String] = [:]
        try await TestDatabase.with { database in
            var generator = SeededGenerator(seed: seed)
            var sources: [Int] = []
            for _ in 0..<3 {
                let limits = (0..<Int.random(in: 1...4, using: &generator)).map { _ in
                    Int.random(in: 1...12, using: &generator)
                }
                let source = try await database.store.createSource(
                    NewSource(
                        name: "source \(sources.count)", strategy: strategy,
                        stickyDays: Bool.random(using: &generator) ? 30 : 0), for: .everything, by: .api)
                var ids: [Int] = []
                for limit in limits {
                    ids.append(
                        try await database.store.createOperator(
                            NewOperator(name: "operator", maxLoad: limit), for: .everything, by: .api
                        )
                        .id)
                }
                let weights = ids.map { NewWeight(operatorID: $0, weight: Int.random(in: 1...5, using: &generator)) }
                try await database.store.setWeights(
                    sourceID: source.id, weights, replacing: true, for: .everything, by: .api)
                sources.append(source.id)
            }
            let intake = Intake(store: database.store, .init(lanes: 1, batchLimit: batchLimit))
            stored["told"] = try await transform(database, intake, Self.requests(sources, 90, &generator)).joined(
                separator: "\n")
            for (name, query) in Self.tables {
                stored[name] = try await database.value(query, as: String?.self) ?? ""
            }
            #expect(try await database.drift() == 0)
        }
        return stored
    }

    private func told(_ outcome: Result<Intake.Registered, StoreError>) -> String {
        switch outcome {
        case .success(let registered):
            let contact = registered.contact
            return
                "\(contact.id) \(contact.lead.id) \(contact.operator?.id ?? 0) \(contact.status) \(registered.isRepetition)"
        case .failure(.sourceNotFound): return "no source"
        case .failure(let error): return "\(error)"
        }
    }

    @Test(arguments: [Strategy.smoothWeighted, .roundRobin])
    func `how many share a transaction makes no difference to what is stored`(strategy: Strategy) async throws {
        let seed = SeededGenerator().seed
        var results: [Int: [String: String]] = [:]
        for limit in [1, 7, 512] {
            results[limit] = try await registered(strategy, batchLimit: limit, seed: seed) { _, intake, requests in
                await intake.register(requests).map(told)
            }
        }
        for limit in [7, 512] {
            for (name, one) in results[1]! {
                let shared = results[limit]![name] ?? ""
                let difference = zip(one.split(separator: "\n"), shared.split(separator: "\n")).first { $0 != $1 }
                #expect(
                    one == shared, "\(name), \(limit) to a transaction: \(difference.map { "\($0.0) ≠ \($0.1)" } ?? "")"
                )
            }
        }
    }

    @Test func `a poisoned member, wherever it stands, fails alone, and all others are as without it`() async throws {
        let seed = SeededGenerator().seed
        let poisoned: Set = [0, 31, 32, 89]
        func run(_ poisons: Bool, limit: Int) async throws -> [String] {
            var told: [String] = []
            _ = try await registered(.roundRobin, batchLimit: limit, seed: seed) { database, intake, requests in
                if poisons {
                    try await database.byHand(
                        """
                        create function poisoned() returns trigger language plpgsql as $$
                        begin raise exception 'poisoned'; end $$;
                        create trigger poisoned before insert on contacts for each row
                        when (new.message in (\(poisoned.map { "'message \($0)'" }.joined(separator: ", "))))
                        execute function poisoned();
                        """)
                }
                let sent =
                    poisons ? requests : requests.enumerated().filter { !poisoned.contains($0.offset) }.map(\.element)
                for outcome in await intake.register(sent) {
                    switch outcome {
                    case .success(let registered):
                        told.append("\(registered.contact.message ?? "") \(registered.isRepetition)")
                    case .failure(.sourceNotFound): told.append("no source")
                    case .failure: told.append("poisoned")
                    }
                }
                return []
            }
            return told
        }
        let with = try await run(true, limit: 512)
        let without = try await run(false, limit: 1)
        #expect(with.count == 90)
        let survivors = with.enumerated().filter { !poisoned.contains($0.offset) }.map(\.element)
        #expect(survivors == without)
        for number in poisoned {
            #expect(["poisoned", "no source"].contains(with[number]) || with[number].hasSuffix("true"))
        }
    }

    /// The source of the smaller id has no right of precedence, and a flood in one takes no more of them than its turns.
    @Test func `places that two sources share go to both in turn when all arrive together`() async throws {
        try await TestDatabase.with { database in
            let (first, ids) = try await database.team([20])
            let second = try await database.store.createSource(NewSource(name: "second"), for: .everything, by: .api)
            try await database.store.setWeights(
                sourceID: second.id, [NewWeight(operatorID: ids[0])], replacing: true, for: .everything, by: .api)
            let requests = (0..<40).map { number in
                Intake.Request(
                    contact: NewContact(sourceID: number % 2 == 0 ? second.id : first.id), keys: [], for: .everything,
                    by: .api)
            }
            let placed = await database.intake.register(requests).map { try? $0.get().contact }.compactMap { $0 }
                .filter { $0.operator != nil }
            #expect(placed.count == 20)
            #expect(placed.count { $0.source.id == second.id } == 10)
        }
    }
}
