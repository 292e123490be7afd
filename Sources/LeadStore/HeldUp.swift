import Synchronization

/// What could not be served because somebody held the rows it needs for longer than is waited for, by its number: a source
/// whose operators are held, an operator, a contact, a key. The somebody is a forgotten transaction in a shell, as a rule.
///
/// Until it is served again, or nobody has asked for some seconds, requests for it are kept apart from the others.
final class HeldUp: Sendable {
    private struct State {
        var marks: [Int: ContinuousClock.Instant] = [:]
        var newest = ContinuousClock.now
    }

    private let state = Mutex(State())
    private static let suspicion: Duration = .seconds(5)

    func contains(_ id: Int) -> Bool { contains(anyOf: CollectionOfOne(id)) }

    func contains(anyOf ids: some Collection<Int>) -> Bool {
        state.withLock { state in
            guard !state.marks.isEmpty else { return false }
            let oldest = ContinuousClock.now - Self.suspicion
            guard state.newest > oldest else {
                state.marks = [:]
                return false
            }
            return ids.contains { id in state.marks[id].map { $0 > oldest } ?? false }
        }
    }

    func insert(_ id: Int) {
        state.withLock { state in
            state.newest = .now
            state.marks[id] = state.newest
        }
    }

    func remove(_ id: Int) {
        state.withLock { $0.marks[id] = nil }
    }
}
