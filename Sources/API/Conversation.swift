import Glibc
import HTTPTypes
import LeadStore
import NIOCore
import NIOHTTP1

/// Answers the requests that come on one connection, one after the other.
///
/// Stands behind the decoder of the connection's pipeline and does itself what a general server does with streams and
/// tasks: a body is gathered as it comes, and what changes threads is the finished call and the finished reply.
/// Requests that come before the last one is answered wait, and with them the reading of the socket. Nothing is waited
/// for without end: once a second the connection looks at what it is waiting for, so that a request needs no timer.
///
/// Everything here happens on the connection's event loop.
final class Conversation: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
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

    /// A request under way: a class, because handing a dozen fields around would count as many references.
    private final class Exchange {
        let began = ContinuousClock.now
        let id: String
        let method: HTTPRequest.Method
        /// As it was sent, without the query.
        let path: String
        let query: Substring
        /// The server that the target names, where it names one.
        let authority: Substring?
        let headers: RequestHeaders
        let match: RouteTree.Match?
        let language: Language
        let version: HTTPVersion
        let isKeptAlive: Bool
        /// Whether it asks for another protocol. We speak none, and what follows such a request the decoder does not
        /// read.
        let wantsUpgrade: Bool
        /// Whether it waits to be told that its body is wanted.
        var asksFirst = false
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
            (authority, path, query) = Conversation.target(head.uri)
            match = server.tree.match(path)
            language = Language(accepting: headers[.acceptLanguage], fallback: server.language)
            version = head.version
            wantsUpgrade = head.method == .CONNECT || head.headers.contains(name: "upgrade")
            isKeptAlive = head.isKeepAlive && !wantsUpgrade
        }

        var hasBody: Bool {
            headers.count(of: .transferEncoding) > 0 || (headers[.contentLength].flatMap { Int($0) } ?? 0) > 0
        }

        /// What answers it: that of GET also for HEAD.
        var route: Route? { match?.endpoint.route(method == .head ? .get : method) }
    }

    private let server: Server
    private let place: Int
    private var isSettled = false
    private var context: ChannelHandlerContext?
    private var state = State.idle
    private var exchange: Exchange?
    /// What came before the last request was answered.
    private var pending = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 2)
    private var isReadWanted = false
    private var isInputBroken = false
    /// The turn in the line for room for the body.
    private var turn: Int?
    /// Nothing will follow what has come so far: the caller has no more to say, or the server stops.
    private var endsWhenIdle = false
    private var isStopping = false
    /// The last answer is on its way.
    private var isFlushing = false
    /// What an answer without an end goes on with.
    private var stream: EventStream?
    /// What its caller has shown, and what that one may see of it.
    private var credential: Authentication.Credential?
    private var viewer = Caller(kind: .nobody).viewer
    /// Whether it comes in chunks.
    private var isChunked = false
    private var isPumping = false
    private var endsAfterAnswer = false
    /// Of the request's body, in bytes.
    private var bodyLimit = 0
    /// Of the body that is thrown away, in bytes.
    private var discarded = 0
    /// Something has come that is no whole head yet.
    private var hasHalfHead = false
    private var hasPartOfRead = false
    private var watch: Scheduled<Void>?
    /// How often the connection has looked at itself since it began to wait for what it waits for.
    private var looks = 0
    /// The same since it saw something leave, and how much was left then.
    private var looksAtUnsent = 0
    private var unsent = 0
    private var date = DateHeader()
    /// Who works on the answer, or did so last.
    private(set) var handler: Task<Void, Never>?

    private static let largestBodyOnDatabaseThread = 65_536
    /// Bodies of no more than this take no room from others.
    private static let smallBody = 16_384
    /// Twice as much of a refused body as any route takes; who sends more loses the connection.
    private static let mostDiscarded = 67_108_864

    /// How long what is waited for may take, in seconds.
    private enum Patience {
        static let head = 10
        /// Beside a second for each MiB it may have: a silent caller must not keep an instance from stopping.
        static let body = 10
        /// For room that other bodies have.
        static let room = 5
        /// For a caller who takes nothing of its answer. Several hundred kilobytes of it may be on their way through
        /// the system's buffers, unseen.
        static let reader = 60
        /// For the caller to close its side after the last answer. Closing both at once may lose that answer when the
        /// caller is still sending.
        static let close = 2
        /// Without a word on a stream. Half of what balancers wait for.
        static let silence = 15
    }

    /// - Parameter place: among the connections that are open.
    init(server: Server, place: Int) {
        self.server = server
        self.place = place
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        lookLater(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        leaveStream()
        leaveLine()
        server.connections.leave(place, isSettled: isSettled)
        watch?.cancel()
        watch = nil
    }

    /// Gives up at once whatever is under way.
    func cancel() {
        handler?.cancel()
        context?.close(promise: nil)
    }
}

