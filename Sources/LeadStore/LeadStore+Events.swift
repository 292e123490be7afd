public import Leads
import Postgres

/// Events are read in the order of `event_log`, whose positions `sequence_events()` gives to what has been committed.
extension LeadStore {
    /// How many events one pass of `sequence_events()` numbers.
    private static let sequencingBatch = 10_000

    /// Numbers what has been committed. Readers do so themselves before they read; this is for when nobody reads.
    /// - Throws: `StoreError`.
    public func sequenceEvents() async throws(StoreError) {
        try await storing { () throws(PostgresError) in
            try await pool.withConnection { (connection) throws(PostgresError) in
                try await Self.sequenceEvents(connection)
            }
        }
    }

    /// The events after a position, all that had been committed when they were asked for among them.
    /// - Throws: `StoreError.notAllowed` and others.
    public func events(_ page: LogPage, for viewer: Viewer) async throws(StoreError) -> Listing<Event> {
        if case .registered = viewer.reach { throw .notAllowed }
        let found = try await readPage([EventReading.events(page, for: viewer)]) { (connection) throws(PostgresError) in
            try await Self.sequenceEvents(connection, for: page)
        }
        return try EventReading.listing(page, found[0]).map(viewer.shown)
    }

    /// Events that no contact has, the latest first, all that had been committed when they were asked for among them.
    /// - Throws: `StoreError`.
    public func audit(_ query: AuditQuery) async throws(StoreError) -> Listing<Event> {
        let found = try await readPage([EventReading.events(query)]) { (connection) throws(PostgresError) in
            try await Self.sequenceEvents(connection)
        }
        return try EventReading.listing(LogPage(limit: query.limit), found[0])
    }

    /// What comes after a position, all that had been committed when it was asked for, for those who follow the log: in
    /// one trip, and beside lists and reports rather than behind them, so that there must be few who ask like this.
    ///
    /// It is read for all of them at once, each with what tells who of them may see it.
    /// - Throws: `StoreError`.
    public func newEvents(after position: Int, atMost limit: Int) async throws(StoreError) -> LogPart {
        let page = LogPage(after: position, limit: limit)
        return try await part(page, [EventReading.entries(page)])
    }

    /// - Parameter statements: what is to be run; the last one finds the entries.
    private func part(_ page: LogPage, _ statements: [Statement]) async throws(StoreError) -> LogPart {
        let found = try await storing { () throws(PostgresError) in
            try await pool.withConnection { (connection) throws(PostgresError) in
                // One transaction, which keeps others from numbering more between the two that read.
                try await connection.send(
                    [
                        "begin isolation level read committed read write",
                        "select sequence_events(most => \(Self.sequencingBatch)::bigint::integer)",
                    ] + statements + ["select coalesce(max(position), 0) from event_log", "commit"])
            }
        }
        return try reading { () throws(PostgresError) in
            LogPart(
                entries: try found[found.count - 3].prefix(page.limit).map { (row) throws(PostgresError) in
                    try EventReading.entry(row)
                }, limit: page.limit, end: try found[found.count - 2][0].decode(Int.self))
        }
    }

    /// What one who is behind sees of it, likewise. There may be many: one after the other, whatever they wait for.
    /// - Throws: `StoreError.tooManyLongReads`, `.notAllowed` and others.
    public func oldEvents(
        after position: Int, atMost limit: Int, for viewer: Viewer
    ) async throws(StoreError) -> LogPart {
        if case .registered = viewer.reach { throw .notAllowed }
        guard await latecomers.enter() else { throw .tooManyLongReads }
        defer { latecomers.leave() }
        let page = LogPage(after: position, limit: limit)
        let entries = EventReading.entries(page, for: viewer)
        // Where a part is seen, it depends on whose it is which way to it is short.
        return try await part(
            page, viewer.seesAllContacts ? [entries] : [Self.planningForValues, entries.plannedAfresh])
    }

    /// What happened to a contact, oldest first, all that had been committed when it was asked for.
    /// - Throws: `StoreError.contactNotFound`, also for one that the viewer does not see, and others.
    public func history(
        ofContact id: Int, _ page: LogPage, for viewer: Viewer
    ) async throws(StoreError) -> Listing<Event> {
        let isContact: Statement = "contacts.id = \(id)"
        let isSeen: Statement = "exists (select from contacts where \(isContact.and(viewer.contacts(in: "contacts"))))"
        let found = try await readPage([
            "select \(isSeen)",
            EventReading.events(ofContact: id, if: viewer.seesAllContacts ? nil : isSeen, page),
        ]) { (connection) throws(PostgresError) in
            try await Self.sequenceEvents(connection)
        }
        guard try reading({ () throws(PostgresError) in try found[0][0].decode(Bool.self) }) else {
            throw .contactNotFound
        }
        return try EventReading.listing(page, found[1]).map(viewer.shown)
    }

    /// Makes passes until nothing is left of what had been committed before, or enough is there for the page.
    ///
    /// Each is a transaction of its own, as `sequence_events()` demands. One that found less than it may has found all.
    private static func sequenceEvents(_ connection: Connection, for page: LogPage? = nil) async throws(PostgresError) {
        while true {
            let results = try await connection.send([
                "begin isolation level read committed read write",
                "select sequence_events(most => \(sequencingBatch)::bigint::integer)",
                "select coalesce(max(position), 0) from event_log",
                "commit",
            ])
            let (sequenced, last) = (try results[1][0].decode(Int.self), try results[2][0].decode(Int.self))
            if sequenced < sequencingBatch { return }
            if let page, last - page.after > page.limit { return }
        }
    }
}

