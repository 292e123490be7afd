import Leads

extension JSONSchema {
    /// The properties that `fields` describe, with what each of them means.
    ///
    /// Words of a field that nobody reads and a field without words are mistakes in the source, found at start. The
    /// objects of a list are the component that `nested` has for its field.
    static func properties(
        _ fields: [FieldDescription],
        _ words: [String: String],
        nested: [String: Component] = [:],
        nulls: Bool
    ) -> [Property] {
        let names = Set(fields.map(\.name))
        precondition(
            names == Set(words.keys),
            "words for \(words.keys.sorted()), but the fields read are \(names.sorted())")
        return fields.map { field in
            var schema = schema(of: field, nested: nested[field.name])
            var isRequired = false
            switch field.presence {
            case .required:
                isRequired = true
            case .alternative:
                break
            case .absentable(let value):
                schema = schema.with(default: value)
            case .nullable(let value):
                if nulls { schema = schema.orNull }
                if let value { schema = schema.with(default: value) }
            }
            var meaning = words[field.name] ?? ""
            if case .string(_, _, true) = field.kind { meaning += " White space at both ends is removed." }
            return Property(field.name, schema, meaning, isRequired: isRequired)
        }
    }

    private static func schema(of field: FieldDescription, nested component: Component?) -> JSONSchema {
        switch field.kind {
        case .string(let length, let bytes, let isTrimmed):
            return .sentString(length: length, bytes: bytes, isTrimmed: isTrimmed)
        case .boolean: return .boolean
        case .integer(let range): return .integer(range)
        case .timestamp: return .timestamp
        case .choice(let words): return .choice(words)
        case .integers(let range, let least, let limit):
            return .array(of: .integer(range), atLeast: least, atMost: limit)
        case .objects(let fields, let limit):
            guard let component, component.fields == fields else {
                preconditionFailure("no component describes the objects of \(field.name)")
            }
            return .array(of: .reference(component), atMost: limit)
        }
    }
}
