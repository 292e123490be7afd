import Synchronization

/// Sources that could not be served because somebody held their operators' rows for longer than is waited for: a forgotten
/// transaction in a shell, as a rule.
///
/// Until one is served again, or nobody has asked for some seconds, its requests are kept apart from those of the others.
final class HeldUp: Sendable {
    private let marks = Mutex<[Int: ContinuousClock.Instant]>([:])
    private static let suspicion: Duration = .seconds(5)

    func contains(_ id: Int) -> Bool {
        marks.withLock { marks in
            guard let mark = marks[id] else { return false }
            if ContinuousClock.now - mark < Self.suspicion { return true }
            marks[id] = nil
            return false
        }
    }

    func insert(_ id: Int) {
        marks.withLock { $0[id] = .now }
    }

    func remove(_ id: Int) {
        marks.withLock { $0[id] = nil }
    }
}
