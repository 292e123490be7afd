import LeadStore
import Leads
import NIOCore
import Synchronization

/// Follows the log of events for all streams of this instance at once.
///
/// While anybody listens, it reads a few times a second what has come, makes of it what is sent, and keeps the latest
/// of that. Streams take from there what comes after their own position, each at its own pace, and read in the log what
/// is not kept any more: so none is sent an event twice or misses one, and nobody waits for a slow one. With nobody
/// listening nothing is asked.
final class EventTail: Sendable {
    /// What comes after a position of the log.
    typealias Reading = @Sendable (_ position: Int) async throws(StoreError) -> LogPart

    /// What a stream finds.
    enum Next {
        /// What to send, and the position of the last event in it.
        case bytes(ByteBuffer, upTo: Int)
        /// Nothing that could be sent; the stream will be woken.
        case nothing
        /// What follows is to be looked for in the log.
        case elsewhere
        /// The log is another one than when the stream began.
        case over
    }

    private struct State {
        /// How many streams are open.
        var streams = 0
        var lastStream = 0
        var isFollowing = false
        /// How far it has read; nil before it has read for the first time.
        var position: Int?
        /// What came last, without a gap up to `position`.
        var pieces = CircularBuffer<EventPiece>()
        /// Of all pieces, in bytes.
        var size = 0
        /// How often the log was found shorter than it had been.
        var generation = 0
        /// How often somebody was found to have been erased: what was read of the log before may say more than it does.
        var erasures = 0
        /// Whether there may be something for those that wait.
        var hasNews = false
        /// Streams that had everything when they asked.
        var waiting: [Int: @Sendable () -> Void] = [:]
        /// Whether the last attempt to read failed.
        var isInterrupted = false

        mutating func forgetPieces() {
            pieces.removeAll()
            size = 0
        }

        mutating func takeWoken() -> [@Sendable () -> Void] {
            guard hasNews else { return [] }
            hasNews = false
            defer { waiting.removeAll(keepingCapacity: true) }
            return Array(waiting.values)
        }
    }

    private let state = Mutex(State())
    private let limit: Int
    private let interval: Duration
    private let mostKept: Int
    private let observation: Observation
    private let readNew: Reading
    private let readOld: Reading

    /// How many events are read at a time for all.
    static let page = 1000
    /// How many a stream reads that is behind. Many may be, and each keeps them until its caller has taken them.
    static let ownPage = 250
    /// Between those who are woken.
    private static let pause: Duration = .milliseconds(5)

    /// - Parameters:
    ///   - limit: how many streams may be open.
    ///   - interval: how long it rests when it has read everything.
    ///   - mostKept: how many bytes of what came last are kept for streams that lag behind.
    ///   - readNew: reads what has come, soon; at most ``page`` events.
    ///   - readOld: reads for one stream that is behind.
    init(
        limit: Int = 1000, interval: Duration = .milliseconds(250), mostKept: Int = 2_097_152,
        observation: Observation, readNew: @escaping Reading, readOld: @escaping Reading
    ) {
        self.limit = limit
        self.interval = interval
        self.mostKept = mostKept
        self.observation = observation
        self.readNew = readNew
        self.readOld = readOld
    }

    convenience init(store: LeadStore, observation: Observation) {
        self.init(
            observation: observation,
            readNew: { (position) throws(StoreError) in
                try await store.newEvents(after: position, atMost: Self.page)
            },
            readOld: { (position) throws(StoreError) in
                try await store.oldEvents(after: position, atMost: Self.ownPage)
            })
    }

    /// How many streams are open.
    var streams: Int { state.withLock { $0.streams } }

    /// Goes up when what has been read of the log, and not sent yet, is to be read again.
    var erasures: Int { state.withLock { $0.erasures } }

    /// Where the log ends.
    func end() async throws(StoreError) -> Int {
        try await readNew(.max).end
    }

    /// Opens a stream of what comes after a position.
    /// - Parameter isCertain: whether the log is known to have got there.
    /// - Throws: `Problem.tooManyStreams`.
    func stream(after position: Int, isCertain: Bool) throws(Problem) -> EventStream {
        let opened = state.withLock { state -> (number: Int, generation: Int, begins: Bool)? in
            guard state.streams < limit else { return nil }
            state.streams += 1
            state.lastStream += 1
            defer { state.isFollowing = true }
            // The first need not look in the log for what comes before the tail has read.
            if !state.isFollowing, isCertain { state.position = position }
            return (state.lastStream, state.generation, !state.isFollowing)
        }
        guard let opened else { throw .tooManyStreams }
        if opened.begins { Task { await follow() } }
        return EventStream(
            of: self, number: opened.number, generation: opened.generation, after: position, isCertain: isCertain)
    }
}

