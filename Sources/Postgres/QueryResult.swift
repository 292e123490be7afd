internal import CLibPQ

/// The rows one statement returned.
///
/// `@unchecked Sendable` because libpq documents a `PGresult` as read-only once returned, and nothing here writes to
/// it; it is freed exactly once, when the last reference goes.
public final class QueryResult: @unchecked Sendable, RandomAccessCollection {
    private let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        PQclear(pointer)
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { Int(PQntuples(pointer)) }

    public subscript(position: Int) -> Row {
        precondition(position >= 0 && position < endIndex, "row index out of range")
        return Row(result: self, index: Int32(position))
    }

    /// How many rows an INSERT, UPDATE or DELETE touched, or a SELECT returned.
    public var affectedRows: Int {
        Int(String(cString: PQcmdTuples(pointer))) ?? 0
    }

    var columnCount: Int32 { PQnfields(pointer) }

    func dataType(ofColumn column: Int32) -> DataType {
        DataType(oid: PQftype(pointer, column))
    }

    /// The field's bytes, or nil for a null. They are there as long as this is.
    func field(_ row: Int32, _ column: Int32) -> UnsafeRawBufferPointer? {
        guard PQgetisnull(pointer, row, column) == 0 else { return nil }
        return UnsafeRawBufferPointer(
            start: PQgetvalue(pointer, row, column), count: Int(PQgetlength(pointer, row, column)))
    }

    private var status: ExecStatusType { PQresultStatus(pointer) }

    /// Whether it ends a segment.
    var isSync: Bool { status == PGRES_PIPELINE_SYNC }

    /// Whether its statement was not run because one before it in its segment failed.
    var isSkipped: Bool { status == PGRES_PIPELINE_ABORTED }

    var isCopy: Bool { [PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH].contains(status) }

    /// What the server calls the statement it has run, as `COMMIT` or `INSERT 0 1`.
    var commandTag: String { String(cString: PQcmdStatus(pointer)) }

    /// The error this result stands for, or nil when it is a success.
    var error: PostgresError? {
        switch status {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY, PGRES_PIPELINE_SYNC: nil
        default:
            if let code = field(PG_DIAG_SQLSTATE) {
                PostgresError(
                    .server, sqlState: SQLState(code), constraint: field(PG_DIAG_CONSTRAINT_NAME),
                    table: field(PG_DIAG_TABLE_NAME), serverMessage: field(PG_DIAG_MESSAGE_PRIMARY))
            } else {
                // libpq makes such results itself, when the socket breaks under it.
                PostgresError(.connectionLost, serverMessage: String(cString: PQresultErrorMessage(pointer)))
            }
        }
    }

    private func field(_ code: DiagnosticField) -> String? {
        PQresultErrorField(pointer, code.rawValue).map { String(cString: $0) }
    }
}

/// The fields of an error message, as libpq's `postgres_ext.h` numbers them (character macros are not imported).
private struct DiagnosticField {
    let rawValue: Int32
    init(_ character: Unicode.Scalar) { rawValue = Int32(character.value) }
}

private let PG_DIAG_SQLSTATE = DiagnosticField("C")
private let PG_DIAG_MESSAGE_PRIMARY = DiagnosticField("M")
private let PG_DIAG_TABLE_NAME = DiagnosticField("t")
private let PG_DIAG_CONSTRAINT_NAME = DiagnosticField("n")
