public import Hummingbird
import HTTPTypes
public import Identity
public import LeadStore
import NIOCore

/// Answers HTTP requests by the route table.
public struct Server: HTTPResponder {
    public typealias Context = BasicRequestContext

    public struct Configuration: Sendable {
        public var language: Language
        public var phoneRegion: PhoneRegion
        public var version: String
        public var schemaVersion: Int
        public var observation: Observation
        public var readiness: Readiness
        public var intake: Intake.Configuration
        /// What makes `/docs` interactive; without it, `/docs` is a page of our own.
        public var swaggerUI: SwaggerUI?

        public init(
            language: Language, phoneRegion: PhoneRegion, version: String, schemaVersion: Int, observation: Observation,
            readiness: Readiness, intake: Intake.Configuration = Intake.Configuration(), swaggerUI: SwaggerUI? = nil
        ) {
            self.language = language
            self.phoneRegion = phoneRegion
            self.version = version
            self.schemaVersion = schemaVersion
            self.observation = observation
            self.readiness = readiness
            self.intake = intake
            self.swaggerUI = swaggerUI
        }
    }

    private let tree: RouteTree
    private let language: Language
    private let taskExecutor: any TaskExecutor
    private let observation: Observation
    private let readiness: Readiness
    private static let largestBodyOnDatabaseThread = 65_536

    public init(store: LeadStore, _ configuration: Configuration) {
        self.init(store: store, intake: Intake(store: store, configuration.intake), configuration)
    }

    /// - Parameters:
    ///   - intake: `Benchmarks/HTTPFloor` gives one that answers without a database.
    ///   - trivialPath: a path that answers as `/livez` does.
    package init(store: LeadStore, intake: Intake, _ configuration: Configuration, trivialPath: String? = nil) {
        language = configuration.language
        taskExecutor = store.taskExecutor
        observation = configuration.observation
        readiness = configuration.readiness
        let service = ServiceHandlers(
            store: store, intake: intake, version: configuration.version,
            schemaVersion: configuration.schemaVersion, observation: configuration.observation,
            readiness: configuration.readiness)
        let api = routes(
            operators: OperatorHandlers(store: store),
            sources: SourceHandlers(store: store),
            contacts: ContactHandlers(
                store: store, intake: intake, phoneRegion: configuration.phoneRegion,
                observation: configuration.observation),
            leads: LeadHandlers(store: store, phoneRegion: configuration.phoneRegion),
            statistics: StatisticsHandlers(store: store),
            queue: QueueHandlers(store: store),
            events: EventHandlers(store: store),
            service: service
        )
        let documentation = DocumentationHandlers(
            OpenAPIDocument(api, version: configuration.version), configuration.swaggerUI)
        let trivial = trivialPath.map { Route(.get, $0, service.alive, .undocumented) }
        tree = RouteTree(api + documentationRoutes(documentation) + (trivial.map { [$0] } ?? []))
    }

    @Sendable public func respond(to request: Request, context: Context) async throws -> Response {
        let began = ContinuousClock.now
        observation.requestBegan()
        let id = RequestID.of(request.headers)
        let target = request.head.path ?? "/"
        let path = target.prefix { $0 != "?" }
        let match = tree.match(path)
        let reply: Reply
        var cause: String?
        let language = Language(accepting: request.headers[.acceptLanguage], fallback: language)
        do throws(Problem) {
            reply = try await answer(
                request, match, path: path, query: target.dropFirst(path.count + 1), in: language)
        } catch {
            cause = error.cause
            reply = error.reply(in: language)
        }
        var headers = reply.headers
        headers[.contentLength] = String(reply.body.count)
        headers[RequestID.header] = id
        if readiness.isStopping { headers[.connection] = "close" }
        observation.requestEnded(
            Observation.Exchange(
                id: id, method: Self.knownMethods.contains(request.method) ? request.method.rawValue : "other",
                route: match?.path ?? "unknown", status: reply.status.code, duration: began.duration(to: .now),
                cause: cause))
        let body = request.method == .head ? ByteBuffer() : ByteBuffer(bytes: reply.body)
        return Response(status: reply.status, headers: headers, body: ResponseBody(byteBuffer: body))
    }

    /// Those that metrics tell apart: a caller may make up as many as it likes.
    private static let knownMethods: Set<HTTPRequest.Method> = [.get, .head, .post, .put, .patch, .delete, .options]

    private func answer(
        _ request: Request, _ match: RouteTree.Match?, path: Substring, query: Substring, in language: Language
    ) async throws(Problem) -> Reply {
        guard let match else { throw .unknownPath }
        let method = request.method == .head ? .get : request.method
        guard let route = match.routes[method] else {
            guard request.method == .options else { throw .methodNotAllowed(allowed: match.allowed) }
            return Reply(
                .noContent, headers: [.allow: match.allowed.map(\.rawValue).joined(separator: ", ")])
        }
        let call = Call(
            path: String(path), pathValues: match.pathValues, query: Self.query(query), headers: request.headers,
            body: try await Self.body(of: request, limit: route.bodyLimit), language: language)
        // Handlers run on the database's thread, without a change of threads around each statement; large bodies and
        // lists, whose parsing and writing takes milliseconds, are kept off it.
        guard call.body.count <= Self.largestBodyOnDatabaseThread, !route.isList else {
            return try await route.handler(call)
        }
        do {
            return try await withTaskExecutorPreference(taskExecutor) { try await route.handler(call) }
        } catch let error as Problem {
            throw error
        } catch {
            throw .internalError(cause: "\(type(of: error))")
        }
    }

    private static func body(of request: Request, limit: Int) async throws(Problem) -> [UInt8] {
        if let declared = request.headers[.contentLength].flatMap({ Int($0) }), declared > limit {
            throw .bodyTooLarge(limit: limit)
        }
        guard request.headers[.contentLength] != nil || request.headers[.transferEncoding] != nil else { return [] }
        do {
            return try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
                group.addTask { Array(try await request.body.collect(upTo: limit).readableBytesView) }
                group.addTask {
                    try await Task.sleep(for: bodyPatience + .seconds(limit / 1_048_576))
                    return nil
                }
                defer { group.cancelAll() }
                guard let body = try await group.next() ?? nil else { throw Problem.bodyTooSlow }
                return body
            }
        } catch is NIOTooManyBytesError {
            throw .bodyTooLarge(limit: limit)
        } catch let error as Problem {
            throw error
        } catch {
            throw .bodyIncomplete
        }
    }

    /// How long a body may take, beside a second for each MiB it may have: a silent caller must not keep an instance from
    /// stopping.
    private static let bodyPatience: Duration = .seconds(10)

    /// The parameters of a query string, `+` read as a blank (WHATWG URL, application/x-www-form-urlencoded).
    private static func query(_ text: Substring) -> [(name: String, value: String)] {
        text.split(separator: "&").map { pair in
            let name = pair.prefix { $0 != "=" }
            func decoded(_ part: Substring) -> String {
                RouteTree.decodingPercents(part.replacing("+", with: " ")[...])
            }
            return (decoded(name), decoded(pair.dropFirst(name.count + 1)))
        }
    }
}
