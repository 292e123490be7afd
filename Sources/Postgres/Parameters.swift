/// The number by which PostgreSQL knows a data type (`pg_type.oid`).
public struct DataType: Sendable, Hashable {
    public let oid: UInt32

    public init(oid: UInt32) {
        self.oid = oid
    }

    public static let bool = DataType(oid: 16)
    public static let bytea = DataType(oid: 17)
    public static let int2 = DataType(oid: 21)
    public static let int4 = DataType(oid: 23)
    public static let int8 = DataType(oid: 20)
    public static let float8 = DataType(oid: 701)
    public static let text = DataType(oid: 25)
    public static let timestamptz = DataType(oid: 1184)
    public static let boolArray = DataType(oid: 1000)
    public static let int4Array = DataType(oid: 1007)
    public static let byteaArray = DataType(oid: 1001)
    public static let int8Array = DataType(oid: 1016)
    public static let float8Array = DataType(oid: 1022)
    public static let textArray = DataType(oid: 1009)
    public static let timestamptzArray = DataType(oid: 1185)
}

/// A value that can be bound to a statement, in PostgreSQL's binary format.
public protocol Bindable: Sendable {
    static var dataType: DataType { get }
    static var arrayDataType: DataType { get }
    var isNull: Bool { get }
    /// Appends the value's binary form; never called for a null.
    func encode(into bytes: inout [UInt8])
    /// Whether PostgreSQL can hold the value at all.
    var isRepresentable: Bool { get }
}

extension Bindable {
    @inlinable public var isNull: Bool { false }
    @inlinable public var isRepresentable: Bool { true }
}

extension [UInt8] {
    /// Appends an integer in network byte order.
    @inlinable
    public mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}

extension Int: Bindable {
    @inlinable public static var dataType: DataType { .int8 }
    @inlinable public static var arrayDataType: DataType { .int8Array }
    @inlinable public func encode(into bytes: inout [UInt8]) { bytes.appendBigEndian(Int64(self)) }
}

extension Int32: Bindable {
    @inlinable public static var dataType: DataType { .int4 }
    @inlinable public static var arrayDataType: DataType { .int4Array }
    @inlinable public func encode(into bytes: inout [UInt8]) { bytes.appendBigEndian(self) }
}

extension Bool: Bindable {
    @inlinable public static var dataType: DataType { .bool }
    @inlinable public static var arrayDataType: DataType { .boolArray }
    @inlinable public func encode(into bytes: inout [UInt8]) { bytes.append(self ? 1 : 0) }
}

extension Double: Bindable {
    @inlinable public static var dataType: DataType { .float8 }
    @inlinable public static var arrayDataType: DataType { .float8Array }
    @inlinable public func encode(into bytes: inout [UInt8]) { bytes.appendBigEndian(bitPattern) }
}

extension String: Bindable {
    @inlinable public static var dataType: DataType { .text }
    @inlinable public static var arrayDataType: DataType { .textArray }
    @inlinable public func encode(into bytes: inout [UInt8]) { bytes.append(contentsOf: utf8) }
    /// PostgreSQL's text cannot hold U+0000, and libpq's text format would silently cut the value there.
    @inlinable public var isRepresentable: Bool { !utf8.contains(0) }
}

/// Bytes as they are, for `bytea`.
public struct Bytes: Bindable, Hashable {
    public let bytes: [UInt8]

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    @inlinable public static var dataType: DataType { .bytea }
    @inlinable public static var arrayDataType: DataType { .byteaArray }
    @inlinable public func encode(into bytes: inout [UInt8]) { bytes += self.bytes }
}

extension Optional: Bindable where Wrapped: Bindable {
    @inlinable public static var dataType: DataType { Wrapped.dataType }
    @inlinable public static var arrayDataType: DataType { Wrapped.arrayDataType }
    @inlinable public var isNull: Bool { self?.isNull ?? true }
    @inlinable public var isRepresentable: Bool { self?.isRepresentable ?? true }
    @inlinable public func encode(into bytes: inout [UInt8]) { self?.encode(into: &bytes) }
}

