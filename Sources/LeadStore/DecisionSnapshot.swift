import Distribution
import Leads
import Postgres

/// The candidates of a source as they stood under the locks, and what was decided on them, one decision after the other.
struct DecisionSnapshot {
    let sourceID: Int
    let strategy: Strategy
    let candidates: [Candidate]
    /// As they are on the source, where a candidate chosen by hand may have none: 0. A `Candidate` has at least 1.
    var weights: [Int]?
    /// Where the candidates were drawn from a large pool, what they were drawn from.
    var drawn: Queue.Drawn?
    var decisions: [(contactID: Int, decision: Decision)] = []

    /// Stores the candidates once for all the decisions. Of what strategies remember, only what this one decides by.
    var statement: Statement {
        """
        with snapshot as (
            insert into decision_snapshots (
                source_id, strategy, operator_ids, weights, loads, max_loads, are_active, credits, last_turns,
                last_assignments, starts, total_weight)
            values (
                \(sourceID), \(strategy.rawValue), \(candidates.map(\.operatorID)),
                \((weights ?? candidates.map(\.weight)).map { Int32($0) }), \(candidates.map { Int32($0.load) }),
                \(candidates.map { Int32($0.maxLoad) }), \(candidates.map(\.isActive)),
                \(strategy == .smoothWeighted ? candidates.map(\.credit) : nil),
                \(strategy == .roundRobin ? candidates.map(\.lastTurn) : nil),
                \(strategy == .leastLoaded || strategy == .mostFree ? candidates.map(\.lastAssignment) : nil),
                \(drawn.map { drawn in candidates.map { drawn.starts[$0.operatorID] ?? 0 } }), \(drawn?.total))
            returning id
        )
        insert into decisions (contact_id, snapshot_id, ordinal, operator_id, reason, draw, rule, excluded)
        select d.contact_id, snapshot.id, d.ordinal, d.operator_id, d.reason, d.draw, d.rule, d.excluded::bigint[]
        from snapshot, unnest(
            \(decisions.map(\.contactID)), \(decisions.map { Int32($0.decision.ordinal) }),
            \(decisions.map(\.decision.operatorID)), \(decisions.map(\.decision.reason?.rawValue)),
            \(decisions.map(\.decision.draw)), \(decisions.map(\.decision.rule.rawValue)),
            \(decisions.map(\.decision.excludedText)))
            as d (contact_id, ordinal, operator_id, reason, draw, rule, excluded)
        """
    }
}

extension Decision {
    var operatorID: Int? {
        if case .placed(let operatorID) = outcome { operatorID } else { nil }
    }

    var reason: WaitingReason? {
        if case .waiting(let reason) = outcome { reason } else { nil }
    }

    /// As PostgreSQL writes an array; lists of lists of different lengths cannot be bound.
    fileprivate var excludedText: String? {
        excluded.isEmpty ? nil : "{\(excluded.sorted().map(String.init).joined(separator: ","))}"
    }
}
