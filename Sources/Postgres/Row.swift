/// One row of a result, valid as long as it is held.
public struct Row: Sendable {
    let result: QueryResult
    let index: Int32

    /// Reads the row's columns one after the other, from the first.
    public var reader: RowReader {
        RowReader(row: self)
    }

    /// Reads the first columns as the given types.
    /// - Throws: `PostgresError` with the code `unexpectedColumn` when a column is missing or of another type.
    public func decode<each Column: ColumnDecodable>(
        _ types: repeat (each Column).Type
    ) throws(PostgresError) -> (repeat each Column) {
        var reader = reader
        return (repeat try reader.next((each Column).self))
    }
}

/// A cursor over the columns of one row.
public struct RowReader {
    let row: Row
    private var column: Int32 = 0

    init(row: Row) {
        self.row = row
    }

    /// Reads the next column.
    ///
    /// Inlinable, so that other modules read columns of a known type without looking up what a type can do.
    /// - Throws: `PostgresError` with the code `unexpectedColumn` when it is missing or of another type.
    @inlinable
    public mutating func next<Column: ColumnDecodable>(_ type: Column.Type = Column.self) throws(PostgresError)
        -> Column
    {
        let (field, dataType) = try nextField()
        // The field's bytes live as long as the result, which the row holds.
        guard let value = withExtendedLifetime(self, { Column(field, of: dataType) }) else {
            throw mismatch(dataType, isNull: field == nil, "\(type)")
        }
        return value
    }

    @usableFromInline
    mutating func nextField() throws(PostgresError) -> (UnsafeRawBufferPointer?, DataType) {
        guard column < row.result.columnCount else {
            throw PostgresError(.unexpectedColumn, note: "there is no column \(column + 1)")
        }
        defer { column += 1 }
        return (row.result.field(row.index, column), row.result.dataType(ofColumn: column))
    }

    @usableFromInline
    func mismatch(_ dataType: DataType, isNull: Bool, _ type: String) -> PostgresError {
        PostgresError(
            .unexpectedColumn,
            note: "column \(column) of type \(dataType.oid)\(isNull ? " is null and" : "") is no \(type)")
    }
}

/// A type that can be read from a column in PostgreSQL's binary format.
public protocol ColumnDecodable {
    /// Reads the field, or returns nil when the column's type or content is another one. A nil field is a null.
    init?(_ field: UnsafeRawBufferPointer?, of dataType: DataType)
}

extension FixedWidthInteger {
    /// Reads an integer in network byte order, or nil when the size is not exactly its own.
    public init?(bigEndianBytes bytes: UnsafeRawBufferPointer) {
        guard bytes.count == MemoryLayout<Self>.size else { return nil }
        self = Self(bigEndian: bytes.loadUnaligned(as: Self.self))
    }
}

extension Int: ColumnDecodable {
    public init?(_ field: UnsafeRawBufferPointer?, of dataType: DataType) {
        guard let field else { return nil }
        switch dataType {
        case .int8: guard let value = Int64(bigEndianBytes: field) else { return nil }; self.init(value)
        case .int4: guard let value = Int32(bigEndianBytes: field) else { return nil }; self.init(value)
        case .int2: guard let value = Int16(bigEndianBytes: field) else { return nil }; self.init(value)
        default: return nil
        }
    }
}

extension Bool: ColumnDecodable {
    public init?(_ field: UnsafeRawBufferPointer?, of dataType: DataType) {
        guard dataType == .bool, let field, field.count == 1 else { return nil }
        self = field[0] != 0
    }
}

extension Double: ColumnDecodable {
    public init?(_ field: UnsafeRawBufferPointer?, of dataType: DataType) {
        guard dataType == .float8, let field, let bits = UInt64(bigEndianBytes: field) else { return nil }
        self.init(bitPattern: bits)
    }
}

extension Bytes: ColumnDecodable {
    public init?(_ field: UnsafeRawBufferPointer?, of dataType: DataType) {
        guard dataType == .bytea, let field else { return nil }
        self.init(Array(field))
    }
}

extension String: ColumnDecodable {
    /// Takes every type whose binary form is its text: text, varchar, name, enumerations.
    public init?(_ field: UnsafeRawBufferPointer?, of dataType: DataType) {
        guard let field else { return nil }
        switch dataType.oid {
        case DataType.text.oid, 1043, 1042, 19, 18, 705, 114: break
        case 16384...: break  // types the schema defines; the ones this product reads as text are enumerations
        default: return nil
        }
        self.init(decoding: field, as: UTF8.self)
    }
}

extension Optional: ColumnDecodable where Wrapped: ColumnDecodable {
    @inlinable
    public init?(_ field: UnsafeRawBufferPointer?, of dataType: DataType) {
        guard field != nil else {
            self = .none
            return
        }
        guard let value = Wrapped(field, of: dataType) else { return nil }
        self = .some(value)
    }
}

extension Array: ColumnDecodable where Element: ColumnDecodable {
    /// Reads a one-dimensional array; the layout is that of `array_send` in PostgreSQL's `arrayfuncs.c`.
    public init?(_ field: UnsafeRawBufferPointer?, of dataType: DataType) {
        guard let field, field.count >= 12 else { return nil }
        func int32(at offset: Int) -> Int32? {
            guard offset + 4 <= field.count else { return nil }
            return Int32(bigEndianBytes: UnsafeRawBufferPointer(rebasing: field[offset..<offset + 4]))
        }
        guard let dimensions = int32(at: 0), let elementOID = int32(at: 8) else { return nil }
        self.init()
        guard dimensions != 0 else { return }
        guard dimensions == 1, let count = int32(at: 12), count >= 0 else { return nil }
        reserveCapacity(Int(count))
        var offset = 20
        for _ in 0..<count {
            guard let length = int32(at: offset) else { return nil }
            offset += 4
            var bytes: UnsafeRawBufferPointer?
            if length >= 0 {
                guard offset + Int(length) <= field.count else { return nil }
                bytes = UnsafeRawBufferPointer(rebasing: field[offset..<offset + Int(length)])
                offset += Int(length)
            }
            guard let element = Element(bytes, of: DataType(oid: UInt32(bitPattern: elementOID))) else { return nil }
            append(element)
        }
    }
}
