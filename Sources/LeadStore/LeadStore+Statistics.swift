public import Leads
import Postgres

extension LeadStore {
    /// How contacts are spread over operators and sources, all read from one snapshot.
    /// - Throws: `StoreError`.
    public func distributionStatistics() async throws(StoreError) -> DistributionStatistics {
        let results = try await storing { () throws(PostgresError) in
            try await pool.withConnection { (connection) throws(PostgresError) in
                try await connection.send([
                    "begin isolation level repeatable read read only",
                    LeadStore.freePlanning,
                    """
                    select o.id, o.name, coalesce(c.contacts, 0), l.load, l.max_load,
                        round(100.0 * l.load / l.max_load, 2)::double precision
                    from operators o
                    join operator_loads l on l.operator_id = o.id
                    left join (select operator_id, count(*) as contacts from contacts group by operator_id) c
                        on c.operator_id = o.id
                    where o.archived_at is null
                    order by o.id
                    """,
                    """
                    select s.id, s.name, coalesce(c.contacts, 0)
                    from sources s
                    left join (select source_id, count(*) as contacts from contacts group by source_id) c
                        on c.source_id = s.id
                    order by s.id
                    """,
                    """
                    select
                        (select count(*) from leads where merged_into is null),
                        (select count(*) from contacts),
                        (select count(*) from contacts where status <> 'closed'),
                        count(*) filter (where l.is_active),
                        count(*)
                    from operators o
                    join operator_loads l on l.operator_id = o.id
                    where o.archived_at is null
                    """,
                    "commit",
                ])
            }
        }
        return try reading { () throws(PostgresError) in
            DistributionStatistics(
                byOperator: try results[2].map(Self.operatorRow), bySource: try results[3].map(Self.sourceRow),
                summary: try Self.summary(results[4]))
        }
    }

    private static func operatorRow(_ row: Row) throws(PostgresError) -> DistributionStatistics.OperatorRow {
        let (id, name, total, load, maxLoad, percentage) = try row.decode(
            Int.self, String.self, Int.self, Int.self, Int.self, Double.self)
        return DistributionStatistics.OperatorRow(
            operatorID: id, operatorName: name, totalContacts: total, activeContacts: load, maxLoad: maxLoad,
            loadPercentage: percentage)
    }

    private static func sourceRow(_ row: Row) throws(PostgresError) -> DistributionStatistics.SourceRow {
        let (id, name, total) = try row.decode(Int.self, String.self, Int.self)
        return DistributionStatistics.SourceRow(sourceID: id, sourceName: name, totalContacts: total)
    }

    private static func summary(_ result: QueryResult) throws(PostgresError) -> DistributionStatistics.Summary {
        let (leads, contacts, active, online, total) = try result[0].decode(
            Int.self, Int.self, Int.self, Int.self, Int.self)
        return DistributionStatistics.Summary(
            totalLeads: leads, totalContacts: contacts, activeContacts: active, operatorsOnline: online,
            operatorsTotal: total)
    }
}
