/// A JSON value as it was sent: members keep their order and numbers keep their text.
///
/// Two values are equal when they are the same bytes after unescaping; `"é"` and `"e\u{301}"`, which Swift calls equal
/// strings, are different values here, as they are to PostgreSQL.
public enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// A name and its value in an object.
    public struct Member: Sendable, Equatable {
        public let name: String
        public let value: JSONValue

        /// Pairs a name with a value.
        public init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }

        public static func == (left: Member, right: Member) -> Bool {
            left.name.hasSameBytes(as: right.name) && left.value == right.value
        }
    }

    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.string(let left), .string(let right)): left.hasSameBytes(as: right)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }
}

/// A JSON number in the text in which it was sent, so that nothing is rounded and nothing overflows.
///
/// Two numbers are equal when their text is: `1.0` is not `1`.
public struct JSONNumber: Sendable, Equatable {
    /// The number as written, a `number` of RFC 8259: `7`, `-0.5`, `1e400`.
    public let text: String

    /// The number that is an integer.
    public init(_ integer: Int) {
        text = String(integer)
    }

    /// The number written as `text`, which the caller has checked against the grammar of RFC 8259.
    package init(checked text: String) {
        self.text = text
    }

    /// Whether it is written without a fraction and without an exponent, which is what makes it an `int` in Python.
    public var isWrittenAsInteger: Bool {
        !text.utf8.contains { [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains($0) }
    }

    /// Whether it begins with a minus sign, `-0` included.
    public var isNegative: Bool {
        text.utf8.first == UInt8(ascii: "-")
    }

    /// Whether its exact value is a whole number, of any size: `7`, `7.0`, `1e2`, `1e400`.
    public var isIntegral: Bool {
        let (digits, exponent) = significand
        return digits.isEmpty || exponent >= 0
    }

    /// Its exact value, or nil when that is not whole or does not fit: `1e2` is 100, `0.99999999999999999999` is nil.
    public var exactInteger: Int? {
        if let integer = Int(text) { return integer }
        let (digits, exponent) = significand
        if digits.isEmpty { return 0 }
        // Int.max has 19 digits; the bound also keeps the padding below short.
        guard exponent >= 0, exponent < 19 else { return nil }
        return Int((isNegative ? "-" : "") + digits + String(repeating: "0", count: exponent))
    }

    /// The digits without leading and trailing zeros, and the power of ten by which they are multiplied.
    private var significand: (digits: String, exponent: Int) {
        let mark = text.utf8.firstIndex { $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: "E") } ?? text.endIndex
        var exponent = 0
        if mark < text.endIndex {
            let power = text[text.utf8.index(after: mark)...]
            // Far beyond any number of digits that fits in memory, and far below overflow.
            let bound = 1 << 50
            exponent = min(max(Int(power) ?? (power.hasPrefix("-") ? -bound : bound), -bound), bound)
        }
        if let point = text.utf8.firstIndex(of: UInt8(ascii: ".")) {
            exponent -= text.utf8.distance(from: point, to: mark) - 1
        }
        var digits = text.utf8[..<mark].filter { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }[...]
        digits = digits.drop { $0 == UInt8(ascii: "0") }
        while digits.last == UInt8(ascii: "0") {
            digits.removeLast()
            exponent += 1
        }
        return (String(decoding: digits, as: UTF8.self), exponent)
    }
}

extension String {
    /// Whether both are the same bytes in UTF-8; `==` would also accept canonically equivalent text.
    package func hasSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }
}
