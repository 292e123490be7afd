import LeadStore
import Leads
import Logging
import NIOCore
import Postgres
import TestSupport
import Testing

@testable import API

/// Every stream gets every event once and in order, however fast it takes them, and the log is asked no more than needed.
struct EventTailTests {
    /// A log in memory.
    private final class Log: Sendable {
        struct State {
            var positions: [Int] = []
            var isAway = false
            /// What people wrote in every event.
            var reason: String?
            /// Which events tell that somebody has been erased.
            var erasures: Set<Int> = []
            /// How often it was asked, by streams that were behind and in all.
            var readings = (old: 0, all: 0)
        }

        let state = Shared(State())

        func write(_ positions: some Sequence<Int>) {
            let positions = Array(positions)
            state.withLock { $0.positions += positions }
        }

        private func read(after position: Int, isOld: Bool) throws(StoreError) -> LogPart {
            let part = state.withLock { state -> LogPart? in
                state.readings.all += 1
                if isOld { state.readings.old += 1 }
                guard !state.isAway else { return nil }
                let found = state.positions.drop { $0 <= position }.prefix(isOld ? EventTail.ownPage : EventTail.page)
                let events = found.map { position in
                    EventTailTests.event(
                        position, state.erasures.contains(position) ? "lead_erased" : "registered", state.reason)
                }
                return LogPart(events: events, end: state.positions.last ?? 0)
            }
            guard let part else { throw .outcomeUnknown }
            return part
        }

        func tail(limit: Int = 1000, interval: Duration = .milliseconds(1), mostKept: Int = 100_000) -> EventTail {
            EventTail(
                limit: limit, interval: interval, mostKept: mostKept,
                observation: Observation(logger: Logger(label: "tail") { _ in SwiftLogNoOpLogHandler() }),
                readNew: { (position) throws(StoreError) in try self.read(after: position, isOld: false) },
                readOld: { (position) throws(StoreError) in try self.read(after: position, isOld: true) })
        }
    }

    private static func event(_ position: Int, _ kind: String = "registered", _ reason: String? = nil) -> Event {
        Event(
            position: position, contactID: position, kind: kind, reason: reason, actor: Event.Actor(kind: "api"),
            at: .sample)
    }

    private static func event(_ position: Int) -> Event { event(position, "registered") }

    /// Takes what a stream gives until it ends, or as many events as asked for.
    private static func positions(
        of stream: EventStream, count: Int = .max, resting: @Sendable () async -> Void = {}
    ) async -> [Int] {
        var positions: [Int] = []
        while positions.count < count {
            let (wakes, wake) = AsyncStream.makeStream(of: Void.self)
            switch stream.next(wake: { wake.finish() }) {
            case .send(let bytes):
                let text = String(buffer: bytes)
                #expect(text.hasSuffix("}\n\n"))
                positions += text.split(separator: "\n").compactMap { line in
                    line.hasPrefix("id: ") ? Int(line.dropFirst(4)) : nil
                }
                await resting()
            case .wait: for await _ in wakes {}
            case .end: return positions
            }
        }
        return positions
    }

    @Test func `an event is four lines, the third of which is its JSON`() throws {
        let data = #"{"a": "line\nbreak"}"#
        let event = Event(
            position: 7, contactID: nil, kind: "closed", actor: .init(kind: "api"), at: .sample, data: data)
        let piece = try #require(EventPiece.pieces(of: [event], after: 6).first)
        let lines = String(buffer: piece.bytes).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 5 && lines[0] == "id: 7" && lines[1] == "event: closed" && lines[3...] == ["", ""])
        #expect(
            lines[2].hasPrefix(#"data: {"id":7,"contact_id":null,"kind":"closed","#) && lines[2].hasSuffix(data + "}"))
    }

