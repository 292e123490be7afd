/// What a caller may see and change of contacts, leads and what is told of them.
public struct Viewer: Hashable, Sendable {
    public enum Reach: Hashable, Sendable {
        case everything
        /// An operator: the contacts it has, or had last where they are closed; their leads, history and explanations.
        case ownContacts(ofOperator: Int)
        /// A key of an intake: the contacts registered with it.
        case registered(byKey: String)
    }

    public var reach: Reach
    /// In order; nil for all sources. What is not of these is not there.
    public var sourceIDs: [Int]?
    /// Whether personal data are masked.
    public var isMasked: Bool
    /// Whether what is told of keys, people and settings is for it, too.
    public var seesAccessEvents: Bool

    public init(
        reach: Reach, sourceIDs: [Int]? = nil, isMasked: Bool = false, seesAccessEvents: Bool = false
    ) {
        self.reach = reach
        self.sourceIDs = sourceIDs?.sorted()
        self.isMasked = isMasked
        self.seesAccessEvents = seesAccessEvents
    }

    /// Administrators, and everybody while access is open.
    public static let everything = Viewer(reach: .everything, seesAccessEvents: true)

    /// Whether there is no contact that it does not see.
    public var seesAllContacts: Bool { reach == .everything && sourceIDs == nil }

    /// Whether a source is one of those it is limited to, if it is.
    public func isAllowed(sourceID: Int) -> Bool { sourceIDs?.contains(sourceID) ?? true }
}
