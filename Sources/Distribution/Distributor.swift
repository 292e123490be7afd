public import Leads

/// Chooses operators for the contacts of one source, one after the other, each choice seeing the load the earlier left.
///
/// Pure: the same candidates, strategy and draws give the same decisions, wherever and whenever. The draw is a whole
/// number below the sum of the eligible candidates' shares, laid end to end in the order of the candidates; the
/// candidate in whose stretch it falls is chosen (sampling by inversion of the cumulative distribution, Devroye,
/// *Non-Uniform Random Variate Generation*, 1986, III.2.1).
///
/// A share is at most 10¹² (weight × capacity, each at most 10⁶), so the sum over 10 000 candidates stays below 10¹⁶
/// and no arithmetic here can overflow.
public struct Distributor: Sendable {
    public let strategy: Strategy
    /// The candidates as they were given, in order of operator id.
    public let candidates: [Candidate]
    private var loads: [Int]
    private var nextOrdinal = 0

    public init(strategy: Strategy, candidates: [Candidate]) {
        self.strategy = strategy
        self.candidates = candidates.sorted { $0.operatorID < $1.operatorID }
        loads = self.candidates.map(\.load)
    }

    /// Decides the next contact with a fresh draw.
    public mutating func decide(using generator: inout some RandomNumberGenerator) -> Decision {
        let total = totalShare
        return decide(draw: total > 0 ? Int.random(in: 0..<total, using: &generator) : nil)
    }

    /// Decides the next contact as a stored decision did.
    /// - Parameter draw: the draw on record. One beyond the present shares chooses nobody: the record does not fit.
    public mutating func decide(draw: Int?) -> Decision {
        defer { nextOrdinal += 1 }
        guard let draw, let index = candidateIndex(at: draw) else {
            return Decision(ordinal: nextOrdinal, outcome: .waiting(waitingReason), draw: nil)
        }
        loads[index] += 1
        return Decision(
            ordinal: nextOrdinal, outcome: .placed(operatorID: candidates[index].operatorID), draw: draw)
    }

    /// How many more contacts the candidates can take together.
    public var capacity: Int {
        candidates.indices.reduce(0) { $0 + (exclusion(of: $1) == nil ? candidates[$1].maxLoad - loads[$1] : 0) }
    }

    /// The loads the decisions so far have left, by operator.
    public var loadsByOperator: [Int: Int] {
        Dictionary(uniqueKeysWithValues: zip(candidates.map(\.operatorID), loads))
    }

    /// Each candidate's chance in the next decision, in order, 0 for those that are not eligible.
    public var probabilities: [Double] {
        let total = totalShare
        return candidates.indices.map { total > 0 ? Double(share(of: $0)) / Double(total) : 0 }
    }

    /// Why a candidate cannot be chosen in the next decision, or nil when it can.
    public func exclusion(of index: Int) -> Exclusion? {
        guard candidates[index].isActive else { return .inactive }
        guard loads[index] < candidates[index].maxLoad else { return .atLimit }
        return nil
    }

    private func share(of index: Int) -> Int {
        guard exclusion(of: index) == nil else { return 0 }
        let candidate = candidates[index]
        switch strategy {
        case .weightedRandom: return candidate.weight
        case .weightedCapacity: return candidate.weight * (candidate.maxLoad - loads[index])
        }
    }

    private var totalShare: Int {
        candidates.indices.reduce(0) { $0 + share(of: $1) }
    }

    private func candidateIndex(at draw: Int) -> Int? {
        var reached = 0
        for index in candidates.indices {
            reached += share(of: index)
            if draw < reached { return index }
        }
        return nil
    }

    private var waitingReason: WaitingReason {
        if candidates.isEmpty { return .noOperators }
        if !candidates.contains(where: \.isActive) { return .allInactive }
        return .allAtLimit
    }
}