    @Test func `pieces follow each other, and each can be taken from any event on`() {
        let events = (1...2000).filter { !$0.isMultiple(of: 7) }.map(Self.event)
        let pieces = EventPiece.pieces(of: events, after: 0)
        #expect(pieces.count > 3 && pieces.allSatisfy { $0.size < 70_000 })
        let whole = pieces.map { String(buffer: $0.bytes) }.joined()
        for (piece, next) in zip(pieces, pieces.dropFirst()) { #expect(piece.last == next.after) }
        for position in [0, 1, 6, 7, 8, 500, 1999] {
            let rest = pieces.filter { $0.last > position }.map { String(buffer: $0.bytes(after: position)) }.joined()
            let first = events.first { $0.position > position }.map { "id: \($0.position)\n" } ?? "nothing"
            #expect(rest.hasPrefix(first) && whole.hasSuffix(rest))
        }
        #expect(EventPiece.pieces(of: [], after: 3).isEmpty)
    }

    @Test func `every stream gets every event once and in order, wherever it begins and however slow it is`()
        async throws
    {
        var generator = SeededGenerator()
        let log = Log()
        log.write(1...2500)
        // So little is kept that a slow stream has to look in the log again and again.
        let tail = log.tail(mostKept: 30_000)
        let count = 12_000
        let starts = (0..<24).map { $0 < 4 ? 0 : Int.random(in: 0...2500, using: &generator) }
        let rests = (0..<24).map { _ in Int.random(in: 0...3, using: &generator) }
        let seed = generator.next()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var generator = SeededGenerator(seed: seed)
                var last = 2500
                while last < count {
                    let next = min(count, last + Int.random(in: 1...400, using: &generator))
                    log.write(last + 1...next)
                    last = next
                    try await Task.sleep(for: .milliseconds(Int.random(in: 0...3, using: &generator)))
                }
            }
            for (start, rest) in zip(starts, rests) {
                group.addTask {
                    let stream = try tail.stream(after: start, isCertain: false)
                    let taken = await Self.positions(of: stream, count: count - start) {
                        if rest > 0 { try? await Task.sleep(for: .milliseconds(rest)) }
                    }
                    #expect(taken == Array(start + 1...count))
                    stream.end()
                }
            }
            try await group.waitForAll()
        }
        #expect(tail.streams == 0)
    }

    @Test func `what people wrote is not sent once they have been erased`() async throws {
        let log = Log()
        // A page of one that is behind is several pieces.
        log.state.withLock { $0.reason = String(repeating: "secret", count: 200) }
        log.write(1...200)
        let tail = log.tail(mostKept: 10_000_000)
        func next(_ stream: EventStream) async -> String {
            while true {
                let (wakes, wake) = AsyncStream.makeStream(of: Void.self)
                switch stream.next(wake: { wake.finish() }) {
                case .send(let bytes): return String(buffer: bytes)
                case .wait: for await _ in wakes {}
                case .end: return ""
                }
            }
        }
        let following = try tail.stream(after: 200, isCertain: true)
        let behind = try tail.stream(after: 0, isCertain: false)
        let lagging = try tail.stream(after: 200, isCertain: true)
        #expect(await next(behind).contains("secret"))
        log.write(201...300)
        var heard = ""
        while !heard.contains("id: 300\n") { heard = await next(following) }
        #expect(heard.contains("secret"))
        log.state.withLock {
            $0.reason = nil
            $0.erasures = [301]
        }
        log.write([301])
        while !heard.contains("id: 301\n") { heard = await next(following) }
        for (stream, first) in [(behind, nil), (lagging, "id: 201\n")] {
            var rest = ""
            while !rest.contains("id: 301\n") { rest += await next(stream) }
            #expect(!rest.contains("secret") && rest.contains("lead_erased"))
            if let first { #expect(rest.hasPrefix(first)) }
            let positions = rest.split(separator: "\n").compactMap { line in
                line.hasPrefix("id: ") ? Int(line.dropFirst(4)) : nil
            }
            #expect(positions == Array((positions.first ?? 0)...301))
        }
        for stream in [following, behind, lagging] { stream.end() }
    }

    @Test func `the log is asked by one for all, and by nobody when nobody listens`() async throws {
        let log = Log()
        log.write(1...10)
        let tail = log.tail(interval: .milliseconds(20))
        try await Task.sleep(for: .milliseconds(100))
        #expect(log.state.value.readings.all == 0)
        let streams = try (0..<100).map { _ in try tail.stream(after: 10, isCertain: true) }
        for position in 11...15 {
            log.write([position])
            for stream in streams { #expect(await Self.positions(of: stream, count: 1) == [position]) }
        }
        #expect(log.state.value.readings.old == 0)
        for stream in streams { stream.end() }
        #expect(
            await eventually {
                let before = log.state.value.readings.all
                try? await Task.sleep(for: .milliseconds(200))
                return log.state.value.readings.all == before
            })
        log.write([16])
        let later = try tail.stream(after: 15, isCertain: true)
        #expect(await Self.positions(of: later, count: 1) == [16])
        later.end()
    }

    @Test func `whoever says it is beyond the end is at the end, and whoever has read ahead is not`() async throws {
        let log = Log()
        log.write(1...10)
        let tail = log.tail(interval: .milliseconds(50))
        let (lost, ahead) = (
            try tail.stream(after: 1000, isCertain: false), try tail.stream(after: 0, isCertain: false)
        )
        async let heard = Self.positions(of: lost, count: 1)
        #expect(await Self.positions(of: ahead, count: 10) == Array(1...10))
        // The tail looks every 50 ms, this one at once.
        for position in 11...30 {
            let old = try tail.stream(after: 0, isCertain: false)
            if position == 11 { #expect(await eventually { log.state.value.readings.old >= 2 }) }
            log.write([position])
            #expect(await Self.positions(of: old, count: position) == Array(1...position))
            old.end()
        }
        #expect(await Self.positions(of: ahead, count: 20) == Array(11...30))
        #expect(await heard.first == 11)
        lost.end()
        ahead.end()
    }

    @Test func `events that were deleted by hand keep nobody from those that follow`() async throws {
        let log = Log()
        log.write([1, 2, 5, 6, 9])
        let tail = log.tail()
        let stream = try tail.stream(after: 0, isCertain: false)
        #expect(await Self.positions(of: stream, count: 5) == [1, 2, 5, 6, 9])
        log.write([12])
        #expect(await Self.positions(of: stream, count: 1) == [12])
        stream.end()
    }

    @Test func `a database that is away is waited for, and a log that became shorter ends the streams`() async throws {
        let log = Log()
        log.write(1...10)
        let tail = log.tail()
        let stream = try tail.stream(after: 10, isCertain: true)
        log.write([11])
        #expect(await Self.positions(of: stream, count: 1) == [11])
        log.state.withLock { $0.isAway = true }
        let behind = try tail.stream(after: 0, isCertain: false)
        async let all = Self.positions(of: behind, count: 12)
        try await Task.sleep(for: .milliseconds(50))
        log.write([12])
        log.state.withLock { $0.isAway = false }
        #expect(await Self.positions(of: stream, count: 1) == [12])
        #expect(await all == Array(1...12))
        log.state.withLock { $0.positions = Array(1...5) }
        #expect(await Self.positions(of: stream) == [])
        #expect(await Self.positions(of: behind) == [])
    }

    @Test func `only so many are open at a time, and one that is let go of is none`() throws {
        let tail = Log().tail(limit: 2)
        let first = try tail.stream(after: 0, isCertain: true)
        _ = try tail.stream(after: 0, isCertain: true)
        let third = try tail.stream(after: 0, isCertain: true)
        #expect(throws: Problem.self) { _ = try tail.stream(after: 0, isCertain: true) }
        first.end()
        first.end()
        #expect(tail.streams == 1)
        third.end()
        #expect(tail.streams == 0)
    }
}
