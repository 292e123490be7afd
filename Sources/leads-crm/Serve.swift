import API
import Dashboard
import ArgumentParser
import EmbeddedPostgres
import Glibc
import HummingbirdCore
import Identity
import LeadStore
import Logging
import NIOCore
import NIOPosix
import OpenID
import Postgres
import ServiceLifecycle

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves the API; without DATABASE_URL, on a PostgreSQL it starts itself.")

    @Option(help: "Address to listen on.")
    var host = Setting.host.value

    @Option(help: "Port to listen on.")
    var port = Setting.port.value

    @Option(help: "Where the PostgreSQL of our own keeps its data.")
    var dataDirectory = Setting.dataDirectory.value

    @Flag(help: "Print requests to try once it serves.")
    var examples = false

    /// Beside the drain: longer than any request that is read, served and answered.
    private static let longestStop: Duration = .seconds(15)

    func run() async throws {
        let logger = try Logger.leadsCRM()
        let settings = try ServeSettings(host: host, port: port)
        let signals = await StopSignals.listen()
        let database: Database
        do {
            database = try await signals.cancelling { [dataDirectory] in
                try await Database.migrated(dataDirectory: dataDirectory, logger: logger)
            }
        } catch {
            guard await signals.hasStopped else { throw error }
            logger.info("stopped before it served")
            return
        }
        do {
            try await serve(database, settings, signals, logger)
        } catch {
            await database.close()
            throw error
        }
        await database.close()
        logger.info("stopped")
    }

    private func serve(
        _ database: Database, _ settings: ServeSettings, _ signals: StopSignals, _ logger: Logger
    ) async throws {
        let pool = database.pool(size: settings.poolSize)
        await pool.start()
        let observation = Observation(logger: logger)
        let store = LeadStore(pool: pool, parallelLongReads: max(1, settings.poolSize / 2)) { error in
            observation.faultInBackground(error)
        }
        let readiness = Readiness()
        let provider = settings.openID.map { OpenIDProvider($0) }
        let authentication = Authentication(
            store: store, mode: settings.accessMode, isSecure: settings.isSecure)
        do {
            try await AccessWatch.begin(authentication, store, settings, logger)
        } catch {
            await provider?.shutDown()
            await pool.close()
            throw error
        }
        let server = Server(
            store: store,
            Server.Configuration(
                language: settings.language, phoneRegion: settings.phoneRegion, version: LeadsCRM.version,
                schemaVersion: LeadStore.migrations.count, observation: observation, readiness: readiness,
                intake: settings.intake, idleSeconds: settings.idleSeconds,
                swaggerUI: SwaggerUI(directory: Setting.swaggerUI.value), dashboard: Dashboard.site,
                origins: settings.origins, bounds: settings.bounds, authentication: authentication,
                trustedProxies: settings.trustedProxies, publicURL: settings.publicURL,
                opensMetrics: settings.opensMetrics, provider: provider))
        var services: [any Service] = [
            Sweeper(
                store: store, interval: settings.sweepInterval, decisionDays: settings.decisionDays,
                personalDataDays: settings.personalDataDays, snapshotSeconds: settings.snapshotSeconds,
                observation: observation, logger: logger),
            AccessWatch(authentication: authentication, logger: logger),
        ]
        if let cluster = database.cluster { services.append(ClusterWatch(cluster: cluster, logger: logger)) }
        services.append(
            server.server(
                configuration: ServerConfiguration(address: .hostname(host, port: settings.port)),
                onServerRunning: { _ in announce(port: settings.port, directory: database.cluster?.directory) },
                eventLoopGroup: MultiThreadedEventLoopGroup(numberOfThreads: settings.eventLoops), logger: logger))
        services.append(Drain(readiness: readiness, duration: settings.drainDuration, logger: logger))
        var configuration = ServiceGroupConfiguration(services: services, logger: logger)
        // Answers nobody reads would otherwise keep the program from ever stopping.
        configuration.maximumGracefulShutdownDuration = settings.drainDuration + Self.longestStop
        let group = ServiceGroup(configuration: configuration)
        await signals.react { await group.triggerGracefulShutdown() }
        do {
            try await group.run()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            await provider?.shutDown()
            await pool.close()
            throw SettingError("port \(settings.port) on \(host) is already in use; choose another with --port")
        } catch {
            await provider?.shutDown()
            await pool.close()
            throw error
        }
        await provider?.shutDown()
        await pool.close()
    }

    /// Says on standard output that requests are welcome, and on request what a first one may look like.
    private func announce(port: Int, directory: String?) {
        let url = "http://\(host):\(port)"
        print("\nLeads CRM serves \(url), and says how to call it at \(url)/docs")
        if examples {
            let json = "-H 'Content-Type: application/json'"
            print(
                """

                Try, in another terminal:
                  curl \(url)/api/v1/operators \(json) -d '{"name": "Anna", "max_load": 5}'
                  curl \(url)/api/v1/sources \(json) -d '{"name": "telegram"}'
                  curl \(url)/api/v1/sources/1/distribution \(json) \\
                    -d '{"operator_weights": [{"operator_id": 1, "source_id": 1, "weight": 10}]}'
                  curl \(url)/api/v1/contacts \(json) -d '{"source_id": 1, "lead_phone": "+79001234567"}'

                Ctrl-C stops it.\(directory.map { " The data stay in \($0)." } ?? "")
                """)
        }
        fflush(nil)
    }
}

