import JSON
import Leads

/// A named schema of the document, with examples.
struct Component: Sendable {
    struct Example: Sendable {
        let name: String
        let value: JSONValue
    }

    let name: String
    let schema: JSONSchema
    let examples: [Example]
    /// What a request's reading code says of its fields; empty for answers.
    let fields: [FieldDescription]

    private init(
        _ name: String, _ schema: JSONSchema, _ words: String, _ examples: [Example], fields: [FieldDescription]
    ) {
        self.name = name
        self.schema = schema.described(words)
        self.examples = examples
        self.fields = fields
    }

    /// An object of an answer, with an example that the product's own writer makes.
    static func answer(
        _ name: String,
        _ words: String,
        _ properties: [JSONSchema.Property],
        example write: (inout JSONWriter) -> Void
    ) -> Component {
        let example = Example(name: "example", value: .written(write))
        return Component(name, .object(properties), words, [example], fields: [])
    }

    /// An object of an answer, with examples that the product's own writer makes.
    static func answer(
        _ name: String,
        _ words: String,
        _ properties: [JSONSchema.Property],
        examples: [(name: String, write: (inout JSONWriter) -> Void)]
    ) -> Component {
        Component(
            name, .object(properties), words,
            examples.map { Example(name: $0.name, value: .written($0.write)) }, fields: [])
    }

    /// An object of a request, as `read` reads it; `words` say what each field means.
    ///
    /// The objects in a list are the component that `nested` has for its field; `rules` are keywords of JSON Schema for
    /// what `read` asks of several fields together. The example has to be one that `read` accepts.
    static func request<Value>(
        _ name: String,
        _ words: String,
        _ read: (inout Fields) -> Value,
        _ fieldWords: [String: String],
        nested: [String: Component] = [:],
        rules: [JSONValue.Member] = [],
        example: String
    ) -> Component {
        let fields = Fields.describe(read)
        let properties = JSONSchema.properties(fields, fieldWords, nested: nested, nulls: true)
        let alternatives = fields.filter { $0.presence == .alternative }.map(\.name)
        guard let value = try? JSONParser.parse(Array(example.utf8)), (try? Fields.decode(value, read)) != nil else {
            preconditionFailure("the example of \(name) is not a valid request")
        }
        var schema = JSONSchema.object(properties, alternatives: alternatives)
        for rule in rules { schema.add(rule.name, rule.value) }
        return Component(name, schema, words, [Example(name: "example", value: value)], fields: fields)
    }
}

extension JSONValue {
    /// The value of what `write` writes.
    static func written(_ write: (inout JSONWriter) -> Void) -> JSONValue {
        var json = JSONWriter()
        write(&json)
        return parsed(json.bytes)
    }

    /// The value of a document that this program wrote.
    static func parsed(_ document: [UInt8]) -> JSONValue {
        guard let value = try? JSONParser.parse(document) else { preconditionFailure("an example is not JSON") }
        return value
    }
}
