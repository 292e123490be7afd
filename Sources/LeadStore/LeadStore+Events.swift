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
    /// - Throws: `StoreError`.
    public func events(_ page: LogPage) async throws(StoreError) -> Listing<Event> {
        let found = try await readPage([EventReading.events(page)]) { (connection) throws(PostgresError) in
            try await Self.sequenceEvents(connection, for: page)
        }
        return try EventReading.listing(page, found[0])
    }

    /// What comes after a position, all that had been committed when it was asked for, for those who follow the log: in
    /// one trip, and beside lists and reports rather than behind them, so that there must be few who ask like this.
    /// - Throws: `StoreError`.
    public func newEvents(after position: Int, atMost limit: Int) async throws(StoreError) -> LogPart {
        let found = try await storing { () throws(PostgresError) in
            try await pool.withConnection { (connection) throws(PostgresError) in
                // One transaction, which keeps others from numbering more between the two that read.
                try await connection.send([
                    "begin isolation level read committed read write",
                    "select sequence_events(most => \(Self.sequencingBatch)::bigint::integer)",
                    EventReading.events(LogPage(after: position, limit: limit)),
                    "select coalesce(max(position), 0) from event_log",
                    "commit",
                ])
            }
        }
        let events = try EventReading.listing(LogPage(after: position, limit: limit), found[2]).elements
        return LogPart(
            events: events, end: try reading { () throws(PostgresError) in try found[3][0].decode(Int.self) })
    }

    /// The same for those who are behind, of whom there may be many: one after the other, whatever they wait for.
    /// - Throws: `StoreError.tooManyLongReads` and others.
    public func oldEvents(after position: Int, atMost limit: Int) async throws(StoreError) -> LogPart {
        guard await latecomers.enter() else { throw .tooManyLongReads }
        defer { latecomers.leave() }
        return try await newEvents(after: position, atMost: limit)
    }

    /// What happened to a contact, oldest first, all that had been committed when it was asked for.
    /// - Throws: `StoreError.contactNotFound` and others.
    public func history(ofContact id: Int, _ page: LogPage) async throws(StoreError) -> Listing<Event> {
        let found = try await readPage([
            "select exists (select from contacts where id = \(id))", EventReading.events(ofContact: id, page),
        ]) { (connection) throws(PostgresError) in
            try await Self.sequenceEvents(connection)
        }
        guard try reading({ () throws(PostgresError) in try found[0][0].decode(Bool.self) }) else {
            throw .contactNotFound
        }
        return try EventReading.listing(page, found[1])
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

/// Events as the API shows them.
private enum EventReading {
    private static let columns = """
        l.position, e.contact_id, e.kind, e.from_operator_id, e.to_operator_id, e.reason, e.actor_kind, e.actor_id, \
        e.actor_name, e.at, e.data::text
        """

    static func events(_ page: LogPage) -> Statement {
        """
        select \(unsafe: columns)
        from event_log l
        join events e on e.id = l.event_id
        where l.position > \(page.after)
        order by l.position
        limit \(page.limit + 1)
        """
    }

    static func events(ofContact id: Int, _ page: LogPage) -> Statement {
        """
        with e as materialized (
            select * from events where contact_id = \(id)
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
        return Event(
            position: try column.next(), contactID: try column.next(), kind: try column.next(),
            fromOperatorID: try column.next(), toOperatorID: try column.next(), reason: try column.next(),
            actor: Event.Actor(kind: try column.next(), id: try column.next(), name: try column.next()),
            at: try column.next(), data: try column.next())
    }
}
