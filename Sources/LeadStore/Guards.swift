import Schema

/// The constraints and triggers that the schema makes, by name, read from its text: there is no second list to keep.
enum Guards {
    static let constraints = names { word, before in
        guard word == "constraint" else { return nil }
        switch before {
        case "drop": return .gone
        case "on", "validate": return nil
        default: return .made
        }
    }

    static let triggers = names { word, before in
        guard word == "trigger" else { return nil }
        return before == "drop" ? .gone : before == "replace" || before == "create" ? .made : nil
    }

    private enum Fate {
        case made, gone
    }

    /// The words after those that `fate` tells to make something, less what is dropped later.
    private static func names(_ fate: (_ word: Substring, _ before: Substring) -> Fate?) -> [String] {
        var names: Set<String> = []
        for file in Schema.migrations + Schema.repeatables {
            let lines = file.sql.split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("--") }
            let words = lines.flatMap { $0.split { !($0.isLetter || $0.isNumber || $0 == "_") } }
            for (index, word) in words.enumerated().dropFirst().dropLast() {
                switch fate(word, words[index - 1]) {
                case .made?: names.insert(String(words[index + 1]))
                case .gone?: names.remove(String(words[index + 1]))
                case nil: break
                }
            }
        }
        return names.sorted()
    }
}
