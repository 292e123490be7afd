import Crypto
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import TestSupport

@testable import OpenID

/// A provider over real sockets that does what a test wants, and counts what it is asked for.
final class StubProvider: Sendable {
    enum Reply: Sendable {
        case answer(Int, String, [String: String] = [:])
        /// Some bytes at once, and then more, one every 20 ms.
        case trickle
        case silence

        static func json(_ value: Any, status: Int = 200) -> Reply {
            let data = (try? JSONSerialization.data(withJSONObject: value)) ?? Data()
            return .answer(status, String(decoding: data, as: UTF8.self))
        }
    }

    struct Request: Sendable {
        let method: String
        let path: String
        let headers: [String: String]
        let form: [String: String]
    }

    /// What the browser was sent here with.
    private struct Visit: Sendable {
        let nonce: String
        let challenge: String
        let redirectURL: String
    }

    private struct State: Sendable {
        var keys: [[String: String]]
        var replies: [String: @Sendable (Request) -> Reply] = [:]
        var requests: [Request] = []
        var visits: [String: Visit] = [:]
    }

    typealias TokenMaker = @Sendable (_ nonce: String, _ provider: StubProvider) throws -> String

    let address: String
    let key: SigningKey
    /// A key of somebody else that has the id of the provider's own.
    let stranger: SigningKey
    private let channel: any Channel
    private let state: Shared<State>
    /// Makes the ID token; an honest one unless a test wants another.
    private let token = Shared<TokenMaker> { nonce, provider in
        try provider.key.token(claims: provider.claims(nonce: nonce))
    }
    /// Members of the metadata in JSON beside the usual ones, or instead of them.
    private let metadata = Shared<[String: String]>([:])

    static let clientID = "leads & crm"
    static let clientSecret = "s3cret/+:"
    static let redirectURL = "http://localhost:8000/signed-in"

