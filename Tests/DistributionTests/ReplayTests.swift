import Distribution
import Leads
import TestSupport
import Testing

/// A stored decision can be reached again, and one that was tampered with cannot.
struct ReplayTests {
    @Test(arguments: Strategy.allCases)
    func `replaying gives equal decisions, whatever the circumstances were`(strategy: Strategy) {
        var generator = SeededGenerator()
        for _ in 0..<300 {
            let count = Int.random(in: 1...9, using: &generator)
            let candidates = [Candidate].random(count, using: &generator)
            var distributor = Distributor(strategy: strategy, candidates: candidates)
            let decisions = (0..<40).map { ordinal in
                switch Int.random(in: 0..<10, using: &generator) {
                case 0: distributor.joinQueue()
                case 1:
                    distributor.replay(
                        Decision(
                            ordinal: ordinal,
                            outcome: .placed(operatorID: .random(in: 1...count + 1, using: &generator)),
                            rule: .forced, draw: nil))
                default: distributor.decide(.random(among: count, using: &generator), using: &generator)
                }
            }
            var replay = Distributor(strategy: strategy, candidates: distributor.candidates)
            #expect(decisions.map { replay.replay($0) } == decisions)
            #expect(replay.loadsByOperator == distributor.loadsByOperator)
            #expect(replay.changedCredits.map(\.credit) == distributor.changedCredits.map(\.credit))
            #expect(replay.turns == distributor.turns)
        }
    }

    @Test(arguments: Strategy.allCases)
    func `a record that does not fit gives a decision that differs`(strategy: Strategy) {
        var generator = SeededGenerator()
        let candidates = [
            candidate(1, weight: 2, maxLoad: 5), candidate(2, weight: 3, maxLoad: 5), candidate(3, isActive: false),
            candidate(4, load: 3, maxLoad: 3),
        ]
        var distributor = Distributor(strategy: strategy, candidates: candidates)
        let made = (0..<3).map { _ in distributor.decide(using: &generator) }
        let decision = distributor.decide(using: &generator)
        func differs(_ record: Decision) -> Bool {
            var replay = Distributor(strategy: strategy, candidates: candidates)
            for earlier in made { _ = replay.replay(earlier) }
            return replay.replay(record) != record
        }
        func record(
            ordinal: Int = 3, _ outcome: Decision.Outcome, _ rule: Decision.Rule = .strategy, draw: Int?,
            excluded: Set<Int> = []
        ) -> Decision {
            Decision(ordinal: ordinal, outcome: outcome, rule: rule, draw: draw, excluded: excluded)
        }
        #expect(!differs(decision))
        #expect(differs(record(ordinal: 4, decision.outcome, draw: decision.draw)))
        for other in 1...5 where other != decision.operatorID {
            #expect(differs(record(.placed(operatorID: other), draw: decision.draw)))
        }
        for reason in WaitingReason.allCases {
            #expect(differs(record(.waiting(reason), draw: decision.draw)))
            #expect(differs(record(.waiting(reason), draw: nil)))
            for rule in Decision.Rule.allCases where rule != .queue || reason != .behindQueue {
                #expect(differs(record(.waiting(reason), rule, draw: nil)))
            }
        }
        for draw in [-1, .min, .max, decision.draw == nil ? 0 : nil] {
            #expect(differs(record(decision.outcome, draw: draw)))
        }
        for rule in [Decision.Rule.sticky, .returned, .manual] {
            for ineligible in [3, 4] {
                #expect(differs(record(.placed(operatorID: ineligible), rule, draw: decision.draw)))
            }
            #expect(differs(record(.placed(operatorID: 1), rule, draw: 0)))
            #expect(!differs(record(.placed(operatorID: 1), rule, draw: nil)))
        }
        #expect(differs(record(.placed(operatorID: 5), .sticky, draw: nil)))
        #expect(differs(record(.placed(operatorID: 1), .sticky, draw: nil, excluded: [1])))
        #expect(differs(record(.placed(operatorID: 1), .queue, draw: nil)))
        #expect(differs(record(.waiting(.behindQueue), .queue, draw: 0)))
        #expect(differs(record(.placed(operatorID: 1), draw: decision.draw, excluded: [1])))
    }

    @Test(arguments: Strategy.allCases)
    func `a choice made by hand is followed, over limit and inactivity when it was forced`(strategy: Strategy) {
        let candidates = [
            candidate(1, maxLoad: 2), candidate(2, isActive: false), candidate(3, load: 3, maxLoad: 3),
        ]
        var distributor = Distributor(strategy: strategy, candidates: candidates)
        let records = [(1, Decision.Rule.manual), (9, .manual), (2, .forced), (3, .forced), (9, .forced)]
        for (ordinal, (id, rule)) in records.enumerated() {
            let record = Decision(
                ordinal: ordinal, outcome: .placed(operatorID: id), rule: rule, draw: nil, excluded: [id])
            #expect(distributor.replay(record) == record)
        }
        #expect(distributor.loadsByOperator == [1: 1, 2: 1, 3: 4])
        #expect(distributor.capacity == 1)
    }
}
