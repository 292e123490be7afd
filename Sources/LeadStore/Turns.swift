import DequeModule
import Synchronization

/// Lets the lane of registrations and that of closings go one after the other.
///
/// Both want the same operators' rows, and side by side each would wait for the other at the server, over a connection of its
/// own. A batch that waits here is put together when its turn comes. Whoever has the turn may be kept waiting by somebody's
/// lock, so nobody waits here for longer than a moment.
final class Turns: Sendable {
    private struct State {
        var isTaken = false
        var waiting: Deque<(number: Int, continuation: CheckedContinuation<Bool, Never>)> = []
        var lastNumber = 0
    }

    private let state = Mutex(State())
    private let patience: Duration

    /// - Parameter patience: several times what a transaction takes.
    init(patience: Duration = .milliseconds(50)) {
        self.patience = patience
    }

    /// How many wait.
    var waiting: Int { state.withLock { $0.waiting.count } }

    /// Waits for the turn.
    /// - Returns: whether it has it, and is to give it back; otherwise whoever has it keeps it for long.
    func take() async -> Bool {
        var impatience: Task<Void, Never>?
        defer { impatience?.cancel() }
        return await withCheckedContinuation { continuation in
            let number = state.withLock { state -> Int? in
                guard state.isTaken else {
                    state.isTaken = true
                    return nil
                }
                state.lastNumber += 1
                state.waiting.append((state.lastNumber, continuation))
                return state.lastNumber
            }
            guard let number else { return continuation.resume(returning: true) }
            impatience = Task {
                guard (try? await Task.sleep(for: patience)) != nil else { return }
                goOnWithout(number)
            }
        }
    }

    func giveBack() {
        let next = state.withLock { state in
            let next = state.waiting.popFirst()
            state.isTaken = next != nil
            return next
        }
        next?.continuation.resume(returning: true)
    }

    private func goOnWithout(_ number: Int) {
        let waiter = state.withLock { state in
            state.waiting.firstIndex { $0.number == number }.map { state.waiting.remove(at: $0) }
        }
        waiter?.continuation.resume(returning: false)
    }
}
