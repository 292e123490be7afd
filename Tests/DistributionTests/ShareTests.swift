import Distribution
import Leads
import TestSupport
import Testing

/// Who gets how much in the long run, and in every window.
struct ShareTests {
    @Test func `smooth_weighted gives exact shares in every window of the sum of weights`() {
        var generator = SeededGenerator()
        for _ in 0..<50 {
            let weights = (0..<Int.random(in: 1...8, using: &generator)).map { _ in
                Int.random(in: 1...12, using: &generator)
            }
            let (count, sum) = (weights.count, weights.reduce(0, +))
            var distributor = Distributor(
                strategy: .smoothWeighted,
                candidates: weights.enumerated().map { candidate($0 + 1, weight: $1) }
                    + [candidate(count + 1, weight: 50, isActive: false)])
            let excluding = Circumstances(excluded: [count + 2])
            let chosen = (0..<4 * sum).compactMap { _ in distributor.decide(excluding, using: &generator).operatorID }
            for start in 0...(chosen.count - sum) {
                let window = chosen[start..<start + sum]
                #expect((1...count).map { id in window.count { $0 == id } } == weights)
            }
            #expect(distributor.changedCredits.isEmpty)
        }
    }

    @Test func `round_robin gives everybody one turn in every window`() {
        var generator = SeededGenerator()
        for count in 1...40 {
            var distributor = Distributor(
                strategy: .roundRobin,
                candidates: (1...count).map {
                    candidate($0, weight: $0, load: $0 % 4, lastTurn: .random(in: 0...60, using: &generator))
                })
            let chosen = distributor.sequence(of: 4 * count, using: &generator)
            for start in 0...3 * count { #expect(Set(chosen[start..<start + count]).count == count) }
        }
    }

    @Test(arguments: [Strategy.weightedRandom, .weightedCapacity])
    func `the random strategies' shares lie within 4.9 sigma of what they promise`(strategy: Strategy) {
        var generator = SeededGenerator()
        let count = 100_000
        let candidates = [
            candidate(1, weight: 10, load: 7, maxLoad: 10), candidate(2, weight: 30, maxLoad: 2),
            candidate(3, weight: 1, load: 40, maxLoad: 100), candidate(4, weight: 90, isActive: false),
            candidate(5, weight: 9, load: 2, maxLoad: 7),
        ]
        let excluding = Circumstances(excluded: [5])
        let start = Distributor(strategy: strategy, candidates: candidates)
        let shares: [Double] = strategy == .weightedRandom ? [10, 30, 1, 0, 0] : [30, 60, 60, 0, 0]
        var counts: [Int: Int] = [:]
        for _ in 0..<count {
            var distributor = start
            counts[distributor.decide(excluding, using: &generator).operatorID ?? 0, default: 0] += 1
        }
        for (id, share) in zip(1...5, shares) {
            let chance = share / shares.reduce(0, +)
            let sigma = (Double(count) * chance * (1 - chance)).squareRoot()
            #expect(abs(Double(counts[id, default: 0]) - Double(count) * chance) <= 4.9 * sigma, "\(counts)")
        }
    }
}
