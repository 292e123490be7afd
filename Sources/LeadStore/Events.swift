import Leads
import Postgres

/// The append-only log of what happened.
enum Events {
    struct New {
        let kind: Event.Kind
        var contactID: Int?
        var fromOperatorID: Int?
        var toOperatorID: Int?
        var reason: String?
        var actor: Actor
        /// A JSON object.
        var data: String?

        init(
            _ kind: Event.Kind, contactID: Int? = nil, fromOperatorID: Int? = nil, toOperatorID: Int? = nil,
            reason: String? = nil, by actor: Actor, data: String? = nil
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
        insert into events (
            contact_id, kind, from_operator_id, to_operator_id, reason, actor_kind, actor_id, actor_name, data)
        select
            e.contact_id, e.kind, e.from_operator_id, e.to_operator_id, e.reason, e.actor_kind, e.actor_id, e.actor_name,
            e.data::jsonb
        from unnest(
            \(events.map(\.contactID)), \(events.map(\.kind.rawValue)), \(events.map(\.fromOperatorID)),
            \(events.map(\.toOperatorID)), \(events.map(\.reason)), \(events.map(\.actor.kind.rawValue)),
            \(events.map(\.actor.id)), \(events.map(\.actor.name)), \(events.map(\.data)))
            as e (contact_id, kind, from_operator_id, to_operator_id, reason, actor_kind, actor_id, actor_name, data)
        """
    }
}
