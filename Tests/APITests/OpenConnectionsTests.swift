import Synchronization
import Testing

@testable import API

struct OpenConnectionsTests {
    private final class Closed: Sendable {
        private let names = Mutex<[String]>([])
        func close(_ name: String) -> @Sendable () -> Void { { self.names.withLock { $0.append(name) } } }
        var all: [String] { names.withLock { $0 } }
    }

    @Test func `those that say nothing make room, the oldest first, and those at work do not`() throws {
        let connections = OpenConnections(limit: 3)
        let closed = Closed()
        func enter(_ name: String) -> Int? {
            guard case .place(let number) = connections.enter(closed.close(name)) else { return nil }
            return number
        }
        let (a, b, c) = (try #require(enter("a")), try #require(enter("b")), try #require(enter("c")))
        #expect(connections.settle(b))
        let d = try #require(enter("d"))
        #expect(closed.all == ["a"])
        #expect(!connections.settle(a), "its place is gone")
        connections.leave(a, isSettled: false)
        let e = try #require(enter("e"))
        #expect(closed.all == ["a", "c"])
        connections.leave(c, isSettled: false)
        #expect(connections.settle(d) && connections.settle(e))
        #expect(enter("f") == nil && closed.all == ["a", "c"])
        connections.leave(b, isSettled: true)
        let g = try #require(enter("g"))
        #expect(enter("h") != nil && closed.all == ["a", "c", "g"])
        connections.leave(g, isSettled: false)
        connections.leave(d, isSettled: true)
        #expect(enter("i") != nil && closed.all == ["a", "c", "g"])
    }
}
