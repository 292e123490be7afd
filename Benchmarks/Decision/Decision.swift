import Distribution
import Foundation
import Leads

/// Measures one decision of the distribution engine: `distribution-decision`.
///
/// Prints a line per strategy: its name and the nanoseconds of processor time a decision takes among 10 operators, each
/// on a distributor of its own; among 10, in batches of 512; among 10 000, in batches of 512. Building the distributor is
/// counted in.
@main
enum DecisionBenchmark {
    static func main() {
        for strategy in Strategy.allCases {
            let columns = [
                nanoseconds(strategy, operators: 10, batch: 1, batches: 200_000),
                nanoseconds(strategy, operators: 10, batch: 512, batches: 1_000),
                nanoseconds(strategy, operators: 10_000, batch: 512, batches: 40),
            ]
            print(strategy.rawValue, columns.map(String.init).joined(separator: " "))
        }
    }

    /// The mean over the batches, of nanoseconds a decision.
    private static func nanoseconds(_ strategy: Strategy, operators: Int, batch: Int, batches: Int) -> Int {
        let candidates = (1...operators).map { id in
            Candidate(
                operatorID: id, weight: 1 + id % 100, load: id % 7, maxLoad: 1_000, isActive: true,
                lastTurn: id * 7919 % operators, lastAssignment: id * 7907 % operators)
        }
        var generator = Weyl()
        var placed = 0
        let begin = processorTime()
        for _ in 0..<batches {
            var distributor = Distributor(strategy: strategy, candidates: candidates)
            for _ in 0..<batch {
                if case .placed = distributor.decide(using: &generator).outcome { placed += 1 }
            }
        }
        let elapsed = processorTime() - begin
        precondition(placed == batch * batches)
        return elapsed / placed
    }

    /// Nanoseconds this process has computed, whatever else the machine does.
    private static func processorTime() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}

/// Costs next to nothing, so that the engine is measured; the system's generator, as in production, adds a system call.
private struct Weyl: RandomNumberGenerator {
    private var state: UInt64 = 0

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return state
    }
}
