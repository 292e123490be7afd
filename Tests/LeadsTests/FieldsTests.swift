import Leads
import Testing

/// What ``Fields`` promises beyond pydantic's behaviour, which FastAPITests compares case by case.
struct FieldsTests {
    @Test(arguments: [
        (JSONValue.number(JSONNumber(checked: "9223372036854775808")), "less_than_equal"),
        (.number(JSONNumber(checked: "-9223372036854775809")), "greater_than_equal"),
        (.string("9223372036854775808"), "less_than_equal"),
        (.string("-99999999999999999999"), "greater_than_equal"),
        (.number(JSONNumber(checked: "1e400")), "int_parsing_size"),
        (.number(JSONNumber(checked: "-1e400")), "int_parsing_size"),
        (.number(JSONNumber(checked: "1e-400")), "int_from_float"),
        (.number(JSONNumber(checked: "0.99999999999999999999")), "int_from_float"),
    ])
    func `an integer beyond Int64 or not quite whole is a fault, not a crash`(value: JSONValue, type: String) {
        #expect(faults(in: value) { $0.integer("x") }.map(\.type) == [type])
        #expect(faults(in: value) { $0.bool("x") ? 1 : 0 }.count == 1)
    }

    @Test func `a bound of Int64 is named in the fault`() throws {
        let fault = try #require(faults(in: .string("9223372036854775808")) { $0.integer("x") }.first)
        #expect(fault.message == "Input should be less than or equal to 9223372036854775807")
        #expect(fault.context == [.init("le", .integer(.max))])
        #expect(fault.location == [.field("body"), .field("x")])
    }

    @Test func `U+0000 is refused in every string and choice`() {
        #expect(faults(in: .string("a\0b")) { $0.string("x") }.map(\.type) == ["value_error"])
        #expect(faults(in: .string("\0")) { $0.optionalString("x", trimmed: true) }.map(\.type) == ["value_error"])
        #expect(faults(in: .string("asc\0")) { $0.choice("x", of: Order.allCases) }.map(\.type) == ["literal_error"])
        #expect(faults(in: .string("2026-11-21\0")) { $0.optionalTimestamp("x") }.count == 1)
    }

    @Test func `a length counts Unicode scalars and bytes count UTF-8`() {
        let family = "👨‍👩‍👧"
        #expect(family.count == 1)
        #expect(faults(in: .string(family)) { $0.string("x", length: 1...5, bytes: 18) }.isEmpty)
        #expect(faults(in: .string(family)) { $0.string("x", length: 1...4) }.map(\.type) == ["string_too_long"])
        #expect(
            faults(in: .string(family)) { $0.string("x", length: 1...5, bytes: 17) }.map(\.type) == ["bytes_too_long"])
    }

    @Test func `names and choices are compared byte by byte`() throws {
        let decomposed = JSONValue.object([.init("e\u{301}", .integer(1))])
        #expect(try Fields.decode(decomposed) { $0.has("\u{E9}") } == false)
        // U+212A KELVIN SIGN is canonically equivalent to K.
        #expect(
            faults(in: .string("\u{212A}")) { $0.optionalChoice("x", of: Unit.allCases) }.map(\.type) == [
                "literal_error"
            ])
    }

    @Test func `absent, null and a value are told apart`() throws {
        let sent = JSONValue.object([.init("null", .null), .init("seven", .integer(7))])
        try Fields.decode(sent) { fields in
            #expect(!fields.has("absent") && fields.optionalInteger("absent") == nil)
            #expect(fields.has("null") && fields.optionalInteger("null") == nil)
            #expect(fields.has("seven") && fields.optionalInteger("seven") == 7)
        }
    }

    @Test func `a timestamp is a text, never a number`() {
        #expect(faults(in: .integer(1_795_239_131)) { $0.optionalTimestamp("x") }.map(\.type) == ["datetime_type"])
    }

    @Test func `faults of the path lead those of the body`() throws {
        var path = Fields(path: [("id", "x")])
        _ = path.integer("id")
        let failure = #expect(throws: ValidationFailure.self) {
            try Fields.decode(nil, after: path.faults) { $0.integer("x") }
        }
        let locations = failure?.faults.map(\.location) ?? []
        #expect(locations.first == [.field("path"), .field("id")])
        #expect(locations.dropFirst().first == [.field("body")])
    }

    @Test func `a missing body is one fault, without those of its fields`() {
        let failure = #expect(throws: ValidationFailure.self) { try Fields.decode(nil) { $0.integer("x") } }
        let missing = Fault(type: "missing", at: [.field("body")], message: "Field required", input: .null)
        #expect(failure?.faults == [missing])
    }

    @Test func `an enormous list of faults is cut`() {
        let nulls = JSONValue.array(Array(repeating: .null, count: Fields.faultLimit * 3))
        let failure = #expect(throws: ValidationFailure.self) { try Fields.decodeList(nulls) { $0.integer("x") } }
        #expect(failure?.faults.count == Fields.faultLimit)
        let objects = JSONValue.array(Array(repeating: .object([]), count: Fields.faultLimit * 3))
        let another = #expect(throws: ValidationFailure.self) { try Fields.decodeList(objects) { $0.integer("x") } }
        #expect(another?.faults.count == Fields.faultLimit)
    }

    @Test func `each item of a list can be judged by itself`() throws {
        let items: JSONValue = [["x": 1], ["x": "?"], .null, [:]]
        let read = try Fields.decodeEach(items) { $0.integer("x") }
        let locations: [[[Fault.Step]]] = read.map { item in
            if case .failure(let failure) = item { failure.faults.map(\.location) } else { [] }
        }
        #expect(try read[0].get() == 1)
        #expect(
            locations == [
                [], [[.field("body"), .index(1), .field("x")]], [[.field("body"), .index(2)]],
                [[.field("body"), .index(3), .field("x")]],
            ])
        #expect(throws: ValidationFailure.self) { try Fields.decodeEach(items, atMost: 3) { $0.integer("x") } }
        #expect(throws: ValidationFailure.self) { try Fields.decodeEach(nil) { $0.integer("x") } }
    }

    @Test func `a placeholder lies within the bounds and near zero`() {
        var fields = Fields(query: [("x", "?")])
        #expect(fields.integer("x") == 0)
        #expect(fields.integer("x", in: 1...9) == 1)
        #expect(fields.integer("x", in: -9 ... -3) == -3)
        #expect(fields.faults.count == 3)
    }

    @Test func `the description of a failure has nothing that the caller sent`() {
        let failure = ValidationFailure(faults(in: .string("secret")) { $0.integer("x") })
        #expect("\(failure)" == "The request has 1 fault(s): int_parsing")
        #expect(!String(reflecting: failure).contains("secret"))
    }

    private func faults<Value>(in value: JSONValue, _ read: (inout Fields) -> Value) -> [Fault] {
        do throws(ValidationFailure) {
            _ = try Fields.decode(.object([.init("x", value)]), read)
            return []
        } catch {
            return error.faults
        }
    }

    private enum Order: String, CaseIterable {
        case asc, desc
    }

    private enum Unit: String, CaseIterable {
        case kelvin = "K"
    }
}
