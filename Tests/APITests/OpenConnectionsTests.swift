import Synchronization
import Testing

@testable import API

struct OpenConnectionsTests {
    private final class Closed: Sendable {
        private let names = Mutex<[String]>([])
        func close(_ name: String) -> @Sendable () -> Void { { self.names.withLock { $0.append(name) } } }
        var all: [String] { names.withLock { $0 } }
    }

    @Test func `those that have just come make room, the oldest first, and those at work do not`() throws {
        let connections = OpenConnections(limit: 3)
        let closed = Closed()
        func enter(_ name: String) -> Int? {
            guard case .place(let number) = connections.enter(closed.close(name)) else { return nil }
            return number
        }
        let (a, b, c) = (try #require(enter("a")), try #require(enter("b")), try #require(enter("c")))
        connections.use(b, as: .working)
        let d = try #require(enter("d"))
        #expect(closed.all == ["a"])
        connections.use(a, as: .working)
        connections.leave(a)
        let e = try #require(enter("e"))
        #expect(closed.all == ["a", "c"])
        connections.leave(c)
        connections.use(d, as: .working)
        connections.use(e, as: .working)
        #expect(enter("f") == nil && closed.all == ["a", "c"])
        connections.leave(b)
        let g = try #require(enter("g"))
        #expect(enter("h") != nil && closed.all == ["a", "c", "g"])
        connections.leave(g)
        connections.leave(d)
        #expect(enter("i") != nil && closed.all == ["a", "c", "g"])
    }

    @Test func `the slow make room before the idle, and those at work never`() throws {
        let connections = OpenConnections(limit: 4)
        let closed = Closed()
        func enter(_ name: String) -> Int? {
            guard case .place(let number) = connections.enter(closed.close(name)) else { return nil }
            return number
        }
        let places = try ["idle", "slow", "slower", "at work"].map { try #require(enter($0)) }
        for (place, use) in zip(places, [OpenConnections.Use.idle, .working, .stalled, .working]) {
            connections.use(place, as: use)
        }
        connections.use(places[1], as: .stalled)
        for name in ["e", "f", "g"] { connections.use(try #require(enter(name)), as: .working) }
        #expect(closed.all == ["slower", "slow", "idle"])
        #expect(enter("h") == nil)
        connections.use(places[2], as: .stalled)
        #expect(enter("h") == nil, "what has lost its place has none to give")
    }
}
