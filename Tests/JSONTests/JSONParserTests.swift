import JSON
import Leads
import TestSupport
import Testing

/// Where the parser is stricter than Python's json, and that nothing makes it crash; FastAPITests has the rest.
struct JSONParserTests {
    @Test(arguments: [
        (#"{"a":1,"a":1}"#, JSONParser.Failure.Reason.duplicateName, 7),
        (#"{"é":{"a":1,"b":2},"x":[{"c":1}],"\u00e9":1}"#, .duplicateName, 33),
        (#"{"a":{"b":1,"c":2,"b":3}}"#, .duplicateName, 18),
        (#"["\ud800"]"#, .loneSurrogate, 3), (#""\udc00""#, .loneSurrogate, 2), (#""\ud83d\n""#, .loneSurrogate, 2),
        (#""\ud83d\ud83d""#, .loneSurrogate, 2), (#""\ude00\ud83d""#, .loneSurrogate, 2),
        (#""\ud83d"#, .unicodeEscape, 2),
        ("NaN", .value, 0), ("[Infinity]", .value, 1), (#"{"a":-Infinity}"#, .value, 5),
        ("\u{FEFF}{}", .byteOrderMark, 0),
        ("{\0}\0", .name, 1), ("\u{1E}1", .value, 0),
    ])
    func `what other readers let pass is refused`(document: String, reason: JSONParser.Failure.Reason, position: Int) {
        let failure = #expect(throws: JSONParser.Failure.self) { try JSONParser.parse(Array(document.utf8)) }
        #expect(failure?.reason == reason && failure?.position == position, "\(document)")
    }

    @Test(arguments: [
        ("[0,0,0]", 4), ("{\"a\":{\"b\":[1]}}", 4), ("1", 1), ("[[[[]]]]", 4), ("[]", 1), ("{\"a\":1,\"b\":2}", 3),
    ])
    func `a document may have as many values as are allowed, and is left at the first one beyond`(
        document: String, values: Int
    ) throws {
        #expect(
            try JSONParser.parse(Array(document.utf8), valueLimit: values) == JSONParser.parse(Array(document.utf8)))
        let failure = #expect(throws: JSONParser.Failure.self) {
            try JSONParser.parse(Array(document.utf8), valueLimit: values - 1)
        }
        #expect(failure?.reason == .tooManyValues)
    }

    @Test func `names are the same only byte by byte`() throws {
        let document = #"{"\u00e9":1,"e\u0301":2}"#
        #expect(
            try JSONParser.parse(Array(document.utf8))
                == .object([.init("\u{E9}", .integer(1)), .init("e\u{301}", .integer(2))]))
    }

    @Test(arguments: [
        [0xC0, 0xAF], [0xC1, 0x81], [0xE0, 0x80, 0xAF], [0xF0, 0x80, 0x80, 0xAF], [0xED, 0xA0, 0x80],
        [0xED, 0xBF, 0xBF],
        [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0x80], [0xE2, 0x82], [0xFF], [0xFE, 0xFF],
        [0xF8, 0x88, 0x80],
    ])
    func `bytes that are not UTF-8 are told apart from a fault in the JSON`(bytes: [UInt8]) {
        let failure = #expect(throws: JSONParser.Failure.self) {
            try JSONParser.parse(Array(#"["é", ""#.utf8) + bytes + Array(#""] x"#.utf8))
        }
        #expect(failure?.reason == .invalidUTF8 && failure?.offset == 8 && failure?.position == 7)
    }

    @Test func `UTF-16 is not UTF-8`() {
        for document in [[0xFF, 0xFE, 0x31, 0x00], [0xFE, 0xFF, 0x00, 0x31], [0x31, 0x00], [0x00, 0x31]] as [[UInt8]] {
            #expect(throws: JSONParser.Failure.self) { try JSONParser.parse(document) }
        }
    }

    @Test func `nesting ends at the limit`() throws {
        for (open, close) in [("[", "]"), (#"{"a":["#, "]}")] {
            let depth = JSONParser.depthLimit / open.filter { "[{".contains($0) }.count
            let deepest = String(repeating: open, count: depth) + String(repeating: close, count: depth)
            let value = try JSONParser.parse(Array(deepest.utf8))
            var json = JSONWriter()
            json.value(value)
            #expect(json.bytes == Array(deepest.utf8))
            #expect(value == value)
        }
        for depth in [JSONParser.depthLimit + 1, 1_000_000] {
            let failure = #expect(throws: JSONParser.Failure.self) {
                try JSONParser.parse(Array(repeating: UInt8(ascii: "["), count: depth))
            }
            #expect(failure?.reason == .depth && failure?.offset == 128 && failure?.position == 128)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `200 000 names are compared in linear time`() throws {
        var document = "{"
        for index in 0..<200_000 { document += "\"key\(index)\":0," }
        let unique = try JSONParser.parse(Array((document + "\"last\":0}").utf8))
        guard case .object(let members) = unique, members.count == 200_001 else {
            Issue.record("some of the members are missing")
            return
        }
        let failure = #expect(throws: JSONParser.Failure.self) {
            try JSONParser.parse(Array((document + "\"key0\":0}").utf8))
        }
        #expect(failure?.reason == .duplicateName && failure?.offset == document.utf8.count)
    }

    @Test func `every prefix of a document is refused`() {
        for end in document.indices.dropLast() {
            #expect(throws: JSONParser.Failure.self) { try JSONParser.parse(Array(document[..<end])) }
        }
    }

    @Test func `a failure becomes FastAPI's json_invalid`() throws {
        let failure = try #require(throws: JSONParser.Failure.self) { try JSONParser.parse(Array(#"{"é":}"#.utf8)) }
        var json = JSONWriter()
        json.detail([failure.fault])
        #expect(
            String(decoding: json.bytes, as: UTF8.self)
                == #"{"detail":[{"type":"json_invalid","loc":["body",5],"msg":"JSON decode error","input":{},"#
                + #""ctx":{"error":"Expecting value"}}]}"#)
    }

    @Test func `mutated documents are read or refused, never a crash`() {
        var generator = SeededGenerator(seed: .random(in: 0...UInt64.max))
        let alphabet = Array(#"{}[]:,"\u0eE+-.19truefalsn \#n"#.utf8) + [0x00, 0x1F, 0x80, 0xC3, 0xED, 0xF0, 0xFF]
        for _ in 0..<60_000 {
            var mutant = document
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let at = Int.random(in: mutant.indices, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: mutant[at] = alphabet.randomElement(using: &generator) ?? 0
                case 1: mutant.insert(alphabet.randomElement(using: &generator) ?? 0, at: at)
                case 2: mutant.remove(at: at)
                default: mutant[at] = .random(in: 0...255, using: &generator)
                }
            }
            expectSound(mutant, seed: generator.seed)
        }
    }

    @Test func `random bytes are read or refused, never a crash`() {
        var generator = SeededGenerator(seed: .random(in: 0...UInt64.max))
        let alphabet = Array(#"{}[]:,"\u0e+-.19 tn"#.utf8)
        for round in 0..<60_000 {
            let count = Int.random(in: 0...16, using: &generator)
            let bytes = (0..<count).map { _ in
                round.isMultiple(of: 2)
                    ? UInt8.random(in: 0...255, using: &generator) : alphabet.randomElement(using: &generator) ?? 0
            }
            expectSound(bytes, seed: generator.seed)
        }
    }

    private let document = Array(
        #"{"id":7,"é":["\u00e9\ud83d\ude00\n",-1.5e+3,true,null],"o":{"":{}, "x":false}}"#.utf8)

    /// What is accepted is written as a document with the same value; what is refused, is so at a place within it.
    private func expectSound(_ bytes: [UInt8], seed: UInt64) {
        do throws(JSONParser.Failure) {
            let value = try JSONParser.parse(bytes)
            var json = JSONWriter()
            json.value(value)
            if (try? JSONParser.parse(json.bytes)) != value { Issue.record("\(bytes), seed \(seed)") }
        } catch {
            let isWithin = 0...bytes.count ~= error.offset && 0...error.offset ~= error.position
            if !isWithin { Issue.record("\(bytes), seed \(seed)") }
        }
    }
}
