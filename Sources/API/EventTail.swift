import LeadStore
import Leads
import NIOCore
import Synchronization

/// Follows the log of events for all streams of this instance at once.
///
/// While anybody listens, it reads a few times a second what has come, makes of it what is sent, once for all who may see
/// the same, and keeps the latest of that. Streams take from there what comes after their own position, each at its own pace, and read in the log what
/// is not kept any more: so none is sent an event twice or misses one, and nobody waits for a slow one. With nobody
/// listening nothing is asked.
final class EventTail: Sendable {
    /// What comes after a position of the log, with what tells who may see it.
    typealias Reading = @Sendable (_ position: Int) async throws(StoreError) -> LogPart
    /// What one viewer sees of that.
    typealias OwnReading = @Sendable (_ position: Int, _ viewer: Viewer) async throws(StoreError) -> LogPart

    /// What a stream finds.
    enum Next {
        /// What to send, and the position of the last event in it.
        case bytes(ByteBuffer, upTo: Int)
        /// Up to a position there is nothing that the stream's caller may see.
        case others(upTo: Int)
        /// Nothing that could be sent; the stream will be woken.
        case nothing
        /// What follows is to be looked for in the log.
        case elsewhere
        /// The log is another one than when the stream began.
        case over
    }

    /// What came last, as those see it who may see the same.
    private struct Lane {
        /// How many streams are open.
        var streams = 0
        /// Whoever is here or further on finds all that follows in the pieces.
        var after: Int
        var pieces = CircularBuffer<EventPiece>()
        /// Of all pieces, in bytes.
        var size = 0
        /// Whether there may be something for those that wait.
        var hasNews = false
        /// Streams that had everything when they asked.
        var waiting: [Int: @Sendable () -> Void] = [:]

        mutating func append(_ new: [EventPiece], keeping mostKept: Int) {
            for piece in new {
                pieces.append(piece)
                size += piece.size
                hasNews = true
            }
            while size > mostKept, pieces.count > 1 {
                let oldest = pieces.removeFirst()
                size -= oldest.size
                after = oldest.last
            }
        }

        /// Has nothing of what comes before a position.
        mutating func begin(after position: Int) {
            after = position
            pieces.removeAll()
            size = 0
            hasNews = true
        }

        mutating func takeWoken() -> [@Sendable () -> Void] {
            guard hasNews else { return [] }
            hasNews = false
            defer { waiting.removeAll(keepingCapacity: true) }
            return Array(waiting.values)
        }
    }

    private struct State {
        /// How many streams are open.
        var streams = 0
        var lastStream = 0
        /// Whose streams they are, by number, where callers are told apart; and how many each has.
        var accounts: [Int: String] = [:]
        var streamsOfAccounts: [String: Int] = [:]
        var isFollowing = false
        /// How far it has read; nil before it has read for the first time.
        var position: Int?
        /// Of those for whom a stream is open. None has a gap up to `position`.
        var lanes: [Viewer: Lane] = [:]
        /// How often the log was found shorter than it had been.
        var generation = 0
        /// How often somebody was found to have been erased: what was read of the log before may say more than it does.
        var erasures = 0
        /// Whether the last attempt to read failed.
        var isInterrupted = false

        mutating func takeWoken() -> [@Sendable () -> Void] {
            lanes.keys.flatMap { lanes[$0]?.takeWoken() ?? [] }
        }
    }

    private let state = Mutex(State())
    private let limit: Int
    private let interval: Duration
    private let mostKept: Int
    private let observation: Observation
    private let readNew: Reading
    private let readOld: OwnReading

    /// How many events are read at a time for all.
    static let page = 1000
    /// How many a stream reads that is behind. Many may be, and each keeps them until its caller has taken them.
    static let ownPage = 250
    /// How many one caller may have open.
    static let accountLimit = 20
    /// Between those who are woken.
    private static let pause: Duration = .milliseconds(5)

