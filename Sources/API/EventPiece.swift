import JSON
import Leads
import NIOCore

/// Successive events of the log as streams send them, made once for all who are sent the same.
struct EventPiece: Sendable {
    /// The position of whoever may take all of it.
    let after: Int
    /// Where whoever has taken it is: at its last event, or further on where nothing follows for those it is for.
    private(set) var last: Int
    private(set) var bytes: ByteBuffer
    /// Of each event, its position and where it ends in `bytes`.
    private var ends: [(position: Int, offset: Int)] = []

    /// A piece that has as much is complete: a caller's socket takes about as much at a time.
    private static let enough = 65_536

    private init(after position: Int, capacity: Int) {
        after = position
        last = position
        bytes = ByteBufferAllocator().buffer(capacity: capacity)
    }

    /// The events, which come after a position, in pieces of moderate size; none of no events.
    /// - Parameter reached: up to where nothing is missing among them.
    static func pieces(of events: [Event], after position: Int, upTo reached: Int) -> [EventPiece] {
        var pieces: [EventPiece] = []
        var json = JSONWriter(capacity: 512)
        for (index, event) in events.enumerated() {
            if index == 0 || pieces[pieces.count - 1].size >= Self.enough {
                let capacity = min((events.count - index) * 256, Self.enough + 1024)
                pieces.append(EventPiece(after: pieces.last?.last ?? position, capacity: capacity))
            }
            pieces[pieces.count - 1].append(event, &json)
        }
        if !pieces.isEmpty { pieces[pieces.count - 1].last = reached }
        return pieces
    }

    var size: Int { bytes.readableBytes }

    /// What whoever has got to a position has not been sent yet.
    func bytes(after position: Int) -> ByteBuffer {
        guard let known = ends.last(where: { $0.position <= position }) else { return bytes }
        return bytes.getSlice(at: known.offset, length: bytes.writerIndex - known.offset) ?? ByteBuffer()
    }

    /// An event as `text/event-stream` has it. A kind is one word, and JSON has no line break outside of strings, in
    /// which it is escaped.
    private mutating func append(_ event: Event, _ json: inout JSONWriter) {
        json.removeAll()
        json.event(event)
        bytes.writeStaticString("id: ")
        bytes.writeString(String(event.position))
        bytes.writeStaticString("\nevent: ")
        bytes.writeString(event.kind)
        bytes.writeStaticString("\ndata: ")
        bytes.writeBytes(json.bytes)
        bytes.writeStaticString("\n\n")
        ends.append((event.position, bytes.writerIndex))
        last = event.position
    }
}
