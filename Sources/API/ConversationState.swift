import DequeModule

/// The rules of one connection as a pure state machine: events in, actions out, no socket, no clock and no thread of its own.
///
/// - Requests are answered one after the other, in their order. What comes before the last one is answered waits, and with it
///   the reading of the socket.
/// - Whoever is answered before all of the request has come is read on, up to a point, and what comes is thrown away.
/// - Nothing is waited for without end: once a second the connection looks at what it is waiting for.
///
/// Whoever tells it of an event then does what ``next()`` says until that is nil. What is done may be an event itself.
///
/// - Parameters: `Head` is how a request begins; `Piece` a part of its body.
struct ConversationState<Head, Piece> {
    /// What has come, in the order it came in.
    enum Part {
        case head(Head)
        /// With its length in bytes.
        case body(Piece, length: Int)
        case end
    }

    enum Phase: Equatable {
        /// Waits for a request.
        case idle
        /// Has the head of a request and waits to be told who makes it.
        case asking
        /// Has the head of a request and waits for the rest.
        case reading
        /// Waits for the handler.
        case answering
        /// The answer is longer than the caller takes at once.
        case writing
        /// The answer has no end; it goes on as there is more. Further requests are not answered.
        case streaming
        /// The answer was given before all of the request had come; the rest is thrown away.
        case discarding
        /// Nothing is answered any more.
        case closing
    }

    /// Why a request is answered without being handled.
    enum Refusal: Equatable {
        case bodyIncomplete
        case bodyTooLarge
        case bodyTooSlow
        /// Other bodies had the room for its body for too long.
        case noRoom
        /// What came is no HTTP: nobody knows where the next request would begin.
        case nonsense
    }

    enum Action {
        /// Look at a request. ``asks()``, ``reads(atMost:waitsForRoom:)`` or an answer has to follow.
        case begin(Head)
        case append(Piece)
        case handle
        /// Answer the request. ``answered(isLast:closesAtOnce:)`` has to follow.
        case refuse(Refusal)
        /// End the answer that has no end. ``closes(atOnce:)`` has to follow.
        case endStream
        /// Say something on a stream where nothing has been said for long.
        case breakSilence
        /// Look whether the caller of a stream may still read it.
        case lookAtCaller
        case read
        /// Send what is not sent yet; ``flushed()`` has to follow.
        case flush
        /// Tell the caller that nothing follows.
        case closeOutput
        case close
    }

    /// How long what is waited for may take, in seconds.
    enum Patience {
        static var head: Int { 10 }
        /// Beside a second for each MiB it may have: a silent caller must not keep an instance from stopping.
        static var body: Int { 10 }
        /// For room that other bodies have.
        static var room: Int { 5 }
        /// For a caller who takes nothing of its answer. Several hundred kilobytes of it may be on their way through the
        /// system's buffers, unseen.
        static var reader: Int { 60 }
        /// For the caller to close its side after the last answer. Closing both at once may lose that answer when the caller
        /// is still sending.
        static var close: Int { 2 }
        /// Until a caller who keeps us waiting, or asks nothing more, may lose the connection to one that comes.
        static var displaced: Int { 2 }
        /// Without a word on a stream. Half of what balancers wait for.
        static var silence: Int { 15 }
    }

    /// Twice as much of a refused body as any route takes, in bytes; who sends more loses the connection.
    static var mostDiscarded: Int { 67_108_864 }

    private(set) var phase = Phase.idle
    /// Whether the answer under way is the last.
    private(set) var endsAfterAnswer = false
    /// Whether the caller takes more of what is sent to it now.
    var isWritable = true

    private let idleSeconds: Int
    /// What came before the last request was answered.
    private var pending: Deque<Part> = []
    /// What is to be done before anything else.
    private var due: Deque<Action> = []
    private var isReadWanted = false
    /// What has come cannot be understood, and nothing has been said of it yet.
    private var isInputBroken = false
    private var waitsForRoom = false
    /// Nothing will follow what has come so far: the caller has no more to say, or the server stops.
    private var endsWhenIdle = false
    private var isStopping = false
    /// The last answer is on its way, and whether the connection is closed with it.
    private var isFlushing = false
    private var closesAtOnce = false
    /// Nothing is done any more.
    private var isOver = false
    /// Of the request's body, in bytes: how many it may have, and how many have come.
    private var bodyLimit = 0
    private var received = 0
    /// Of the body that is thrown away, in bytes.
    private var discarded = 0
    /// Something has come that is no whole head yet.
    private var hasHalfHead = false
    private var hasPartOfRead = false
    /// Something has been asked.
    private var hasAsked = false
    /// How often the connection has looked at itself since it began to wait for what it waits for.
    private var looks = 0
    /// The same since it saw something leave, and how much was left then.
    private var looksAtUnsent = 0
    private var unsent = 0

