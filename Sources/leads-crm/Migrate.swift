import ArgumentParser
import Logging

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Brings the database to the schema this program was built with.",
        discussion: "Any number of processes may do so at once; one works, the others wait.")

    @Flag(help: "Also create the roles leads_owner, leads_app and leads_report and give them their rights.")
    var roles = false

    @Option(help: "Where the PostgreSQL of our own keeps its data.")
    var dataDirectory = Setting.dataDirectory.value

    func run() async throws {
        let logger = try Logger.leadsCRM()
        let signals = await StopSignals.listen()
        let database = try await signals.cancelling { [dataDirectory] in
            try await Database.migrated(dataDirectory: dataDirectory, logger: logger)
        }
        do {
            if roles { try await signals.cancelling { try await database.createRoles() } }
            logger.info("the schema is up to date")
        } catch {
            await database.close()
            throw error
        }
        await database.close()
    }
}
