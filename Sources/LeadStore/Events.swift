import Postgres

/// The append-only log of what happened.
enum Events {
    struct New {
        var contactID: Int
        var kind: String
        var fromOperatorID: Int?
        var toOperatorID: Int?
        var reason: String?
    }

    static func record(_ events: [New]) -> Statement {
        """
        insert into events (contact_id, kind, from_operator_id, to_operator_id, reason)
        select * from unnest(
            \(events.map(\.contactID)), \(events.map(\.kind)), \(events.map(\.fromOperatorID)),
            \(events.map(\.toOperatorID)), \(events.map(\.reason)))
        """
    }
}