    /// - Parameters:
    ///   - limit: how many streams may be open.
    ///   - interval: how long it rests when it has read everything.
    ///   - mostKept: how many bytes of what came last are kept for streams that lag behind: for those who see everything,
    ///     and as much again for all others together.
    ///   - readNew: reads what has come, soon; at most ``page`` events.
    ///   - readOld: reads for one stream that is behind.
    init(
        limit: Int = 1000, interval: Duration = .milliseconds(250), mostKept: Int = 2_097_152,
        observation: Observation, readNew: @escaping Reading, readOld: @escaping OwnReading
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
            readOld: { (position, viewer) throws(StoreError) in
                try await store.oldEvents(after: position, atMost: Self.ownPage, for: viewer)
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

    /// Opens a stream of what comes after a position and the viewer may see.
    /// - Parameters:
    ///   - isCertain: whether the log is known to have got there.
    ///   - account: whose it is, where callers are told apart.
    /// - Throws: `Problem.tooManyStreams`.
    func stream(
        after position: Int, isCertain: Bool, for viewer: Viewer, account: String? = nil
    ) throws(Problem) -> EventStream {
        let opened = state.withLock { state -> (number: Int, generation: Int, begins: Bool)? in
            guard state.streams < limit else { return nil }
            if let account, state.streamsOfAccounts[account] ?? 0 >= Self.accountLimit { return nil }
            state.streams += 1
            state.lastStream += 1
            if let account {
                state.accounts[state.lastStream] = account
                state.streamsOfAccounts[account, default: 0] += 1
            }
            defer { state.isFollowing = true }
            // The first need not look in the log for what comes before the tail has read.
            if !state.isFollowing, isCertain { state.position = position }
            // What has been read already was not kept for such a viewer.
            state.lanes[viewer, default: Lane(after: state.position ?? .max)].streams += 1
            return (state.lastStream, state.generation, !state.isFollowing)
        }
        guard let opened else { throw .tooManyStreams }
        if opened.begins { Task { await follow() } }
        return EventStream(
            of: self, for: viewer, number: opened.number, generation: opened.generation, after: position,
            isCertain: isCertain)
    }
}

// What streams ask.
extension EventTail {
    func next(
        for stream: Int, _ viewer: Viewer, after position: Int, isCertain: Bool, generation: Int,
        wake: @escaping @Sendable () -> Void
    ) -> Next {
        state.withLock { state in
            guard state.generation == generation else { return .over }
            if let reached = state.position, position < reached {
                guard let lane = state.lanes[viewer], lane.after <= position else { return .elsewhere }
                // Most are nearly at the end.
                let next =
                    lane.pieces.lastIndex { $0.last <= position }.map(lane.pieces.index(after:))
                    ?? lane.pieces.startIndex
                guard next < lane.pieces.endIndex else { return .others(upTo: reached) }
                let piece = lane.pieces[next]
                let bytes = piece.bytes(after: position)
                // Beyond its last event a piece has what others see.
                return bytes.readableBytes > 0 ? .bytes(bytes, upTo: piece.last) : .others(upTo: piece.last)
            }
            // One that has read by itself may be ahead. Where a caller says it is may be beyond the end of the log.
            if let reached = state.position, position > reached, !isCertain { return .elsewhere }
            state.lanes[viewer]?.waiting[stream] = wake
            return .nothing
        }
    }

    /// A page of the log for a stream that is behind; tries for as long as there is somebody to give it to.
    func read(after position: Int, for viewer: Viewer, while isWanted: () -> Bool) async -> LogPart? {
        while isWanted() {
            do throws(StoreError) {
                return try await readOld(position, viewer)
            } catch {
                // That others are behind, too, is no interruption.
                if case .tooManyLongReads = error {} else { noteFailure(error) }
                try? await Task.sleep(for: .seconds(1))
            }
        }
        return nil
    }

    func close(_ stream: Int, _ viewer: Viewer) {
        state.withLock { state in
            state.streams -= 1
            state.lanes[viewer]?.waiting[stream] = nil
            state.lanes[viewer]?.streams -= 1
            if state.lanes[viewer]?.streams == 0 { state.lanes[viewer] = nil }
            guard let account = state.accounts.removeValue(forKey: stream) else { return }
            state.streamsOfAccounts[account, default: 1] -= 1
            if state.streamsOfAccounts[account] == 0 { state.streamsOfAccounts[account] = nil }
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
                isBusy = part.entries.count >= Self.page / 4
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
            return false
        }
    }

    private func take(_ part: LogPart, after position: Int?) {
        let viewers = state.withLock { Array($0.lanes.keys) }
        let pieces = Dictionary(
            uniqueKeysWithValues: viewers.map { viewer in
                let events = position == nil ? [] : part.events(for: viewer)
                return (viewer, EventPiece.pieces(of: events, after: position ?? 0, upTo: part.reached))
            })
        let isContinued = state.withLock { state in
            defer { state.isInterrupted = false }
            // The events up to there, if they are not there, were deleted by hand.
            state.position = part.reached
            if part.end < position ?? 0 {
                // A standby took over that had not got everything, or a backup was brought back. Whoever listens starts
                // over behind the last event that there is.
                state.generation += 1
            }
            let isElsewhere = part.entries.isEmpty && part.reached != position
            if let position, part.entries.contains(where: \.event.tellsOfErasure) {
                // Also of those to whom the erasure is not told.
                state.erasures += 1
                for viewer in state.lanes.keys { state.lanes[viewer]?.begin(after: position) }
            }
            let others = state.lanes.count - (state.lanes[.everything] == nil ? 0 : 1)
            for viewer in state.lanes.keys {
                if let new = pieces[viewer], !isElsewhere {
                    let share = viewer == .everything ? mostKept : mostKept / max(1, others)
                    state.lanes[viewer]?.append(new, keeping: share)
                } else {
                    state.lanes[viewer]?.begin(after: part.reached)
                }
            }
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
    fileprivate var tellsOfErasure: Bool { kind == Event.Kind.leadErased.rawValue }
}
