import FoundationEssentials

/// What a provider says of somebody: the members of one JSON object.
struct Claims: Decodable, Sendable {
    /// A JSON value, as far as a claim may be one.
    enum Value: Decodable, Sendable {
        case text(String)
        case number(Double)
        case flag(Bool)
        case list([Value])
        case object([String: Value])
        case null

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if container.decodeNil() {
                self = .null
            } else if let flag = try? container.decode(Bool.self) {
                self = .flag(flag)
            } else if let number = try? container.decode(Double.self) {
                self = .number(number)
            } else if let list = try? container.decode([Value].self) {
                self = .list(list)
            } else {
                self = .object(try container.decode([String: Value].self))
            }
        }
    }

    private let values: [String: Value]

    init(from decoder: any Decoder) throws {
        values = try decoder.singleValueContainer().decode([String: Value].self)
    }

    private init(values: [String: Value]) {
        self.values = values
    }

    /// These, and of the others what these do not say.
    func merging(_ others: Claims) -> Claims {
        Claims(values: values.merging(others.values) { mine, _ in mine })
    }

    func text(_ name: String) -> String? {
        guard case .text(let text)? = values[name] else { return nil }
        return text
    }

    /// Seconds since 1970.
    func moment(_ name: String) -> Double? {
        guard case .number(let seconds)? = values[name] else { return nil }
        return seconds
    }

    /// Some providers write flags as texts.
    func flag(_ name: String) -> Bool {
        switch values[name] {
        case .flag(let flag)?: flag
        case .text("true")?: true
        default: false
        }
    }

    func has(_ name: String) -> Bool { values[name] != nil }

    /// The text or the list of texts that a name, or names with dots between them, lead to.
    func texts(_ path: String) -> [String] {
        // Names may have dots of their own: https://crm.example/roles.
        var found = values[path]
        if found == nil {
            found = .object(values)
            for name in path.split(separator: ".") {
                guard case .object(let members)? = found else { return [] }
                found = members[String(name)]
            }
        }
        switch found {
        case .text(let text)?:
            return [text]
        case .list(let list)?:
            return list.compactMap { if case .text(let text) = $0 { text } else { nil } }
        default:
            return []
        }
    }
}
