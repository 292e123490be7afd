public import Leads

/// Chooses operators for the contacts of one source, one after the other, each choice seeing what the earlier ones left.
///
/// Pure: the same candidates, strategy, circumstances and draws give the same decisions, wherever and whenever. Gates
/// come first (active, below its limit, not excluded), then a preferred operator, then the strategy. The strategies are
/// ``RandomShares``, ``SmoothRotation`` and ``Line``; a decision among n candidates takes O(log n), with
/// `smooth_weighted` O(n). Making a distributor takes O(n) when the candidates come in order of operator id.
public struct Distributor: Sendable {
    public let strategy: Strategy
    private var pool: Pool
    private var nextOrdinal = 0
    private var shares: RandomShares?
    private var rotation: SmoothRotation?
    private var line: Line?
    private var drawn: DrawnShares?

    /// - Parameter candidates: the operators of the source, in any order, each once.
    public init(strategy: Strategy, candidates: [Candidate]) {
        self.strategy = strategy
        pool = Pool(candidates)
        switch strategy {
        case .weightedRandom, .weightedCapacity:
            shares = RandomShares(pool, isByCapacity: strategy == .weightedCapacity)
        case .smoothWeighted: rotation = SmoothRotation(pool)
        case .roundRobin, .leastLoaded, .mostFree: line = Line(pool, strategy: strategy)
        }
    }

    /// A distributor for `weighted_random` among operators that were drawn from a ``WeightLine``.
    /// - Parameters:
    ///   - drawn: those that were drawn.
    ///   - starts: where the weight of each begins on the line, by operator.
    ///   - total: all weights on the line together.
    public init(drawn: [Candidate], starts: [Int: Int], total: Int) {
        strategy = .weightedRandom
        pool = Pool(drawn)
        self.drawn = DrawnShares(pool, starts: starts, total: total)
    }

    /// The candidates as they were given, in order of operator id.
    public var candidates: [Candidate] { pool.candidates }

    /// Decides the next contact.
    public mutating func decide(
        _ circumstances: Circumstances = Circumstances(), using generator: inout some RandomNumberGenerator
    ) -> Decision {
        decide(circumstances) { Int.random(in: 0..<$0, using: &generator) }
    }

    /// Decides the next contact by the first of some places on the line that belongs to a candidate with room, and takes
    /// what it has looked at out of them.
    /// - Returns: nil when there is none, which says nothing about those that were not drawn.
    public mutating func decide(at positions: inout ArraySlice<Int>) -> Decision? {
        while let position = positions.popFirst() {
            guard let index = drawn?.index(at: position), pool.isOpen(index) else { continue }
            return assign(candidates[index].operatorID, at: index, by: .strategy, draw: position, excluded: [])
        }
        return nil
    }

    /// Puts the next contact behind those that wait, without looking for an operator.
    public mutating func joinQueue() -> Decision {
        Decision(ordinal: takeOrdinal(), outcome: .waiting(.behindQueue), rule: .queue, draw: nil)
    }

    /// Decides the next contact anew from what is on record about it.
    ///
    /// A choice made by hand (`manual`, `forced`) is followed, not made: it fits if nothing known of the operator forbids
    /// it. A draw that cannot be is brought to the nearest that can.
    /// - Returns: a decision equal to the recorded one if that fits these candidates, another one if not.
    public mutating func replay(_ recorded: Decision) -> Decision {
        var circumstances = Circumstances(excluded: recorded.excluded)
        if case .placed(let operatorID) = recorded.outcome {
            switch recorded.rule {
            case .sticky, .returned:
                circumstances.preferred = Circumstances.Preference(operatorID: operatorID, rule: recorded.rule)
            case .manual, .forced:
                let index = pool.index(of: operatorID)
                if recorded.rule == .forced || index.map(pool.isOpen) ?? true {
                    return assign(operatorID, at: index, by: recorded.rule, excluded: recorded.excluded)
                }
            case .strategy, .queue: break
            }
        } else if recorded.rule == .queue {
            return joinQueue()
        }
        return decide(circumstances) { min(max(recorded.draw ?? 0, 0), $0 - 1) }
    }

    /// Why a contact would have to wait: the first reason that fits, or nil when somebody is eligible.
    public func waitingReason(_ circumstances: Circumstances = Circumstances()) -> WaitingReason? {
        pool.waitingReason(setAside: pool.open(among: circumstances.excluded).count)
    }

    /// How many more contacts the active candidates can take together.
    public var capacity: Int { pool.capacity }

