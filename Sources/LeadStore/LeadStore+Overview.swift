public import Leads
import Postgres

extension LeadStore {
    /// How things are, found at most once a second: whoever asks within it is shown the same.
    ///
    /// Days begin with a quarter of an hour, as they do in all time zones.
    /// - Throws: `StoreError.notAllowed` for whoever does not see all contacts, and others.
    public func overview(_ request: OverviewRequest, for viewer: Viewer) async throws(StoreError) -> Overview {
        // All who see it see the same.
        try viewer.requireAllContacts()
        return try await overviews.answer(to: request) { () throws(StoreError) in try await readOverview(request) }
    }

    private func readOverview(_ request: OverviewRequest) async throws(StoreError) -> Overview {
        let results = try await readReport([
            OverviewReading.lastHour, OverviewReading.timesToAssign, OverviewReading.operators(request),
            OverviewReading.sources(request),
        ])
        return try reading { () throws(PostgresError) in
            let (oldestWait, contactsPerMinute) = try results[0][0].decode(Double?.self, [Int].self)
            let (median, long) = try results[1][0].decode(Double?.self, Double?.self)
            return Overview(
                oldestWait: oldestWait, contactsPerMinute: contactsPerMinute, medianTimeToAssign: median,
                longTimeToAssign: long, operators: try results[2].map(OverviewReading.operator),
                sources: try results[3].map(OverviewReading.source))
        }
    }
}

/// The parts of an overview.
private enum OverviewReading {
    /// The longest wait, and how many contacts came in each minute.
    static let lastHour: Statement = """
        select
            (select extract(epoch from now() - min(waiting_since))::double precision from contacts where status = 'new'),
            array(
                select coalesce(sum(r.contacts), 0)::bigint
                from generate_series(
                    minute_of(now()) - make_interval(mins => \(Overview.minutes - 1)::integer), minute_of(now()),
                    interval '1 minute') as m (minute)
                left join (
                    select minute, contacts
                    from registered_minutes
                    where minute >= minute_of(now()) - make_interval(mins => \(Overview.minutes - 1)::integer)
                ) r on r.minute = m.minute
                group by m.minute
                order by m.minute
            )
        """

    /// How long the latest contacts of the last hour waited for their first operator.
    ///
    /// An operator may be noted some microseconds before the contact is.
    static let timesToAssign: Statement = """
        select percentile_cont(0.5) within group (order by seconds), percentile_cont(0.95) within group (order by seconds)
        from (
            select greatest(extract(epoch from first_assigned_at - created_at)::double precision, 0) as seconds
            from (
                select created_at, first_assigned_at
                from contacts
                where created_at + interval '0' >= now() - interval '1 hour' and id >= 4096 * coalesce(
                    (select min(part) from contact_spans where last_created_at >= now() - interval '1 hour'),
                    2251799813685247)
                order by id desc
                limit \(Overview.latestContacts)
            ) latest
            where first_assigned_at is not null
        ) assigned
        """

    static func operators(_ request: OverviewRequest) -> Statement {
        """
        select o.id, o.name, l.is_active, l.max_load, l.load, coalesce(t.contacts, 0)
        from operators o
        join operator_loads l on l.operator_id = o.id
        left join (
            select operator_id, sum(contacts)::bigint as contacts
            from assigned_quarters
            where quarter >= \(dayBegins(request))
            group by operator_id
        ) t on t.operator_id = o.id
        where o.archived_at is null
        order by o.id
        """
    }

    static func sources(_ request: OverviewRequest) -> Statement {
        """
        select s.id, s.name, coalesce(t.contacts, 0), coalesce(w.contacts, 0)
        from sources s
        left join (
            select source_id, sum(contacts)::bigint as contacts
            from registered_quarters
            where quarter >= \(dayBegins(request))
            group by source_id
        ) t on t.source_id = s.id
        left join (
            select source_id, sum(waiting_contacts)::bigint as contacts
            from contact_counts
            where operator_id is null
            group by source_id
        ) w on w.source_id = s.id
        order by s.id
        """
    }

    private static func dayBegins(_ request: OverviewRequest) -> Statement {
        """
        quarter_of(greatest(
            coalesce(\(request.todayFrom), date_trunc('day', now(), 'UTC')),
            now() - make_interval(hours => \(Overview.longestDay)::integer)))
        """
    }

    static func `operator`(_ row: Row) throws(PostgresError) -> Overview.OperatorRow {
        let (id, name, isActive, maxLoad, load, today) = try row.decode(
            Int.self, String.self, Bool.self, Int.self, Int.self, Int.self)
        return Overview.OperatorRow(
            id: id, name: name, isActive: isActive, maxLoad: maxLoad, currentLoad: load, today: today)
    }

    static func source(_ row: Row) throws(PostgresError) -> Overview.SourceRow {
        let (id, name, today, waiting) = try row.decode(Int.self, String.self, Int.self, Int.self)
        return Overview.SourceRow(id: id, name: name, today: today, waiting: waiting)
    }
}