extension Array: Bindable where Element: Bindable {
    @inlinable public static var dataType: DataType { Element.arrayDataType }
    /// PostgreSQL has no type of its own for arrays of arrays; the outer one reuses the inner one's.
    @inlinable public static var arrayDataType: DataType { Element.arrayDataType }
    @inlinable public var isRepresentable: Bool { allSatisfy { $0.isRepresentable } }

    @inlinable
    public func encode(into bytes: inout [UInt8]) {
        let hasNull = contains { $0.isNull }
        bytes.appendBigEndian(Int32(isEmpty ? 0 : 1))
        bytes.appendBigEndian(Int32(hasNull ? 1 : 0))
        bytes.appendBigEndian(Element.dataType.oid)
        guard !isEmpty else { return }
        bytes.appendBigEndian(Int32(count))
        bytes.appendBigEndian(Int32(1))
        for element in self {
            guard !element.isNull else {
                bytes.appendBigEndian(Int32(-1))
                continue
            }
            let lengthOffset = bytes.count
            bytes.appendBigEndian(Int32(0))
            element.encode(into: &bytes)
            let length = Int32(bytes.count - lengthOffset - 4).bigEndian
            Swift.withUnsafeBytes(of: length) { source in
                for offset in 0..<4 { bytes[lengthOffset + offset] = source[offset] }
            }
        }
    }
}

/// The bound values of one statement: their binary forms back to back in one buffer.
///
/// Inlinable, like what it is made of: batches bind arrays of hundreds of values, which unspecialised generic code copies
/// ten times as slowly.
@usableFromInline
struct Parameters: Sendable {
    @usableFromInline var types: [DataType] = []
    @usableFromInline var bytes: [UInt8] = []
    @usableFromInline var ends: [Int32] = []
    @usableFromInline var areRepresentable = true
    @usableFromInline static let null: Int32 = -1

    @usableFromInline
    init() {}

    var count: Int { types.count }

    @inlinable
    mutating func append<Value: Bindable>(_ value: Value) {
        types.append(Value.dataType)
        guard !value.isNull else {
            ends.append(Self.null)
            return
        }
        areRepresentable = areRepresentable && value.isRepresentable
        value.encode(into: &bytes)
        ends.append(Int32(bytes.count))
    }

    mutating func append(contentsOf other: Parameters) {
        let offset = Int32(bytes.count)
        types += other.types
        bytes += other.bytes
        ends += other.ends.map { $0 == Self.null ? $0 : $0 + offset }
        areRepresentable = areRepresentable && other.areRepresentable
    }

    /// Calls `body` with the arrays libpq wants: values, lengths, formats. They are valid only during the call.
    func withPointers<Result>(
        _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<Int32>, UnsafePointer<Int32>) -> Result
    ) -> Result {
        bytes.withUnsafeBytes { buffer in
            withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: count + 1) { values in
                withUnsafeTemporaryAllocation(of: Int32.self, capacity: 2 * count + 1) { numbers in
                    var start = 0
                    for index in 0..<count {
                        let end = Int(ends[index])
                        numbers[count + index] = 1  // binary
                        if ends[index] == Self.null {
                            values[index] = nil
                            numbers[index] = 0
                        } else {
                            // An empty value still needs a non-null pointer, otherwise libpq sends a null.
                            values[index] =
                                (buffer.baseAddress.map { $0 + start } ?? UnsafeRawPointer(bitPattern: 1)!)
                                .assumingMemoryBound(to: CChar.self)
                            numbers[index] = Int32(end - start)
                            start = end
                        }
                    }
                    return body(values.baseAddress!, numbers.baseAddress!, numbers.baseAddress! + count)
                }
            }
        }
    }
}
