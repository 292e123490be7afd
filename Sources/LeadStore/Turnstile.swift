import DequeModule
import Synchronization

/// Lets a few in at a time; the others wait in order, but not for ever.
///
/// Lists and reports pass one, so that however many are asked for, registrations find connections.
final class Turnstile: Sendable {
    fileprivate struct Waiter {
        let id: Int
        let continuation: CheckedContinuation<Bool, Never>
    }

    fileprivate struct State {
        var free: Int
        var waiters: Deque<Waiter> = []
        var lastID = 0
    }

    private let state: Mutex<State>
    private let patience: Duration

    init(places: Int, patience: Duration = .seconds(2)) {
        state = Mutex(State(free: places))
        self.patience = patience
    }

    /// Takes a place, to be given back with ``leave()``; false when none came free in time.
    func enter() async -> Bool {
        if state.withLock({ $0.takeFree() }) { return true }
        return await withCheckedContinuation { continuation in
            let id = state.withLock { state -> Int? in
                if state.takeFree() { return nil }
                state.lastID += 1
                state.waiters.append(Waiter(id: state.lastID, continuation: continuation))
                return state.lastID
            }
            guard let id else { return continuation.resume(returning: true) }
            Task {
                try? await Task.sleep(for: patience)
                turnAway(id)
            }
        }
    }

    func leave() {
        let next = state.withLock { state -> Waiter? in
            if let next = state.waiters.popFirst() { return next }
            state.free += 1
            return nil
        }
        next?.continuation.resume(returning: true)
    }

    private func turnAway(_ id: Int) {
        let waiter = state.withLock { state -> Waiter? in
            state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
        }
        waiter?.continuation.resume(returning: false)
    }
}

extension Turnstile.State {
    fileprivate mutating func takeFree() -> Bool {
        guard free > 0 else { return false }
        free -= 1
        return true
    }
}
