import Foundation

/// Durations counted in classes 2 % apart, so that a run without an end needs no more memory than a short one.
struct Latencies: Sendable {
    private(set) var count = 0
    private var counts: [Int: Int] = [:]
    private static let step = log(1.02)
    private static let shortest = 0.00001

    mutating func add(_ seconds: Double) {
        count += 1
        counts[Int(log(max(seconds, Self.shortest) / Self.shortest) / Self.step), default: 0] += 1
    }

    /// The duration, in seconds, that the given fraction does not exceed; nil when there is none.
    func quantile(_ fraction: Double) -> Double? {
        guard count > 0 else { return nil }
        let rank = max(1, Int((fraction * Double(count)).rounded(.up)))
        var passed = 0
        for (index, inClass) in counts.sorted(by: { $0.key < $1.key }) {
            passed += inClass
            if passed >= rank { return Self.shortest * exp((Double(index) + 0.5) * Self.step) }
        }
        return nil
    }
}
