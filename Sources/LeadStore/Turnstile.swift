import DequeModule
import Synchronization

/// Lets a few in at a time; the others wait, but not for ever.
///
/// Lists and reports pass one, so that however many are asked for, registrations find connections. Places that come free go
/// round those who wait, one each in turn, and among what one of them has asked for by order of arrival (round-robin
/// scheduling): whoever asks for a thousand lists has others wait for one of them.
final class Turnstile: Sendable {
    fileprivate struct Waiter {
        let id: Int
        let continuation: CheckedContinuation<Bool, Never>
    }

    fileprivate struct State {
        var free: Int
        /// What each has asked for and waits for, the first first; nobody is in it with nothing.
        var lines: [String: Deque<Waiter>] = [:]
        /// Whose turn it is, one after the other: those of `lines`.
        var turns: Deque<String> = []
        var lastID = 0
    }

    private let state: Mutex<State>
    private let patience: Duration

    init(places: Int, patience: Duration = .seconds(2)) {
        state = Mutex(State(free: places))
        self.patience = patience
    }

    /// Takes a place for ``Reader/current``, to be given back with ``leave()``; false when none came free in time.
    func enter() async -> Bool {
        if state.withLock({ $0.takeFree() }) { return true }
        let reader = Reader.current
        return await withCheckedContinuation { continuation in
            let id = state.withLock { state -> Int? in
                if state.takeFree() { return nil }
                return state.queue(continuation, for: reader)
            }
            guard let id else { return continuation.resume(returning: true) }
            Task {
                try? await Task.sleep(for: patience)
                state.withLock { $0.remove(id, of: reader) }?.continuation.resume(returning: false)
            }
        }
    }

    /// How many wait.
    var waiting: Int { state.withLock { $0.lines.values.reduce(0) { $0 + $1.count } } }

    func leave() {
        let next = state.withLock { state -> Waiter? in
            if let next = state.takeNext() { return next }
            state.free += 1
            return nil
        }
        next?.continuation.resume(returning: true)
    }
}

/// Whom the work of a task is for.
public enum Reader {
    /// Tells one caller from another; empty for the product's own work.
    @TaskLocal public static var current = ""
}

extension Turnstile.State {
    fileprivate mutating func takeFree() -> Bool {
        guard free > 0 else { return false }
        free -= 1
        return true
    }

    fileprivate mutating func queue(_ continuation: CheckedContinuation<Bool, Never>, for reader: String) -> Int {
        lastID += 1
        if lines[reader] == nil { turns.append(reader) }
        lines[reader, default: []].append(Turnstile.Waiter(id: lastID, continuation: continuation))
        return lastID
    }

    fileprivate mutating func takeNext() -> Turnstile.Waiter? {
        guard let reader = turns.popFirst(), let next = lines[reader]?.popFirst() else { return nil }
        if lines[reader]?.isEmpty == true { lines[reader] = nil } else { turns.append(reader) }
        return next
    }

    /// Nil for one who has a place already.
    fileprivate mutating func remove(_ id: Int, of reader: String) -> Turnstile.Waiter? {
        guard let index = lines[reader]?.firstIndex(where: { $0.id == id }) else { return nil }
        let waiter = lines[reader]?.remove(at: index)
        if lines[reader]?.isEmpty == true {
            lines[reader] = nil
            turns.removeAll { $0 == reader }
        }
        return waiter
    }
}