// What streams ask.
extension EventTail {
    func next(
        for stream: Int, after position: Int, isCertain: Bool, generation: Int, wake: @escaping @Sendable () -> Void
    ) -> Next {
        state.withLock { state in
            guard state.generation == generation else { return .over }
            if let reached = state.position, position < reached {
                guard let piece = state.pieces.last(where: { $0.after <= position }) else { return .elsewhere }
                return .bytes(piece.bytes(after: position), upTo: piece.last)
            }
            // One that has read by itself may be ahead. Where a caller says it is may be beyond the end of the log.
            if let reached = state.position, position > reached, !isCertain { return .elsewhere }
            state.waiting[stream] = wake
            return .nothing
        }
    }

    /// A page of the log for a stream that is behind; tries for as long as there is somebody to give it to.
    func read(after position: Int, while isWanted: () -> Bool) async -> LogPart? {
        while isWanted() {
            do throws(StoreError) {
                return try await readOld(position)
            } catch {
                // That others are behind, too, is no interruption.
                if case .tooManyLongReads = error {} else { noteFailure(error) }
                try? await Task.sleep(for: .seconds(1))
            }
        }
        return nil
    }

    func close(_ stream: Int) {
        state.withLock { state in
            state.streams -= 1
            state.waiting[stream] = nil
        }
    }
}

// What it does by itself.
extension EventTail {
    private func follow() async {
        while isWanted() {
            let position = state.withLock { $0.position }
            var isBusy = false
            do throws(StoreError) {
                let part = try await readNew(position ?? .max)
                take(part, after: position)
                isBusy = part.events.count >= Self.page / 4
            } catch {
                noteFailure(error)
            }
            // Much at a time would keep whoever registers contacts meanwhile waiting.
            await rest(for: isBusy ? interval / 5 : interval)
        }
    }

    /// Rests, and meanwhile wakes those for whom there is something, a few at a time: to send much to all of them at once
    /// would keep requests waiting that the same thread serves.
    private func rest(for duration: Duration) async {
        let end = ContinuousClock.now + duration
        let woken = state.withLock { $0.takeWoken() }
        let share = woken.count / max(1, Int(duration / Self.pause)) + 1
        for start in stride(from: 0, to: woken.count, by: share) {
            for wake in woken[start...].prefix(share) { wake() }
            try? await Task.sleep(for: Self.pause)
        }
        try? await Task.sleep(until: end)
    }

    /// Whether anybody listens. When nobody does, the next stream begins anew.
    private func isWanted() -> Bool {
        state.withLock { state in
            guard state.streams == 0 else { return true }
            state.isFollowing = false
            state.position = nil
            state.forgetPieces()
            return false
        }
    }

    private func take(_ part: LogPart, after position: Int?) {
        let pieces = position.map { EventPiece.pieces(of: part.events, after: $0) } ?? []
        let isContinued = state.withLock { state in
            defer { state.isInterrupted = false }
            // The events up to the end, if they are not there, were deleted by hand.
            state.position = pieces.last?.last ?? part.end
            state.hasNews = state.hasNews || state.position != position
            if part.end < position ?? 0 {
                // A standby took over that had not got everything, or a backup was brought back. Whoever listens starts
                // over behind the last event that there is.
                state.generation += 1
            }
            if pieces.isEmpty, state.position != position { state.forgetPieces() }
            if part.events.contains(where: \.tellsOfErasure) {
                state.erasures += 1
                state.forgetPieces()
            }
            for piece in pieces {
                state.pieces.append(piece)
                state.size += piece.size
            }
            while state.size > mostKept, state.pieces.count > 1 { state.size -= state.pieces.removeFirst().size }
            return state.isInterrupted
        }
        if isContinued { observation.streamsContinued() }
    }

    /// Told once: what is wrong with the database, others say often enough.
    private func noteFailure(_ error: StoreError) {
        let isFirst = state.withLock { state in
            // An instance that stops loses its database when it has no streams any more.
            guard state.streams > 0 else { return false }
            defer { state.isInterrupted = true }
            return !state.isInterrupted
        }
        if isFirst { observation.streamsInterrupted(cause: Problem(error).cause) }
    }
}

extension Event {
    /// Whether events before it have lost what people wrote in them.
    fileprivate var tellsOfErasure: Bool { kind == "lead_erased" }
}
