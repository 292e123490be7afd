import Distribution
import Leads
import TestSupport
import Testing

/// What each strategy chooses, worked out by hand.
struct StrategyTests {
    @Test func `the draw falls into the candidates' shares laid end to end`() {
        let candidates = [candidate(2, weight: 30), candidate(1, weight: 10), candidate(3, weight: 5)]
        for (draw, expected) in [(0, 1), (9, 1), (10, 2), (39, 2), (40, 3), (44, 3)] {
            let recorded = Decision(ordinal: 0, outcome: .placed(operatorID: expected), draw: draw)
            var distributor = Distributor(strategy: .weightedRandom, candidates: candidates)
            #expect(distributor.replay(recorded) == recorded)
        }
    }

    @Test func `who is excluded, full or inactive has no stretch`() {
        let candidates = [
            candidate(1, weight: 10), candidate(2, weight: 20), candidate(3, weight: 30, maxLoad: 0),
            candidate(4, weight: 40, isActive: false), candidate(5, weight: 50),
        ]
        for (draw, expected) in [(0, 1), (9, 1), (10, 5), (59, 5)] {
            let recorded = Decision(
                ordinal: 0, outcome: .placed(operatorID: expected), draw: draw, excluded: [2, 3, 99])
            var distributor = Distributor(strategy: .weightedRandom, candidates: candidates)
            #expect(distributor.replay(recorded) == recorded)
        }
    }

    @Test func `free places multiply the weight under weighted_capacity, and shrink with each decision`() {
        let candidates = [candidate(1, weight: 2, maxLoad: 3), candidate(2, weight: 1, load: 6, maxLoad: 10)]
        var distributor = Distributor(strategy: .weightedCapacity, candidates: candidates)
        #expect(distributor.considerations().map(\.probability) == [0.6, 0.4])
        let recorded = Decision(ordinal: 0, outcome: .placed(operatorID: 1), draw: 5)
        #expect(distributor.replay(recorded) == recorded)
        #expect(distributor.considerations().map(\.probability) == [0.5, 0.5])
    }

    @Test(arguments: [
        // nginx's own example.
        ([candidate(1, weight: 5), candidate(2), candidate(3)], [1, 1, 2, 1, 3, 1, 1, 1, 1, 2, 1, 3, 1, 1]),
        ([candidate(3), candidate(2), candidate(1)], [1, 2, 3, 1, 2, 3]),
        ([candidate(1, weight: 3), candidate(2, weight: 2)], [1, 2, 1, 2, 1, 1, 2, 1, 2, 1]),
        // In a pool of weight 2 a credit of 2 is one contact owed, and −2 is one too many had.
        ([candidate(1), candidate(2, credit: 2)], [2, 1, 2, 1, 2]),
        ([candidate(1, credit: 2), candidate(2, credit: -2)], [1, 1, 1, 2, 1, 2]),
        // Who is full or inactive takes no part.
        ([candidate(1, weight: 5, maxLoad: 2), candidate(2), candidate(3)], [1, 1, 2, 3, 2, 3]),
        ([candidate(1, weight: 5, isActive: false, credit: 99), candidate(2), candidate(3)], [2, 3, 2, 3]),
    ])
    func `smooth_weighted spreads turns evenly`(candidates: [Candidate], expected: [Int]) {
        var generator = SeededGenerator()
        var distributor = Distributor(strategy: .smoothWeighted, candidates: candidates)
        #expect(distributor.sequence(of: expected.count, using: &generator) == expected)
    }

