import Distribution
import Leads
import Postgres

/// The decisions of one transaction: who gets which contact, given operators that the transaction has locked.
///
/// Sources are decided one after the other; an operator of several sources carries its load from one to the next, and a
/// source that is decided twice goes on with the turns it has given.
struct Round {
    /// A contact to be decided.
    struct Queued {
        enum Standing {
            /// It waits since an earlier transaction, which has told why.
            case waiting
            /// It was put back in the queue by this transaction.
            case released
            /// It is being registered or reopened by this transaction, which writes its outcome.
            case newcomer
        }

        let contactID: Int
        let priority: Int
        let arrival: Int
        let standing: Standing
        var releasedBy: [Int] = []
        var preferred: Circumstances.Preference?
        /// Set for newcomers: an earlier contact of the same lead may be in the same transaction.
        var leadID: Int?
    }

    /// The last contact seen of a queue that holds more.
    struct LastHead {
        let priority: Int
        let arrival: Int

        /// The last of the heads, when there are as many as were asked for and more may wait behind.
        init?(of heads: [Queue.Head], limit: Int) {
            guard heads.count >= limit else { return nil }
            guard let last = heads.min(by: { ($0.priority, $1.arrival) < ($1.priority, $0.arrival) }) else {
                return nil
            }
            priority = last.priority
            arrival = last.arrival
        }

        func isAhead(of contact: Queued) -> Bool {
            (contact.priority, arrival) < (priority, contact.arrival)
        }
    }

    /// One decided contact.
    struct Decided {
        let contactID: Int
        let standing: Queued.Standing
        let outcome: Decision.Outcome
    }

    private struct Memory {
        var credits: [Int: Int] = [:]
        /// Operators that had a turn, the last one last.
        var turns: [Int] = []
    }

    private var loads: [Int: Int] = [:]
    /// Who got each lead's latest contact in this transaction.
    private var lastOperators: [Int: Int] = [:]
    private var memories: [Int: Memory] = [:]
    private var snapshots: [DecisionSnapshot] = []
    private(set) var decided: [Decided] = []
    /// How many places on the line of each source with a large pool have been looked at.
    private var drawsUsed: [Int: Int] = [:]
    /// Whether too few of those that were drawn had room, so that nothing of this may be written.
    private(set) var isOutOfDraws = false

    /// Decides the queue of one source: higher priority first, then arrival.
    ///
    /// Contacts that wait already are left as they are when nobody can take them; the others always get an outcome.
    /// - Parameter lastHead: the last contact seen, when more may wait than `queue` holds. Whoever is behind it joins
    ///   those that were not seen.
    /// - Returns: the capacity the source's operators have left.
    @discardableResult
    mutating func decide(
        sourceID: Int, _ source: Queue.LockedSource, queue: [Queued], lastHead: LastHead? = nil,
        using generator: inout some RandomNumberGenerator
    ) -> Int {
        let candidates = candidates(of: source, sourceID)
        let configured = candidates.map(\.operatorID)
        var distributor =
            source.drawn.map { Distributor(drawn: candidates, starts: $0.starts, total: $0.total) }
            ?? Distributor(strategy: source.strategy, candidates: candidates)
        var positions = source.drawn?.positions.dropFirst(drawsUsed[sourceID] ?? 0) ?? []
        var snapshot = DecisionSnapshot(
            sourceID: sourceID, strategy: source.strategy, candidates: distributor.candidates, drawn: source.drawn)
        let ordered = queue.sorted { ($1.priority, $0.arrival) < ($0.priority, $1.arrival) }
        for contact in ordered {
            let circumstances = Circumstances(
                excluded: source.isPartial
                    ? [] : Exclusion.effective(releasedBy: contact.releasedBy, configured: configured),
                preferred: preference(of: contact, source))
            if contact.standing == .waiting && distributor.waitingReason(circumstances) != nil { continue }
            let decision: Decision
            if source.drawn != nil {
                guard let drawn = distributor.decide(at: &positions) else {
                    isOutOfDraws = true
                    break
                }
                decision = drawn
            } else if contact.standing != .waiting, let lastHead, lastHead.isAhead(of: contact) {
                decision = distributor.joinQueue()
            } else {
                decision = distributor.decide(circumstances, using: &generator)
            }
            snapshot.decisions.append((contact.contactID, decision))
            if let leadID = contact.leadID, case .placed(let operatorID) = decision.outcome {
                lastOperators[leadID] = operatorID
            }
            decided.append(
                Decided(contactID: contact.contactID, standing: contact.standing, outcome: decision.outcome))
        }
        if let drawn = source.drawn { drawsUsed[sourceID] = drawn.positions.count - positions.count }
        loads.merge(distributor.loadsByOperator) { $1 }
        remember(distributor, sourceID)
        if !snapshot.decisions.isEmpty { snapshots.append(snapshot) }
        return distributor.capacity
    }

