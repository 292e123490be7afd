import HTTPTypes
import NIOCore
import NIOHTTP1

/// A request under way: a class, because handing a dozen fields around would count as many references.
final class Exchange {
    let began = ContinuousClock.now
    let id: String
    let method: HTTPRequest.Method
    let target: RequestTarget
    let headers: RequestHeaders
    let match: RouteTree.Match?
    let language: Language
    let version: HTTPVersion
    let isKeptAlive: Bool
    /// Whether it asks for another protocol. We speak none, and what follows such a request the decoder does not
    /// read.
    let wantsUpgrade: Bool
    /// Whether it waits to be told that its body is wanted (RFC 9110, 10.1.1).
    let asksFirst: Bool
    var body = ByteBuffer()
    /// The body's part of the room that large bodies share.
    var place: BodyRoom.Place?
    /// The origin of a page elsewhere that may read the answer.
    var invitedOrigin: String?
    /// What a key has left of its rate.
    var turn: TokenBucket.Turn?
    var caller = Caller(kind: .nobody)

    init(_ head: HTTPRequestHead, _ server: Server) {
        headers = RequestHeaders(head.headers)
        id = RequestID.of(headers)
        method = HTTPRequest.Method(head.method)
        target = RequestTarget(head.uri)
        match = server.tree.match(target.path)
        language = Language(accepting: headers[.acceptLanguage], fallback: server.language)
        version = head.version
        wantsUpgrade = head.method == .CONNECT || head.headers.contains(name: "upgrade")
        isKeptAlive = head.isKeepAlive && !wantsUpgrade
        asksFirst = version == .http1_1 && headers[.expect]?.lowercased() == "100-continue"
    }

    var hasBody: Bool {
        headers.count(of: .transferEncoding) > 0 || (headers[.contentLength].flatMap { Int($0) } ?? 0) > 0
    }

    /// What answers it: that of GET also for HEAD.
    var route: Route? { match?.endpoint.route(method == .head ? .get : method) }
}

extension HTTPRequest.Method {
    fileprivate init(_ method: HTTPMethod) {
        self =
            switch method {
            case .GET: .get
            case .POST: .post
            case .PATCH: .patch
            // The decoder knows no method that is no word.
            default: Self(rawValue: method.rawValue) ?? .trace
            }
    }
}
