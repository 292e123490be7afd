public import Leads

/// Reads JSON as RFC 8259 has it and nothing more.
///
/// Where readers disagree it refuses: duplicate names, lone surrogates, a byte order mark, `NaN` and nesting beyond
/// ``depthLimit``. It takes time proportional to the document, whatever is in it, and keeps its own stack, so that no
/// document can overflow the thread's.
public struct JSONParser {
    /// How many arrays and objects may be open at once.
    public static let depthLimit = 128

    /// Why a document is not JSON, and where.
    public struct Failure: Error, Equatable, Sendable {
        /// The kinds of failure; the raw value is the message of Python's `json`, where that has one.
        public enum Reason: String, Sendable {
            case invalidUTF8 = "Invalid UTF-8"
            case byteOrderMark = "Unexpected UTF-8 BOM"
            case value = "Expecting value"
            case name = "Expecting property name enclosed in double quotes"
            case colon = "Expecting ':' delimiter"
            case comma = "Expecting ',' delimiter"
            case extraData = "Extra data"
            case unterminatedString = "Unterminated string starting at"
            case controlCharacter = "Invalid control character at"
            case escape = "Invalid \\escape"
            case unicodeEscape = "Invalid \\uXXXX escape"
            case loneSurrogate = "Unpaired surrogate in \\uXXXX escape"
            case duplicateName = "Duplicate name in object"
            case depth = "Too deeply nested"
            case tooManyValues = "Too many values"
        }

        /// What is wrong.
        public let reason: Reason
        /// Where, in bytes from the start.
        public let offset: Int
        /// Where, in Unicode scalars from the start: Python's position.
        public let position: Int

        /// The fault with which FastAPI answers such a body. ``Reason/invalidUTF8`` is for a 400 instead.
        public var fault: Fault {
            Fault(
                type: "json_invalid",
                at: [.field("body"), .index(position)],
                message: "JSON decode error",
                input: .object([]),
                context: [.init("error", .string(reason.rawValue))]
            )
        }
    }

    /// The value of a whole document.
    /// - Parameter valueLimit: how many values it may hold, arrays and objects among them: a value takes up to fifty times
    ///   the room in memory that it takes in the document, so that a limit in bytes alone bounds nothing.
    public static func parse(_ document: [UInt8], valueLimit: Int = .max) throws(Failure) -> JSONValue {
        let result = document.withUnsafeBytes { bytes in
            Result { () throws(Failure) in try parse(bytes, valueLimit: valueLimit) }
        }
        return try result.get()
    }

    /// The value of a whole document, whose bytes need to stay only for the call.
    public static func parse(_ document: UnsafeRawBufferPointer, valueLimit: Int = .max) throws(Failure) -> JSONValue {
        var parser = JSONParser(bytes: document, valueLimit: valueLimit)
        do throws(Flaw) {
            try parser.checkEncoding()
            return try parser.parseDocument()
        } catch {
            // Every scalar has one byte that does not continue another.
            let position = document[..<error.offset].count { $0 & 0xC0 != 0x80 }
            throw Failure(reason: error.reason, offset: error.offset, position: position)
        }
    }

    private struct Flaw: Error {
        let reason: Failure.Reason
        let offset: Int
    }

    /// An array or an object whose end has not come yet.
    private struct Container {
        /// The name that waits for its value; nil in an array.
        var name: Name?
        /// Where its first item is in `items`, or its first member in `members`.
        let start: Int
    }

    private struct Name {
        let text: String
        let offset: Int
    }

    private let bytes: UnsafeRawBufferPointer
    private var offset = 0
    /// How many values may still be made.
    private var valuesLeft: Int
    private var containers: [Container] = []
    /// The items of all open arrays, those of the innermost last.
    private var items: [JSONValue] = []
    /// The members of all open objects, those of the innermost last, and where the name of each begins.
    private var members: [JSONValue.Member] = []
    private var nameOffsets: [Int] = []

    private init(bytes: UnsafeRawBufferPointer, valueLimit: Int) {
        self.bytes = bytes
        valuesLeft = valueLimit
    }
}