    /// - Parameter idleSeconds: for how long nothing may be asked.
    init(idleSeconds: Int) {
        self.idleSeconds = idleSeconds
    }
}

// What is to be done.
extension ConversationState {
    /// The next thing to do; nil until something happens.
    mutating func next() -> Action? {
        if let action = due.popFirst() { return action }
        guard !isOver else { return nil }
        while isTaking, let part = pending.popFirst() {
            if let action = take(part) { return action }
        }
        guard isTaking else { return nil }
        switch phase {
        case .reading where isInputBroken:
            (isInputBroken, endsAfterAnswer) = (false, true)
            return .refuse(.bodyIncomplete)
        case .idle where isInputBroken:
            isInputBroken = false
            return .refuse(.nonsense)
        case .streaming where isInputBroken || endsWhenIdle: return .endStream
        case .idle where endsWhenIdle, .discarding where isInputBroken || endsWhenIdle,
            .closing where (isInputBroken || endsWhenIdle) && !isFlushing && !closesAtOnce:
            closes(atOnce: true)
            return .flush
        default: break
        }
        guard isReadWanted, !waitsForRoom else { return nil }
        isReadWanted = false
        return .read
    }

    /// Whether the next part can be looked at.
    private var isTaking: Bool {
        switch phase {
        case .idle, .reading, .discarding, .streaming, .closing: true
        case .asking, .answering, .writing: false
        }
    }

    private mutating func take(_ part: Part) -> Action? {
        switch (phase, part) {
        case (.idle, .head(let head)):
            (hasHalfHead, hasAsked) = (false, true)
            looks = 0
            (received, discarded) = (0, 0)
            return .begin(head)
        case (.reading, .body(let piece, let length)):
            received += length
            return received <= bodyLimit ? .append(piece) : .refuse(.bodyTooLarge)
        case (.reading, .end):
            phase = .answering
            return .handle
        case (.discarding, .body(_, let length)):
            discarded += length
            guard discarded > Self.mostDiscarded else { return nil }
            closes(atOnce: false)
            return .flush
        case (.streaming, .body(_, let length)):
            discarded += length
            return discarded > Self.mostDiscarded ? .endStream : nil
        case (.discarding, .end):
            becomeIdle()
            return nil
        default: return nil
        }
    }

    private mutating func becomeIdle() {
        phase = isWritable ? .idle : .writing
        looks = 0
    }
}

// What comes.
extension ConversationState {
    mutating func receive(_ part: Part) {
        hasPartOfRead = true
        pending.append(part)
    }

    /// What could be read at once has been.
    mutating func readCompleted() {
        defer { hasPartOfRead = false }
        guard !hasPartOfRead, !hasHalfHead else { return }
        switch phase {
        case .idle, .asking, .answering, .writing:
            hasHalfHead = true
            looks = 0
        case .reading, .discarding, .streaming, .closing: break
        }
    }

    /// Somebody wants to read the socket.
    ///
    /// Reading goes on while a request is answered, because pausing it costs two system calls a request; it pauses only for
    /// callers who send further requests ahead, and for those whose body has no room yet.
    /// - Returns: whether to read at once; otherwise ``Action/read`` says when.
    mutating func readWanted() -> Bool {
        guard pending.isEmpty, !waitsForRoom else {
            isReadWanted = true
            return false
        }
        return true
    }

    /// What comes cannot be understood any more.
    mutating func inputBroke() { isInputBroken = true }

    /// The caller has no more to say.
    mutating func inputClosed() { endsWhenIdle = true }

    /// The server is about to stop.
    mutating func stops() { (endsWhenIdle, isStopping) = (true, true) }

