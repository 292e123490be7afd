import ArgumentParser

struct Settings: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints every setting: its value (secrets hidden), where that is from, its default, its meaning.",
        discussion: """
            A secret may also be given in a file: NAME_FILE in the environment names one, or it is called as the setting \
            is, in capital or small letters, and lies in the directory of secrets. A last line's end is left out.
            """)

    func run() {
        for setting in Setting.all {
            let value = setting.value
            let shown = setting.isSecret && !value.isEmpty ? "(hidden)" : value.isEmpty ? "(none)" : value
            let fallback = setting.fallback.isEmpty ? "(none)" : setting.fallback
            print(
                """
                \(setting.name) = \(shown)
                    \(setting.meaning)
                    default: \(fallback)\(setting.isSecret ? "; a secret, may be in a file" : "")
                    from: \(setting.origin?.description ?? "the default")
                """)
        }
        for name in Setting.unknownNames { print("\(name) is no setting") }
    }
}
