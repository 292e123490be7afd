import Distribution
import Leads
import TestSupport
import Testing

/// What holds for every strategy: gates, preferences, reasons, figures.
struct DistributorTests {
    private struct Case {
        let candidates: [Candidate]
        var excluded: Set<Int> = []
        let reason: WaitingReason?
    }

    @Test func `nobody eligible has a reason, the first that fits`() {
        var generator = SeededGenerator()
        let cases = [
            Case(candidates: [], reason: .noOperators),
            Case(candidates: [candidate(1, isActive: false)], excluded: [1], reason: .allInactive),
            Case(candidates: [candidate(1, load: 1, maxLoad: 1)], excluded: [1], reason: .allAtLimit),
            Case(
                candidates: [candidate(1, maxLoad: 1, isActive: false), candidate(2, load: 9, maxLoad: 5)],
                reason: .allAtLimit),
            Case(
                candidates: [candidate(1), candidate(2, isActive: false), candidate(3, maxLoad: 0)], excluded: [1],
                reason: .excluded),
            Case(candidates: [candidate(1), candidate(2)], excluded: [1, 2, 3], reason: .excluded),
            Case(candidates: [candidate(1), candidate(2)], excluded: [2, 3], reason: nil),
            Case(candidates: [candidate(1)], reason: nil),
        ]
        for (number, strategy) in (0..<cases.count).flatMap({ number in Strategy.allCases.map { (number, $0) } }) {
            let (candidates, excluded) = (cases[number].candidates, cases[number].excluded)
            let circumstances = Circumstances(
                excluded: excluded, preferred: Circumstances.Preference(operatorID: 7, rule: .sticky))
            var distributor = Distributor(strategy: strategy, candidates: candidates)
            #expect(distributor.waitingReason(circumstances) == cases[number].reason, "case \(number)")
            let decision = distributor.decide(circumstances, using: &generator)
            guard let reason = cases[number].reason else {
                #expect(decision.operatorID == 1 && decision.excluded == excluded, "case \(number)")
                continue
            }
            #expect(decision == Decision(ordinal: 0, outcome: .waiting(reason), draw: nil, excluded: excluded))
            #expect(distributor.loadsByOperator.values.reduce(0, +) == candidates.reduce(0) { $0 + $1.load })
        }
    }

    @Test(arguments: Strategy.allCases)
    func `a preferred operator comes before the strategy, without a draw, when it is eligible`(strategy: Strategy) {
        var generator = SeededGenerator()
        var distributor = Distributor(
            strategy: strategy,
            candidates: [
                candidate(1, weight: 1000, maxLoad: 1000), candidate(2, load: 5, maxLoad: 7, lastTurn: 9),
                candidate(3, isActive: false),
            ])
        for (ordinal, rule) in [Decision.Rule.sticky, .returned].enumerated() {
            let decision = distributor.decide(.preferring(2, rule), using: &generator)
            #expect(decision == Decision(ordinal: ordinal, outcome: .placed(operatorID: 2), rule: rule, draw: nil))
        }
        #expect(distributor.loadsByOperator == [1: 0, 2: 7, 3: 0])
        for ineligible in 2...4 {
            let decision = distributor.decide(.preferring(ineligible), using: &generator)
            #expect(decision.operatorID == 1 && decision.rule == .strategy)
        }
        var excluding = Circumstances.preferring(1)
        excluding.excluded = [1]
        #expect(distributor.decide(excluding, using: &generator).outcome == .waiting(.excluded))
    }

    @Test(arguments: [Strategy.leastLoaded, .mostFree])
    func `a preferred operator grows in load and is idle no more`(strategy: Strategy) {
        var generator = SeededGenerator()
        var distributor = Distributor(strategy: strategy, candidates: (1...3).map { candidate($0, maxLoad: 10) })
        _ = distributor.decide(.preferring(2), using: &generator)
        let others = Set(distributor.sequence(of: 2, using: &generator))
        #expect(others == [1, 3])
        #expect(distributor.sequence(of: 1, using: &generator) == [2])
    }

    @Test(arguments: Strategy.allCases)
    func `joining the queue changes nothing but the ordinal`(strategy: Strategy) {
        var generator = SeededGenerator(seed: 1)
        var undisturbed = Distributor(strategy: strategy, candidates: (1...5).map { candidate($0, weight: $0) })
        var distributor = undisturbed
        #expect(
            distributor.joinQueue() == Decision(ordinal: 0, outcome: .waiting(.behindQueue), rule: .queue, draw: nil))
        #expect(distributor.loadsByOperator == undisturbed.loadsByOperator)
        #expect(distributor.turns.isEmpty && distributor.changedCredits.isEmpty)
        let sequence = distributor.sequence(of: 50, using: &generator)
        generator = SeededGenerator(seed: 1)
        #expect(undisturbed.sequence(of: 50, using: &generator) == sequence)
        #expect(distributor.joinQueue().ordinal == 51)
    }

    @Test(arguments: Strategy.allCases)
    func `considerations tell each candidate's figures, exclusion and chance`(strategy: Strategy) {
        var generator = SeededGenerator()
        var distributor = Distributor(
            strategy: strategy,
            candidates: [
                candidate(4, weight: 6, load: 1, maxLoad: 3), candidate(1, weight: 3, maxLoad: 4),
                candidate(2, weight: 5, load: 2, maxLoad: 2), candidate(3, weight: 7, maxLoad: 9, isActive: false),
                candidate(5, weight: 8, maxLoad: 9),
            ])
        _ = distributor.decide(.preferring(1), using: &generator)
        let chances: [Double?] =
            switch strategy {
            case .weightedRandom: [3 / 9, 0, 0, 6 / 9, 0]
            case .weightedCapacity: [9 / 21, 0, 0, 12 / 21, 0]
            default: [nil, nil, nil, nil, nil]
            }
        let exclusions: [Exclusion?] = [nil, .atLimit, .inactive, nil, .released]
        let figures = [(1, 3, 1, 4), (2, 5, 2, 2), (3, 7, 0, 9), (4, 6, 1, 3), (5, 8, 0, 9)]
        #expect(
            distributor.considerations(Circumstances(excluded: [2, 3, 5]))
                == zip(figures, zip(exclusions, chances)).map { figures, rest in
                    Consideration(
                        operatorID: figures.0, weight: figures.1, load: figures.2, maxLoad: figures.3,
                        exclusion: rest.0, probability: rest.1)
                })
        let nobody = distributor.considerations(Circumstances(excluded: [1, 2, 3, 4, 5])).compactMap(\.probability)
        #expect(nobody.allSatisfy { $0 == 0 })
    }

    @Test func `who released a contact is excluded from it until everybody has`() {
        #expect(Exclusion.effective(releasedBy: [], configured: [1, 2]) == [])
        #expect(Exclusion.effective(releasedBy: [], configured: []) == [])
        #expect(Exclusion.effective(releasedBy: [1], configured: [1, 2]) == [1])
        #expect(Exclusion.effective(releasedBy: [2, 1, 2], configured: [1, 2, 3]) == [1, 2])
        #expect(Exclusion.effective(releasedBy: [2, 1], configured: [1, 2]) == [])
        #expect(Exclusion.effective(releasedBy: [2, 1, 9], configured: [1, 2]) == [])
        #expect(Exclusion.effective(releasedBy: [1], configured: CollectionOfOne(1)) == [])
    }
}
