import Distribution
import Leads

/// The strategies as their definitions read, without any structure: everybody is looked at for each decision.
struct NaiveDistributor {
    struct Member {
        let candidate: Candidate
        var load: Int
        var credit: Int
        /// When it last had a turn, and any contact: an order number, then how many decisions into the batch.
        var lastTurn: (Int, Int)
        var lastAssignment: (Int, Int)

        var id: Int { candidate.operatorID }
        var capacity: Int { candidate.isActive ? max(candidate.maxLoad - load, 0) : 0 }
    }

    let strategy: Strategy
    private(set) var members: [Member]
    private var decisions = 0

    init(strategy: Strategy, candidates: [Candidate]) {
        self.strategy = strategy
        members = candidates.sorted { $0.operatorID < $1.operatorID }.map {
            Member(
                candidate: $0, load: $0.load, credit: $0.credit, lastTurn: ($0.lastTurn, 0),
                lastAssignment: ($0.lastAssignment, 0))
        }
    }

    func eligible(_ circumstances: Circumstances) -> [Member] {
        members.filter { $0.capacity > 0 && !circumstances.excluded.contains($0.id) }
    }

    /// Everybody whom the next decision may choose, at some draw.
    func choices(_ circumstances: Circumstances) -> Set<Int> {
        let eligible = eligible(circumstances)
        if let preferred = circumstances.preferred, eligible.contains(where: { $0.id == preferred.operatorID }) {
            return [preferred.operatorID]
        }
        func least(_ comesBefore: (Member, Member) -> Bool) -> Set<Int> {
            Set(eligible.filter { one in !eligible.contains { comesBefore($0, one) } }.map(\.id))
        }
        func ties(_ one: Member, _ other: Member) -> Bool {
            (-one.capacity, one.lastAssignment.0, one.lastAssignment.1)
                < (-other.capacity, other.lastAssignment.0, other.lastAssignment.1)
        }
        switch strategy {
        case .weightedRandom, .weightedCapacity:
            return Set(eligible.map(\.id))
        case .smoothWeighted:
            let raised = eligible.map { ($0.id, bounded($0.credit, among: eligible) + $0.candidate.weight) }
            return Set(raised.sorted { ($1.1, $0.0) < ($0.1, $1.0) }.prefix(1).map(\.0))
        case .roundRobin:
            return Set(
                eligible.sorted { ($0.lastTurn.0, $0.lastTurn.1, $0.id) < ($1.lastTurn.0, $1.lastTurn.1, $1.id) }
                    .prefix(1).map(\.id))
        case .leastLoaded:
            return least { $0.load != $1.load ? $0.load < $1.load : ties($0, $1) }
        case .mostFree:
            return least {
                let (one, other) = ($0.capacity * $1.candidate.maxLoad, $1.capacity * $0.candidate.maxLoad)
                return one != other ? one > other : ties($0, $1)
            }
        }
    }

    /// Nobody who competes with others owes, or is owed, more than the sum of the competing weights.
    private func bounded(_ credit: Int, among eligible: [Member]) -> Int {
        let sum = eligible.reduce(0) { $0 + $1.candidate.weight }
        return eligible.count < 2 ? credit : max(-sum, min(sum, credit))
    }

    /// In whose stretch a draw falls.
    func stretch(at draw: Int, _ circumstances: Circumstances) -> Int? {
        var end = 0
        for member in eligible(circumstances) {
            end += member.candidate.weight * (strategy == .weightedCapacity ? member.capacity : 1)
            if draw < end { return member.id }
        }
        return nil
    }

    /// What the choice of an operator, or of nobody, leaves behind.
    mutating func record(_ decision: Decision, _ circumstances: Circumstances) {
        decisions += 1
        guard let id = decision.operatorID, let chosen = members.firstIndex(where: { $0.id == id }) else { return }
        if decision.rule == .strategy {
            let competing = eligible(circumstances)
            for index in members.indices where competing.contains(where: { $0.id == members[index].id }) {
                members[index].credit =
                    bounded(members[index].credit, among: competing) + members[index].candidate.weight
            }
            for index in members.indices where competing.contains(where: { $0.id == members[index].id }) {
                members[chosen].credit -= members[index].candidate.weight
            }
        }
        members[chosen].load += 1
        members[chosen].lastTurn = (.max, decisions)
        members[chosen].lastAssignment = (.max, decisions)
    }
}