extension JSONParser {
    private func checkEncoding() throws(Flaw) {
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: bytes.bindMemory(to: UInt8.self).span)
        } catch {
            throw Flaw(reason: .invalidUTF8, offset: error.byteOffsets.lowerBound)
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { throw Flaw(reason: .byteOrderMark, offset: 0) }
    }

    private mutating func parseDocument() throws(Flaw) -> JSONValue {
        skipWhitespace()
        nextValue: while true {
            guard var value = try parseValueOrOpen() else { continue }
            while !containers.isEmpty {
                guard let closed = try append(value) else { continue nextValue }
                value = closed
            }
            skipWhitespace()
            guard offset == bytes.count else { throw Flaw(reason: .extraData, offset: offset) }
            return value
        }
    }

    /// A value that is complete, or nil after the beginning of an array or an object, in front of its first value.
    private mutating func parseValueOrOpen() throws(Flaw) -> JSONValue? {
        guard let byte = byte(at: offset) else { throw Flaw(reason: .value, offset: offset) }
        guard valuesLeft > 0 else { throw Flaw(reason: .tooManyValues, offset: offset) }
        valuesLeft -= 1
        switch byte {
        case UInt8(ascii: "{"):
            try open()
            guard !skip(UInt8(ascii: "}")) else { return .object([]) }
            containers.append(Container(name: try parseName(), start: members.count))
            return nil
        case UInt8(ascii: "["):
            try open()
            guard !skip(UInt8(ascii: "]")) else { return .array([]) }
            containers.append(Container(name: nil, start: items.count))
            return nil
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t") where skip("true"): return .bool(true)
        case UInt8(ascii: "f") where skip("false"): return .bool(false)
        case UInt8(ascii: "n") where skip("null"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try parseNumber())
        default: throw Flaw(reason: .value, offset: offset)
        }
    }

    private mutating func open() throws(Flaw) {
        guard containers.count < JSONParser.depthLimit else { throw Flaw(reason: .depth, offset: offset) }
        offset += 1
        skipWhitespace()
    }

    /// Adds a value to the innermost container and answers what that is if it ends here, or nil in front of its next
    /// value.
    private mutating func append(_ value: JSONValue) throws(Flaw) -> JSONValue? {
        let container = containers[containers.count - 1]
        if let name = container.name {
            members.append(.init(name.text, value))
            nameOffsets.append(name.offset)
        } else {
            items.append(value)
        }
        skipWhitespace()
        if skip(UInt8(ascii: ",")) {
            skipWhitespace()
            if container.name != nil { containers[containers.count - 1].name = try parseName() }
            return nil
        }
        guard skip(container.name == nil ? UInt8(ascii: "]") : UInt8(ascii: "}")) else {
            throw Flaw(reason: .comma, offset: offset)
        }
        containers.removeLast()
        return container.name == nil
            ? .array(takeItems(from: container.start)) : .object(try takeMembers(from: container.start))
    }

    private mutating func takeItems(from start: Int) -> [JSONValue] {
        defer { items.removeSubrange(start...) }
        return Array(items[start...])
    }

    private mutating func takeMembers(from start: Int) throws(Flaw) -> [JSONValue.Member] {
        let taken = Array(members[start...])
        if let index = taken.firstIndexOfRepeatedName {
            throw Flaw(reason: .duplicateName, offset: nameOffsets[start + index])
        }
        members.removeSubrange(start...)
        nameOffsets.removeSubrange(start...)
        return taken
    }

    /// A member's name and its colon.
    private mutating func parseName() throws(Flaw) -> Name {
        let start = offset
        guard byte(at: start) == UInt8(ascii: "\"") else { throw Flaw(reason: .name, offset: start) }
        let text = try parseString()
        skipWhitespace()
        guard skip(UInt8(ascii: ":")) else { throw Flaw(reason: .colon, offset: offset) }
        skipWhitespace()
        return Name(text: text, offset: start)
    }

    private mutating func parseString() throws(Flaw) -> String {
        let start = offset
        offset += 1
        var runStart = offset
        var unescaped: [UInt8] = []
        while let byte = byte(at: offset) {
            switch byte {
            case UInt8(ascii: "\""):
                let run = UnsafeRawBufferPointer(rebasing: bytes[runStart..<offset])
                offset += 1
                guard !unescaped.isEmpty else { return String(decoding: run, as: UTF8.self) }
                return String(decoding: unescaped + run, as: UTF8.self)
            case UInt8(ascii: "\\"):
                unescaped += bytes[runStart..<offset]
                guard offset + 1 < bytes.count else { throw Flaw(reason: .unterminatedString, offset: start) }
                unescaped += try parseEscape()
                runStart = offset
            case 0..<0x20:
                throw Flaw(reason: .controlCharacter, offset: offset)
            default:
                offset += 1
            }
        }
        throw Flaw(reason: .unterminatedString, offset: start)
    }

    private mutating func parseEscape() throws(Flaw) -> Unicode.Scalar.UTF8View {
        let scalar: Unicode.Scalar
        switch bytes[offset + 1] {
        case UInt8(ascii: "\""): scalar = "\""
        case UInt8(ascii: "\\"): scalar = "\\"
        case UInt8(ascii: "/"): scalar = "/"
        case UInt8(ascii: "b"): scalar = "\u{8}"
        case UInt8(ascii: "f"): scalar = "\u{C}"
        case UInt8(ascii: "n"): scalar = "\n"
        case UInt8(ascii: "r"): scalar = "\r"
        case UInt8(ascii: "t"): scalar = "\t"
        case UInt8(ascii: "u"): return try parseUnicodeEscape().utf8
        default: throw Flaw(reason: .escape, offset: offset)
        }
        offset += 2
        return scalar.utf8
    }

    /// `\uXXXX`, or two of them that are a surrogate pair.
    private mutating func parseUnicodeEscape() throws(Flaw) -> Unicode.Scalar {
        let start = offset
        let unit = try parseCodeUnit()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard UTF16.isLeadSurrogate(unit), byte(at: offset) == UInt8(ascii: "\\"),
            byte(at: offset + 1) == UInt8(ascii: "u")
        else { throw Flaw(reason: .loneSurrogate, offset: start + 1) }
        let trail = try parseCodeUnit()
        guard UTF16.isTrailSurrogate(trail) else { throw Flaw(reason: .loneSurrogate, offset: start + 1) }
        return UTF16.decode(UTF16.EncodedScalar([unit, trail]))
    }

    private mutating func parseCodeUnit() throws(Flaw) -> UInt16 {
        var unit: UInt16 = 0
        for index in offset + 2..<offset + 6 {
            guard let digit = byte(at: index).flatMap({ Character(Unicode.Scalar($0)).hexDigitValue }) else {
                throw Flaw(reason: .unicodeEscape, offset: offset + 1)
            }
            unit = unit << 4 | UInt16(digit)
        }
        // So says Python's scanner of an escape that nothing follows.
        guard byte(at: offset + 6) != nil else { throw Flaw(reason: .unicodeEscape, offset: offset + 1) }
        offset += 6
        return unit
    }

    /// The longest number that begins here; a `.` or an `e` without digits after it is left to whoever reads on.
    private mutating func parseNumber() throws(Flaw) -> JSONNumber {
        let start = offset
        var end = start
        if byte(at: end) == UInt8(ascii: "-") { end += 1 }
        guard isDigit(at: end) else { throw Flaw(reason: .value, offset: start) }
        end = byte(at: end) == UInt8(ascii: "0") ? end + 1 : endOfDigits(from: end)
        if byte(at: end) == UInt8(ascii: "."), isDigit(at: end + 1) { end = endOfDigits(from: end + 1) }
        if byte(at: end) == UInt8(ascii: "e") || byte(at: end) == UInt8(ascii: "E") {
            let isSigned = byte(at: end + 1) == UInt8(ascii: "+") || byte(at: end + 1) == UInt8(ascii: "-")
            let digits = end + (isSigned ? 2 : 1)
            if isDigit(at: digits) { end = endOfDigits(from: digits) }
        }
        offset = end
        return JSONNumber(checked: String(decoding: bytes[start..<end], as: UTF8.self))
    }

    private func endOfDigits(from index: Int) -> Int {
        var end = index
        while isDigit(at: end) { end += 1 }
        return end
    }

    private func isDigit(at index: Int) -> Bool {
        byte(at: index).map { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } ?? false
    }

    private func byte(at index: Int) -> UInt8? {
        index < bytes.count ? bytes[index] : nil
    }

    private mutating func skip(_ byte: UInt8) -> Bool {
        guard self.byte(at: offset) == byte else { return false }
        offset += 1
        return true
    }

    private mutating func skip(_ word: StaticString) -> Bool {
        let isNext = word.withUTF8Buffer { bytes[offset...].starts(with: $0) }
        if isNext { offset += word.utf8CodeUnitCount }
        return isNext
    }

    private mutating func skipWhitespace() {
        while let byte = byte(at: offset),
            byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
                || byte == UInt8(ascii: "\t")
        {
            offset += 1
        }
    }
}

extension [JSONValue.Member] {
    /// The index of the first member whose name an earlier one has, byte by byte.
    fileprivate var firstIndexOfRepeatedName: Int? {
        // Comparing pairs is quicker than hashing for the objects that clients send, and quadratic for the others.
        guard count > 8 else {
            return indices.first { index in self[..<index].contains { $0.name.hasSameBytes(as: self[index].name) } }
        }
        var seen = Set<NameBytes>(minimumCapacity: count)
        return firstIndex { !seen.insert(NameBytes(name: $0.name)).inserted }
    }
}

/// A name that is equal to another only when it is the same bytes.
private struct NameBytes: Hashable {
    let name: String

    static func == (left: NameBytes, right: NameBytes) -> Bool {
        left.name.hasSameBytes(as: right.name)
    }

    func hash(into hasher: inout Hasher) {
        var name = name
        name.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
