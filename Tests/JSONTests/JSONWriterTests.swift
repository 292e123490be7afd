import JSON
import Leads
import TestSupport
import Testing

struct JSONWriterTests {
    @Test func `fields stand in the order of the calls, nulls included`() {
        let text = written { json in
            json.object {
                $0.field("id", 7)
                $0.field("name", "Анна")
                $0.field("message", String?.none)
                $0.field("is_active", true)
                $0.field("created_at", Timestamp(microseconds: 1_795_239_131_123_456))
                $0.field("load", 33.33)
                $0.null("operator")
                $0.array("tags", ["a", "b"]) { $0.value($1) }
                $0.array("weights", [1, 2]) { json, weight in json.object { $0.field("weight", weight) } }
                $0.array("none", [Int]()) { $0.value($1) }
                $0.object("lead") { $0.object("empty") { _ in } }
                $0.field(
                    "data", JSONValue.object([.init("a", .array([.null, .bool(false)])), .init("b", .integer(1))]))
            }
        }
        #expect(
            text
                == #"{"id":7,"name":"Анна","message":null,"is_active":true,"created_at":"2026-11-21T05:32:11.123456Z","#
                + #""load":33.33,"operator":null,"tags":["a","b"],"weights":[{"weight":1},{"weight":2}],"none":[],"#
                + #""lead":{"empty":{}},"data":{"a":[null,false],"b":1}}"#)
    }

    @Test func `only quotation marks, backslashes and control characters are escaped`() {
        let controls = String(String.UnicodeScalarView((0..<0x20).compactMap { Unicode.Scalar($0) }))
        #expect(
            written { $0.value(controls) }
                == #""\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f\u0010\u0011\u0012"#
                + #"\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f""#)
        #expect(written { $0.value("\"\\/\u{7F}\u{2028}é😀,[{") } == "\"\\\"\\\\/\u{7F}\u{2028}é😀,[{\"")
    }

    @Test func `a value that ends like a bracket or a colon is still followed by a comma`() {
        #expect(written { $0.array(["{", "[", ":", ""]) { $0.value($1) } } == #"["{","[",":",""]"#)
    }

    @Test(arguments: [0, 7, -7, 10, -100, Int.max, Int.min])
    func `integers are written in full`(integer: Int) {
        #expect(written { $0.value(integer) } == String(integer))
    }

    @Test func `numbers that JSON does not have are null`() {
        #expect(
            written { $0.array([.nan, .infinity, -.infinity, 1e300, 50] as [Double]) { $0.value($1) } }
                == "[null,null,null,1e+300,50.0]")
    }

    @Test func `a number is written as it was sent`() throws {
        let text = "[1e400,-0.0,7.50,123456789012345678901234567890]"
        let value = try JSONParser.parse(Array(text.utf8))
        #expect(written { $0.value(value) } == text)
    }

    @Test func `any value survives being written and read`() throws {
        var generator = SeededGenerator(seed: .random(in: 0...UInt64.max))
        for _ in 0..<3000 {
            let value = randomValue(depth: 4, using: &generator)
            var json = JSONWriter()
            json.value(value)
            #expect(try JSONParser.parse(json.bytes) == value, "seed \(generator.seed)")
        }
    }

    private func written(_ write: (inout JSONWriter) -> Void) -> String {
        var json = JSONWriter()
        write(&json)
        return String(decoding: json.bytes, as: UTF8.self)
    }

    private func randomValue(depth: Int, using generator: inout SeededGenerator) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 6 : 4), using: &generator) {
        case 0: return .null
        case 1: return .bool(.random(using: &generator))
        case 2: return .integer(.random(in: Int.min...Int.max, using: &generator))
        case 3: return .string(randomText(using: &generator))
        case 4:
            let count = Int.random(in: 0...4, using: &generator)
            return .array((0..<count).map { _ in randomValue(depth: depth - 1, using: &generator) })
        default:
            let count = Int.random(in: 0...12, using: &generator)
            return .object(
                (0..<count).map { index in
                    .init("\(index):" + randomText(using: &generator), randomValue(depth: depth - 1, using: &generator))
                })
        }
    }

    private func randomText(using generator: inout SeededGenerator) -> String {
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...8, using: &generator) {
            let limit: UInt32 = [0x30, 0x80, 0x800, 0x10FFFF].randomElement(using: &generator) ?? 0x80
            if let scalar = Unicode.Scalar(UInt32.random(in: 0...limit, using: &generator)) { text.append(scalar) }
        }
        return String(text)
    }
}
