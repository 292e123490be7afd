import HTTPTypes
import LeadStore
import NIOCore
import NIOHTTP1

/// Answers the requests that come on one connection, one after the other.
///
/// Stands behind the decoder of the connection's pipeline and does itself what a general server does with streams and
/// tasks: a body is gathered as it comes, and what changes threads is the finished call and the finished reply. What is
/// done when, and how long it is waited for, is ``ConversationState``'s to say; here it is done. A look once a second
/// spares each request a timer.
///
/// Everything here happens on the connection's event loop.
final class Conversation: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: Server
    /// Among the connections that are open.
    private let place: Int
    private var use = OpenConnections.Use.silent
    private var context: ChannelHandlerContext?
    private var state: ConversationState<HTTPRequestHead, ByteBuffer>
    private var isProceeding = false
    /// The request under way.
    private var exchange: Exchange?
    /// The turn in the line for room for its body.
    private var turn: Int?
    /// What an answer without an end goes on with.
    private var stream: EventStream?
    /// What its caller has shown, and what that one may see of it.
    private var credential: Authentication.Credential?
    private var viewer = Caller(kind: .nobody).viewer
    /// Whether it comes in chunks.
    private var isChunked = false
    private var isPumping = false
    private var watch: Scheduled<Void>?
    private var date = DateHeader()
    /// Who works on the answer, or did so last.
    private(set) var handler: Task<Void, Never>?

    private static let largestBodyOnDatabaseThread = 65_536
    private static let largestBodyOnSharedThreads = 1_048_576
    /// Bodies of no more than this take no room from others.
    static let smallBody = 16_384
    /// How long after its head a request is believed to come from whom it came from then.
    private static let longestTrust: Duration = .milliseconds(500)

    /// - Parameter place: among the connections that are open.
    init(server: Server, place: Int) {
        self.server = server
        self.place = place
        state = ConversationState(idleSeconds: server.idleSeconds)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        lookLater(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        leaveStream()
        leaveLine()
        server.connections.leave(place)
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
        switch unwrapInboundIn(data) {
        case .head(let head): state.receive(.head(head))
        case .body(let piece): state.receive(.body(piece, length: piece.readableBytes))
        case .end: state.receive(.end)
        }
        proceed()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        state.readCompleted()
    }

    func read(context: ChannelHandlerContext) {
        if state.readWanted() { context.read() }
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
        state.inputBroke()
        proceed()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as ChannelEvent where event == .inputClosed: state.inputClosed()
        case is ChannelShouldQuiesceEvent: state.stops()
        default:
            context.fireUserInboundEventTriggered(event)
            return
        }
        proceed()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard context.channel.isWritable else { return }
        state.becameWritable()
        pump()
        proceed()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if state.left(), let exchange {
            observe(exchange, Problem.bodyIncomplete.status, cause: nil)
            self.exchange = nil
        }
        leaveStream()
        leaveLine()
        context.fireChannelInactive()
    }

    private func lookLater(_ context: ChannelHandlerContext) {
        watch = context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { [self] in look() }
    }

    private func look() {
        guard let context else { return }
        lookLater(context)
        state.secondPassed(unsent: unsent(context))
        use(as: state.use)
        proceed()
    }

    /// Says how the connection uses its place, where that has changed.
    private func use(as use: OpenConnections.Use) {
        guard use != self.use else { return }
        self.use = use
        server.connections.use(place, as: use)
    }

    private func unsent(_ context: ChannelHandlerContext) -> Int {
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }
}

// What is done about it.
extension Conversation {
    /// Does what there is to do. What happens meanwhile is looked at when each thing is done.
    private func proceed() {
        guard !isProceeding, let context else { return }
        isProceeding = true
        defer { isProceeding = false }
        state.isWritable = context.channel.isWritable
        while let action = state.next() {
            perform(action, context)
            state.isWritable = context.channel.isWritable
        }
    }

    private func perform(
        _ action: ConversationState<HTTPRequestHead, ByteBuffer>.Action, _ context: ChannelHandlerContext
    ) {
        switch action {
        case .begin(let head): begin(head)
        case .append(let piece): append(piece)
        case .handle: handle()
        case .refuse(.bodyIncomplete): refuse(.bodyIncomplete)
        case .refuse(.bodyTooLarge): refuse(.bodyTooLarge(limit: exchange?.route?.bodyLimit ?? 0))
        case .refuse(.bodyTooSlow): refuse(.bodyTooSlow)
        case .refuse(.noRoom): refuse(.bodiesFull)
        case .refuse(.nonsense): refuseNonsense(context)
        case .endStream: endStream()
        case .breakSilence: send(EventStream.heartbeat)
        case .lookAtCaller: lookAtCaller()
        case .read: context.read()
        case .flush: flush(ByteBuffer(), context)
        case .closeOutput: context.close(mode: .output, promise: nil)
        case .close: context.close(promise: nil)
        }
    }

