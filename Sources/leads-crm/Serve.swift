import API
import ArgumentParser
import Hummingbird
import Identity
import LeadStore
import Logging
import NIOPosix
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

    func run() async throws {
        let logger = try Logger.leadsCRM()
        let settings = try ServeSettings(port: port)
        let database = try await Database.open(dataDirectory: dataDirectory, logger: logger)
        do {
            try await database.migrate()
            try await serve(database, settings, logger)
        } catch {
            await database.close()
            throw error
        }
        await database.close()
        logger.info("stopped")
    }

    private func serve(_ database: Database, _ settings: ServeSettings, _ logger: Logger) async throws {
        let pool = database.pool(size: settings.poolSize)
        await pool.start()
        let store = LeadStore(pool: pool)
        let server = Server(
            store: store,
            Server.Configuration(
                language: settings.language, phoneRegion: settings.phoneRegion, version: LeadsCRM.version,
                schemaVersion: LeadStore.migrations.count))
        let application = Application(
            responder: server,
            configuration: ApplicationConfiguration(address: .hostname(host, port: settings.port)),
            services: [Sweeper(store: store, interval: settings.sweepInterval, logger: logger)],
            onServerRunning: { _ in logger.info("serving http://\(host):\(settings.port)") },
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup(numberOfThreads: settings.eventLoops)),
            logger: logger)
        do {
            try await application.runService()
        } catch {
            await pool.close()
            throw error
        }
        await pool.close()
    }
}

/// The settings of `serve`, checked before anything is started.
private struct ServeSettings {
    let port: Int
    let poolSize: Int
    let eventLoops: Int
    let sweepInterval: Duration
    let language: Language
    let phoneRegion: PhoneRegion

    init(port: String) throws(SettingError) {
        guard let port = Int(port), (1...65535).contains(port) else {
            throw SettingError("\(Setting.port.name) must be a port, 1…65535")
        }
        self.port = port
        poolSize = try Setting.poolSize.integer(in: 1...64)
        eventLoops = try Setting.eventLoops.integer(in: 1...64)
        sweepInterval = .seconds(try Setting.sweepSeconds.integer(in: 1...3600))
        guard let language = Language(rawValue: Setting.language.value.lowercased()) else {
            throw SettingError("\(Setting.language.name) must be one of \(Language.allCases.map(\.rawValue))")
        }
        self.language = language
        guard let region = PhoneRegion(Setting.phoneRegion.value.uppercased()) else {
            throw SettingError("\(Setting.phoneRegion.name) must be a country of ISO 3166, for instance RU")
        }
        phoneRegion = region
    }
}
