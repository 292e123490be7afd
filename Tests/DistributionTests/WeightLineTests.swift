import Distribution
import Leads
import TestSupport
import Testing

struct WeightLineTests {
    @Test func `draws fall to the active by their weights, and those without room are passed over`() throws {
        var generator = SeededGenerator()
        let candidates = [
            candidate(9, weight: 4), candidate(2, weight: 1), candidate(5, weight: 3, isActive: false),
            candidate(4, weight: 5, load: 7, maxLoad: 7), candidate(7, weight: 10),
        ]
        let line = try #require(WeightLine(candidates))
        #expect(line.total == 20)
        #expect([2, 4, 7, 9].map { line.start(of: $0) } == [0, 1, 6, 16])
        #expect(line.start(of: 5) == nil && line.start(of: 1) == nil && line.start(of: 10) == nil)

        var counts: [Int: Int] = [:]
        let rounds = 30_000
        for _ in 0..<rounds {
            let draws = (0..<20).map { _ in line.draw(using: &generator) }
            for draw in draws {
                let start = try #require(line.start(of: draw.operatorID))
                let weight = try #require(candidates.first { $0.operatorID == draw.operatorID }?.weight)
                #expect((start..<start + weight).contains(draw.position))
            }
            var distributor = distributor(line, candidates, draws)
            var positions = draws.map(\.position)[...]
            counts[distributor.decide(at: &positions)?.operatorID ?? 0, default: 0] += 1
        }
        // Among those with room: 1, 10 and 4 of 15. Five standard deviations of the largest share's count.
        let tolerance = 5 * (Double(rounds) * 10 / 15 * 5 / 15).squareRoot()
        #expect(counts.keys.sorted() == [2, 7, 9])
        for (id, weight) in [(2, 1.0), (7, 10.0), (9, 4.0)] {
            #expect(abs(Double(counts[id] ?? 0) - Double(rounds) * weight / 15) < tolerance, "\(id): \(counts)")
        }
    }

    @Test func `each decision sees the loads the earlier ones left, and comes out the same when it is made again`()
        throws
    {
        var generator = SeededGenerator()
        let candidates = (1...200).map { candidate($0, weight: $0 % 7 + 1, load: $0 % 3, maxLoad: 3) }
        let line = try #require(WeightLine(candidates))
        let draws = (0..<400).map { _ in line.draw(using: &generator) }
        var distributor = distributor(line, candidates, draws)
        var again = distributor
        var positions = draws.map(\.position)[...]
        var decisions: [Decision] = []
        while let decision = distributor.decide(at: &positions) { decisions.append(decision) }
        #expect(positions.isEmpty)
        #expect(decisions.count > 100)
        #expect(distributor.loadsByOperator.values.allSatisfy { $0 <= 3 })
        for decision in decisions {
            let chosen = again.considerations().first { $0.operatorID == decision.operatorID }
            #expect(chosen?.exclusion == nil)
            #expect((chosen?.probability ?? 0) > 0)
            #expect(again.replay(decision) == decision)
        }
        // What is on record of somebody else, or of somebody who is full by now, is not reproduced.
        let last = try #require(decisions.last)
        var full = distributor
        #expect(full.replay(last).operatorID == nil || distributor.loadsByOperator[last.operatorID ?? 0] != 3)
    }

    @Test func `a line without anybody active is none`() {
        #expect(WeightLine([]) == nil)
        #expect(WeightLine([candidate(1, isActive: false)]) == nil)
    }

    private func distributor(
        _ line: WeightLine, _ candidates: [Candidate], _ draws: [WeightLine.Draw]
    ) -> Distributor {
        let ids = Set(draws.map(\.operatorID))
        return Distributor(
            drawn: candidates.filter { ids.contains($0.operatorID) },
            starts: Dictionary(uniqueKeysWithValues: ids.map { ($0, line.start(of: $0) ?? 0) }), total: line.total)
    }
}