    init(
        key: SigningKey, stranger: SigningKey, certificate: (chain: String, key: String)? = nil
    ) async throws {
        self.key = key
        self.stranger = stranger
        let state = Shared(State(keys: [key.published]))
        self.state = state
        var tls: NIOSSLContext?
        if let certificate {
            tls = try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: try NIOSSLCertificate.fromPEMFile(certificate.chain).map { .certificate($0) },
                    privateKey: .privateKey(try NIOSSLPrivateKey(file: certificate.key, format: .pem))))
        }
        let answering = Shared<(@Sendable (Request) -> Reply)?>(nil)
        channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [tls] channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(
                        Answerer { request in answering.value?(request) ?? .silence })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        address = "\(certificate == nil ? "http" : "https")://localhost:\(channel.localAddress?.port ?? 0)"
        answering.withLock { $0 = { [weak self] request in self?.reply(to: request) ?? .silence } }
    }

    func close() async throws {
        try await channel.close()
    }

    // What a test may change.

    func publish(_ keys: [[String: String]]) { state.withLock { $0.keys = keys } }

    func answer(_ path: String, _ reply: @escaping @Sendable (Request) -> Reply) {
        state.withLock { $0.replies[path] = reply }
    }

    func forget(_ path: String) { state.withLock { $0.replies[path] = nil } }

    func issue(_ maker: @escaping TokenMaker) { token.withLock { $0 = maker } }

    /// - Parameter json: a member's value; `null` leaves it out.
    func say(_ member: String, _ json: String) { metadata.withLock { $0[member] = json } }

    // What a test may look at.

    var requests: [Request] { state.value.requests }
    func count(_ path: String) -> Int { requests.count { $0.path == path } }

    func claims(nonce: String) -> [String: Any] {
        let now = Int(Date.now.timeIntervalSince1970)
        return [
            "iss": address, "sub": "anna-1", "aud": Self.clientID, "exp": now + 300, "iat": now, "nonce": nonce,
            "name": "Anna Demo", "email": "anna@example.com", "email_verified": true,
        ]
    }

    /// What a browser does: goes where it is sent, signs in and comes back with the answer.
    func visit(_ signIn: SignIn) throws -> [(String, String)] {
        let query = URLComponents(string: signIn.url)?.queryItems ?? []
        let fields = Dictionary(query.map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { $1 })
        let code = UUID().uuidString
        guard signIn.url.hasPrefix("\(address)/authorize?"), fields["response_type"] == "code",
            fields["client_id"] == Self.clientID, fields["code_challenge_method"] == "S256",
            let nonce = fields["nonce"],
            let challenge = fields["code_challenge"], let state = fields["state"],
            let redirectURL = fields["redirect_uri"]
        else { throw Unexpected() }
        self.state.withLock {
            $0.visits[code] = Visit(nonce: nonce, challenge: challenge, redirectURL: redirectURL)
        }
        return [("state", state), ("code", code), ("iss", address)]
    }

    struct Unexpected: Error {}

    private func reply(to request: Request) -> Reply {
        let wanted = state.withLock { state in
            state.requests.append(request)
            return state.replies[request.path]
        }
        if let wanted { return wanted(request) }
        switch request.path {
        case "/.well-known/openid-configuration":
            var members: [String: Any] = [
                "issuer": address, "authorization_endpoint": "\(address)/authorize",
                "token_endpoint": "\(address)/token",
                "jwks_uri": "\(address)/keys", "userinfo_endpoint": "\(address)/me",
                "authorization_response_iss_parameter_supported": true,
            ]
            for (name, json) in metadata.value {
                members[name] = try? JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
            }
            return .json(members.filter { !($0.value is NSNull) })
        case "/keys": return .json(["keys": state.value.keys])
        case "/token": return exchange(request)
        default: return .answer(404, "")
        }
    }

    private func exchange(_ request: Request) -> Reply {
        let pair = "\(Form.escape(Self.clientID)):\(Form.escape(Self.clientSecret))"
        guard request.headers["authorization"] == "Basic \(Data(pair.utf8).base64EncodedString())" else {
            return .json(["error": "invalid_client"], status: 401)
        }
        let visit = state.withLock { $0.visits.removeValue(forKey: request.form["code"] ?? "") }
        let verifier = request.form["code_verifier"] ?? ""
        guard let visit, request.form["grant_type"] == "authorization_code",
            request.form["redirect_uri"] == visit.redirectURL,
            Base64URL.encode(SHA256.hash(data: Data(verifier.utf8))) == visit.challenge
        else { return .json(["error": "invalid_grant", "error_description": "anna@example.com"], status: 400) }
        guard let token = try? token.value(visit.nonce, self) else { return .answer(500, "") }
        return .json(["id_token": token, "access_token": "access-1", "token_type": "Bearer"])
    }
}

private final class Answerer: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let reply: @Sendable (StubProvider.Request) -> StubProvider.Reply
    private var head: HTTPRequestHead?
    private var body = ""

    init(_ reply: @escaping @Sendable (StubProvider.Request) -> StubProvider.Reply) {
        self.reply = reply
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = ""
        case .body(let buffer):
            body += String(buffer: buffer)
        case .end:
            guard let head else { return }
            let form = URLComponents(string: "?\(body)")?.queryItems ?? []
            answer(
                reply(
                    StubProvider.Request(
                        method: head.method.rawValue, path: head.uri,
                        headers: Dictionary(
                            head.headers.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { $1 }),
                        form: Dictionary(form.map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { $1 }))), context)
        }
    }

    private func answer(_ reply: StubProvider.Reply, _ context: ChannelHandlerContext) {
        switch reply {
        case .silence:
            break
        case .answer(let status, let text, let more):
            var headers = HTTPHeaders([("Content-Length", "\(text.utf8.count)"), ("Content-Type", "application/json")])
            for (name, value) in more { headers.add(name: name, value: value) }
            write(
                .head(HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers)), context
            )
            write(.body(.byteBuffer(ByteBuffer(string: text))), context)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        case .trickle:
            write(
                .head(
                    HTTPResponseHead(version: .http1_1, status: .ok, headers: ["Transfer-Encoding": "chunked"])),
                context)
            trickle(context)
        }
    }

    private func trickle(_ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: " ")))), promise: nil)
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(20)) { self.trickle(context) }
    }

    private func write(_ part: HTTPServerResponsePart, _ context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(part), promise: nil)
    }
}
