/// Something that happened to a contact, a lead, an operator or a source.
public struct Event: Sendable, Equatable {
    /// What the product records. There may be others in the log: of a later version, or written by hand.
    public enum Kind: String, Sendable, CaseIterable {
        case registered, assigned, transferred, released, closed, reopened
        case priorityChanged = "priority_changed"
        case messageChanged = "message_changed"
        case operatorCreated = "operator_created"
        case operatorChanged = "operator_changed"
        case operatorArchived = "operator_archived"
        case sourceCreated = "source_created"
        case sourceChanged = "source_changed"
        case weightsChanged = "weights_changed"
        case leadChanged = "lead_changed"
        case leadMerged = "lead_merged"
        case leadErased = "lead_erased"
        case personInvited = "person_invited"
        case personChanged = "person_changed"
        case personReset = "person_reset"
        case personSignedUp = "person_signed_up"
        case sessionStarted = "session_started"
        case sessionEnded = "session_ended"
        case keyCreated = "key_created"
        case keyRotated = "key_rotated"
        case keyRevoked = "key_revoked"
    }

    /// Why contacts are `released` that nobody gave back.
    public enum Requeueing: String, Sendable {
        case inactive = "operator_inactive"
        case archived = "operator_archived"
    }

    /// How the kinds of events begin that are about keys, people and settings.
    public static let accessWords = ["key", "person", "session", "access", "settings"]

    /// Whether it is about keys, people or settings.
    public var isAboutAccess: Bool {
        contactID == nil && Self.accessWords.contains { kind.hasPrefix($0 + "_") }
    }

    /// Who made it happen, as the log has it: also one of a kind that ``Leads/Actor`` does not know.
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
