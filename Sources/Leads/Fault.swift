/// One thing that is wrong with a request, in the form of pydantic v2 and FastAPI.
public struct Fault: Sendable, Equatable {
    /// One step on the way from the request to the faulty value.
    public enum Step: Sendable, Equatable {
        case field(String)
        case index(Int)
    }

    /// What is wrong, for programs: `missing`, `int_parsing`.
    public let type: String
    /// Where it is wrong: first the place (`body`, `query`, `path`), then names and indexes.
    public let location: [Step]
    /// What is wrong, for people, in English as pydantic has it.
    public let message: String
    /// What the caller sent there; for a missing field, the object in which it is missing.
    public let input: JSONValue
    /// The bounds or the cause that the message mentions; empty for most types.
    public let context: [JSONValue.Member]

    /// A fault of any type; ``Fields`` makes those that depend only on a field's value.
    public init(
        type: String,
        at location: [Step],
        message: String,
        input: JSONValue,
        context: [JSONValue.Member] = []
    ) {
        self.type = type
        self.location = location
        self.message = message
        self.input = input
        self.context = context
    }

    /// A field of the body that is refused for a reason that its value alone does not tell.
    public static func refused(_ reason: String, at field: String, input: JSONValue) -> Fault {
        Fault(.refused(reason), at: [.field("body"), .field(field)], input: input)
    }

    init(_ flaw: Flaw, at location: [Step], input: JSONValue) {
        self.init(type: flaw.type, at: location, message: flaw.message, input: input, context: flaw.context)
    }
}

/// A request that was understood but is not valid, with everything that is wrong with it: status 422.
public struct ValidationFailure: Error, Sendable {
    /// At least one fault, in the order in which the fields were read.
    public let faults: [Fault]

    /// The failure with these faults.
    public init(_ faults: [Fault]) {
        self.faults = faults
    }
}

extension ValidationFailure: CustomStringConvertible, CustomDebugStringConvertible {
    /// The types of the faults and nothing that the caller sent, so that it can be logged.
    public var description: String {
        "The request has \(faults.count) fault(s): \(faults.prefix(10).map(\.type).joined(separator: ", "))"
    }

    public var debugDescription: String { description }
}

/// What can be wrong with one value, wherever it stands: the types and messages of pydantic v2.
struct Flaw: Error {
    let type: String
    let message: String
    let context: [JSONValue.Member]

    private init(_ type: String, _ message: String, _ context: [JSONValue.Member] = []) {
        self.type = type
        self.message = message
        self.context = context
    }

    static let missing = Flaw("missing", "Field required")
    static let notAnObject = Flaw(
        "model_attributes_type", "Input should be a valid dictionary or object to extract fields from")
    static let notAList = Flaw("list_type", "Input should be a valid list")

    static func refused(_ reason: String) -> Flaw {
        // FastAPI writes the exception in the context as an empty object.
        Flaw("value_error", "Value error, \(reason)", [.init("error", .object([]))])
    }

    static let notAnInteger = Flaw("int_type", "Input should be a valid integer")
    static let fractional = Flaw(
        "int_from_float", "Input should be a valid integer, got a number with a fractional part")
    static let unreadableInteger = Flaw(
        "int_parsing", "Input should be a valid integer, unable to parse string as an integer")
    static let oversizedInteger = Flaw(
        "int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size")

    static let notABool = Flaw("bool_type", "Input should be a valid boolean")
    static let unreadableBool = Flaw("bool_parsing", "Input should be a valid boolean, unable to interpret input")

    static let notAString = Flaw("string_type", "Input should be a valid string")
    // PostgreSQL's text cannot hold it, and pydantic has no type of its own for it.
    static let nulCharacter = Flaw(
        "value_error", "Value error, a string must not contain the character U+0000",
        [.init("error", .string("a string must not contain the character U+0000"))])

    static let notATimestamp = Flaw("datetime_type", "Input should be a valid datetime")

    static func below(_ bound: Int) -> Flaw {
        Flaw("greater_than_equal", "Input should be greater than or equal to \(bound)", [.init("ge", .integer(bound))])
    }

    static func above(_ bound: Int) -> Flaw {
        Flaw("less_than_equal", "Input should be less than or equal to \(bound)", [.init("le", .integer(bound))])
    }

    static func tooShort(_ bound: Int) -> Flaw {
        Flaw(
            "string_too_short", "String should have at least \(bound) \(bound == 1 ? "character" : "characters")",
            [.init("min_length", .integer(bound))])
    }

    static func tooLong(_ bound: Int) -> Flaw {
        Flaw(
            "string_too_long", "String should have at most \(bound) \(bound == 1 ? "character" : "characters")",
            [.init("max_length", .integer(bound))])
    }

    static func tooManyBytes(_ bound: Int) -> Flaw {
        Flaw(
            "bytes_too_long", "Data should have at most \(bound) \(bound == 1 ? "byte" : "bytes")",
            [.init("max_length", .integer(bound))])
    }

    static func tooFewItems(_ bound: Int, actual: Int) -> Flaw {
        Flaw(
            "too_short",
            "List should have at least \(bound) \(bound == 1 ? "item" : "items") after validation, not \(actual)",
            [
                .init("field_type", .string("List")),
                .init("min_length", .integer(bound)),
                .init("actual_length", .integer(actual)),
            ])
    }

    static func tooManyItems(_ bound: Int, actual: Int) -> Flaw {
        Flaw(
            "too_long",
            "List should have at most \(bound) \(bound == 1 ? "item" : "items") after validation, not \(actual)",
            [
                .init("field_type", .string("List")),
                .init("max_length", .integer(bound)),
                .init("actual_length", .integer(actual)),
            ])
    }

    /// Spells the choices as pydantic does: `'a'`, `'a' or 'b'`, `'a', 'b' or 'c'`.
    static func notOneOf(_ choices: [String]) -> Flaw {
        let quoted = choices.map { "'\($0)'" }
        let expected =
            quoted.count > 1
            ? quoted.dropLast().joined(separator: ", ") + " or " + quoted[quoted.count - 1]
            : quoted.joined()
        return Flaw("literal_error", "Input should be \(expected)", [.init("expected", .string(expected))])
    }

    static func malformed(_ malformation: Timestamp.Malformation) -> Flaw {
        let reason = malformation.rawValue
        let context: [JSONValue.Member] = [.init("error", .string(reason))]
        return malformation == .yearRange
            ? Flaw("datetime_parsing", "Input should be a valid datetime, \(reason)", context)
            : Flaw("datetime_from_date_parsing", "Input should be a valid datetime or date, \(reason)", context)
    }
}

extension JSONValue {
    /// The number that is an integer.
    public static func integer(_ integer: Int) -> JSONValue {
        .number(JSONNumber(integer))
    }
}
