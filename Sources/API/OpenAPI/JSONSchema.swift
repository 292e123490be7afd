import Leads

/// A schema of JSON Schema 2020-12, as OpenAPI 3.1 uses it.
struct JSONSchema: Sendable {
    /// A field of an object, or a parameter.
    struct Property: Sendable {
        let name: String
        let schema: JSONSchema
        /// What it means and its bounds, for people.
        let words: String
        let isRequired: Bool

        init(_ name: String, _ schema: JSONSchema, _ words: String, isRequired: Bool = true) {
            self.name = name
            self.schema = schema
            self.words = ([words] + schema.bounds).joined(separator: " ")
            self.isRequired = isRequired
        }
    }

    private var members: [JSONValue.Member]
    /// The bounds in words.
    private var bounds: [String] = []
    /// The components it refers to.
    private(set) var components: [Component] = []

    var json: JSONValue { .object(members) }

    private init(_ members: [JSONValue.Member]) {
        self.members = members
    }

    private init(type: String, _ members: [JSONValue.Member] = []) {
        self.init([.init("type", .string(type))] + members)
    }
}

extension JSONSchema {
    static let string = JSONSchema(type: "string")
    static let boolean = JSONSchema(type: "boolean")
    static let number = JSONSchema(type: "number")
    static let count = integer(0...Int.max)
    static let id = integer(1...Int.max)
    static let timestamp = JSONSchema(type: "string", [.init("format", .string("date-time"))])
    /// Any value at all.
    static let anything = JSONSchema([])
    /// An object of which nothing is said.
    static let anyObject = JSONSchema(type: "object")

    /// A text; `length` counts Unicode scalars, `bytes` the UTF-8 form.
    static func string(length: ClosedRange<Int>, bytes: Int = .max) -> JSONSchema {
        var schema = string
        if length.lowerBound > 0 { schema.add("minLength", .integer(length.lowerBound)) }
        if length.upperBound < .max { schema.add("maxLength", .integer(length.upperBound)) }
        schema.bounds = [words(for: length, unit: "character")].compactMap(\.self)
        if bytes < .max { schema.bounds.append("At most \(grouped(bytes)) bytes in UTF-8.") }
        return schema
    }

    /// A text that somebody sends: without U+0000, and not blank where it is trimmed and something has to be left.
    static func sentString(length: ClosedRange<Int>, bytes: Int = .max, isTrimmed: Bool = false) -> JSONSchema {
        var schema = string(length: length, bytes: bytes)
        let mayBeBlank = !isTrimmed || length.lowerBound == 0
        // U+0085 is no `\s` to regular expressions.
        let pattern = mayBeBlank ? #"^[^\u0000]*$"# : #"^[^\u0000]*[^\s\u0085\u0000][^\u0000]*$"#
        schema.add("pattern", .string(pattern))
        return schema
    }

    static func integer(_ range: ClosedRange<Int>) -> JSONSchema {
        var schema = JSONSchema(type: "integer")
        if range.upperBound == .max { schema.add("format", .string("int64")) }
        if range.lowerBound > .min { schema.add("minimum", .integer(range.lowerBound)) }
        if range.upperBound < .max {
            schema.add("maximum", .integer(range.upperBound))
            schema.bounds = ["From \(grouped(range.lowerBound)) to \(grouped(range.upperBound))."]
        }
        return schema
    }

    static func choice(_ words: [String]) -> JSONSchema {
        JSONSchema(type: "string", [.init("enum", .array(words.map(JSONValue.string)))])
    }

    static func choice<Choice: RawRepresentable<String> & CaseIterable>(_: Choice.Type) -> JSONSchema {
        choice(Choice.allCases.map(\.rawValue))
    }

    static func array(of items: JSONSchema, atLeast least: Int = 0, atMost limit: Int = .max) -> JSONSchema {
        var schema = JSONSchema(type: "array", [.init("items", items.json)])
        schema.components = items.components
        if least > 0 { schema.add("minItems", .integer(least)) }
        if limit < .max { schema.add("maxItems", .integer(limit)) }
        schema.bounds = [words(for: least...limit, unit: "item")].compactMap(\.self)
        return schema
    }

    /// Whether there is a list in it of which it is not said how long it can be.
    var holdsEndlessList: Bool {
        func holds(_ value: JSONValue) -> Bool {
            switch value {
            case .object(let members):
                let isList = members.contains { $0.name == "type" && $0.value == .string("array") }
                return isList && !members.contains { $0.name == "maxItems" } || members.contains { holds($0.value) }
            case .array(let values): return values.contains(where: holds)
            default: return false
            }
        }
        return holds(json) || components.contains { $0.schema.holdsEndlessList }
    }

    static func reference(_ component: Component) -> JSONSchema {
        var schema = JSONSchema([.init("$ref", .string("#/components/schemas/\(component.name)"))])
        schema.components = [component]
        return schema
    }

    static func anyOf(_ schemas: JSONSchema...) -> JSONSchema {
        var schema = JSONSchema([.init("anyOf", .array(schemas.map(\.json)))])
        schema.components = schemas.flatMap(\.components)
        return schema
    }

    /// An object; of the `alternatives`, at least one property has to be there.
    static func object(_ properties: [Property], alternatives: [String] = []) -> JSONSchema {
        func names(_ names: [String]) -> JSONValue { .array(names.map(JSONValue.string)) }
        var schema = JSONSchema(
            type: "object",
            [.init("properties", .object(properties.map { .init($0.name, $0.schema.described($0.words).json) }))])
        let required = properties.filter(\.isRequired).map(\.name)
        if !required.isEmpty { schema.add("required", names(required)) }
        if !alternatives.isEmpty {
            schema.add("anyOf", .array(alternatives.map { .object([.init("required", names([$0]))]) }))
        }
        schema.components = properties.flatMap(\.schema.components)
        return schema
    }

    /// The schema that also takes null.
    var orNull: JSONSchema {
        var schema = self
        guard case .string(let type)? = members.first(where: { $0.name == "type" })?.value else {
            schema.members = [.init("anyOf", .array([json, .object([.init("type", .string("null"))])]))]
            return schema
        }
        schema.members = members.map { member in
            switch (member.name, member.value) {
            case ("type", _): .init("type", .array([.string(type), .string("null")]))
            case ("enum", .array(let choices)): .init("enum", .array(choices + [.null]))
            default: member
            }
        }
        return schema
    }

    func described(_ words: String) -> JSONSchema {
        var schema = self
        schema.add("description", .string(words))
        return schema
    }

    func with(default value: JSONValue) -> JSONSchema {
        var schema = self
        schema.add("default", value)
        return schema
    }

    mutating func add(_ name: String, _ value: JSONValue) {
        members.append(.init(name, value))
    }

    private static func words(for length: ClosedRange<Int>, unit: String) -> String? {
        switch (length.lowerBound, length.upperBound) {
        case (0, .max): nil
        case (0, let most): "At most \(grouped(most)) \(unit)s."
        case (let least, .max): "At least \(grouped(least)) \(unit)\(least == 1 ? "" : "s")."
        case (let least, let most): "From \(grouped(least)) to \(grouped(most)) \(unit)s."
        }
    }

    /// `1 000 000`
    private static func grouped(_ number: Int) -> String {
        guard number >= 1000 else { return String(number) }
        let rest = String(number % 1000)
        return grouped(number / 1000) + " " + String(repeating: "0", count: 3 - rest.count) + rest
    }
}
