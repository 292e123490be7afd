import ArgumentParser

struct Settings: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints every setting: its value (secrets hidden), its default and what it means.")

    func run() {
        for setting in Setting.all {
            let value = setting.value
            let shown = setting.isSecret && !value.isEmpty ? "(hidden)" : value.isEmpty ? "(none)" : value
            let fallback = setting.fallback.isEmpty ? "(none)" : setting.fallback
            print("\(setting.name) = \(shown)\n    \(setting.meaning)\n    default: \(fallback)")
        }
    }
}