extension Viewer {
    /// The sources whose events it sees, none for whoever sees those of its own contacts.
    fileprivate var sourcesOfEvents: [Int] { reach == .everything ? sourceIDs ?? [] : [] }
}

/// Events as the API shows them.
private enum EventReading {
    private static let columns = """
        l.position, e.contact_id, e.kind, e.from_operator_id, e.to_operator_id, e.reason, e.actor_kind, e.actor_id, \
        e.actor_name, e.at, e.data::text as data
        """

    /// Events with what tells who may see them: the present operator and the source.
    /// - Parameter viewer: who is to see them.
    static func entries(_ page: LogPage, for viewer: Viewer = .everything) -> Statement {
        """
        select e.*, c.operator_id, coalesce(
            c.source_id,
            case when e.contact_id is null and e.data::jsonb ->> 'source_id' ~ '^[0-9]{1,18}$'
                then (e.data::jsonb ->> 'source_id')::bigint end)
        from (\(events(page, for: viewer))) e
        left join contacts c on c.id = e.contact_id
        order by e.position
        """
    }

    static func entry(_ row: Row) throws(PostgresError) -> LogEntry {
        var column = row.reader
        return LogEntry(try event(&column), operatorID: try column.next(), sourceID: try column.next())
    }

    static func events(_ page: LogPage, for viewer: Viewer) -> Statement {
        let isNext: Statement = "l.position > \(page.after)"
        let isSeen = isNext.and(viewer.seesAccessEvents ? nil : isNoAccessEvent)
        guard let isOfContactSeen = viewer.contacts(in: "c") else {
            return """
                select \(unsafe: columns)
                from event_log l
                join events e on e.id = l.event_id
                where \(isSeen)
                order by l.position
                limit \(page.limit + 1)
                """
        }
        // Those of contacts and those of sources apart, so that either are found along an index.
        let ofContacts: Statement = """
            select l.position, e.id
            from contacts c
            join events e on e.contact_id = c.id
            join event_log l on l.event_id = e.id
            where \(isNext.and(isOfContactSeen))
            order by l.position
            limit \(page.limit + 1)
            """
        let ofSources: Statement = """
            select l.position, e.id
            from events e
            join event_log l on l.event_id = e.id
            where e.contact_id is null and \(isSeen)
                and e.data -> 'source_id' in (select to_jsonb(id) from unnest(\(viewer.sourcesOfEvents)) as seen (id))
            order by l.position
            limit \(page.limit + 1)
            """
        return """
            select \(unsafe: columns)
            from ((\(ofContacts)) union all (\(ofSources))) l
            join events e on e.id = l.id
            order by l.position
            limit \(page.limit + 1)
            """
    }

    /// What is told of keys, people and settings.
    private static let isNoAccessEvent: Statement =
        "(e.contact_id is not null or e.kind !~ '^(\(unsafe: Event.accessWords.joined(separator: "|")))_')"

    /// Events without a contact are few, and have an index of their own.
    static func events(_ query: AuditQuery) -> Statement {
        var condition: Statement = "e.contact_id is null"
        if let kinds = query.kinds { condition = "\(condition) and e.kind = any(\(kinds))" }
        if let kind = query.actorKind { condition = "\(condition) and e.actor_kind = \(kind)" }
        if let id = query.actorID { condition = "\(condition) and e.actor_id = \(id)" }
        if let from = query.from { condition = "\(condition) and e.at >= \(from)" }
        if let to = query.to { condition = "\(condition) and e.at <= \(to)" }
        if let cursor = query.cursor { condition = "\(condition) and l.position < \(cursor)" }
        return """
            select \(unsafe: columns)
            from events e
            join event_log l on l.event_id = e.id
            where \(condition)
            order by l.position desc
            limit \(query.limit + 1)
            """
    }

    /// - Parameter condition: under which there are any; nil for always.
    static func events(ofContact id: Int, if condition: Statement?, _ page: LogPage) -> Statement {
        let isOfContact: Statement = "contact_id = \(id)"
        return """
            with e as materialized (
                select * from events where \(isOfContact.and(condition))
            )
            select \(unsafe: columns)
            from e
            join event_log l on l.event_id = e.id
            where l.position > \(page.after)
            order by l.position
            limit \(page.limit + 1)
            """
    }

    /// The page, given the rows found, of which there is one more when something follows.
    static func listing(_ page: LogPage, _ found: QueryResult) throws(StoreError) -> Listing<Event> {
        try reading { () throws(PostgresError) in
            let events = try found.prefix(page.limit).map { (row) throws(PostgresError) in try event(row) }
            return Listing(elements: events, nextCursor: found.count > page.limit ? events.last?.position : nil)
        }
    }

    private static func event(_ row: Row) throws(PostgresError) -> Event {
        var column = row.reader
        return try event(&column)
    }

    private static func event(_ column: inout RowReader) throws(PostgresError) -> Event {
        Event(
            position: try column.next(), contactID: try column.next(), kind: try column.next(),
            fromOperatorID: try column.next(), toOperatorID: try column.next(), reason: try column.next(),
            actor: Event.Actor(kind: try column.next(), id: try column.next(), name: try column.next()),
            at: try column.next(), data: try column.next())
    }
}
