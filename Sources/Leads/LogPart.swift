/// A stretch of the log of events, and where the log ended when it was read.
public struct LogPart: Sendable, Equatable {
    /// Those after the position that was asked for, in order.
    public let events: [Event]
    /// The last position given, 0 in an empty log.
    public let end: Int

    public init(events: [Event], end: Int) {
        self.events = events
        self.end = end
    }
}
