import Distribution
public import Leads
public import Postgres

extension LeadStore {
    /// Why a contact went where it went, by the record of the last attempt to place it.
    /// - Throws: `StoreError.contactNotFound`, `.decisionNotFound` for contacts placed by hand-written SQL, and others.
    public func explanation(contactID: Int, for viewer: Viewer) async throws(StoreError) -> Explanation {
        let isContact: Statement = "c.id = \(contactID)"
        let isSeen = isContact.and(viewer.contacts(in: "c"))
        // Of a contact that is not seen nothing is read, so that it takes no longer than one that there is not.
        let isOfContact: Statement = "d.contact_id = \(contactID)"
        let isSeenOfContact = isOfContact.and(
            viewer.seesAllContacts ? nil : "exists (select from contacts c where \(isSeen))")
        let last: Statement = """
            select d.id, d.snapshot_id, d.ordinal
            from decisions d
            where \(isSeenOfContact)
            order by d.id desc
            limit 1
            """
        let found = try await readPage([
            "select status::text from contacts c where \(isSeen)",
            """
            select s.strategy, s.operator_ids, s.weights, s.loads, s.max_loads, s.are_active, s.credits, s.last_turns,
                s.last_assignments, s.starts, s.total_weight, s.details_removed_at is not null
            from (\(last)) l
            join decision_snapshots s on s.id = l.snapshot_id
            """,
            // All that came before it on the same candidates, for each sees what the earlier ones left.
            """
            select d.ordinal, d.rule, d.operator_id, d.reason, d.draw, coalesce(d.excluded, '{}'), d.decided_at
            from (\(last)) l
            join decisions d on d.snapshot_id = l.snapshot_id and d.ordinal <= l.ordinal
            order by d.ordinal
            """,
            """
            select o.id, o.name
            from (\(last)) l
            join decisions d on d.id = l.id
            join decision_snapshots s on s.id = l.snapshot_id
            join operators o on o.id = any(array_append(s.operator_ids, d.operator_id))
            """,
        ])
        let (status, record, names) = try reading { () throws(PostgresError) in
            var names: [Int: String] = [:]
            for row in found[3] {
                let (id, name) = try row.decode(Int.self, String.self)
                names[id] = name
            }
            let status = try found[0].first?.decode(ContactStatus.self)
            return (status, try DecisionRecord(found[1], found[2]), names)
        }
        guard let status else { throw .contactNotFound }
        guard let record, let explanation = record.explanation(ofContact: contactID, names: names) else {
            throw .decisionNotFound
        }
        if status == .new, case .placed = explanation.outcome,
            let present = try await standstill(ofContact: contactID, for: viewer)
        {
            return present
        }
        return explanation
    }

    /// Why a contact waits that was taken from its operator without a decision: requeued, or its operator archived. Told from
    /// how things stand. Nil when it waits no longer.
    private func standstill(ofContact id: Int, for viewer: Viewer) async throws(StoreError) -> Explanation? {
        let isContact: Statement = "c.id = \(id)"
        let isSeen = isContact.and(viewer.contacts(in: "c"))
        let found = try await readPage([
            """
            select contact_waiting_reason(c.source_id, c.released_by), c.waiting_since, s.strategy,
                coalesce(c.released_by, '{}')
            from contacts c
            join sources s on s.id = c.source_id
            where \(isSeen) and c.status = 'new'
            """,
            """
            select o.id, o.name, w.weight, l.load, l.max_load, l.is_active
            from contacts c
            join weights w on w.source_id = c.source_id
            join operator_loads l on l.operator_id = w.operator_id
            join operators o on o.id = w.operator_id
            where \(isSeen)
            order by o.id
            """,
        ])
        return try reading { () throws(PostgresError) in
            guard let row = found[0].first else { return nil }
            let (reason, since, strategy, releasedBy) = try row.decode(
                WaitingReason.self, Timestamp.self, Strategy.self, [Int].self)
            var names: [Int: String] = [:]
            var candidates: [Candidate] = []
            for row in found[1] {
                let (id, name, weight, load, maxLoad, isActive) = try row.decode(
                    Int.self, String.self, Int.self, Int.self, Int.self, Bool.self)
                names[id] = name
                candidates.append(
                    Candidate(operatorID: id, weight: weight, load: load, maxLoad: maxLoad, isActive: isActive))
            }
            let excluded = Exclusion.effective(releasedBy: releasedBy, configured: candidates.map(\.operatorID))
            let considerations = Distributor(strategy: strategy, candidates: candidates)
                .considerations(Circumstances(excluded: excluded))
            return Explanation(
                contactID: id, decidedAt: since, strategy: strategy,
                rule: reason == .behindQueue ? .queue : .strategy, outcome: .waiting(reason), draw: nil,
                candidates: considerations.map {
                    Explanation.Candidate($0, name: names[$0.operatorID], weight: $0.weight, probability: nil)
                },
                isReproduced: nil)
        }
    }
}

