import Synchronization

/// Sources that could not be served because somebody held their operators' rows for longer than is waited for: a forgotten
/// transaction in a shell, as a rule.
///
/// Until one is served again, or nobody has asked for some seconds, its requests are kept apart from those of the others.
final class HeldSources: Sendable {
    private let marks = Mutex<[Int: ContinuousClock.Instant]>([:])
    private static let suspicion: Duration = .seconds(5)

    func contains(_ sourceID: Int) -> Bool {
        marks.withLock { marks in
            guard let mark = marks[sourceID] else { return false }
            if ContinuousClock.now - mark < Self.suspicion { return true }
            marks[sourceID] = nil
            return false
        }
    }

    func insert(_ sourceID: Int) {
        marks.withLock { $0[sourceID] = .now }
    }

    func remove(_ sourceID: Int) {
        marks.withLock { $0[sourceID] = nil }
    }
}