    /// The load an operator of a decided source is left with.
    func load(of operatorID: Int) -> Int? { loads[operatorID] }

    /// Why a contact that nobody has released waits in a source, once all are decided.
    func waitingReason(sourceID: Int, _ source: Queue.LockedSource) -> WaitingReason {
        Distributor(strategy: source.strategy, candidates: candidates(of: source, sourceID)).waitingReason()
            ?? .behindQueue
    }

    private func preference(of contact: Queued, _ source: Queue.LockedSource) -> Circumstances.Preference? {
        guard source.keepsReturningLeads, let lastOperator = contact.leadID.flatMap({ lastOperators[$0] }) else {
            return contact.preferred
        }
        return Circumstances.Preference(operatorID: lastOperator, rule: .sticky)
    }

    /// The candidates as the sources decided before have left them.
    private func candidates(of source: Queue.LockedSource, _ sourceID: Int) -> [Candidate] {
        let memory = memories[sourceID]
        return source.candidates.map { candidate in
            let id = candidate.operatorID
            let load = loads[id] ?? candidate.load
            let turn = memory?.turns.lastIndex(of: id).map { Int.max - (memory?.turns.count ?? 0) + $0 }
            return Candidate(
                operatorID: id, weight: candidate.weight, load: load, maxLoad: candidate.maxLoad,
                isActive: candidate.isActive, credit: memory?.credits[id] ?? candidate.credit,
                lastTurn: turn ?? candidate.lastTurn,
                // Whoever was given something by this transaction was so later than everybody else.
                lastAssignment: load > candidate.load ? .max : candidate.lastAssignment)
        }
    }

    private mutating func remember(_ distributor: Distributor, _ sourceID: Int) {
        for (operatorID, credit) in distributor.changedCredits {
            memories[sourceID, default: Memory()].credits[operatorID] = credit
        }
        for operatorID in distributor.turns {
            memories[sourceID]?.turns.removeAll { $0 == operatorID }
            memories[sourceID, default: Memory()].turns.append(operatorID)
        }
    }

    /// The statements that store what was decided.
    var statements: [Statement] { placementStatements + recordStatements }

    /// What stores the turns of the strategies and the decisions.
    var recordStatements: [Statement] { turnStatements + snapshots.map(\.statement) }

    /// What stores the placements of contacts that waited, with their events.
    var placementStatements: [Statement] {
        var placements: [(contactID: Int, operatorID: Int)] = []
        var refusals: [(contactID: Int, reason: WaitingReason)] = []
        for decided in decided where decided.standing != .newcomer {
            switch decided.outcome {
            case .placed(let operatorID): placements.append((decided.contactID, operatorID))
            case .waiting(let reason): refusals.append((decided.contactID, reason))
            }
        }
        var statements: [Statement] = []
        if !placements.isEmpty {
            statements.append(
                """
                update contacts c
                set status = 'active', operator_id = p.operator_id, assigned_at = clock_timestamp(),
                    first_assigned_at = coalesce(c.first_assigned_at, clock_timestamp()),
                    updated_at = clock_timestamp(), waiting_reason = null, waiting_since = null, is_forced = false,
                    version = c.version + 1
                from unnest(\(placements.map(\.contactID)), \(placements.map(\.operatorID)))
                    as p (contact_id, operator_id)
                where c.id = p.contact_id
                """)
            statements.append(
                Events.record(
                    placements.map {
                        Events.New(.assigned, contactID: $0.contactID, toOperatorID: $0.operatorID, by: .system)
                    }))
        }
        if !refusals.isEmpty {
            statements.append(
                """
                update contacts c
                set waiting_reason = r.reason
                from unnest(\(refusals.map(\.contactID)), \(refusals.map(\.reason.rawValue))) as r (contact_id, reason)
                where c.id = r.contact_id
                """)
        }
        return statements
    }

    private var turnStatements: [Statement] {
        memories.sorted { $0.key < $1.key }.flatMap { sourceID, memory in
            var statements: [Statement] = []
            if !memory.credits.isEmpty {
                let credits = memory.credits.sorted { $0.key < $1.key }
                statements.append(
                    """
                    insert into source_turns (source_id, operator_id, credit)
                    select \(sourceID), t.operator_id, t.credit
                    from unnest(\(credits.map(\.key)), \(credits.map(\.value))) as t (operator_id, credit)
                    on conflict on constraint source_turns_pkey do update set credit = excluded.credit
                    """)
            }
            if !memory.turns.isEmpty {
                statements.append(
                    """
                    insert into source_turns (source_id, operator_id, last_turn)
                    select \(sourceID), t.operator_id, t.number
                    from (
                        select operator_id, nextval('operator_assignments') as number
                        from unnest(\(memory.turns)) as given (operator_id)
                    ) t
                    order by t.operator_id
                    on conflict on constraint source_turns_pkey do update set last_turn = excluded.last_turn
                    """)
            }
            return statements
        }
    }
}
