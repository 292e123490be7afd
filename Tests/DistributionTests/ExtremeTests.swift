import Distribution
import Leads
import TestSupport
import Testing

/// A trap ends the whole instance, so that nothing may trap, whatever a database or a record holds.
struct ExtremeTests {
    @Test(arguments: Strategy.allCases)
    func `10 000 operators with the greatest weights and limits are decided among`(strategy: Strategy) {
        var generator = SeededGenerator()
        let candidates = (1...10_000).map {
            candidate($0, weight: 1_000_000, credit: $0 == 7 ? 10_000_000_000 : -1_000_000)
        }
        var distributor = Distributor(strategy: strategy, candidates: candidates)
        #expect(distributor.capacity == 10_000_000_000)
        let excluding = Circumstances(excluded: Set(8...5000))
        for _ in 0..<100 {
            let id = distributor.decide(excluding, using: &generator).operatorID
            #expect(id != nil && !excluding.excluded.contains(id!))
        }
        #expect(distributor.capacity == 10_000_000_000 - 100)
        let chances = distributor.considerations(excluding).compactMap(\.probability)
        #expect(chances.isEmpty || abs(chances.reduce(0, +) - 1) < 1e-9)
    }

    @Test(arguments: Strategy.allCases)
    func `hostile numbers do not trap`(strategy: Strategy) {
        var generator = SeededGenerator()
        let numbers = [Int.min, Int.min / 2, -1, 0, 1, 2, 1_000_000, 1_000_001, Int.max / 2, Int.max - 1, Int.max]
        for _ in 0..<500 {
            func number() -> Int { numbers.randomElement(using: &generator)! }
            let candidates = (0..<Int.random(in: 0...30, using: &generator)).map { _ in
                Candidate(
                    operatorID: number(), weight: number(), load: number(), maxLoad: number(),
                    isActive: .random(using: &generator), credit: number(), lastTurn: number(),
                    lastAssignment: number())
            }
            var distributor = Distributor(strategy: strategy, candidates: candidates)
            let ids = distributor.candidates.map(\.operatorID)
            #expect(ids == Set(candidates.map(\.operatorID)).sorted())
            #expect((distributor.capacity > 0) == (distributor.waitingReason() == nil))
            for _ in 0..<40 {
                let circumstances = Circumstances(
                    excluded: Set((0..<Int.random(in: 0...3, using: &generator)).map { _ in number() }),
                    preferred: Circumstances.Preference(
                        operatorID: number(), rule: Decision.Rule.allCases.randomElement(using: &generator)!))
                let capacity = distributor.capacity
                let decision = distributor.decide(circumstances, using: &generator)
                #expect(distributor.capacity == capacity - (decision.operatorID == nil ? 0 : 1))
                _ = distributor.replay(
                    Decision(
                        ordinal: number(),
                        outcome: Bool.random(using: &generator)
                            ? .placed(operatorID: number()) : .waiting(WaitingReason.allCases.randomElement()!),
                        rule: Decision.Rule.allCases.randomElement(using: &generator)!,
                        draw: Bool.random(using: &generator) ? number() : nil, excluded: circumstances.excluded))
                _ = distributor.considerations(circumstances)
            }
            _ = (distributor.changedCredits, distributor.turns, distributor.loadsByOperator)
        }
    }

    @Test func `numbers out of range are brought to the nearest in range`() {
        let low = Candidate(
            operatorID: -1, weight: .min, load: .min, maxLoad: .min, isActive: true, credit: .min, lastTurn: .min,
            lastAssignment: .min)
        #expect(low == candidate(-1, weight: 1, load: 0, maxLoad: 0, credit: -1_000_000_000_000_000))
        let high = Candidate(
            operatorID: .max, weight: .max, load: .max, maxLoad: .max, isActive: true, credit: .max, lastTurn: .max,
            lastAssignment: .max)
        #expect(
            high
                == candidate(
                    .max, weight: 1_000_000, load: Int(Int32.max), maxLoad: 1_000_000, credit: 1_000_000_000_000_000,
                    lastTurn: .max, lastAssignment: .max))
    }
}
