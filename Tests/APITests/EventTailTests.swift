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
            /// Who has the contact of each event; nobody where it is not told.
            var operators: [Int: Int] = [:]
            var isAway = false
            /// What people wrote in every event.
            var reason: String?
            /// Which events tell that somebody has been erased.
            var erasures: Set<Int> = []
            /// How often it was asked, by streams that were behind and in all.
            var readings = (old: 0, all: 0)
            /// Whose streams were behind.
            var latecomers: Set<Viewer> = []
        }

        let state = Shared(State())

        func write(_ positions: some Sequence<Int>) {
            let positions = Array(positions)
            state.withLock { $0.positions += positions }
        }

        func write(_ positions: some Sequence<Int>, of operatorID: (Int) -> Int) {
            let positions = Array(positions)
            let operators = Dictionary(uniqueKeysWithValues: positions.map { ($0, operatorID($0)) })
            state.withLock { state in
                state.positions += positions
                state.operators.merge(operators) { $1 }
            }
        }

        /// - Parameter viewer: nil for all who follow it.
        private func read(after position: Int, for viewer: Viewer?) throws(StoreError) -> LogPart {
            let part = state.withLock { state -> LogPart? in
                state.readings.all += 1
                if let viewer {
                    state.readings.old += 1
                    state.latecomers.insert(viewer)
                }
                guard !state.isAway else { return nil }
                let limit = viewer == nil ? EventTail.page : EventTail.ownPage
                let operators = state.operators
                let rest = state.positions.drop { $0 <= position }
                let found: ArraySlice<Int>
                if case .ownContacts(let id)? = viewer?.reach {
                    found = rest.filter { operators[$0] == id }.prefix(limit)
                } else {
                    found = rest.prefix(limit)
                }
                let entries = found.map { position in
                    let kind: Event.Kind = state.erasures.contains(position) ? .leadErased : .registered
                    return LogEntry(
                        EventTailTests.event(position, kind, state.reason), operatorID: operators[position])
                }
                return LogPart(entries: entries, limit: limit, end: state.positions.last ?? 0)
            }
            guard let part else { throw .outcomeUnknown }
            return part
        }

        func tail(limit: Int = 1000, interval: Duration = .milliseconds(1), mostKept: Int = 100_000) -> EventTail {
            EventTail(
                limit: limit, interval: interval, mostKept: mostKept,
                observation: Observation(logger: Logger(label: "tail") { _ in SwiftLogNoOpLogHandler() }),
                readNew: { (position) throws(StoreError) in try self.read(after: position, for: nil) },
                readOld: { (position, viewer) throws(StoreError) in try self.read(after: position, for: viewer) })
        }
    }

    private static func event(_ position: Int, _ kind: Event.Kind, _ reason: String? = nil) -> Event {
        Event(
            position: position, contactID: position, kind: kind.rawValue, reason: reason,
            actor: Event.Actor(kind: "api"), at: .sample)
    }

    private static func event(_ position: Int) -> Event { event(position, .registered) }

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
        let piece = try #require(EventPiece.pieces(of: [event], after: 6, upTo: 7).first)
        let lines = String(buffer: piece.bytes).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 5 && lines[0] == "id: 7" && lines[1] == "event: closed" && lines[3...] == ["", ""])
        #expect(
            lines[2].hasPrefix(#"data: {"id":7,"contact_id":null,"kind":"closed","#) && lines[2].hasSuffix(data + "}"))
    }

    @Test func `pieces follow each other, and each can be taken from any event on`() {
        let events = (1...2000).filter { !$0.isMultiple(of: 7) }.map(Self.event)
        let pieces = EventPiece.pieces(of: events, after: 0, upTo: 2003)
        #expect(pieces.count > 3 && pieces.allSatisfy { $0.size < 70_000 })
        let whole = pieces.map { String(buffer: $0.bytes) }.joined()
        for (piece, next) in zip(pieces, pieces.dropFirst()) { #expect(piece.last == next.after) }
        for position in [0, 1, 6, 7, 8, 500, 1999] {
            let rest = pieces.filter { $0.last > position }.map { String(buffer: $0.bytes(after: position)) }.joined()
            let first = events.first { $0.position > position }.map { "id: \($0.position)\n" } ?? "nothing"
            #expect(rest.hasPrefix(first) && whole.hasSuffix(rest))
        }
        #expect(pieces.last?.last == 2003)
        #expect(EventPiece.pieces(of: [], after: 3, upTo: 7).isEmpty)
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
                    let stream = try tail.stream(after: start, isCertain: false, for: .everything)
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
        log.write(1...200, of: { _ in 1 })
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
        let following = try tail.stream(after: 200, isCertain: true, for: .everything)
        let behind = try tail.stream(after: 0, isCertain: false, for: .everything)
        let lagging = try tail.stream(after: 200, isCertain: true, for: .everything)
        // Who is not told of erasures, behind and at the end.
        let one = Viewer(reach: .ownContacts(ofOperator: 1))
        let ownBehind = try tail.stream(after: 0, isCertain: false, for: one)
        let ownLagging = try tail.stream(after: 200, isCertain: true, for: one)
        #expect(await next(behind).contains("secret"))
        #expect(await next(ownBehind).contains("secret"))
        log.write(201...300, of: { _ in 1 })
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
        log.write([302], of: { _ in 1 })
        for (stream, first) in [(ownBehind, nil), (ownLagging, "id: 201\n")] {
            var rest = ""
            while !rest.contains("id: 302\n") { rest += await next(stream) }
            #expect(!rest.contains("secret") && !rest.contains("lead_erased"))
            if let first { #expect(rest.hasPrefix(first)) }
            let positions = rest.split(separator: "\n").compactMap { line in
                line.hasPrefix("id: ") ? Int(line.dropFirst(4)) : nil
            }
            #expect(positions == Array((positions.first ?? 0)...300) + [302])
        }
        for stream in [following, behind, lagging, ownBehind, ownLagging] { stream.end() }
    }

    @Test func `the log is asked by one for all, and by nobody when nobody listens`() async throws {
        let log = Log()
        log.write(1...10)
        let tail = log.tail(interval: .milliseconds(20))
        try await Task.sleep(for: .milliseconds(100))
        #expect(log.state.value.readings.all == 0)
        let streams = try (0..<100).map { _ in try tail.stream(after: 10, isCertain: true, for: .everything) }
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
        let later = try tail.stream(after: 15, isCertain: true, for: .everything)
        #expect(await Self.positions(of: later, count: 1) == [16])
        later.end()
    }

    @Test func `whoever says it is beyond the end is at the end, and whoever has read ahead is not`() async throws {
        let log = Log()
        log.write(1...10)
        let tail = log.tail(interval: .milliseconds(50))
        let (lost, ahead) = (
            try tail.stream(after: 1000, isCertain: false, for: .everything),
            try tail.stream(after: 0, isCertain: false, for: .everything)
        )
        async let heard = Self.positions(of: lost, count: 1)
        #expect(await Self.positions(of: ahead, count: 10) == Array(1...10))
        // The tail looks every 50 ms, this one at once.
        for position in 11...30 {
            let old = try tail.stream(after: 0, isCertain: false, for: .everything)
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
        let stream = try tail.stream(after: 0, isCertain: false, for: .everything)
        #expect(await Self.positions(of: stream, count: 5) == [1, 2, 5, 6, 9])
        log.write([12])
        #expect(await Self.positions(of: stream, count: 1) == [12])
        stream.end()
    }

    @Test func `a database that is away is waited for, and a log that became shorter ends the streams`() async throws {
        let log = Log()
        log.write(1...10)
        let tail = log.tail()
        let stream = try tail.stream(after: 10, isCertain: true, for: .everything)
        log.write([11])
        #expect(await Self.positions(of: stream, count: 1) == [11])
        log.state.withLock { $0.isAway = true }
        let behind = try tail.stream(after: 0, isCertain: false, for: .everything)
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
        let first = try tail.stream(after: 0, isCertain: true, for: .everything)
        _ = try tail.stream(after: 0, isCertain: true, for: .everything)
        let third = try tail.stream(after: 0, isCertain: true, for: .everything)
        #expect(throws: Problem.self) { _ = try tail.stream(after: 0, isCertain: true, for: .everything) }
        first.end()
        first.end()
        #expect(tail.streams == 1)
        third.end()
        #expect(tail.streams == 0)
    }

    // MARK: viewers

    private static let everybody = [
        Viewer.everything, Viewer(reach: .ownContacts(ofOperator: 1)), Viewer(reach: .ownContacts(ofOperator: 2)),
        Viewer(reach: .ownContacts(ofOperator: 3)), Viewer(reach: .registered(byKey: "1")),
    ]

    /// Operators 1 and 2 have most of the contacts, 3 has few.
    private static func operatorID(_ position: Int) -> Int {
        position % 500 == 0 ? 3 : 1 + position / 10 % 2
    }

    private static func seen(by viewer: Viewer, _ positions: ClosedRange<Int>) -> [Int] {
        switch viewer.reach {
        case .everything: Array(positions)
        case .ownContacts(let id): positions.filter { operatorID($0) == id }
        case .registered: []
        }
    }

    @Test func `every stream gets what its caller may see, once and in order, and nothing else`() async throws {
        var generator = SeededGenerator()
        let log = Log()
        log.write(1...1500, of: Self.operatorID)
        // So little is kept that a slow stream has to look in the log again and again.
        let tail = log.tail(mostKept: 30_000)
        let count = 5_000
        let listeners = (0..<16).map { number in
            (
                viewer: Self.everybody[number % 4], start: number < 4 ? 0 : Int.random(in: 0...1500, using: &generator),
                rest: Int.random(in: 0...3, using: &generator)
            )
        }
        let seed = generator.next()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var generator = SeededGenerator(seed: seed)
                var last = 1500
                while last < count {
                    let next = min(count, last + Int.random(in: 1...400, using: &generator))
                    log.write(last + 1...next, of: Self.operatorID)
                    last = next
                    try await Task.sleep(for: .milliseconds(Int.random(in: 0...3, using: &generator)))
                }
            }
            for (viewer, start, rest) in listeners {
                group.addTask {
                    let stream = try tail.stream(after: start, isCertain: false, for: viewer)
                    let wanted = Self.seen(by: viewer, start + 1...count)
                    let taken = await Self.positions(of: stream, count: wanted.count) {
                        if rest > 0 { try? await Task.sleep(for: .milliseconds(rest)) }
                    }
                    #expect(taken == wanted)
                    stream.end()
                }
            }
            try await group.waitForAll()
        }
        #expect(tail.streams == 0)
    }

    @Test func `whoever is told nothing moves on, asks the log for nothing, and is not woken`() async throws {
        let log = Log()
        let tail = log.tail(mostKept: 10_000)
        let all = try tail.stream(after: 0, isCertain: true, for: .everything)
        let third = try tail.stream(after: 0, isCertain: true, for: Self.everybody[3])
        let nobody = try tail.stream(after: 0, isCertain: true, for: Self.everybody[4])
        let wakes = Shared(0)
        guard case .wait = nobody.next(wake: { wakes.withLock { $0 += 1 } }) else {
            throw try #require(nil as (any Error)?)
        }
        // Some thousand events, of which nothing is kept when the first of the third operator comes.
        for end in stride(from: 499, through: 1999, by: 500) {
            log.write(end - 498...end, of: Self.operatorID)
            #expect(await Self.positions(of: all, count: 499) == Array(end - 498...end))
            log.write([end + 1], of: Self.operatorID)
            #expect(await Self.positions(of: third, count: 1) == [end + 1])
            #expect(await Self.positions(of: all, count: 1) == [end + 1])
        }
        #expect(log.state.value.latecomers.isSubset(of: [.everything]) && wakes.value == 0)
        for stream in [all, third, nobody] { stream.end() }
    }

    @Test func `whoever comes later than others of another kind is told what came before it, too`() async throws {
        let log = Log()
        let tail = log.tail()
        let first = try tail.stream(after: 0, isCertain: true, for: .everything)
        log.write(1...40, of: Self.operatorID)
        #expect(await Self.positions(of: first, count: 40) == Array(1...40))
        let second = try tail.stream(after: 5, isCertain: false, for: Self.everybody[1])
        log.write(41...60, of: Self.operatorID)
        let wanted = Self.seen(by: Self.everybody[1], 6...60)
        #expect(await Self.positions(of: second, count: wanted.count) == wanted)
        second.end()
        first.end()
    }
}
