public import Leads
import Postgres

/// Numbers of contacts come from `contact_counts`, which does not read the contacts.
extension LeadStore {
    /// How contacts are spread over operators and sources, all read from one snapshot.
    /// - Throws: `StoreError.notAllowed` for whoever does not see all contacts, and others.
    public func distributionStatistics(for viewer: Viewer) async throws(StoreError) -> DistributionStatistics {
        try viewer.requireAllContacts()
        let results = try await readReport([
            """
            select o.id, o.name, coalesce(c.contacts, 0), l.load, l.max_load,
                round(100.0 * l.load / l.max_load, 2)::double precision
            from operators o
            join operator_loads l on l.operator_id = o.id
            left join (
                select operator_id, sum(contacts)::bigint as contacts from contact_counts group by operator_id
            ) c on c.operator_id = o.id
            where o.archived_at is null
            order by o.id
            """,
            """
            select s.id, s.name, coalesce(c.contacts, 0)
            from sources s
            left join (
                select source_id, sum(contacts)::bigint as contacts from contact_counts group by source_id
            ) c on c.source_id = s.id
            order by s.id
            """,
            """
            select c.leads, c.contacts, c.open_contacts, o.online, o.total
            from (
                select coalesce(sum(leads), 0)::bigint as leads, coalesce(sum(contacts), 0)::bigint as contacts,
                    coalesce(sum(open_contacts), 0)::bigint as open_contacts
                from contact_counts
            ) c,
            (
                select count(*) filter (where l.is_active) as online, count(*) as total
                from operators o
                join operator_loads l on l.operator_id = o.id
                where o.archived_at is null
            ) o
            """,
        ])
        return try reading { () throws(PostgresError) in
            DistributionStatistics(
                byOperator: try results[0].map(Self.operatorRow), bySource: try results[1].map(Self.sourceRow),
                summary: try Self.summary(results[2]))
        }
    }

    /// How many contacts each operator has or had last from each source; only pairs with contacts.
    /// - Throws: `StoreError.notAllowed` for whoever does not see all contacts, and others.
    public func contactDistribution(for viewer: Viewer) async throws(StoreError) -> [ContactDistributionRow] {
        try viewer.requireAllContacts()
        let found = try await readReport([
            """
            select s.id, s.name, o.id, o.name, c.contacts
            from contact_counts c
            join sources s on s.id = c.source_id
            left join operators o on o.id = c.operator_id
            where c.contacts > 0
            order by s.id, o.id nulls last
            """
        ])[0]
        return try reading { () throws(PostgresError) in
            try found.map { (row) throws(PostgresError) in
                let (sourceID, sourceName, operatorID, operatorName, contacts) = try row.decode(
                    Int.self, String.self, Int?.self, String?.self, Int.self)
                return ContactDistributionRow(
                    sourceID: sourceID, sourceName: sourceName, operatorID: operatorID, operatorName: operatorName,
                    contacts: contacts)
            }
        }
    }

    /// One operator's contacts by source; archived operators excepted. An operator sees its own.
    /// - Throws: `StoreError.operatorNotFound`, `.notAllowed` for whoever is limited to some sources, and others.
    public func operatorStatistics(id: Int, for viewer: Viewer) async throws(StoreError) -> OperatorStatistics {
        guard viewer.sourceIDs == nil else { throw .notAllowed }
        let id = try viewer.known(operatorID: id)
        let results = try await readReport([
            OperatorReading.operator(id: id),
            """
            select s.id, s.name, c.contacts
            from contact_counts c
            join sources s on s.id = c.source_id
            where c.operator_id = \(id) and c.contacts > 0
            order by s.id
            """,
        ])
        let found = try OperatorReading.only(results[0])
        return try reading { () throws(PostgresError) in
            OperatorStatistics(operator: found, bySource: try results[1].map(Self.sourceRow))
        }
    }

    /// The contacts that wait, by source and by present reason.
    /// - Throws: `StoreError.notAllowed` and others.
    public func waitingGroups(for viewer: Viewer) async throws(StoreError) -> [WaitingGroup] {
        try viewer.requireMoreThanOwn()
        let found = try await readReport([
            """
            select source_id, source_name, waiting_reason, contacts, oldest_since, oldest_seconds
            from report.waiting
            where \(viewer.sources(withID: "source_id") ?? "true")
            order by source_id, waiting_reason
            """
        ])[0]
        return try reading { () throws(PostgresError) in
            try found.map { (row) throws(PostgresError) in
                let (sourceID, sourceName, reason, contacts, oldestSince, oldestAge) = try row.decode(
                    Int.self, String.self, WaitingReason.self, Int.self, Timestamp.self, Double.self)
                return WaitingGroup(
                    sourceID: sourceID, sourceName: sourceName, reason: reason, contacts: contacts,
                    oldestSince: oldestSince, oldestAge: oldestAge)
            }
        }
    }

    /// What somebody who watches an instance is told of the database.
    public struct Gauges: Sendable {
        /// Contacts that wait for an operator.
        public let waitingContacts: Int
        /// How long the oldest transaction of any other session has lasted, in whole seconds; 0 without one. Sessions that
        /// the schema's owner may not look at are not seen; see ``LeadStore/rightsLeftOpen``.
        public let oldestSnapshotSeconds: Int
    }

    /// Asks for all of them at once.
    /// - Throws: `StoreError`.
    public func gauges() async throws(StoreError) -> Gauges {
        let found = try await readReport([
            """
            select coalesce(sum(waiting_contacts), 0)::bigint, (select oldest_snapshot_seconds()::bigint)
            from contact_counts
            """
        ])
        return try reading { () throws(PostgresError) in
            let (waiting, seconds) = try found[0][0].decode(Int.self, Int.self)
            return Gauges(waitingContacts: waiting, oldestSnapshotSeconds: seconds)
        }
    }

    /// Sums up the counts of contacts and the spans of their times, which otherwise take a little longer to read with every
    /// statement that writes.
    /// - Throws: `StoreError`.
    public func foldTallies() async throws(StoreError) {
        var folded = 0
        repeat {
            folded = try await transaction { (transaction) throws(StoreError) in
                let found = try await transaction.finish(with: ["select fold_contact_tallies()"])
                return try reading { () throws(PostgresError) in try found[0][0].decode(Int.self) }
            }
        } while folded > 0
        _ = try await transaction { (transaction) throws(StoreError) in
            try await transaction.finish(with: ["select fold_contact_spans()"])
        }
    }

    private static func operatorRow(_ row: Row) throws(PostgresError) -> DistributionStatistics.OperatorRow {
        let (id, name, total, load, maxLoad, percentage) = try row.decode(
            Int.self, String.self, Int.self, Int.self, Int.self, Double.self)
        return DistributionStatistics.OperatorRow(
            operatorID: id, operatorName: name, totalContacts: total, activeContacts: load, maxLoad: maxLoad,
            loadPercentage: percentage)
    }

    private static func sourceRow(_ row: Row) throws(PostgresError) -> SourceStatistics {
        let (id, name, total) = try row.decode(Int.self, String.self, Int.self)
        return SourceStatistics(sourceID: id, sourceName: name, totalContacts: total)
    }

    private static func summary(_ result: QueryResult) throws(PostgresError) -> DistributionStatistics.Summary {
        let (leads, contacts, active, online, total) = try result[0].decode(
            Int.self, Int.self, Int.self, Int.self, Int.self)
        return DistributionStatistics.Summary(
            totalLeads: leads, totalContacts: contacts, activeContacts: active, operatorsOnline: online,
            operatorsTotal: total)
    }
}
