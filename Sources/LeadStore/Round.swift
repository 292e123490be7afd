import Distribution
import Leads
import Postgres

/// The decisions of one transaction: who gets which contact, given operators that the transaction has locked.
///
/// Sources are decided one after the other; an operator of several sources carries its load from one to the next.
struct Round {
    /// A contact to be decided.
    struct Queued {
        let contactID: Int
        let priority: Int
        let arrival: Int
        /// Whether it is being registered or reopened in this transaction, as opposed to waiting already.
        let isNewcomer: Bool
    }

    /// One decided contact.
    struct Decided {
        let contactID: Int
        let isNewcomer: Bool
        let outcome: Decision.Outcome
    }

    private struct Snapshot {
        let sourceID: Int
        let strategy: Strategy
        let candidates: [Candidate]
        var decisions: [(contactID: Int, decision: Decision)] = []
    }

    private var loads: [Int: Int] = [:]
    private var snapshots: [Snapshot] = []
    private(set) var decided: [Decided] = []

    var placements: [(contactID: Int, operatorID: Int)] {
        decided.compactMap { decided in
            guard !decided.isNewcomer, case .placed(let operatorID) = decided.outcome else { return nil }
            return (decided.contactID, operatorID)
        }
    }

    /// Decides the queue of one source: higher priority first, then arrival.
    ///
    /// Contacts that wait already are left as they are when no capacity remains; newcomers always get an outcome.
    /// - Parameter lastHeadPriority: the lowest priority seen, when more contacts may wait than `queue` holds. Newcomers
    ///   of that priority or less then join those, behind.
    /// - Returns: the capacity the source's operators have left.
    @discardableResult
    mutating func decide(
        sourceID: Int, strategy: Strategy, candidates: [Candidate], queue: [Queued], lastHeadPriority: Int?,
        using generator: inout some RandomNumberGenerator
    ) -> Int {
        let candidates = candidates.map { candidate in
            Candidate(
                operatorID: candidate.operatorID, weight: candidate.weight,
                load: loads[candidate.operatorID] ?? candidate.load, maxLoad: candidate.maxLoad,
                isActive: candidate.isActive)
        }
        var distributor = Distributor(strategy: strategy, candidates: candidates)
        var snapshot = Snapshot(sourceID: sourceID, strategy: strategy, candidates: distributor.candidates)
        let ordered = queue.sorted { ($1.priority, $0.arrival) < ($0.priority, $1.arrival) }
        for contact in ordered {
            if contact.isNewcomer, let lastHeadPriority, contact.priority <= lastHeadPriority {
                decided.append(
                    Decided(contactID: contact.contactID, isNewcomer: true, outcome: .waiting(.behindQueue)))
                continue
            }
            if !contact.isNewcomer && distributor.capacity == 0 { continue }
            let decision = distributor.decide(using: &generator)
            snapshot.decisions.append((contact.contactID, decision))
            decided.append(
                Decided(contactID: contact.contactID, isNewcomer: contact.isNewcomer, outcome: decision.outcome))
        }
        loads.merge(distributor.loadsByOperator) { $1 }
        if !snapshot.decisions.isEmpty { snapshots.append(snapshot) }
        return distributor.capacity
    }

    /// The statements that store what was decided: placements of contacts that waited, decisions and their events.
    var statements: [Statement] {
        var statements: [Statement] = []
        let placements = placements
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
                        Events.New(contactID: $0.contactID, kind: "assigned", toOperatorID: $0.operatorID)
                    }
                ))
        }
        return statements + snapshots.map(Self.store)
    }

    private static func store(_ snapshot: Snapshot) -> Statement {
        let candidates = snapshot.candidates
        let decisions = snapshot.decisions
        func operatorID(_ decision: Decision) -> Int? {
            if case .placed(let operatorID) = decision.outcome { operatorID } else { nil }
        }
        func reason(_ decision: Decision) -> String? {
            if case .waiting(let reason) = decision.outcome { reason.rawValue } else { nil }
        }
        return """
            with snapshot as (
                insert into decision_snapshots
                    (source_id, strategy, operator_ids, weights, loads, max_loads, are_active)
                values (
                    \(snapshot.sourceID), \(snapshot.strategy.rawValue), \(candidates.map(\.operatorID)),
                    \(candidates.map { Int32($0.weight) }), \(candidates.map { Int32($0.load) }),
                    \(candidates.map { Int32($0.maxLoad) }), \(candidates.map(\.isActive)))
                returning id
            )
            insert into decisions (contact_id, snapshot_id, ordinal, operator_id, reason, draw)
            select d.contact_id, snapshot.id, d.ordinal, d.operator_id, d.reason, d.draw
            from snapshot, unnest(
                \(decisions.map(\.contactID)), \(decisions.map { Int32($0.decision.ordinal) }),
                \(decisions.map { operatorID($0.decision) }), \(decisions.map { reason($0.decision) }),
                \(decisions.map(\.decision.draw)))
                as d (contact_id, ordinal, operator_id, reason, draw)
            """
    }
}