/// The settings of `serve`, checked before anything is started.
struct ServeSettings {
    let port: Int
    let poolSize: Int
    let intake: Intake.Configuration
    let idleSeconds: Int
    let eventLoops: Int
    let sweepInterval: Duration
    let decisionDays: Int
    let personalDataDays: Int
    let snapshotSeconds: Int
    let drainDuration: Duration
    let language: Language
    let phoneRegion: PhoneRegion
    let origins: Origins
    let bounds: Bounds
    let accessMode: AccessMode
    /// Whether others than this machine reach it.
    let isReachable: Bool
    /// Where people reach it, without a slash at its end.
    let publicURL: String
    /// Whether people reach it over TLS.
    var isSecure: Bool { publicURL.hasPrefix("https://") }
    let trustedProxies: TrustedProxies
    let opensMetrics: Bool
    let openID: OpenIDConfiguration?

    init(host: String, port: String) throws(SettingError) {
        guard let port = Int(port), (1...65535).contains(port) else {
            throw SettingError("\(Setting.port.name) must be a port, 1…65535")
        }
        self.port = port
        poolSize = try Setting.poolSize.integer(in: 1...64)
        intake = Intake.Configuration(
            lanes: try Setting.intakeLanes.integer(in: 1...16),
            batchLimit: try Setting.intakeBatch.integer(in: 1...512),
            queueLimit: try Setting.intakeQueue.integer(in: 1...100_000))
        idleSeconds = try Setting.idleSeconds.integer(in: 1...86_400)
        eventLoops = try Setting.eventLoops.integer(in: 1...64)
        sweepInterval = .seconds(try Setting.sweepSeconds.integer(in: 1...3600))
        decisionDays = try Setting.decisionDays.integer(in: 1...36_500)
        personalDataDays = try Setting.personalDataDays.integer(in: 0...36_500)
        snapshotSeconds = try Setting.snapshotSeconds.integer(in: 1...86_400)
        drainDuration = .seconds(try Setting.drainSeconds.integer(in: 0...300))
        guard let language = Language(rawValue: Setting.language.value.lowercased()) else {
            throw SettingError("\(Setting.language.name) must be one of \(Language.allCases.map(\.rawValue))")
        }
        self.language = language
        guard let region = PhoneRegion(Setting.phoneRegion.value.uppercased()) else {
            throw SettingError("\(Setting.phoneRegion.name) must be a country of ISO 3166, for instance RU")
        }
        phoneRegion = region
        do throws(Origins.InvalidURL) {
            origins = try Origins(
                listening: host, publicURLs: Setting.publicURL.list, invited: Setting.corsOrigins.list)
        } catch {
            throw SettingError(
                "\(Setting.publicURL.name) and \(Setting.corsOrigins.name) must be like https://crm.example, with a port "
                    + "where it is not the scheme's own, and nothing behind it")
        }
        let published = Setting.published.value
        isReachable =
            Setting.publicURL.list.contains { !Origins.isLoopback(url: $0) }
            || !Origins.isLoopback(published.isEmpty ? host : published)
        switch Setting.access.value.lowercased() {
        case "auto": accessMode = isReachable ? .closed : .untilClosed
        case "open": accessMode = .open
        case "closed": accessMode = .closed
        default: throw SettingError("\(Setting.access.name) must be auto, open or closed")
        }
        publicURL = Setting.home(host: host, port: "\(port)")
        do throws(TrustedProxies.InvalidNetwork) {
            trustedProxies = try TrustedProxies(Setting.trustedProxies.list)
        } catch {
            throw SettingError("\(Setting.trustedProxies.name) must be addresses or networks, 10.0.0.0/8")
        }
        opensMetrics = try Setting.metricsOpen.bool()
        openID = try OpenIDConfiguration.given(redirectPath: Server.providerReturnPath)
        bounds = Bounds(
            connections: try Setting.connections.integer(in: 1...100_000),
            bodyBytes: try Setting.bodyMemory.integer(in: 32...4096) * 1_048_576)
    }
}
