import HTTPTypes
import JSON
import Leads

/// What a handler answers.
struct Reply: Sendable {
    var status: HTTPResponse.Status
    var headers: ReplyHeaders
    var body: [UInt8]
    /// Why the caller was refused, for the log: free of what was sent.
    var cause: String?
    /// What the answer goes on with for as long as the caller stays; nil for one that is whole.
    var stream: EventStream?

    init(_ status: HTTPResponse.Status = .ok, headers: ReplyHeaders = [:], _ write: (inout JSONWriter) -> Void) {
        var json = JSONWriter()
        write(&json)
        self.status = status
        self.headers = headers
        self.headers[.contentType] = "application/json"
        body = json.bytes
    }

    init(_ status: HTTPResponse.Status = .ok, headers: ReplyHeaders = [:], contentType: String, _ body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.headers[.contentType] = contentType
        self.body = body
    }

    init(_ status: HTTPResponse.Status, headers: ReplyHeaders = [:], cause: String? = nil) {
        self.status = status
        self.headers = headers
        self.cause = cause
        body = []
    }

    /// An answer without an end (`text/event-stream`, WHATWG HTML, 9.2).
    init(_ stream: EventStream) {
        // Nobody on the way may keep it, nginx not even for a moment.
        self.init(.ok, headers: [.contentType: EventStream.contentType, .cacheControl: "no-store", .buffering: "no"])
        self.stream = stream
    }

    /// `{"message": …}`, as both references answer to commands.
    static func message(_ text: String) -> Reply {
        Reply { json in json.object { $0.field("message", text) } }
    }

    /// One page of a list, with a `Link` to the next (RFC 8288) where there is one.
    static func listing<Element>(
        _ listing: Listing<Element>, _ call: Call, _ write: (inout JSONWriter, Element) -> Void
    ) -> Reply {
        page(listing, call, by: "cursor", write)
    }

    /// One page of a log, with a `Link` likewise.
    static func log<Element>(
        _ listing: Listing<Element>, _ call: Call, _ write: (inout JSONWriter, Element) -> Void
    ) -> Reply {
        page(listing, call, by: "after", write)
    }

    private static func page<Element>(
        _ listing: Listing<Element>, _ call: Call, by parameter: StaticString,
        _ write: (inout JSONWriter, Element) -> Void
    ) -> Reply {
        var headers: ReplyHeaders = [:]
        if let last = listing.nextCursor {
            headers[.link] = "<\(call.target(after: last, as: parameter))>; rel=\"next\""
        }
        return Reply(headers: headers) { json in json.array(listing.elements, write) }
    }
}

extension HTTPField.Name {
    fileprivate static let link = HTTPField.Name("Link")!
    fileprivate static let buffering = HTTPField.Name("X-Accel-Buffering")!
}
