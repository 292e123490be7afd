import Distribution
import Leads
import TestSupport
import Testing

struct DistributorTests {
    private func candidate(
        _ id: Int, weight: Int = 1, load: Int = 0, maxLoad: Int = 10, isActive: Bool = true
    ) -> Candidate {
        Candidate(operatorID: id, weight: weight, load: load, maxLoad: maxLoad, isActive: isActive)
    }

    private func chosen(_ decision: Decision) -> Int? {
        if case .placed(let operatorID) = decision.outcome { operatorID } else { nil }
    }

    @Test func `the draw falls into the candidates' shares laid end to end`() {
        let candidates = [candidate(2, weight: 30), candidate(1, weight: 10)]
        for (draw, expected) in [(0, 1), (9, 1), (10, 2), (39, 2)] {
            var distributor = Distributor(strategy: .weightedRandom, candidates: candidates)
            let decision = distributor.decide(draw: draw)
            #expect(chosen(decision) == expected)
            #expect(decision.draw == draw)
        }
    }

    @Test func `capacity multiplies the weight under weighted_capacity, and shrinks with each decision`() {
        let candidates = [candidate(1, weight: 2, maxLoad: 3), candidate(2, weight: 1, load: 6)]
        var distributor = Distributor(strategy: .weightedCapacity, candidates: candidates)
        #expect(distributor.probabilities == [0.6, 0.4])
        #expect(chosen(distributor.decide(draw: 5)) == 1)
        #expect(distributor.probabilities == [0.5, 0.5])
    }

    @Test(arguments: [
        ([Candidate](), WaitingReason.noOperators),
        ([Candidate(operatorID: 1, weight: 1, load: 0, maxLoad: 1, isActive: false)], .allInactive),
        ([Candidate(operatorID: 1, weight: 1, load: 1, maxLoad: 1, isActive: true)], .allAtLimit),
        (
            [
                Candidate(operatorID: 1, weight: 1, load: 0, maxLoad: 1, isActive: false),
                Candidate(operatorID: 2, weight: 1, load: 9, maxLoad: 5, isActive: true),
            ], .allAtLimit
        ),
    ])
    func `nobody eligible has a reason`(candidates: [Candidate], reason: WaitingReason) {
        var generator = SystemRandomNumberGenerator()
        var distributor = Distributor(strategy: .weightedRandom, candidates: candidates)
        let decision = distributor.decide(using: &generator)
        #expect(decision.outcome == .waiting(reason))
        #expect(decision.draw == nil)
        #expect(distributor.capacity == 0)
    }

    @Test func `100 000 decisions for weights 10 and 30 lie within 4.9 sigma of 25 and 75 percent`() {
        var generator = SeededGenerator()
        let count = 100_000
        var distributor = Distributor(
            strategy: .weightedRandom,
            candidates: [candidate(1, weight: 10, maxLoad: 1_000_000), candidate(2, weight: 30, maxLoad: 1_000_000)])
        var first = 0
        for _ in 0..<count where chosen(distributor.decide(using: &generator)) == 1 { first += 1 }
        let sigma = (Double(count) * 0.25 * 0.75).squareRoot()
        #expect(abs(Double(first) - 0.25 * Double(count)) <= 4.9 * sigma, "\(first) of \(count)")
    }

    @Test(arguments: Strategy.allCases)
    func `never an ineligible operator, never beyond capacity, and nobody waits while there is some`(
        strategy: Strategy
    ) {
        var generator = SeededGenerator()
        for _ in 0..<300 {
            let candidates = (1...Int.random(in: 1...12, using: &generator)).map { id in
                candidate(
                    id, weight: .random(in: 1...50, using: &generator), load: .random(in: 0...6, using: &generator),
                    maxLoad: .random(in: 1...6, using: &generator), isActive: .random(using: &generator))
            }
            var distributor = Distributor(strategy: strategy, candidates: candidates)
            let capacity = candidates.reduce(0) { $0 + ($1.isActive ? max($1.maxLoad - $1.load, 0) : 0) }
            #expect(distributor.capacity == capacity)
            var loads = Dictionary(uniqueKeysWithValues: candidates.map { ($0.operatorID, $0.load) })
            for ordinal in 0..<(capacity + 3) {
                let decision = distributor.decide(using: &generator)
                #expect(decision.ordinal == ordinal)
                guard let id = chosen(decision) else {
                    #expect(ordinal >= capacity)
                    continue
                }
                let candidate = candidates.first { $0.operatorID == id }!
                loads[id, default: 0] += 1
                #expect(candidate.isActive && loads[id]! <= candidate.maxLoad)
            }
            #expect(distributor.loadsByOperator == loads)
        }
    }

    @Test(arguments: Strategy.allCases)
    func `replaying the draws gives the same operators`(strategy: Strategy) {
        var generator = SeededGenerator()
        let candidates = (1...8).map { candidate($0, weight: $0 * 3, load: $0 % 3, maxLoad: 40) }
        var distributor = Distributor(strategy: strategy, candidates: candidates)
        let decisions = (0..<300).map { _ in distributor.decide(using: &generator) }
        var replay = Distributor(strategy: strategy, candidates: candidates)
        #expect(decisions.map { replay.decide(draw: $0.draw) } == decisions)
    }

    @Test(arguments: Strategy.allCases)
    func `extreme weights and limits on 10 000 operators do not overflow`(strategy: Strategy) {
        var generator = SeededGenerator()
        let candidates = (1...10_000).map { candidate($0, weight: 1_000_000, maxLoad: 1_000_000) }
        var distributor = Distributor(strategy: strategy, candidates: candidates)
        #expect(distributor.capacity == 10_000_000_000)
        for _ in 0..<3 { #expect(chosen(distributor.decide(using: &generator)) != nil) }
        #expect(chosen(distributor.decide(draw: .max)) == nil)
    }
}
