import Postgres

/// The append-only log of what happened.
enum Events {
    enum Kind: String {
        case registered, assigned, transferred, released, closed, reopened
        case priorityChanged = "priority_changed"
        case messageChanged = "message_changed"
        case operatorChanged = "operator_changed"
        case operatorArchived = "operator_archived"
        case weightsChanged = "weights_changed"
        case leadChanged = "lead_changed"
        case leadMerged = "lead_merged"
        case leadErased = "lead_erased"
    }

    /// Who made it happen.
    enum Actor: String {
        /// A caller of the API.
        case api
        /// The product itself, when it serves the queue.
        case system
    }

    struct New {
        let kind: Kind
        var contactID: Int?
        var fromOperatorID: Int?
        var toOperatorID: Int?
        var reason: String?
        var actor: Actor
        /// A JSON object.
        var data: String?

        init(
            _ kind: Kind, contactID: Int? = nil, fromOperatorID: Int? = nil, toOperatorID: Int? = nil,
            reason: String? = nil, by actor: Actor = .system, data: String? = nil
        ) {
            self.kind = kind
            self.contactID = contactID
            self.fromOperatorID = fromOperatorID
            self.toOperatorID = toOperatorID
            self.reason = reason
            self.actor = actor
            self.data = data
        }
    }

    static func record(_ events: [New]) -> Statement {
        """
        insert into events (contact_id, kind, from_operator_id, to_operator_id, reason, actor_kind, data)
        select e.contact_id, e.kind, e.from_operator_id, e.to_operator_id, e.reason, e.actor_kind, e.data::jsonb
        from unnest(
            \(events.map(\.contactID)), \(events.map(\.kind.rawValue)), \(events.map(\.fromOperatorID)),
            \(events.map(\.toOperatorID)), \(events.map(\.reason)), \(events.map(\.actor.rawValue)),
            \(events.map(\.data)))
            as e (contact_id, kind, from_operator_id, to_operator_id, reason, actor_kind, data)
        """
    }
}
