import ArgumentParser

@main
struct LeadsCRM: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "leads-crm",
        abstract: "Gives every contact one operator: the right share to each, never more than one can carry.",
        version: version,
        subcommands: [
            Serve.self, Migrate.self, Check.self, Import.self, People.self, Keys.self, Health.self, Demo.self,
            Settings.self,
        ],
        defaultSubcommand: Serve.self
    )

    static func main() async {
        do throws(SettingError) {
            try Setting.readAll()
        } catch {
            exit(withError: error)
        }
        await main(nil)
    }
}
