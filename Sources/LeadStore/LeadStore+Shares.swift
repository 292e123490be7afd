public import Leads
import Postgres

extension LeadStore {
    /// What each operator is to get of a source, and what it got of it in some time, in order of operator: those who have
    /// a weight, and those who got something. Whole quarters of an hour count.
    /// - Throws: `StoreError.sourceNotFound`, `.notAllowed` and others.
    public func shares(
        ofSource id: Int, _ request: SharesRequest, for viewer: Viewer
    ) async throws(StoreError) -> [SourceShare] {
        try viewer.requireMoreThanOwn()
        let id = viewer.known(sourceID: id)
        let results = try await readReport([
            "select from sources where id = \(id)",
            """
            with period as materialized (
                select quarter_of(coalesce(\(request.from), ends_at - interval '7 days')) as begins_at, ends_at
                from (select coalesce(\(request.to), now()) as ends_at) given
            ),
            assigned as materialized (
                select operator_id, sum(contacts)::bigint as contacts
                from assigned_quarters
                where source_id = \(id)
                    and quarter >= (select begins_at from period) and quarter < (select ends_at from period)
                group by operator_id
                having sum(contacts) > 0
            )
            select o.id, o.name, coalesce(w.weight, 0), l.is_active, coalesce(a.contacts, 0)
            from (select operator_id, weight from weights where source_id = \(id)) w
            full join assigned a on a.operator_id = w.operator_id
            join operators o on o.id = coalesce(w.operator_id, a.operator_id)
            join operator_loads l on l.operator_id = o.id
            order by o.id
            """,
        ])
        guard !results[0].isEmpty else { throw .sourceNotFound }
        let rows = try reading { () throws(PostgresError) in
            try results[1].map { (row) throws(PostgresError) in
                try row.decode(Int.self, String.self, Int.self, Bool.self, Int.self)
            }
        }
        let weights = rows.reduce(0) { $0 + ($1.3 ? $1.2 : 0) }
        let contacts = rows.reduce(0) { $0 + $1.4 }
        return rows.map { id, name, weight, isActive, own in
            SourceShare(
                operatorID: id, name: name, weight: weight,
                target: isActive && weights > 0 ? Double(weight) / Double(weights) : 0, contacts: own,
                allContacts: contacts)
        }
    }
}