    /// Sends what is said last.
    private func flush(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(bytes)).assumeIsolated().whenComplete { [self] _ in
            state.flushed()
            proceed()
        }
    }
}

// From a request to its answer.
extension Conversation {
    private func begin(_ head: HTTPRequestHead) {
        use(as: .working)
        server.observation.requestBegan()
        let exchange = Exchange(head, server)
        self.exchange = exchange
        if exchange.asksFirst { state.isAskedFirst() }
        do throws(Problem) {
            let sender = try server.origins.sender(
                of: exchange.method, exchange.headers, mayOmitHost: exchange.version == .http1_0,
                authority: exchange.target.authority, local: { context?.localAddress?.ipAddress })
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

    /// Asks the database who makes the request.
    private func ask(about credential: Authentication.Credential) {
        guard let context else { return }
        state.asks()
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
        guard state.phase == .asking, let exchange else { return }
        do throws(Problem) {
            try admit(try answer.get() ?? Caller(kind: .nobody), exchange)
        } catch {
            refuse(error)
        }
        proceed()
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
            return answer(server.origins.permission(endpoint.allowed))
        }
        guard exchange.caller.role != nil || endpoint.isPublic else { throw .unauthenticated }
        answer(Reply(.noContent, headers: [.allow: allowed]))
    }

    /// Sends who wants to see a page to where one signs in, and back; others are told what is missing.
    private func leadToSignIn(_ exchange: Exchange) throws(Problem) {
        guard exchange.method == .get, exchange.headers.askForPage else { throw .unauthenticated }
        var page = exchange.target.path
        if !exchange.target.query.isEmpty { page += "?\(exchange.target.query)" }
        answer(Reply(.seeOther, headers: [.location: "\(Site.signInAddress)?to=\(Call.escaped(page))"]))
    }

    /// Begins to read the body of a request that may be made.
    private func read(_ route: Route, _ exchange: Exchange) throws(Problem) {
        let length = exchange.headers[.contentLength].flatMap { Int($0) }
        guard length ?? 0 <= route.bodyLimit else { throw .bodyTooLarge(limit: route.bodyLimit) }
        if exchange.hasBody { makeRoom(for: length ?? route.bodyLimit, exchange) }
        state.reads(atMost: route.bodyLimit, waitsForRoom: turn != nil)
        guard exchange.asksFirst, let context else { return }
        state.bodyIsWanted()
        context.writeAndFlush(
            wrapOutboundOut(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
    }

    /// Takes room for a body, or a turn in the line for it.
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
        exchange.place = place
        state.roomCame()
        proceed()
    }

    private func leaveLine() {
        turn.map(server.bodyRoom.leaveLine)
        turn = nil
    }

    private func append(_ piece: ByteBuffer) {
        guard let exchange else { return }
        // What comes in one piece is not copied.
        if exchange.body.capacity == 0 {
            exchange.body = piece
        } else {
            exchange.body.writeImmutableBuffer(piece)
        }
    }

    /// Runs the handler on the database's thread, without a change of threads around each statement; large bodies,
    /// lists and batches, whose parsing and writing takes milliseconds, are kept off it.
    private func handle() {
        guard let context, let exchange, let route = exchange.route else { return }
        use(as: .working)
        let call = Call(
            path: exchange.target.path, pathValues: exchange.match?.pathValues ?? PathValues([]),
            query: exchange.target.parameters, headers: exchange.headers, body: exchange.body,
            valueLimit: route.valueLimit, language: exchange.language, caller: exchange.caller,
            peer: context.remoteAddress, trustedProxies: server.trustedProxies)
        let place = exchange.place
        // A large body is given back to the system page by page, by whoever held it last: not by this thread.
        exchange.body = ByteBuffer()
        let isLong = route.isLong || call.body.readableBytes > Self.largestBodyOnDatabaseThread
        let loop = context.eventLoop
        let conversation = NIOLoopBound(self, eventLoop: loop)
        // What was taken away while the body came must not be made use of.
        let isLate = exchange.began.duration(to: .now) > Self.longestTrust
        let (authentication, isInvited) = (server.authentication, exchange.invitedOrigin != nil)
        let isLarge = call.body.readableBytes > Self.largestBodyOnSharedThreads
        handler = Task(executorPreference: isLarge ? LargeBodyThread.shared : isLong ? nil : server.taskExecutor) {
            var refusal: Problem?
            if isLate {
                refusal = await authentication.refusal(of: call.caller, call.headers, isInvited: isInvited)
            }
            let outcome: Result<Reply, Problem>
            if let refusal {
                outcome = .failure(refusal)
            } else if isLong {
                // Long reads take turns, caller by caller.
                outcome = await Reader.$current.withValue(call.caller.account ?? call.address) {
                    await route.answer(call)
                }
            } else {
                outcome = await route.answer(call)
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
        case .success(let reply): answer(reply)
        case .failure(let problem): answer(problem.reply(in: exchange.language))
        }
        proceed()
    }

    private func refuse(_ problem: Problem) {
        guard let exchange else { return }
        answer(problem.reply(in: exchange.language))
    }
}

// What goes.
extension Conversation {
    private func answer(_ reply: Reply) {
        guard let exchange else { return }
        self.exchange = nil
        leaveLine()
        observe(exchange, reply.status, cause: reply.cause)
        guard let context, context.channel.isActive else {
            reply.stream?.end()
            return state.closes(atOnce: true)
        }
        if let stream = reply.stream {
            guard exchange.method == .head else { return begin(stream, of: reply, to: exchange, context) }
            stream.end()
        }
        let isLast =
            state.endsAfterAnswer || server.readiness.isStopping || !exchange.isKeptAlive
            || reply.headers[.connection] == "close"
        let answer = reply.encoded(
            for: exchange.method, id: exchange.id,
            connection: isLast ? "close" : exchange.version == .http1_0 ? "keep-alive" : nil,
            date: date.value, common: fields(of: exchange), context.channel.allocator)
        if isLast {
            state.answered(isLast: true, closesAtOnce: exchange.wantsUpgrade)
            flush(answer, context)
        } else {
            context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
            state.isWritable = context.channel.isWritable
            state.answered(isLast: false)
        }
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

    /// Answers what is no HTTP.
    private func refuseNonsense(_ context: ChannelHandlerContext) {
        let id = RequestID.of(RequestHeaders(HTTPHeaders()))
        let problem = Problem.notHTTP
        server.observation.refused(id: id, problem.status)
        let answer = problem.reply(in: server.language).encoded(
            for: .none, id: id, connection: "close", date: date.value, common: server.origins.fields(for: nil),
            context.channel.allocator)
        state.answered(isLast: true)
        flush(answer, context)
    }

    private func observe(_ exchange: Exchange, _ status: HTTPResponse.Status, cause: String?) {
        server.observation.requestEnded(
            Observation.Exchange(
                id: exchange.id, method: exchange.method, endpoint: exchange.match?.endpoint, status: status.code,
                duration: exchange.began.duration(to: .now), cause: cause))
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
        state.streams()
        let head = reply.encoded(
            for: exchange.method, id: exchange.id, connection: "close", date: date.value,
            common: fields(of: exchange), isChunked: isChunked, context.channel.allocator)
        context.write(wrapOutboundOut(head), promise: nil)
        send(stream.opening)
        pump()
    }

    /// Sends what there is and the caller takes. The rest stays where it is.
    private func pump() {
        guard !isPumping, let context else { return }
        isPumping = true
        defer { isPumping = false }
        let conversation = NIOLoopBound(self, eventLoop: context.eventLoop)
        let wake: @Sendable () -> Void = {
            conversation.eventLoop.execute {
                conversation.value.pump()
                conversation.value.proceed()
            }
        }
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
        state.said()
        guard isChunked else { return context.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }
        let size = ByteBuffer(string: String(bytes.readableBytes, radix: 16) + "\r\n")
        context.write(wrapOutboundOut(size), promise: nil)
        context.write(wrapOutboundOut(bytes), promise: nil)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(staticString: "\r\n")), promise: nil)
    }

    /// Ends the answer. Whoever is behind is not waited for: it comes back and goes on where it was.
    private func endStream() {
        guard let context, state.phase == .streaming else { return }
        leaveStream()
        guard unsent(context) == 0 else {
            state.closes(atOnce: true)
            return context.close(promise: nil)
        }
        state.closes(atOnce: false)
        flush(isChunked ? ByteBuffer(staticString: "0\r\n\r\n") : ByteBuffer(), context)
    }

    private func leaveStream() {
        stream?.end()
        stream = nil
        credential = nil
    }

    /// Ends the stream of a caller whose key or session has ended, or who sees something else by now: it comes back and sees
    /// that. What is not known is asked for.
    private func lookAtCaller() {
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
                    conversation.eventLoop.execute {
                        conversation.value.endStream()
                        conversation.value.proceed()
                    }
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
}
