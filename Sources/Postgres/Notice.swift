/// A message the server sent beside a statement's result: a warning, a notice.
///
/// Only the code and severity are kept, because the text may quote data.
public struct Notice: Sendable {
    public let sqlState: SQLState
    public let severity: String
}
