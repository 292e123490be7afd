import HTTPTypes
public import HummingbirdCore
public import Identity
public import LeadStore
public import Logging
public import NIOCore
public import OpenID
import NIOHTTP1

/// Answers HTTP requests by the route table.
///
/// Listening, accepting and stopping are the framework's; what happens on a connection is in ``Conversation``.
public struct Server: ServerChildChannel {
    /// Where the company's provider sends people back to, behind the public URL.
    public static let providerReturnPath = Route.provider + "/back"

    public struct Configuration: Sendable {
        public var language: Language
        public var phoneRegion: PhoneRegion
        public var version: String
        public var schemaVersion: Int
        public var observation: Observation
        public var readiness: Readiness
        public var intake: Intake.Configuration
        /// How long a connection may stay open on which nothing is asked: longer than balancers keep theirs.
        public var idleSeconds: Int
        /// What makes `/docs` interactive; without it, `/docs` is a page of our own.
        public var swaggerUI: SwaggerUI?
        /// What browsers are shown.
        public var dashboard: Site?
        public var origins: Origins
        public var bounds: Bounds
        /// Nil while anybody may do anything.
        public var authentication: Authentication?
        public var trustedProxies: TrustedProxies
        /// The company's, by which people may sign in.
        public var provider: OpenIDProvider?
        /// Where people reach the server, without a slash at its end: links lead there.
        public var publicURL: String
        /// Whether `/metrics` is for everybody also while access is closed.
        public var opensMetrics: Bool

        public init(
            language: Language, phoneRegion: PhoneRegion, version: String, schemaVersion: Int, observation: Observation,
            readiness: Readiness, intake: Intake.Configuration = Intake.Configuration(), idleSeconds: Int = 120,
            swaggerUI: SwaggerUI? = nil, dashboard: Site? = nil, origins: Origins = .loopback,
            bounds: Bounds = Bounds(), authentication: Authentication? = nil, trustedProxies: TrustedProxies = .none,
            publicURL: String = "http://127.0.0.1:8000", opensMetrics: Bool = false, provider: OpenIDProvider? = nil
        ) {
            self.language = language
            self.phoneRegion = phoneRegion
            self.version = version
            self.schemaVersion = schemaVersion
            self.observation = observation
            self.readiness = readiness
            self.intake = intake
            self.idleSeconds = idleSeconds
            self.swaggerUI = swaggerUI
            self.dashboard = dashboard
            self.origins = origins
            self.bounds = bounds
            self.authentication = authentication
            self.trustedProxies = trustedProxies
            self.publicURL = publicURL
            self.opensMetrics = opensMetrics
            self.provider = provider
        }
    }

    let tree: RouteTree
    let language: Language
    let taskExecutor: any TaskExecutor
    let observation: Observation
    let readiness: Readiness
    let idleSeconds: Int
    let origins: Origins
    let authentication: Authentication
    let trustedProxies: TrustedProxies
    let bodyRoom: BodyRoom
    let connections: OpenConnections

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
        idleSeconds = configuration.idleSeconds
        origins = configuration.origins
        authentication = configuration.authentication ?? Authentication(store: store, mode: .open)
        trustedProxies = configuration.trustedProxies
        bodyRoom = BodyRoom(size: configuration.bounds.bodyBytes)
        connections = OpenConnections(limit: configuration.bounds.connections)
        let tail = EventTail(store: store, observation: configuration.observation)
        let service = ServiceHandlers(
            store: store, intake: intake, tail: tail, version: configuration.version,
            schemaVersion: configuration.schemaVersion, observation: configuration.observation,
            readiness: configuration.readiness,
            browserAddress: configuration.dashboard == nil ? "/docs" : Site.address, authentication: authentication,
            opensMetrics: configuration.opensMetrics)
        let api = routes(
            operators: OperatorHandlers(store: store),
            sources: SourceHandlers(store: store),
            contacts: ContactHandlers(
                store: store, intake: intake, phoneRegion: configuration.phoneRegion,
                observation: configuration.observation),
            leads: LeadHandlers(store: store, phoneRegion: configuration.phoneRegion),
            statistics: StatisticsHandlers(store: store),
            queue: QueueHandlers(store: store),
            events: EventHandlers(store: store, tail: tail),
            service: service,
            sessions: SessionHandlers(
                store: store, authentication: authentication, provider: configuration.provider,
                isSecure: configuration.origins.isSecure),
            people: PeopleHandlers(store: store, authentication: authentication, publicURL: configuration.publicURL),
            keys: KeyHandlers(store: store, authentication: authentication)
        )
        let documentation = DocumentationHandlers(
            OpenAPIDocument(api, version: configuration.version), configuration.swaggerUI)
        let trivial = trivialPath.map { Route(.get, $0, .everybody, service.alive, .undocumented) }
        tree = RouteTree(
            api + documentationRoutes(documentation)
                + (configuration.dashboard?.routes(hasProvider: configuration.provider != nil) ?? [])
                + (trivial.map { [$0] } ?? []))
    }

    /// A connection that was accepted.
    public struct Connection: ServerChildChannelValue {
        public let channel: any Channel
        fileprivate let conversation: NIOLoopBound<Conversation>
    }

    public func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Connection> {
        channel.eventLoop.makeCompletedFuture {
            guard case .place(let place) = connections.enter({ channel.close(promise: nil) }) else {
                observation.connectionRefused()
                // The framework leaves one open whose setup fails.
                channel.close(promise: nil)
                throw TooManyConnections()
            }
            // Whoever sends much has a turn like everybody: one piece, then the others'.
            try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderListSize = 80 * 1024
            limits.maxHeaderFieldCount = 1000
            let conversation = Conversation(server: self, place: place)
            let pipeline = channel.pipeline.syncOperations
            // Reached only by what the decoder does not read: what follows the wish for another protocol.
            try pipeline.addHandler(
                ByteToMessageHandler(
                    HTTPRequestDecoder(limitConfiguration: limits), maximumBufferSize: 262_144))
            try pipeline.addHandler(conversation)
            return Connection(
                channel: channel, conversation: NIOLoopBound(conversation, eventLoop: channel.eventLoop))
        }
    }

    /// Returns when the connection is closed and nobody works on an answer to it.
    public func handle(value connection: Connection, logger: Logger) async {
        let loop = connection.channel.eventLoop
        let conversation = connection.conversation
        await withTaskCancellationHandler {
            try? await connection.channel.closeFuture.get()
            let handler = try? await loop.submit { conversation.value.handler }.get()
            await handler?.value
        } onCancel: {
            loop.execute { conversation.value.cancel() }
        }
    }
}

/// As many connections are open as the instance takes.
private struct TooManyConnections: Error {}
