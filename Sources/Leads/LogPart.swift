/// An event with what tells who may see it, as it was when the event was read.
public struct LogEntry: Sendable, Equatable {
    public let event: Event
    /// Who had the event's contact, or had it last where it was closed.
    public let operatorID: Int?
    /// The source of the event's contact, or the one that the event is about.
    public let sourceID: Int?

    public init(_ event: Event, operatorID: Int? = nil, sourceID: Int? = nil) {
        self.event = event
        self.operatorID = operatorID
        self.sourceID = sourceID
    }
}

/// A stretch of the log of events, and where the log ended when it was read.
public struct LogPart: Sendable, Equatable {
    /// Those after the position that was asked for, in order.
    public let entries: [LogEntry]
    /// Up to where nothing is missing among them.
    public let reached: Int
    /// The last position given, 0 in an empty log.
    public let end: Int

    /// - Parameter limit: how many were asked for.
    public init(entries: [LogEntry], limit: Int, end: Int) {
        self.entries = entries
        self.end = end
        reached = entries.count < limit ? end : entries.last?.event.position ?? end
    }

    /// What of it somebody sees, as it is shown to somebody like that.
    public func events(for viewer: Viewer) -> [Event] {
        entries.filter(viewer.sees).map { viewer.shown($0.event) }
    }
}

extension Viewer {
    /// The same rule as that of the statements that read the log for one viewer.
    public func sees(_ entry: LogEntry) -> Bool {
        if !seesAccessEvents, entry.event.isAboutAccess { return false }
        if let sourceIDs {
            guard let sourceID = entry.sourceID, sourceIDs.contains(sourceID) else { return false }
        }
        return switch reach {
        case .everything: true
        case .ownContacts(let operatorID): entry.event.contactID != nil && entry.operatorID == operatorID
        case .registered: false
        }
    }
}
