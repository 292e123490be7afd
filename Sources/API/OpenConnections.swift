import DequeModule
import Synchronization

/// The connections that are open, and which of them may be closed when others need their places.
///
/// A connection on which nothing has been asked yet gives its place to one that has just come: thousands that say nothing
/// keep nobody out.
final class OpenConnections: Sendable {
    /// What comes of asking for a place.
    enum Answer {
        /// The connection's number.
        case place(Int)
        /// All places are taken by connections at work.
        case none
    }

    private struct State {
        var count = 0
        var lastNumber = 0
        /// Those on which nothing has been asked, with what closes them.
        var silent: [Int: @Sendable () -> Void] = [:]
        /// Their numbers, the oldest first, some of which are not silent any more.
        var order: Deque<Int> = []

        mutating func takeOldestSilent() -> (@Sendable () -> Void)? {
            while let number = order.popFirst() {
                if let close = silent.removeValue(forKey: number) { return close }
            }
            return nil
        }
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) {
        self.limit = limit
    }

    /// Asks for a place for a connection that has been accepted; ``leave(_:)`` gives it back.
    /// - Parameter close: closes it, from any thread.
    func enter(_ close: @escaping @Sendable () -> Void) -> Answer {
        let (answer, displaced) = state.withLock { state -> (Answer, (@Sendable () -> Void)?) in
            var displaced: (@Sendable () -> Void)?
            if state.count >= limit {
                displaced = state.takeOldestSilent()
                guard displaced != nil else { return (.none, nil) }
                // The place goes from one to the other; `leave` of the first finds it gone.
                state.count -= 1
            }
            state.count += 1
            state.lastNumber += 1
            state.silent[state.lastNumber] = close
            if state.order.count > 2 * state.silent.count + 64 {
                state.order.removeAll { state.silent[$0] == nil }
            }
            state.order.append(state.lastNumber)
            return (.place(state.lastNumber), displaced)
        }
        displaced?()
        return answer
    }

    /// Says that something was asked on a connection: its place is its own from now on.
    /// - Returns: false when the place has been given away.
    func settle(_ number: Int) -> Bool {
        state.withLock { $0.silent.removeValue(forKey: number) != nil }
    }

    /// Gives back the place of a connection that has closed.
    /// - Parameter isSettled: whether ``settle(_:)`` said so.
    func leave(_ number: Int, isSettled: Bool) {
        state.withLock { state in
            if isSettled || state.silent.removeValue(forKey: number) != nil { state.count -= 1 }
        }
    }
}
