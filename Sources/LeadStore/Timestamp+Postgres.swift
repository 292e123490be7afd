public import Leads
public import Postgres

/// PostgreSQL counts microseconds from 2000-01-01; Unix from 1970-01-01.
private let microsecondsBetweenEpochs: Int64 = 946_684_800_000_000

extension Timestamp: Bindable, ColumnDecodable {
    @inlinable public static var dataType: DataType { .timestamptz }
    @inlinable public static var arrayDataType: DataType { .timestamptzArray }

    /// Times beyond PostgreSQL's range become its infinities, which compare as expected.
    public func encode(into bytes: inout [UInt8]) {
        let (value, overflows) = microseconds.subtractingReportingOverflow(microsecondsBetweenEpochs)
        bytes.appendBigEndian(overflows ? Int64.min : value)
    }

    public init?(_ field: UnsafeRawBufferPointer?, of dataType: DataType) {
        guard dataType == .timestamptz, let field, let value = Int64(bigEndianBytes: field) else { return nil }
        let (sum, overflows) = value.addingReportingOverflow(microsecondsBetweenEpochs)
        self.init(microseconds: overflows ? .max : sum)
    }
}