    /// The caller takes more again.
    mutating func becameWritable() {
        isWritable = true
        if phase == .writing { becomeIdle() }
    }

    /// The connection is gone.
    /// - Returns: whether the body of a request was on its way.
    mutating func left() -> Bool {
        let wasReading = phase == .reading
        switch phase {
        // Whoever is at work on an answer finds out by itself.
        case .asking, .answering: break
        case .idle, .reading, .writing, .streaming, .discarding, .closing: phase = .closing
        }
        pending.removeAll()
        (due, isOver) = ([], true)
        return wasReading
    }
}

// What the request under way comes to.
extension ConversationState {
    /// The caller waits to be told that its body is wanted: refused, it may send that or another request, so nobody knows what
    /// would follow the answer (RFC 9110, 10.1.1).
    mutating func isAskedFirst() { endsAfterAnswer = true }

    /// It has been told.
    mutating func bodyIsWanted() { endsAfterAnswer = false }

    /// Somebody has to be asked who makes it; what follows of it waits.
    mutating func asks() { phase = .asking }

    /// It may be made.
    mutating func reads(atMost limit: Int, waitsForRoom: Bool = false) {
        (bodyLimit, self.waitsForRoom) = (limit, waitsForRoom)
        phase = .reading
    }

    /// There is room for its body.
    mutating func roomCame() {
        waitsForRoom = false
        looks = 0
    }

    /// It has been answered.
    mutating func answered(isLast: Bool, closesAtOnce: Bool = false) {
        waitsForRoom = false
        guard !isLast else { return closes(atOnce: closesAtOnce) }
        if phase == .answering { becomeIdle() } else { phase = .discarding }
    }

    /// It is being answered without end.
    mutating func streams() {
        phase = .streaming
        discarded = 0
        pending.removeAll()
    }

    /// Something was said on the stream.
    mutating func said() { looks = 0 }

    /// The last thing that is said is on its way; ``flushed()`` tells when it has gone.
    mutating func closes(atOnce: Bool) {
        phase = .closing
        pending.removeAll()
        (isFlushing, closesAtOnce) = (true, atOnce)
    }

    /// What was last said has gone.
    mutating func flushed() {
        isFlushing = false
        looks = 0
        guard !isOver else { return }
        if closesAtOnce || isStopping || endsWhenIdle { close() } else { due.append(.closeOutput) }
    }
}

// What does not come.
extension ConversationState {
    /// A second has passed. The first may be shorter, so that one more is needed than seconds.
    /// - Parameter left: how many bytes the caller has not taken yet.
    mutating func secondPassed(unsent left: Int) {
        guard !isOver else { return }
        looks += 1
        looksAtUnsent = left > 0 && left == unsent ? looksAtUnsent + 1 : 0
        unsent = left
        guard looksAtUnsent <= Patience.reader else { return close() }
        switch phase {
        case .idle where left == 0 && looks > (hasHalfHead ? Patience.head : idleSeconds): close()
        case .reading where waitsForRoom && looks > Patience.room: due.append(.refuse(.noRoom))
        case .reading where looks > bodyPatience: due.append(.refuse(.bodyTooSlow))
        case .discarding where looks > bodyPatience:
            closes(atOnce: false)
            due.append(.flush)
        case .closing where !isFlushing && looks > Patience.close: close()
        case .streaming:
            if left == 0 && looks >= Patience.silence { due.append(.breakSilence) }
            due.append(.lookAtCaller)
        case .idle, .reading, .discarding, .closing, .asking, .answering, .writing: break
        }
    }

    private mutating func close() {
        (due, isOver) = ([.close], true)
    }

    /// How the connection uses its place among all.
    var use: OpenConnections.Use {
        switch phase {
        case .idle where hasHalfHead || !hasAsked:
            looks >= Patience.displaced ? .stalled : hasAsked ? .working : .silent
        case .idle: looks >= Patience.displaced ? .idle : .working
        case .reading: !waitsForRoom && looks >= Patience.displaced ? .stalled : .working
        case .discarding, .closing: looks >= Patience.displaced ? .stalled : .working
        case .writing, .streaming: looksAtUnsent >= Patience.displaced ? .stalled : .working
        case .asking, .answering: .working
        }
    }

    private var bodyPatience: Int { Patience.body + bodyLimit / 1_048_576 }
}
