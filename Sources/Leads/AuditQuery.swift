/// Which events to show of those that no contact has: what was done to what is everybody's. The latest come first.
public struct AuditQuery: Sendable, Equatable {
    /// The kinds; nil for all.
    public var kinds: [String]?
    public var actorKind: String?
    public var actorID: String?
    public var from: Timestamp?
    public var to: Timestamp?
    /// 1…1000.
    public var limit: Int
    /// The position of the last event of the page before.
    public var cursor: Int?

    public init(
        kinds: [String]? = nil, actorKind: String? = nil, actorID: String? = nil, from: Timestamp? = nil,
        to: Timestamp? = nil, limit: Int = 100, cursor: Int? = nil
    ) {
        self.kinds = kinds
        self.actorKind = actorKind
        self.actorID = actorID
        self.from = from
        self.to = to
        self.limit = limit
        self.cursor = cursor
    }

    public init(_ fields: inout Fields) {
        kinds = fields.optionalString("kind", length: 1...1000, trimmed: true)?
            .split(separator: ",").map(String.init)
        actorKind = fields.optionalString("actor_kind", length: 1...40, trimmed: true)
        actorID = fields.optionalString("actor_id", length: 1...255, trimmed: true)
        from = fields.optionalTimestamp("from")
        to = fields.optionalTimestamp("to")
        limit = fields.optionalInteger("limit", default: 100, in: 1...1000)
        cursor = fields.optionalInteger("cursor", in: 1...Int.max)
    }
}