    @Test func `beside a heavy candidate that becomes full, the light ones go on in turn`() {
        var generator = SeededGenerator()
        var distributor = Distributor(
            strategy: .smoothWeighted,
            candidates: [
                candidate(1, maxLoad: 100), candidate(2, maxLoad: 100), candidate(3, weight: 1000, maxLoad: 501),
            ])
        let before = distributor.sequence(of: 502, using: &generator)
        #expect(before.count { $0 == 3 } == 501)
        let after = distributor.sequence(of: 20, using: &generator)
        for start in 4..<18 { #expect(Set(after[start...start + 2]) == [1, 2], "\(after)") }
    }

    @Test func `credits continue from one batch to the next, and who takes no part neither gains nor pays`() {
        var generator = SeededGenerator()
        var distributor = Distributor(
            strategy: .smoothWeighted,
            candidates: [
                candidate(1, weight: 5), candidate(2), candidate(3), candidate(4, isActive: false, credit: 8),
                candidate(5, credit: -3),
            ])
        #expect(distributor.changedCredits.isEmpty)
        let without = Circumstances(excluded: [5])
        #expect(distributor.decide(without, using: &generator).operatorID == 1)
        #expect(distributor.changedCredits.map(\.operatorID) == [1, 2, 3])
        #expect(distributor.changedCredits.map(\.credit) == [-2, 1, 1])
        _ = distributor.decide(.preferring(3), using: &generator)
        #expect(distributor.changedCredits.map(\.credit) == [-2, 1, 1])
        _ = distributor.joinQueue()
        let next = (0..<6).map { _ in distributor.decide(without, using: &generator).operatorID }
        #expect(next == [1, 2, 1, 3, 1, 1])
        #expect(distributor.changedCredits.isEmpty)
    }

    @Test(arguments: [
        ([candidate(3), candidate(1), candidate(2)], [1, 2, 3, 1, 2, 3]),
        ([candidate(1, lastTurn: 30), candidate(2, lastTurn: 10), candidate(3, lastTurn: 20)], [2, 3, 1, 2, 3, 1]),
        (
            [candidate(1, lastTurn: 7), candidate(2), candidate(3, lastTurn: 5), candidate(4)],
            [2, 4, 3, 1, 2, 4, 3, 1]
        ),
        ([candidate(1, lastTurn: .max), candidate(2, lastTurn: 1)], [2, 1, 2, 1]),
        ([candidate(1, maxLoad: 2), candidate(2, isActive: false), candidate(3)], [1, 3, 1, 3, 3, 3]),
        // Weight, load and idleness have no say.
        ([candidate(1, weight: 9, load: 5, lastAssignment: 9), candidate(2)], [1, 2, 1, 2]),
    ])
    func `round_robin takes whose turn is longest ago`(candidates: [Candidate], expected: [Int]) {
        var generator = SeededGenerator()
        var distributor = Distributor(strategy: .roundRobin, candidates: candidates)
        #expect(distributor.sequence(of: expected.count, using: &generator) == expected)
    }

    @Test func `an automatic assignment is a turn, one by hand is none, and an excluded operator keeps its turn`() {
        var generator = SeededGenerator()
        var distributor = Distributor(strategy: .roundRobin, candidates: (1...4).map { candidate($0) })
        let circumstances: [(Circumstances, Int)] = [
            (.preferring(3, .returned), 3), (Circumstances(excluded: [1]), 2), (Circumstances(), 1),
            (.preferring(3), 3), (Circumstances(), 4),
        ]
        for (circumstances, expected) in circumstances {
            #expect(distributor.decide(circumstances, using: &generator).operatorID == expected)
        }
        #expect(distributor.turns == [2, 1, 3, 4])
        let byHand = Decision(ordinal: 5, outcome: .placed(operatorID: 2), rule: .manual, draw: nil)
        #expect(distributor.replay(byHand) == byHand)
        #expect(distributor.turns == [2, 1, 3, 4])
        #expect(distributor.sequence(of: 4, using: &generator) == [2, 1, 3, 4])
    }

    @Test(arguments: [
        // The smallest load, whatever the rest.
        ([candidate(1, load: 2), candidate(2, load: 1, maxLoad: 9, lastAssignment: 5)], [2, 1, 2]),
        // Then the largest capacity.
        ([candidate(1, maxLoad: 5), candidate(2, maxLoad: 6, lastAssignment: 5)], [2, 1, 2, 1]),
        // Then the longest idle, never having had anything being longest.
        (
            [
                candidate(1, maxLoad: 5, lastAssignment: .max), candidate(2, maxLoad: 5),
                candidate(3, maxLoad: 5, lastAssignment: 3), candidate(4, maxLoad: 5, lastAssignment: 2),
            ], [2, 4, 3, 1, 2, 4, 3, 1]
        ),
        ([candidate(1, load: 3), candidate(2, maxLoad: 1), candidate(3, isActive: false)], [2, 1, 1]),
    ])
    func `least_loaded takes the smallest load, then the largest capacity, then the longest idle`(
        candidates: [Candidate], expected: [Int]
    ) {
        var generator = SeededGenerator()
        var distributor = Distributor(strategy: .leastLoaded, candidates: candidates)
        #expect(distributor.sequence(of: expected.count, using: &generator) == expected)
    }

    @Test(arguments: [
        // 1/2, 2/3, 3/5 free.
        (
            [
                candidate(1, load: 1, maxLoad: 2), candidate(2, load: 1, maxLoad: 3),
                candidate(3, load: 2, maxLoad: 5),
            ], [2, 3, 1, 3, 2, 3, 0]
        ),
        // Equal parts: the largest capacity.
        ([candidate(1, load: 1, maxLoad: 2), candidate(2, load: 2, maxLoad: 4, lastAssignment: 9)], [2, 1, 2, 0]),
        // Equal parts and capacity: the longest idle.
        (
            [
                candidate(1, load: 1, maxLoad: 3, lastAssignment: 2), candidate(2, load: 1, maxLoad: 3),
                candidate(3, load: 1, maxLoad: 3, lastAssignment: 1),
            ], [2, 3, 1, 2, 3, 1, 0]
        ),
        // 999 999/1 000 000 and 999 998/999 999 are no tie.
        ([candidate(1, load: 1, maxLoad: 999_999), candidate(2, load: 1, lastAssignment: 9)], [2, 1]),
    ])
    func `most_free takes the largest part free, then the largest capacity, then the longest idle`(
        candidates: [Candidate], expected: [Int]
    ) {
        var generator = SeededGenerator()
        var distributor = Distributor(strategy: .mostFree, candidates: candidates)
        #expect(distributor.sequence(of: expected.count, using: &generator) == expected)
    }

    @Test(arguments: [Strategy.leastLoaded, .mostFree])
    func `perfect ties go to everybody alike, in one order a batch that its draw decides`(strategy: Strategy) {
        var generator = SeededGenerator()
        let count = 10_000
        let candidates = (1...5).map { candidate($0) }
        var firsts: [Int: Int] = [:]
        var seconds: [Int: Int] = [:]
        for _ in 0..<count {
            var distributor = Distributor(strategy: strategy, candidates: candidates)
            let decisions = (0..<5).map { _ in distributor.decide(using: &generator) }
            let order = decisions.compactMap(\.operatorID)
            #expect(Set(order) == [1, 2, 3, 4, 5])
            #expect(Set(decisions.map(\.draw)).count == 1 && decisions[0].draw! >= 0)
            #expect(distributor.sequence(of: 5, using: &generator) == order, "who was first is idle longest")
            firsts[order[0], default: 0] += 1
            seconds[order[1], default: 0] += 1
        }
        let sigma = (Double(count) * 0.2 * 0.8).squareRoot()
        for id in 1...5 {
            #expect(abs(Double(firsts[id, default: 0]) - 0.2 * Double(count)) <= 4.9 * sigma, "\(firsts)")
            #expect(abs(Double(seconds[id, default: 0]) - 0.2 * Double(count)) <= 4.9 * sigma, "\(seconds)")
        }
    }
}
