import Leads
import Testing

struct JSONNumberTests {
    @Test(arguments: [
        ("0", 0), ("-0", 0), ("-0.0", 0), ("0e99999999999999999999", 0), ("7", 7), ("7.0", 7), ("1e2", 100),
        ("1.5E+1", 15),
        ("1000e-3", 1), ("-25.0e1", -250), ("9223372036854775807", Int.max), ("-9223372036854775808", Int.min),
        ("9223372036854775807.0", Int.max), ("-9.223372036854775808e18", Int.min), ("1e18", 1_000_000_000_000_000_000),
    ])
    func `a whole number that fits is exact, however it is written`(text: String, integer: Int) {
        #expect(JSONNumber(checked: text).exactInteger == integer)
        #expect(JSONNumber(checked: text).isIntegral)
    }

    @Test(arguments: [
        "9223372036854775808", "-9223372036854775809", "1e19", "1e400", "-1e400", "1e99999999999999999999",
        "9223372036854775807.0e1", "123456789012345678901234567890.0",
    ])
    func `a whole number that does not fit is whole and has no value`(text: String) {
        #expect(JSONNumber(checked: text).exactInteger == nil)
        #expect(JSONNumber(checked: text).isIntegral)
    }

    @Test(arguments: ["0.5", "7.5", "1e-1", "1e-400", "1e-99999999999999999999", "0.99999999999999999999", "15e-1"])
    func `a fraction is never rounded to a whole number`(text: String) {
        #expect(JSONNumber(checked: text).exactInteger == nil)
        #expect(!JSONNumber(checked: text).isIntegral)
    }

    @Test func `values are equal when they are the same bytes`() {
        #expect(JSONValue.string("\u{E9}") != .string("e\u{301}"))
        #expect(JSONValue.object([.init("\u{E9}", .null)]) != .object([.init("e\u{301}", .null)]))
        #expect(JSONValue.number(JSONNumber(checked: "1.0")) != .integer(1))
        #expect(
            JSONValue.object([.init("a", .null), .init("b", .null)]) != .object([.init("b", .null), .init("a", .null)]))
    }
}