    /// The loads the decisions so far have left, by operator.
    public var loadsByOperator: [Int: Int] {
        Dictionary(uniqueKeysWithValues: zip(candidates.lazy.map(\.operatorID), pool.loads))
    }

    /// How each candidate stands for the next decision, in order of the candidates.
    ///
    /// Probabilities are those of the strategy, whether or not somebody is preferred.
    public func considerations(_ circumstances: Circumstances = Circumstances()) -> [Consideration] {
        let setAside = pool.open(among: circumstances.excluded)
        let probabilities =
            shares?.probabilities(without: setAside) ?? drawn?.probabilities(of: pool, without: setAside)
        return pool.indices.map { index in
            let candidate = candidates[index]
            return Consideration(
                operatorID: candidate.operatorID, weight: candidate.weight, load: pool.loads[index],
                maxLoad: candidate.maxLoad,
                exclusion: pool.exclusion(of: index, excluded: circumstances.excluded),
                probability: probabilities?[index])
        }
    }

    /// What `smooth_weighted` owes those whose credit is not what was given, in order of the candidates.
    public var changedCredits: [(operatorID: Int, credit: Int)] {
        guard let rotation else { return [] }
        return zip(candidates, rotation.credits).compactMap { candidate, credit in
            credit == candidate.credit ? nil : (candidate.operatorID, credit)
        }
    }

    /// Under `round_robin`, the operators that had a turn, each once, in the order of their last.
    public var turns: [Int] {
        guard strategy == .roundRobin, let line else { return [] }
        return zip(candidates, line.moments)
            .filter { $1 >= .decided(ordinal: 0) }
            .sorted { $0.1 < $1.1 }
            .map(\.0.operatorID)
    }

    private mutating func decide(_ circumstances: Circumstances, draw: (Int) -> Int) -> Decision {
        let excluded = circumstances.excluded
        if let preferred = circumstances.preferred, let index = pool.index(of: preferred.operatorID),
            pool.exclusion(of: index, excluded: excluded) == nil
        {
            return assign(preferred.operatorID, at: index, by: preferred.rule, excluded: excluded)
        }
        let setAside = pool.open(among: excluded)
        if let reason = pool.waitingReason(setAside: setAside.count) {
            return Decision(ordinal: takeOrdinal(), outcome: .waiting(reason), draw: nil, excluded: excluded)
        }
        guard let (index, draw) = choose(excluded, setAside: setAside, draw: draw) else {
            return Decision(ordinal: takeOrdinal(), outcome: .waiting(.excluded), draw: nil, excluded: excluded)
        }
        return assign(candidates[index].operatorID, at: index, by: .strategy, draw: draw, excluded: excluded)
    }

    /// Asks the strategy.
    /// - Parameter setAside: where the open candidates among the excluded stand.
    private mutating func choose(
        _ excluded: Set<Int>, setAside: [Int], draw: (Int) -> Int
    ) -> (index: Int, draw: Int?)? {
        if let drawn {
            let position = draw(drawn.total)
            return drawn.index(at: position).flatMap { pool.isOpen($0) ? ($0, position) : nil }
        }
        return switch strategy {
        case .weightedRandom, .weightedCapacity:
            shares?.choose(without: setAside, draw: draw).map { ($0.index, $0.draw) }
        case .smoothWeighted:
            rotation?.choose(without: setAside, from: pool).map { ($0, nil) }
        case .roundRobin, .leastLoaded, .mostFree:
            line?.choose(from: pool, without: excluded, draw: draw)
        }
    }

    /// Gives the next contact to an operator.
    /// - Parameter index: where it stands among the candidates, nil when somebody named one who is none of them.
    private mutating func assign(
        _ operatorID: Int, at index: Int?, by rule: Decision.Rule, draw: Int? = nil, excluded: Set<Int>
    ) -> Decision {
        let ordinal = takeOrdinal()
        if let index {
            pool.take(index)
            shares?.update(index, in: pool)
            rotation?.update(index, in: pool)
            let isAutomatic = rule != .manual && rule != .forced
            if isAutomatic || strategy != .roundRobin { line?.update(index, ordinal: ordinal) }
        }
        return Decision(
            ordinal: ordinal, outcome: .placed(operatorID: operatorID), rule: rule, draw: draw, excluded: excluded)
    }

    private mutating func takeOrdinal() -> Int {
        defer { nextOrdinal += 1 }
        return nextOrdinal
    }
}
