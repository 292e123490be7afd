/// Something that happened to a contact, an operator or a source's weights.
public struct Event: Sendable, Equatable {
    /// Who made it happen.
    public struct Actor: Sendable, Equatable {
        /// `system` where nobody asked for it.
        public let kind: String
        public let id: String?
        public let name: String?

        public init(kind: String, id: String? = nil, name: String? = nil) {
            self.kind = kind
            self.id = id
            self.name = name
        }
    }

    /// The place in the log, which counts from 1 without gaps in the order in which events became visible.
    public let position: Int
    public let contactID: Int?
    public let kind: String
    public let fromOperatorID: Int?
    public let toOperatorID: Int?
    public let reason: String?
    public let actor: Actor
    public let at: Timestamp
    /// What more there is to say, as a JSON object.
    public let data: String?

    public init(
        position: Int, contactID: Int?, kind: String, fromOperatorID: Int? = nil, toOperatorID: Int? = nil,
        reason: String? = nil, actor: Actor, at: Timestamp, data: String? = nil
    ) {
        self.position = position
        self.contactID = contactID
        self.kind = kind
        self.fromOperatorID = fromOperatorID
        self.toOperatorID = toOperatorID
        self.reason = reason
        self.actor = actor
        self.at = at
        self.data = data
    }
}