// What comes.
extension Conversation {
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        hasPartOfRead = true
        if isTaking, pending.isEmpty { take(part) } else { pending.append(part) }
    }

    /// Whether the next part can be looked at.
    private var isTaking: Bool {
        switch state {
        case .idle, .reading, .discarding, .streaming, .closing: true
        case .asking, .answering, .writing: false
        }
    }

    private func take(_ part: HTTPServerRequestPart) {
        switch (state, part) {
        case (.idle, .head(let head)): begin(head)
        case (.reading, .body(let piece)): append(piece)
        case (.reading, .end): handle()
        case (.discarding, .body(let piece)):
            discarded += piece.readableBytes
            if discarded > Self.mostDiscarded { close(after: ByteBuffer()) }
        case (.streaming, .body(let piece)):
            discarded += piece.readableBytes
            if discarded > Self.mostDiscarded { endStream() }
        case (.discarding, .end):
            state = .idle
            // With more to come, whoever takes the parts goes on by itself.
            if pending.isEmpty { becomeIdle() }
        default: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        defer { hasPartOfRead = false }
        guard !hasPartOfRead, !hasHalfHead else { return }
        switch state {
        case .idle, .asking, .answering, .writing:
            hasHalfHead = true
            looks = 0
        case .reading, .discarding, .streaming, .closing: break
        }
    }

    /// Reading goes on while a request is answered, because pausing it costs two system calls a request; it pauses only
    /// for callers who send further requests ahead, and for those whose body has no room yet.
    func read(context: ChannelHandlerContext) {
        if pending.isEmpty, turn == nil { context.read() } else { isReadWanted = true }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // After its first error the decoder has another one for whatever comes.
        if case ByteToMessageDecoderError.dataReceivedInErrorState = error { return }
        // Of a connection that is gone, what is left undecoded is no matter.
        guard context.channel.isActive else { return }
        guard error is HTTPParserError else {
            context.close(promise: nil)
            return
        }
        switch state {
        case .reading:
            endsAfterAnswer = true
            refuse(.bodyIncomplete)
        case .discarding, .closing:
            closeWhenWritten()
        case .streaming:
            endStream()
        case .idle, .asking, .answering, .writing:
            isInputBroken = true
            if case .idle = state { becomeIdle() }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as ChannelEvent where event == .inputClosed:
            endsWhenIdle = true
        case is ChannelShouldQuiesceEvent:
            endsWhenIdle = true
            isStopping = true
        default:
            context.fireUserInboundEventTriggered(event)
            return
        }
        switch state {
        case .idle: becomeIdle()
        case .discarding, .closing: closeWhenWritten()
        case .streaming: endStream()
        case .reading, .asking, .answering, .writing: break
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard context.channel.isWritable else { return }
        switch state {
        case .writing: becomeIdle()
        case .streaming: pump()
        case .idle, .reading, .asking, .answering, .discarding, .closing: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .reading = state, let exchange {
            observe(exchange, Problem.bodyIncomplete.status, cause: nil)
            self.exchange = nil
        }
        switch state {
        case .asking, .answering: break
        case .idle, .reading, .writing, .streaming, .discarding, .closing: state = .closing
        }
        leaveStream()
        leaveLine()
        pending.removeAll()
        context.fireChannelInactive()
    }
}

// What does not come.
extension Conversation {
    private func lookLater(_ context: ChannelHandlerContext) {
        watch = context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { [self] in look() }
    }

    /// Gives up what has taken too long. The first look may follow at once, so that one more is needed than seconds.
    private func look() {
        guard let context else { return }
        lookLater(context)
        looks += 1
        let left = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        looksAtUnsent = left > 0 && left == unsent ? looksAtUnsent + 1 : 0
        unsent = left
        guard looksAtUnsent <= Patience.reader else { return context.close(promise: nil) }
        switch state {
        case .idle where left == 0 && looks > (hasHalfHead ? Patience.head : server.idleSeconds):
            context.close(promise: nil)
        case .reading where turn != nil && looks > Patience.room: refuse(.bodiesFull)
        case .reading where looks > bodyPatience: refuse(.bodyTooSlow)
        case .discarding where looks > bodyPatience: close(after: ByteBuffer())
        case .closing where !isFlushing && looks > Patience.close: context.close(promise: nil)
        case .streaming where left == 0 && looks >= Patience.silence:
            send(EventStream.heartbeat)
            lookAtCredential()
        case .streaming: lookAtCredential()
        case .idle, .reading, .discarding, .closing, .asking, .answering, .writing: break
        }
    }

    private var bodyPatience: Int { Patience.body + bodyLimit / 1_048_576 }
}

// From a request to its answer.
extension Conversation {
    private func begin(_ head: HTTPRequestHead) {
        hasHalfHead = false
        if !isSettled { isSettled = server.connections.settle(place) }
        looks = 0
        discarded = 0
        server.observation.requestBegan()
        let exchange = Exchange(head, server)
        self.exchange = exchange
        // RFC 9110, 10.1.1: who has a large body may ask before sending it. Refused, it may send it or the next
        // request.
        let asksFirst = exchange.version == .http1_1 && exchange.headers[.expect]?.lowercased() == "100-continue"
        endsAfterAnswer = endsAfterAnswer || asksFirst
        exchange.asksFirst = asksFirst
        do throws(Problem) {
            let sender = try server.origins.sender(
                of: exchange.method, exchange.headers, mayOmitHost: exchange.version == .http1_0,
                authority: exchange.authority, local: { context?.localAddress?.ipAddress })
            exchange.invitedOrigin = sender.invited
            // The body of what only reads is thrown away unread.
            guard
                !sender.isBrowser || !exchange.hasBody || Origins.isSafe(exchange.method)
                    || exchange.headers.declareJSON(orNothing: false)
            else { throw .jsonUndeclared }
            switch server.authentication.caller(exchange.headers, isInvited: sender.invited != nil) {
            case .caller(let caller): try admit(caller, exchange)
            case .refused: try admit(Caller(kind: .nobody), exchange)
            case .unknown(let credential): ask(about: credential)
            }
        } catch {
            refuse(error)
        }
    }

    /// Asks the database who makes the request; what follows of it waits.
    private func ask(about credential: Authentication.Credential) {
        guard let context else { return }
        state = .asking
        let conversation = NIOLoopBound(self, eventLoop: context.eventLoop)
        let authentication = server.authentication
        Task(executorPreference: server.taskExecutor) {
            let answer: Result<Caller?, Problem>
            do throws(StoreError) {
                answer = .success(try await authentication.ask(credential))
            } catch { answer = .failure(Problem(error)) }
            conversation.eventLoop.execute { conversation.value.told(answer) }
        }
    }

    private func told(_ answer: Result<Caller?, Problem>) {
        guard case .asking = state, let exchange else { return }
        do throws(Problem) {
            try admit(try answer.get() ?? Caller(kind: .nobody), exchange)
        } catch {
            refuse(error)
        }
        takePending()
    }

    /// Lets a request in whose caller may make it, or answers it.
    ///
    /// Everything that can be told from the head is told before a body is received.
    private func admit(_ caller: Caller, _ exchange: Exchange) throws(Problem) {
        exchange.caller = caller
        guard let endpoint = exchange.match?.endpoint else { throw .unknownPath }
        guard let route = exchange.route else { return try describe(endpoint, exchange) }
        guard let role = caller.role else {
            guard route.access.isPublic else { return try leadToSignIn(exchange) }
            return try read(route, exchange)
        }
        if case .key(let key) = caller.kind, let turn = server.authentication.takeTurn(of: key) {
            exchange.turn = turn
            guard turn.isGranted else { throw .rateExceeded(seconds: turn.seconds) }
        }
        guard route.access.isPublic || route.access.admits(role) else { throw .forbidden }
        try read(route, exchange)
    }

    /// Answers OPTIONS, and whatever method the path has not.
    private func describe(_ endpoint: RouteTree.Endpoint, _ exchange: Exchange) throws(Problem) {
        guard exchange.method == .options else { throw .methodNotAllowed(allowed: endpoint.allowed) }
        let allowed = endpoint.allowed.map(\.rawValue).joined(separator: ", ")
        // Browsers ask without saying for whom.
        if exchange.invitedOrigin != nil, exchange.headers[.accessControlRequestMethod] != nil {
            return answer(server.origins.permission(endpoint.allowed), then: .discarding)
        }
        guard exchange.caller.role != nil || endpoint.isPublic else { throw .unauthenticated }
        answer(Reply(.noContent, headers: [.allow: allowed]), then: .discarding)
    }

    /// Sends who wants to see a page to where one signs in, and back; others are told what is missing.
    private func leadToSignIn(_ exchange: Exchange) throws(Problem) {
        guard exchange.method == .get, exchange.headers.askForPage else {
            throw .unauthenticated
        }
        var target = exchange.path
        if !exchange.query.isEmpty { target += "?\(exchange.query)" }
        answer(
            Reply(.seeOther, headers: [.location: "\(Site.signInAddress)?to=\(Call.escaped(target))"]),
            then: .discarding)
    }

    /// Begins to read the body of a request that may be made.
    private func read(_ route: Route, _ exchange: Exchange) throws(Problem) {
        bodyLimit = route.bodyLimit
        let length = exchange.headers[.contentLength].flatMap { Int($0) }
        guard length ?? 0 <= bodyLimit else { throw .bodyTooLarge(limit: bodyLimit) }
        state = .reading
        if exchange.hasBody { makeRoom(for: length ?? bodyLimit, exchange) }
        guard exchange.asksFirst, let context else { return }
        endsAfterAnswer = false
        context.writeAndFlush(
            wrapOutboundOut(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
    }

    /// Takes room for a body, or a turn in the line for it, and reads no more until it comes.
    private func makeRoom(for size: Int, _ exchange: Exchange) {
        guard size > Self.smallBody, let context else { return }
        let conversation = NIOLoopBound(self, eventLoop: context.eventLoop)
        let answer = server.bodyRoom.ask(for: size) { place in
            conversation.eventLoop.execute { conversation.value.enter(place) }
        }
        switch answer {
        case .place(let place): exchange.place = place
        case .turn(let turn): self.turn = turn
        }
        // What is not written to is not there yet: the system gives memory page by page.
        exchange.body = context.channel.allocator.buffer(capacity: size)
    }

    private func enter(_ place: BodyRoom.Place) {
        guard turn != nil, let exchange else { return }
        turn = nil
        looks = 0
        exchange.place = place
        readOn()
    }

    private func leaveLine() {
        turn.map(server.bodyRoom.leaveLine)
        turn = nil
    }

    /// A target's path and query, and of one that names a server (RFC 9112, 3.2.2), the name.
    fileprivate static func target(_ uri: String) -> (authority: Substring?, path: String, query: Substring) {
        guard uri.utf8.first != UInt8(ascii: "/"), let scheme = uri.firstRange(of: "://") else {
            let (path, query) = split(uri[...])
            return (nil, path, query)
        }
        let rest = uri[scheme.upperBound...]
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let target = rest[end...]
        let (path, query) = split(target.first == "/" ? target : "/" + target)
        return (rest[..<end], path, query)
    }

    private static func split(_ target: Substring) -> (path: String, query: Substring) {
        guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return (String(target), "") }
        return (String(target[..<mark]), target[target.utf8.index(after: mark)...])
    }

    private func append(_ piece: ByteBuffer) {
        guard let exchange else { return }
        let length = exchange.body.readableBytes + piece.readableBytes
        guard length <= bodyLimit else { return refuse(.bodyTooLarge(limit: bodyLimit)) }
        // What comes in one piece is not copied.
        if length == piece.readableBytes, exchange.body.capacity == 0 {
            exchange.body = piece
        } else {
            exchange.body.writeImmutableBuffer(piece)
        }
    }

    /// Runs the handler on the database's thread, without a change of threads around each statement; large bodies,
    /// lists and batches, whose parsing and writing takes milliseconds, are kept off it.
    private func handle() {
        guard let context, let exchange, let route = exchange.route else { return }
        state = .answering
        let call = Call(
            path: exchange.path, pathValues: exchange.match?.pathValues ?? PathValues([]),
            query: Self.parameters(exchange.query), headers: exchange.headers, body: exchange.body,
            valueLimit: route.valueLimit, language: exchange.language, caller: exchange.caller,
            peer: context.remoteAddress, trustedProxies: server.trustedProxies)
        let place = exchange.place
        let isLong = route.isLong || call.body.readableBytes > Self.largestBodyOnDatabaseThread
        let loop = context.eventLoop
        let conversation = NIOLoopBound(self, eventLoop: loop)
        handler = Task(executorPreference: isLong ? nil : server.taskExecutor) {
            let outcome =
                if isLong {
                    // Long reads take turns, caller by caller.
                    await Reader.$current.withValue(call.caller.account ?? call.address) { await route.answer(call) }
                } else {
                    await route.answer(call)
                }
            withExtendedLifetime(place) {}
            loop.execute { conversation.value.handled(outcome) }
        }
    }

    private func handled(_ outcome: Result<Reply, Problem>) {
        guard let exchange else {
            if case .success(let reply) = outcome { reply.stream?.end() }
            return
        }
        switch outcome {
        case .success(let reply): answer(reply, then: .idle)
        case .failure(let problem): answer(problem.reply(in: exchange.language), then: .idle)
        }
    }

    private func refuse(_ problem: Problem) {
        guard let exchange else { return }
        answer(problem.reply(in: exchange.language), then: .discarding)
    }

    /// The parameters of a query string, `+` read as a blank (WHATWG URL, application/x-www-form-urlencoded).
    private static func parameters(_ query: Substring) -> [(name: String, value: String)] {
        guard !query.isEmpty else { return [] }
        return query.split(separator: "&").map { pair in
            let name = pair.prefix { $0 != "=" }
            func decoded(_ part: Substring) -> String {
                RouteTree.decodingPercents(part.replacing("+", with: " ")[...])
            }
            return (decoded(name), decoded(pair.dropFirst(name.count + 1)))
        }
    }
}

// What goes.
extension Conversation {
    private func answer(_ reply: Reply, then next: State) {
        guard let exchange else { return }
        self.exchange = nil
        leaveLine()
        observe(exchange, reply.status, cause: reply.cause)
        guard let context, context.channel.isActive else {
            reply.stream?.end()
            state = .closing
            return
        }
        if let stream = reply.stream {
            guard exchange.method == .head else { return begin(stream, of: reply, to: exchange, context) }
            stream.end()
        }
        let isLast = endsAfterAnswer || server.readiness.isStopping || reply.headers[.connection] == "close"
        let answer = reply.encoded(
            for: exchange.method, id: exchange.id,
            connection: isLast || !exchange.isKeptAlive ? "close" : exchange.version == .http1_0 ? "keep-alive" : nil,
            date: date.value, common: fields(of: exchange), context.channel.allocator)
        guard !isLast, exchange.isKeptAlive else { return close(after: answer, isAtOnce: exchange.wantsUpgrade) }
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        state = next
        if case .idle = next { becomeIdle() }
    }

    /// The header fields that an answer has whatever it is, as they go over the wire.
    private func fields(of exchange: Exchange) -> [UInt8] {
        let fields = server.origins.fields(for: exchange.invitedOrigin)
        guard let turn = exchange.turn else { return fields }
        // draft-ietf-httpapi-ratelimit-headers.
        let rate = """
            RateLimit-Policy: "key";q=\(turn.rate);w=1\r
            RateLimit: "key";r=\(turn.left);t=\(turn.seconds)\r\n
            """
        return fields + Array(rate.utf8)
    }

    /// Answers what is no HTTP, and with that ends the connection: nobody knows where the next request would begin.
    private func refuseNonsense(_ context: ChannelHandlerContext) {
        let id = RequestID.of(RequestHeaders(HTTPHeaders()))
        let problem = Problem.notHTTP
        server.observation.refused(id: id, problem.status)
        let answer = problem.reply(in: server.language).encoded(
            for: .none, id: id, connection: "close", date: date.value, common: server.origins.fields(for: nil),
            context.channel.allocator)
        close(after: answer)
    }

    private func observe(_ exchange: Exchange, _ status: HTTPResponse.Status, cause: String?) {
        server.observation.requestEnded(
            Observation.Exchange(
                id: exchange.id, method: exchange.method, endpoint: exchange.match?.endpoint, status: status.code,
                duration: exchange.began.duration(to: .now), cause: cause))
    }

    /// Goes on with what has come meanwhile, or waits for more.
    private func becomeIdle() {
        guard let context else { return }
        guard context.channel.isWritable else {
            state = .writing
            return
        }
        state = .idle
        looks = 0
        takePending()
    }

    /// Takes what has come meanwhile, and then more.
    private func takePending() {
        guard let context else { return }
        while isTaking, let part = pending.popFirst() { take(part) }
        guard isTaking else { return }
        if case .reading = state {
            if isInputBroken {
                endsAfterAnswer = true
                return refuse(.bodyIncomplete)
            }
        }
        if case .discarding = state, isInputBroken { return closeWhenWritten() }
        if case .idle = state {
            if isInputBroken { return refuseNonsense(context) }
            if endsWhenIdle { return closeWhenWritten() }
        }
        readOn()
    }

    /// Reads what was to be read when it could not be.
    private func readOn() {
        guard isReadWanted, let context else { return }
        isReadWanted = false
        context.read()
    }

    /// Sends a last answer and closes the connection.
    private func close(after answer: ByteBuffer, isAtOnce: Bool = false) {
        guard let context else { return }
        state = .closing
        pending.removeAll()
        isFlushing = true
        context.writeAndFlush(wrapOutboundOut(answer)).assumeIsolated().whenComplete { [self] _ in
            isFlushing = false
            guard let context = self.context else { return }
            guard !isAtOnce, !isStopping, !endsWhenIdle else { return context.close(promise: nil) }
            context.close(mode: .output, promise: nil)
            looks = 0
            readOn()
        }
    }

    /// Closes the connection as soon as what was answered has gone.
    private func closeWhenWritten() {
        // An answer that is on its way will see to it.
        guard !isFlushing else { return }
        close(after: ByteBuffer(), isAtOnce: true)
    }
}

// What has no end.
extension Conversation {
    /// Begins an answer that goes on until either side leaves, and with it the connection.
    private func begin(
        _ stream: EventStream, of reply: Reply, to exchange: Exchange, _ context: ChannelHandlerContext
    ) {
        self.stream = stream
        credential = server.authentication.lastingCredential(exchange.headers)
        viewer = exchange.caller.viewer
        isChunked = exchange.version != .http1_0
        state = .streaming
        discarded = 0
        pending.removeAll()
        let head = reply.encoded(
            for: exchange.method, id: exchange.id, connection: "close", date: date.value,
            common: fields(of: exchange), isChunked: isChunked, context.channel.allocator)
        context.write(wrapOutboundOut(head), promise: nil)
        send(stream.opening)
        guard !endsWhenIdle else { return endStream() }
        pump()
        readOn()
    }

    /// Sends what there is and the caller takes. The rest stays where it is.
    private func pump() {
        guard !isPumping, let context else { return }
        isPumping = true
        defer { isPumping = false }
        let conversation = NIOLoopBound(self, eventLoop: context.eventLoop)
        let wake: @Sendable () -> Void = { conversation.eventLoop.execute { conversation.value.pump() } }
        while let stream, context.channel.isWritable {
            switch stream.next(wake: wake) {
            case .send(let bytes): send(bytes)
            case .wait: return
            case .end: return endStream()
            }
        }
    }

    private func send(_ bytes: ByteBuffer) {
        guard let context else { return }
        looks = 0
        guard isChunked else { return context.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }
        let size = ByteBuffer(string: String(bytes.readableBytes, radix: 16) + "\r\n")
        context.write(wrapOutboundOut(size), promise: nil)
        context.write(wrapOutboundOut(bytes), promise: nil)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(staticString: "\r\n")), promise: nil)
    }

    /// Ends the answer. Whoever is behind is not waited for: it comes back and goes on where it was.
    private func endStream() {
        guard let context, stream != nil else { return }
        leaveStream()
        let left = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        guard left == 0 else { return context.close(promise: nil) }
        close(after: isChunked ? ByteBuffer(staticString: "0\r\n\r\n") : ByteBuffer())
    }

    private func leaveStream() {
        stream?.end()
        stream = nil
        credential = nil
    }

    /// Ends the stream of a caller whose key or session has ended, or who sees something else by now: it comes back and sees
    /// that. What is not known is asked for.
    private func lookAtCredential() {
        guard let credential, let context else {
            // It began while access was open.
            if !server.authentication.isOpen { endStream() }
            return
        }
        switch server.authentication.holds(credential, seeing: viewer) {
        case true?: break
        case false?: endStream()
        case nil:
            let conversation = NIOLoopBound(self, eventLoop: context.eventLoop)
            let authentication = server.authentication
            let viewer = viewer
            Task(executorPreference: server.taskExecutor) {
                do throws(StoreError) {
                    if try await authentication.ask(credential)?.viewer == viewer { return }
                    conversation.eventLoop.execute { conversation.value.endStream() }
                } catch {
                    // Without the database nothing comes on the stream either.
                }
            }
        }
    }
}

extension HTTPRequest.Method {
    /// Of what is no request.
    fileprivate static let none = Self("-")!

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

/// The `Date` of answers, made once a second.
private struct DateHeader {
    private var second = 0
    private var text = ""

    var value: String {
        mutating get {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME_COARSE, &time)
            if time.tv_sec != second {
                second = time.tv_sec
                text = Self.text(of: time.tv_sec)
            }
            return text
        }
    }

    /// As RFC 9110, 5.6.7 has it: `Sat, 21 Nov 2026 18:30:00 GMT`.
    private static func text(of second: Int) -> String {
        var second = second
        var date = tm()
        gmtime_r(&second, &date)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func digits(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let time = "\(digits(date.tm_hour)):\(digits(date.tm_min)):\(digits(date.tm_sec))"
        return
            "\(days[Int(date.tm_wday)]), \(digits(date.tm_mday)) \(months[Int(date.tm_mon)]) \(date.tm_year + 1900) \(time) GMT"
    }
}
