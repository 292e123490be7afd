import Distribution
import Leads
import TestSupport
import Testing

/// Random pools and circumstances, each decision checked against the definitions.
struct NaiveDistributorTests {
    @Test(arguments: Strategy.allCases)
    func `every decision is one that the definition allows`(strategy: Strategy) {
        var generator = SeededGenerator()
        for _ in 0..<1_500 {
            let count = Int.random(in: 1...12, using: &generator)
            let candidates = [Candidate].random(count, using: &generator)
            var distributor = Distributor(strategy: strategy, candidates: candidates)
            var naive = NaiveDistributor(strategy: strategy, candidates: candidates)
            var seed: Int?
            let length = distributor.capacity + 5
            for ordinal in 0..<length {
                let circumstances = Circumstances.random(among: count, using: &generator)
                let choices = naive.choices(circumstances)
                let reason = distributor.waitingReason(circumstances)
                let decision = distributor.decide(circumstances, using: &generator)
                #expect(decision.ordinal == ordinal && decision.excluded == circumstances.excluded)
                if let id = decision.operatorID {
                    #expect(choices.contains(id) && reason == nil)
                    let isPreferred = circumstances.preferred.map { choices == [$0.operatorID] && $0.operatorID == id }
                    switch decision.rule {
                    case .strategy:
                        switch strategy {
                        case .weightedRandom, .weightedCapacity:
                            #expect(naive.stretch(at: decision.draw ?? -1, circumstances) == id)
                        case .smoothWeighted, .roundRobin:
                            #expect(decision.draw == nil)
                        case .leastLoaded, .mostFree:
                            #expect(decision.draw != nil && decision.draw == seed ?? decision.draw)
                            seed = decision.draw
                        }
                    case .sticky, .returned:
                        #expect(isPreferred == true && decision.rule == circumstances.preferred?.rule)
                        #expect(decision.draw == nil)
                    default: Issue.record("\(decision)")
                    }
                } else {
                    #expect(choices.isEmpty && decision.outcome == reason.map { .waiting($0) })
                    #expect(decision.draw == nil && decision.rule == .strategy)
                }
                naive.record(decision, circumstances)
                #expect(distributor.capacity == naive.members.reduce(0) { $0 + $1.capacity })
            }
            for member in naive.members {
                #expect(distributor.loadsByOperator[member.id] == member.load)
                if member.candidate.isActive {
                    #expect(member.load <= max(member.candidate.maxLoad, member.candidate.load))
                } else {
                    #expect(member.load == member.candidate.load)
                }
            }
            guard strategy == .smoothWeighted || strategy == .roundRobin else { continue }
            let changed = naive.members.filter { $0.credit != $0.candidate.credit }
            #expect(strategy == .roundRobin || distributor.changedCredits.map(\.operatorID) == changed.map(\.id))
            #expect(strategy == .roundRobin || distributor.changedCredits.map(\.credit) == changed.map(\.credit))
            let turns = naive.members.filter { $0.lastTurn.0 == .max }.sorted { $0.lastTurn.1 < $1.lastTurn.1 }
            #expect(strategy == .smoothWeighted || distributor.turns == turns.map(\.id))
        }
    }

    @Test(arguments: [Strategy.leastLoaded, .mostFree])
    func `ties are broken by one order throughout a batch`(strategy: Strategy) {
        var generator = SeededGenerator()
        for _ in 0..<300 {
            let count = Int.random(in: 2...9, using: &generator)
            let candidates = (1...count).map { candidate($0, load: $0 % 3, maxLoad: 20, lastAssignment: 1) }
            var distributor = Distributor(strategy: strategy, candidates: candidates)
            var naive = NaiveDistributor(strategy: strategy, candidates: candidates)
            var order: [Int: Set<Int>] = [:]
            for _ in 0..<distributor.capacity {
                let choices = naive.choices(Circumstances())
                let decision = distributor.decide(using: &generator)
                guard let id = decision.operatorID else { continue }
                order[id, default: []].formUnion(choices.subtracting([id]))
                #expect(choices.allSatisfy { order[$0]?.contains(id) != true })
                naive.record(decision, Circumstances())
            }
        }
    }
}
