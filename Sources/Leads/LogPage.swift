/// Which part of a log to show, whose elements are numbered in the order in which they appear.
public struct LogPage: Sendable, Equatable {
    /// The last number the reader has seen, 0 for none.
    public var after: Int
    /// 1…1000.
    public var limit: Int

    public init(after: Int = 0, limit: Int = 100) {
        self.after = after
        self.limit = limit
    }

    /// - Parameter limit: how many there are when the reader does not say.
    public init(_ fields: inout Fields, limit: Int = 100) {
        after = fields.optionalInteger("after", default: 0, in: 0...Int.max)
        self.limit = fields.optionalInteger("limit", default: limit, in: 1...1000)
    }
}
