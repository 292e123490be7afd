import API
import Foundation
import Hummingbird
import HummingbirdCore
import Identity
import LeadStore
import Leads
import Logging
import NIOCore
import NIOPosix
import Postgres
import ServiceLifecycle

/// What HTTP costs without a database: `http-floor PORT [EVENT_LOOPS] [bare]`.
///
/// Serves our own server and routes with `GET /trivial`, which answers as `/livez` does, and `POST /api/v1/contacts`,
/// which reads, validates, makes the lead's keys and answers as the product does, with a made-up contact. With `bare`,
/// the framework's own router alone serves `GET /trivial` with the same body.
@main
enum HTTPFloor {
    static func main() async throws {
        let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        guard let port = numbers.first, (1...65535).contains(port) else {
            print("usage: http-floor PORT [EVENT_LOOPS] [bare]")
            exit(64)
        }
        var logger = Logger(label: "http-floor")
        logger.logLevel = .warning
        let configuration = ApplicationConfiguration(address: .hostname("127.0.0.1", port: port))
        let group = MultiThreadedEventLoopGroup(numberOfThreads: numbers.dropFirst().first ?? 1)
        if CommandLine.arguments.contains("bare") {
            try await Application(
                router: bareRouter(), configuration: configuration, eventLoopGroupProvider: .shared(group),
                logger: logger
            ).runService()
        } else {
            try await server(logger).server(
                configuration: ServerConfiguration(address: .hostname("127.0.0.1", port: port)), eventLoopGroup: group,
                logger: logger
            ).run()
        }
    }

    private static func bareRouter() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("/trivial") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: #"{"status":"ok"}"#)))
        }
        return router
    }

    private static func server(_ logger: Logger) -> API.Server {
        // Nobody connects: no route that asks the database is called.
        let pool = Pool(Pool.Configuration(connection: ConnectionConfiguration(connectionString: "host=/nowhere")))
        let store = LeadStore(pool: pool)
        let intake = Intake(store: store) { (request) throws(StoreError) in
            .registered(Intake.Registered(contact: contact(request), isRepetition: false), nil)
        }
        return API.Server(
            store: store, intake: intake,
            API.Server.Configuration(
                language: .english, phoneRegion: .russia, version: "0", schemaVersion: 0,
                observation: Observation(logger: logger), readiness: Readiness()),
            trivialPath: "/trivial")
    }

    /// A contact of the kind a source with operators has.
    private static func contact(_ request: Intake.Request) -> Contact {
        let now = Timestamp(microseconds: 1_795_000_000_123_456)
        let new = request.contact
        return Contact(
            id: 1_234_567, status: .active, message: new.message, priority: new.priority,
            sourceEventID: new.sourceEventID, waitingReason: nil, version: 1, createdAt: now, assignedAt: now,
            closedAt: nil, updatedAt: nil,
            lead: Lead(
                id: 765_432, externalID: new.leadExternalID, phone: new.leadPhone, email: new.leadEmail,
                name: new.leadName, createdAt: now, updatedAt: nil, contactCount: 1),
            operator: Operator(
                id: 7, name: "Operator 7", isActive: true, maxLoad: 1_000_000, currentLoad: 4711, createdAt: now,
                updatedAt: nil),
            source: SourceSummary(id: new.sourceID, name: "bench", description: nil, createdAt: now))
    }
}
