public import Leads

/// Writes JSON in the order of the calls: UTF-8 unescaped, nulls written, no white space.
///
/// ```swift
/// var json = JSONWriter()
/// json.object {
///     $0.field("id", 7)
///     $0.field("updated_at", timestampOrNil)
///     $0.array("tags", tags) { $0.value($1) }
///     $0.object("lead") { $0.field("name", lead.name) }
/// }
/// send(json.bytes)
/// ```
///
/// Inlinable where it is generic, so that other rooms write values of a known type without looking up what a type can do.
public struct JSONWriter: Sendable {
    @usableFromInline var content: [UInt8] = []

    /// What has been written so far.
    public var bytes: [UInt8] { content }

    /// An empty writer with room for `capacity` bytes before it has to grow.
    public init(capacity: Int = 1024) {
        content.reserveCapacity(capacity)
    }

    /// Forgets what has been written, and keeps the room for it.
    public mutating func removeAll() {
        content.removeAll(keepingCapacity: true)
    }

    /// Writes an object with the fields that `body` writes.
    @inlinable
    public mutating func object(_ body: (inout JSONWriter) -> Void) {
        separate()
        content.append(UInt8(ascii: "{"))
        body(&self)
        content.append(UInt8(ascii: "}"))
    }

    /// Writes an array with a value that `body` writes for each element.
    @inlinable
    public mutating func array<Elements: Sequence>(
        _ elements: Elements,
        _ body: (inout JSONWriter, Elements.Element) -> Void
    ) {
        separate()
        content.append(UInt8(ascii: "["))
        for element in elements { body(&self, element) }
        content.append(UInt8(ascii: "]"))
    }

    /// Writes a value, or null for nil.
    @inlinable
    public mutating func value<Value: JSONWritable>(_ value: Value?) {
        separate()
        if let value { value.write(to: &content) } else { content.append("null") }
    }

    /// Writes a field with a value, or null for nil.
    ///
    /// A name is a literal of our own and must not need escaping.
    @inlinable
    public mutating func field<Value: JSONWritable>(_ name: StaticString, _ value: Value?) {
        self.name(name)
        self.value(value)
    }

    /// Writes a field with null.
    @inlinable
    public mutating func null(_ name: StaticString) {
        self.name(name)
        value(JSONValue.null)
    }

    /// Writes a field with an object.
    @inlinable
    public mutating func object(_ name: StaticString, _ body: (inout JSONWriter) -> Void) {
        self.name(name)
        object(body)
    }

    /// Writes a field with an array.
    @inlinable
    public mutating func array<Elements: Sequence>(
        _ name: StaticString,
        _ elements: Elements,
        _ body: (inout JSONWriter, Elements.Element) -> Void
    ) {
        self.name(name)
        array(elements, body)
    }

    @usableFromInline
    mutating func name(_ name: StaticString) {
        separate()
        content.append(UInt8(ascii: "\""))
        content.append(name)
        content.append(UInt8(ascii: "\""))
        content.append(UInt8(ascii: ":"))
    }

    /// Writes the comma that a value needs unless it is the first of its kind.
    ///
    /// The last byte tells: values never end with one of these, a string ends with its quotation mark.
    @usableFromInline
    mutating func separate() {
        switch content.last {
        case nil, UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: ":"): break
        default: content.append(UInt8(ascii: ","))
        }
    }
}

/// What ``JSONWriter`` can write as one value.
public protocol JSONWritable {
    /// Appends the value's JSON.
    func write(to bytes: inout [UInt8])
}

extension Bool: JSONWritable {
    public func write(to bytes: inout [UInt8]) {
        bytes.append(self ? "true" : "false")
    }
}

extension Int: JSONWritable {
    public func write(to bytes: inout [UInt8]) {
        Int64(self).write(to: &bytes)
    }
}

extension Int64: JSONWritable {
    public func write(to bytes: inout [UInt8]) {
        // 19 digits and a sign, filled from the end.
        var digits = InlineArray<20, UInt8>(repeating: UInt8(ascii: "-"))
        var start = 20
        var rest = magnitude
        repeat {
            start -= 1
            digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        if self < 0 { start -= 1 }
        for index in start..<20 { bytes.append(digits[index]) }
    }
}

extension Double: JSONWritable {
    /// The shortest text that reads back as the same number; null for infinity and NaN, which JSON does not have.
    public func write(to bytes: inout [UInt8]) {
        if isFinite { bytes.append(contentsOf: description.utf8) } else { bytes.append("null") }
    }
}

extension String: JSONWritable {
    public func write(to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        var text = self
        text.withUTF8 { utf8 in
            var runStart = 0
            for index in utf8.indices where utf8[index].needsEscape {
                bytes.append(contentsOf: utf8[runStart..<index])
                bytes.append(escaped: utf8[index])
                runStart = index + 1
            }
            bytes.append(contentsOf: utf8[runStart...])
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

extension Timestamp: JSONWritable {
    public func write(to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        append(to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }
}

extension JSONValue: JSONWritable {
    /// Writes numbers in the text in which they were sent. The nesting is that of ``JSONParser/depthLimit`` at most, so
    /// that recursion is safe.
    public func write(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes.append("null")
        case .bool(let bool): bool.write(to: &bytes)
        case .number(let number): bytes.append(contentsOf: number.text.utf8)
        case .string(let string): string.write(to: &bytes)
        case .array(let items):
            bytes.append(UInt8(ascii: "["))
            for (index, item) in items.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                item.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                member.name.write(to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                member.value.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }
}

extension UInt8 {
    fileprivate var needsEscape: Bool {
        self < 0x20 || self == UInt8(ascii: "\"") || self == UInt8(ascii: "\\")
    }
}

extension [UInt8] {
    @usableFromInline
    mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { append(contentsOf: $0) }
    }

    fileprivate mutating func append(escaped byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append(#"\""#)
        case UInt8(ascii: "\\"): append(#"\\"#)
        case UInt8(ascii: "\n"): append(#"\n"#)
        case UInt8(ascii: "\r"): append(#"\r"#)
        case UInt8(ascii: "\t"): append(#"\t"#)
        case 0x08: append(#"\b"#)
        case 0x0C: append(#"\f"#)
        default:
            append(#"\u00"#)
            append(byte < 0x10 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
            let digit = byte & 0x0F
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}