/// A decision as it is stored, with everything needed to make it again.
struct DecisionRecord {
    let strategy: Strategy
    let candidates: [Candidate]
    /// Where the candidates were drawn from a large pool: where each one's weight begins, and all weights together.
    private let drawn: (starts: [Int: Int], total: Int)?
    /// By operator, 0 for none: a candidate has at least 1.
    private let weights: [Int: Int]
    let isWithoutDetails: Bool
    /// Those on the same candidates up to the one in question, which is the last.
    let decisions: [Decision]
    let decidedAt: Timestamp

    init?(_ snapshot: QueryResult, _ decisions: QueryResult) throws(PostgresError) {
        guard let row = snapshot.first, !decisions.isEmpty else { return nil }
        var column = row.reader
        strategy = try column.next()
        let operatorIDs: [Int] = try column.next()
        let weights: [Int] = try column.next()
        let loads: [Int] = try column.next()
        let maxLoads: [Int] = try column.next()
        let areActive: [Bool] = try column.next()
        let credits: [Int]? = try column.next()
        let lastTurns: [Int]? = try column.next()
        let lastAssignments: [Int]? = try column.next()
        let starts: [Int]? = try column.next()
        let total: Int? = try column.next()
        isWithoutDetails = try column.next()
        // Constraints say so; a row written by hand past them must not end the program.
        let lengths = [weights, loads, maxLoads, credits, lastTurns, lastAssignments, starts].compactMap { $0?.count }
        guard lengths.allSatisfy({ $0 == operatorIDs.count }), areActive.count == operatorIDs.count else { return nil }
        guard (starts ?? []).allSatisfy({ $0 >= 0 }) else { return nil }
        drawn =
            if let starts, let total {
                (Dictionary(zip(operatorIDs, starts), uniquingKeysWith: { $1 }), total)
            } else {
                nil
            }
        self.weights = Dictionary(zip(operatorIDs, weights), uniquingKeysWith: { $1 })
        candidates = operatorIDs.indices.map { index in
            Candidate(
                operatorID: operatorIDs[index], weight: weights[index], load: loads[index], maxLoad: maxLoads[index],
                isActive: areActive[index], credit: credits?[index] ?? 0, lastTurn: lastTurns?[index] ?? 0,
                lastAssignment: lastAssignments?[index] ?? 0)
        }
        var read: [Decision] = []
        var decidedAt: Timestamp?
        for row in decisions {
            var column = row.reader
            let ordinal: Int = try column.next()
            let rule: DecisionRule = try column.next()
            let operatorID: Int? = try column.next()
            let reason: WaitingReason? = try column.next()
            let draw: Int? = try column.next()
            let excluded: [Int] = try column.next()
            decidedAt = try column.next()
            read.append(
                Decision(
                    ordinal: ordinal,
                    outcome: operatorID.map { .placed(operatorID: $0) } ?? .waiting(reason ?? .behindQueue), rule: rule,
                    draw: draw, excluded: Set(excluded)))
        }
        guard let decidedAt else { return nil }
        self.decisions = read
        self.decidedAt = decidedAt
    }

    func explanation(ofContact contactID: Int, names: [Int: String]) -> Explanation? {
        guard let decision = decisions.last else { return nil }
        let outcome: Explanation.Outcome =
            switch decision.outcome {
            case .placed(let operatorID): .placed(operatorID: operatorID, name: names[operatorID] ?? "")
            case .waiting(let reason): .waiting(reason)
            }
        let replay = isWithoutDetails ? nil : replay()
        let considerations = replay?.considerations ?? []
        return Explanation(
            contactID: contactID, decidedAt: decidedAt, strategy: strategy, rule: decision.rule, outcome: outcome,
            draw: decision.draw,
            candidates: considerations.map {
                Explanation.Candidate(
                    $0, name: names[$0.operatorID], weight: weights[$0.operatorID] ?? $0.weight,
                    probability: decision.rule == .strategy ? $0.probability : nil)
            },
            isReproduced: replay.flatMap { $0.decision.map { $0 == decision } }, poolWeight: drawn?.total)
    }

    /// Makes the decision again: who was considered, and what came out; nothing came out of a choice by hand.
    private func replay() -> (considerations: [Consideration], decision: Decision?) {
        var distributor =
            drawn.map { Distributor(drawn: candidates, starts: $0.starts, total: $0.total) }
            ?? Distributor(strategy: strategy, candidates: candidates)
        for decision in decisions.dropLast() { _ = distributor.replay(decision) }
        guard let last = decisions.last else { return ([], nil) }
        let considerations = distributor.considerations(Circumstances(excluded: last.excluded))
        let isByHand = last.rule == .manual || last.rule == .forced
        return (considerations, isByHand ? nil : distributor.replay(last))
    }
}

extension Explanation.Candidate {
    fileprivate init(_ considered: Consideration, name: String?, weight: Int, probability: Double?) {
        self.init(
            operatorID: considered.operatorID, name: name ?? "", weight: weight, load: considered.load,
            maxLoad: considered.maxLoad, exclusion: considered.exclusion, probability: probability)
    }
}

extension DecisionRule: ColumnDecodable {
    public init?(_ field: UnsafeRawBufferPointer?, of dataType: DataType) {
        guard let text = String(field, of: dataType) else { return nil }
        self.init(rawValue: text)
    }
}
