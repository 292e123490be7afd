internal import CLibPQ

/// A message the server sent beside a statement's result: a warning, a notice.
///
/// Only the code and severity are kept, because the text may quote data.
public struct Notice: Sendable {
    public let sqlState: SQLState
    public let severity: String
}

/// Where libpq delivers a connection's notices. Used on the event loop's thread only.
final class NoticeBox {
    private let received: (@Sendable (Notice) -> Void)?
    private var sawCancelledWait = false
    /// The function of PostgreSQL's that says so when a COMMIT stops waiting for a standby. Its text is translated, and
    /// its code is that of every warning that a function raises.
    private static let waitForStandby = "SyncRepWaitForLSN"

    init(_ received: (@Sendable (Notice) -> Void)?) {
        self.received = received
    }

    /// Whether a wait for a standby was cancelled since the last call.
    func takeCancelledWait() -> Bool {
        defer { sawCancelledWait = false }
        return sawCancelledWait
    }

    static let receive: PQnoticeReceiver = { context, pointer in
        guard let context, let pointer else { return }
        let box = Unmanaged<NoticeBox>.fromOpaque(context).takeUnretainedValue()
        // libpq frees the result itself, so it must not be wrapped in a QueryResult.
        func field(_ character: Unicode.Scalar) -> String? {
            PQresultErrorField(pointer, Int32(character.value)).map { String(cString: $0) }
        }
        let notice = Notice(sqlState: SQLState(field("C") ?? "00000"), severity: field("V") ?? "NOTICE")
        if notice.severity == "WARNING", field("R") == waitForStandby { box.sawCancelledWait = true }
        box.received?(notice)
    }
}
