public import Hummingbird
import HTTPTypes
public import Identity
public import LeadStore
import Logging
import NIOCore

/// Answers HTTP requests by the route table.
public struct Server: HTTPResponder {
    public typealias Context = BasicRequestContext

    public struct Configuration: Sendable {
        public var language: Language
        public var phoneRegion: PhoneRegion
        public var version: String
        public var schemaVersion: Int

        public init(language: Language, phoneRegion: PhoneRegion, version: String, schemaVersion: Int) {
            self.language = language
            self.phoneRegion = phoneRegion
            self.version = version
            self.schemaVersion = schemaVersion
        }
    }

    private let tree: RouteTree
    private let language: Language
    private let taskExecutor: any TaskExecutor
    private static let largestBodyOnDatabaseThread = 65_536

    public init(store: LeadStore, _ configuration: Configuration) {
        language = configuration.language
        taskExecutor = store.taskExecutor
        tree = RouteTree(
            routes(
                operators: OperatorHandlers(store: store),
                sources: SourceHandlers(store: store),
                contacts: ContactHandlers(
                    store: store, intake: Intake(store: store), phoneRegion: configuration.phoneRegion),
                leads: LeadHandlers(store: store, phoneRegion: configuration.phoneRegion),
                statistics: StatisticsHandlers(store: store),
                service: ServiceHandlers(
                    store: store, version: configuration.version, schemaVersion: configuration.schemaVersion)
            ))
    }

    @Sendable public func respond(to request: Request, context: Context) async throws -> Response {
        let language = Language(accepting: request.headers[.acceptLanguage], fallback: language)
        let reply: Reply
        do throws(Problem) {
            reply = try await answer(request)
        } catch {
            // The causes name codes and constraints, never what a caller sent.
            switch error {
            case .internalError(let cause):
                context.logger.error("a request failed through a fault of this program: \(cause)")
            case .unavailable(let cause?): context.logger.debug("answered 503: \(cause)")
            default: break
            }
            reply = error.reply(in: language)
        }
        var headers = reply.headers
        headers[.contentLength] = String(reply.body.count)
        let body = request.method == .head ? ByteBuffer() : ByteBuffer(bytes: reply.body)
        return Response(status: reply.status, headers: headers, body: ResponseBody(byteBuffer: body))
    }

    private func answer(_ request: Request) async throws(Problem) -> Reply {
        let target = request.head.path ?? "/"
        let path = target.prefix { $0 != "?" }
        guard let match = tree.match(path) else { throw .unknownPath }
        let method = request.method == .head ? .get : request.method
        guard let route = match.routes[method] else {
            guard request.method == .options else { throw .methodNotAllowed(allowed: match.allowed) }
            return Reply(
                .noContent, headers: [.allow: match.allowed.map(\.rawValue).joined(separator: ", ")])
        }
        let call = Call(
            path: String(path), pathValues: match.pathValues, query: Self.query(target.dropFirst(path.count + 1)),
            headers: request.headers, body: try await Self.body(of: request, limit: route.bodyLimit))
        // Handlers run on the database's thread, without a change of threads around each statement; large bodies, whose
        // parsing takes milliseconds, are kept off it.
        guard call.body.count <= Self.largestBodyOnDatabaseThread else { return try await route.handler(call) }
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
        do {
            let buffer = try await request.body.collect(upTo: limit)
            return Array(buffer.readableBytesView)
        } catch is NIOTooManyBytesError {
            throw .bodyTooLarge(limit: limit)
        } catch {
            throw .bodyIncomplete
        }
    }

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
