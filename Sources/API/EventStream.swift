import Leads
import NIOCore
import Synchronization

/// The events one caller follows: what an answer without an end goes on with.
final class EventStream: Sendable {
    /// What to do next.
    enum Next {
        case send(ByteBuffer)
        /// Nothing has come; the caller of ``next(wake:)`` will be woken.
        case wait
        /// Nothing will come any more: whoever wants to go on asks again.
        case end
    }

    private struct State {
        /// Where the caller is when it has taken all it was given.
        var position: Int
        var isCertain: Bool
        /// Of a page that was read for this stream alone.
        var pieces = CircularBuffer<EventPiece>()
        /// The tail's number of erasures when that page began to be read.
        var erasures = 0
        var isReading = false
        var isEnded = false
        var wake: (@Sendable () -> Void)?
    }

    static let contentType = "text/event-stream"

    private let tail: EventTail
    private let viewer: Viewer
    private let number: Int
    private let generation: Int
    private let state: Mutex<State>

    /// What is sent first.
    let opening: ByteBuffer

    /// How long to wait before coming back when the stream broke, and from where, also when nothing had happened by
    /// then. An event without data is not shown to anybody.
    static func opening(after position: Int) -> ByteBuffer {
        ByteBuffer(string: ": events after \(position)\nretry: 1000\nid: \(position)\n\n")
    }

    /// Says that the connection lives, to both ends and to everything between them.
    static let heartbeat = ByteBuffer(staticString: ": heartbeat\n\n")

    init(
        of tail: EventTail, for viewer: Viewer, number: Int, generation: Int, after position: Int, isCertain: Bool
    ) {
        self.tail = tail
        self.viewer = viewer
        self.number = number
        self.generation = generation
        state = Mutex(State(position: position, isCertain: isCertain))
        opening = Self.opening(after: position)
    }

    deinit {
        end()
    }

    /// What follows what was given before. The caller takes one after the other.
    /// - Parameter wake: is called at most once, as soon as it makes sense to ask again after ``Next/wait``.
    func next(wake: @escaping @Sendable () -> Void) -> Next {
        state.withLock { state in
            guard !state.isEnded else { return .end }
            if !state.pieces.isEmpty, state.erasures != tail.erasures { state.pieces.removeAll() }
            if let piece = state.pieces.popFirst() {
                state.position = piece.last
                return .send(piece.bytes)
            }
            guard !state.isReading else {
                state.wake = wake
                return .wait
            }
            while true {
                switch tail.next(
                    for: number, viewer, after: state.position, isCertain: state.isCertain, generation: generation,
                    wake: wake)
                {
                case .bytes(let bytes, let position):
                    state.position = position
                    state.isCertain = true
                    return .send(bytes)
                case .others(let position):
                    state.position = position
                    state.isCertain = true
                case .nothing:
                    return .wait
                case .elsewhere:
                    state.isReading = true
                    state.wake = wake
                    let position = state.position
                    Task { await self.read(after: position) }
                    return .wait
                case .over:
                    return .end
                }
            }
        }
    }

    /// Gives the place free. Nothing follows.
    func end() {
        let isFirst = state.withLock { state in
            defer { state.isEnded = true }
            state.wake = nil
            state.pieces.removeAll()
            return !state.isEnded
        }
        if isFirst { tail.close(number, viewer) }
    }

    private var isEnded: Bool { state.withLock { $0.isEnded } }

    private func read(after position: Int) async {
        let erasures = tail.erasures
        guard let part = await tail.read(after: position, for: viewer, while: { !isEnded }) else { return }
        let pieces = EventPiece.pieces(of: part.events(for: viewer), after: position, upTo: part.reached)
        let wake = state.withLock { state -> (@Sendable () -> Void)? in
            guard !state.isEnded else { return nil }
            state.isReading = false
            state.isCertain = true
            state.pieces.append(contentsOf: pieces)
            state.erasures = erasures
            // A caller who says it is beyond the end is at the end. What is missing before it was deleted by hand.
            if pieces.isEmpty { state.position = part.reached }
            defer { state.wake = nil }
            return state.wake
        }
        wake?()
    }
}
