import Synchronization

/// What could not be served because somebody held the rows it needs for longer than is waited for, by its number: a source
/// whose operators are held, an operator, a contact, a key. The somebody is a forgotten transaction in a shell, as a rule.
///
/// Until it is served again, or nobody has asked for some seconds, requests for it are kept apart from the others.
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

    func contains(anyOf ids: [Int]) -> Bool {
        marks.withLock { !$0.isEmpty } && ids.contains(where: contains)
    }

    func insert(_ id: Int) {
        marks.withLock { $0[id] = .now }
    }

    func remove(_ id: Int) {
        marks.withLock { $0[id] = nil }
    }
}
