/// The contacts of one source that wait for one reason.
public struct WaitingGroup: Sendable, Equatable {
    public let sourceID: Int
    public let sourceName: String
    public let reason: WaitingReason
    public let contacts: Int
    /// Since when the one waits that has waited longest.
    public let oldestSince: Timestamp
    /// How long that is, in seconds.
    public let oldestAge: Double

    public init(
        sourceID: Int, sourceName: String, reason: WaitingReason, contacts: Int, oldestSince: Timestamp,
        oldestAge: Double
    ) {
        self.sourceID = sourceID
        self.sourceName = sourceName
        self.reason = reason
        self.contacts = contacts
        self.oldestSince = oldestSince
        self.oldestAge = oldestAge
    }
}
