import DequeModule
import Synchronization

/// The connections that are open, and which of them may be closed when others need their places.
///
/// A connection that keeps us waiting gives its place to one that has just come: first one whose caller is slow with its
/// request or with taking the answer, then one on which nothing has been asked yet, then an idle one; of each kind the one
/// that has been so for longest. So thousands of slow callers keep nobody out, and whoever asks and takes without delay is
/// never closed for somebody else.
final class OpenConnections: Sendable {
    /// How a connection uses its place, in the order in which they give way.
    enum Use: CaseIterable {
        /// Its caller keeps us waiting.
        case stalled
        /// It has just come, and nothing has been asked on it.
        case silent
        /// All that was asked on it is answered.
        case idle
        /// All others: these keep their places.
        case working
    }

    /// What comes of asking for a place.
    enum Answer {
        /// The connection's number.
        case place(Int)
        /// All places are taken by connections at work.
        case none
    }

    /// Connections of one use, in the order in which they came to it.
    private struct Line {
        private var closes: [Int: @Sendable () -> Void] = [:]
        /// Their numbers, some of which are not in the line any more.
        private var order: Deque<Int> = []

        mutating func append(_ number: Int, _ close: @escaping @Sendable () -> Void) {
            closes[number] = close
            if order.count > 2 * closes.count + 64 { order.removeAll { closes[$0] == nil } }
            order.append(number)
        }

        mutating func remove(_ number: Int) -> (@Sendable () -> Void)? { closes.removeValue(forKey: number) }

        mutating func popFirst() -> (number: Int, close: @Sendable () -> Void)? {
            while let number = order.popFirst() {
                if let close = closes.removeValue(forKey: number) { return (number, close) }
            }
            return nil
        }
    }

    private struct State {
        /// The use of those that have a place.
        var uses: [Int: Use] = [:]
        var lastNumber = 0
        var lines: [Use: Line] = [.stalled: Line(), .silent: Line(), .idle: Line(), .working: Line()]

        mutating func displace() -> (@Sendable () -> Void)? {
            for use in Use.allCases where use != .working {
                guard let (number, close) = lines[use]?.popFirst() else { continue }
                uses[number] = nil
                return close
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
            if state.uses.count >= limit {
                displaced = state.displace()
                guard displaced != nil else { return (.none, nil) }
            }
            state.lastNumber += 1
            state.uses[state.lastNumber] = .silent
            state.lines[.silent]?.append(state.lastNumber, close)
            return (.place(state.lastNumber), displaced)
        }
        displaced?()
        return answer
    }

    /// Says how a connection uses its place from now on. One that has lost it is about to be closed.
    func use(_ number: Int, as use: Use) {
        state.withLock { state in
            guard let former = state.uses[number], former != use, let close = state.lines[former]?.remove(number) else {
                return
            }
            state.uses[number] = use
            state.lines[use]?.append(number, close)
        }
    }

    /// Gives back the place of a connection that has closed.
    func leave(_ number: Int) {
        state.withLock { state in
            guard let use = state.uses.removeValue(forKey: number) else { return }
            _ = state.lines[use]?.remove(number)
        }
    }
}
