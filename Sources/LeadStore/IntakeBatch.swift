import Distribution
import Leads
import Postgres

/// What one transaction registers, and what it has to read for that.
struct IntakeBatch: Sendable {
    let requests: [Intake.Request]
    let sourceIDs: [Int]
    /// Whether it waits for what other transactions hold as long as transactions do. Otherwise members fail whose keys or
    /// leads are held, and operators are waited for only as long as other batches may have them.
    private let isPatient: Bool
    /// Of all keys, the kinds and the values.
    private let kinds: [String]
    private let values: [String]
    private let events: [NewContact]
    private let keyedRequests: [(index: Int, idempotency: Intake.Idempotency)]

    init(_ requests: [Intake.Request], isPatient: Bool = true) {
        self.requests = requests
        self.isPatient = isPatient
        sourceIDs = Set(requests.map(\.contact.sourceID)).sorted()
        let identities = requests.flatMap(\.keys)
        kinds = identities.map(\.kind.rawValue)
        values = identities.map(\.value)
        events = requests.map(\.contact).filter { $0.sourceEventID != nil }
        keyedRequests = requests.enumerated().compactMap { index, request in request.idempotency.map { (index, $0) } }
    }

    /// Locks the keys and their leads, shares the sources, and reads what tells whom the contacts are from.
    var leadStatements: [Statement] {
        let lockNumbers = Set(requests.lazy.flatMap(\.lockNumbers))
        var statements: [Statement] = [
            isPatient ? Locks.keys(lockNumbers) : Locks.keysWithoutWaiting(lockNumbers),
            leadsByKey,
            Locks.shareSources(sourceIDs),
            """
            select id, name, description, created_at, strategy, sticky_days > 0, pool_version
            from sources
            where id = any(\(sourceIDs))
            """,
            "select nextval('leads_id_seq'), clock_timestamp() from generate_series(1, \(requests.count))",
        ]
        if !isPatient { statements.append(keysOfLeads) }
        if !keyedRequests.isEmpty { statements.append(replays) }
        if !events.isEmpty { statements.append(knownEvents) }
        return isPatient ? statements : [Locks.impatience] + statements
    }

    /// Locks the operators, once the sources are shared, and reads what is decided by.
    /// - Parameter drawn: of the sources with a large pool, who was drawn; these are locked of theirs, all of the others'.
    func operatorStatements(drawn: [Int: Queue.Drawn] = [:], queueHead: Int) -> [Statement] {
        let whole = sourceIDs.filter { drawn[$0] == nil }
        let drawnIDs = Set(drawn.values.lazy.flatMap(\.starts.keys)).sorted()
        var statements: [Statement] = [
            Locks.operators(ofSources: whole, and: drawnIDs, of: sourceIDs),
            """
            select w.source_id, o.id, o.name, o.created_at, o.updated_at, coalesce(t.credit, 0), coalesce(t.last_turn, 0)
            from weights w
            join operators o on o.id = w.operator_id
            left join source_turns t on t.source_id = w.source_id and t.operator_id = w.operator_id
            where w.source_id = any(\(whole))
            """,
            Queue.head(ofSources: whole, limit: queueHead),
            """
            select nextval('contacts_id_seq'), nextval('contact_arrivals'), clock_timestamp()
            from generate_series(1, \(requests.count))
            """,
        ]
        if !kinds.isEmpty { statements.append(lastOperators) }
        if !drawn.isEmpty {
            statements.append("select id, name, created_at, updated_at from operators where id = any(\(drawnIDs))")
            statements.append(
                """
                select from unnest(\(drawn.keys.sorted())) as s (id)
                where exists (select from contacts c where c.source_id = s.id and c.status = 'new')
                """)
        }
        return statements
    }

    /// The leads that have keys of the batch.
    ///
    /// The keys' rows are locked after the leads': whoever takes a key from a lead holds the lead's row, and once that has
    /// been committed, the key is not found any more.
    private var leadsByKey: Statement {
        """
        select i.kind::text, i.value, l.id, l.external_id, l.phone, l.email, l.name, l.created_at, l.updated_at,
            l.contact_count
        from unnest(\(kinds), \(values)) as k (kind, value)
        join lead_identities i on i.kind = k.kind::identity_kind and i.value = k.value
        join leads l on l.id = i.lead_id
        order by l.id
        for no key update of l \(unsafe: isPatient ? "" : "skip locked")
        for key share of i \(unsafe: isPatient ? "" : "skip locked")
        """
    }

    /// The external ids of leads that are locked.
    static func externalIDs(ofLeads ids: Set<Int>) -> Statement {
        "select lead_id, value from lead_identities where lead_id = any(\(ids.sorted())) and kind = 'external_id'"
    }

    /// Those of the batch's keys that some lead has, whether or not it could be locked.
    private var keysOfLeads: Statement {
        """
        select i.kind::text, i.value
        from unnest(\(kinds), \(values)) as k (kind, value)
        join lead_identities i on i.kind = k.kind::identity_kind and i.value = k.value
        """
    }

    /// The answers to requests that come again. Giving one is a write: a transaction that only read would not wait until
    /// what it read is on a synchronous standby, and could acknowledge what a failover loses.
    private var replays: Statement {
        """
        with given as materialized (
            select *
            from unnest(
                \(keyedRequests.map(\.index)), \(keyedRequests.map(\.idempotency.owner)),
                \(keyedRequests.map(\.idempotency.key)), \(keyedRequests.map { Bytes($0.idempotency.content) }))
                as given (index, owner, key, content)
        ),
        replayed as (
            update idempotency_keys k
            set replays = k.replays + 1
            from (select distinct owner, key from given) g
            where k.owner = g.owner and k.key = g.key
            returning k.owner, k.key, k.fingerprint, k.status, k.body
        )
        select g.index, r.fingerprint = sha256(g.content), r.status, r.body
        from given g
        join replayed r on r.owner = g.owner and r.key = g.key
        """
    }

    /// The contacts of events that come again.
    private var knownEvents: Statement {
        ContactReading.contacts(
            ids: """
                select c.id
                from unnest(\(events.map(\.sourceID)), \(events.map { $0.sourceEventID ?? "" }))
                    as e (source_id, event_id)
                join contacts c on c.source_id = e.source_id and c.source_event_id = e.event_id
                """)
    }

    /// Whom a returning lead is to go back to: who has or had its latest contact, if that is recent enough. Of a lead with
    /// hundreds of contacts nobody ever had, the latest are looked at. Leads are looked for only where a source wants them.
    private var lastOperators: Statement {
        """
        select s.id, l.lead_id, c.operator_id
        from sources s
        cross join lateral (
            select distinct i.lead_id
            from unnest(\(kinds), \(values)) as k (kind, value)
            join lead_identities i on i.kind = k.kind::identity_kind and i.value = k.value
            where s.sticky_days > 0
        ) l
        cross join lateral (
            select latest.operator_id, latest.created_at
            from (
                select id, operator_id, created_at from contacts where lead_id = l.lead_id order by id desc limit 100
            ) latest
            where latest.operator_id is not null
            order by latest.id desc
            limit 1
        ) c
        where s.id = any(\(sourceIDs)) and s.sticky_days > 0
            and c.created_at > clock_timestamp() - make_interval(days => s.sticky_days)
        """
    }

    /// Reads what `leadStatements` returned.
    func plan(_ found: some Sequence<QueryResult>, queueHead: Int) throws(PostgresError) -> IntakePlan {
        var rest = Array(found)[...]
        if !isPatient { rest.removeFirst() }
        var plan = IntakePlan(batch: self, queueHead: queueHead)
        let keys = rest.removeFirst()
        if !isPatient {
            for row in keys {
                let (number, isLocked) = try row.decode(Int.self, Bool.self)
                if !isLocked { plan.heldByOthers.insert(number) }
            }
        }
        let (owners, leads) = try knownLeads(rest.removeFirst())
        plan.matching = LeadMatching(owners: owners, leads: leads)
        rest.removeFirst()
        for row in rest.removeFirst() {
            var column = row.reader
            let id: Int = try column.next()
            plan.summaries[id] = SourceSummary(
                id: id, name: try column.next(), description: try column.next(), createdAt: try column.next())
            plan.sources[id] = Queue.LockedSource(strategy: try column.next(), keepsReturningLeads: try column.next())
            plan.sources[id]?.poolVersion = try column.next()
        }
        for row in rest.removeFirst() {
            let (id, time) = try row.decode(Int.self, Timestamp.self)
            plan.freshLeads.append((id, time))
        }
        if !isPatient {
            for row in rest.removeFirst() {
                var column = row.reader
                if let key = try Self.identity(&column), owners[key] == nil { plan.keysOfHeldLeads.insert(key) }
            }
        }
        if !keyedRequests.isEmpty {
            for row in rest.removeFirst() {
                let (index, isSame, status, body) = try row.decode(Int.self, Bool.self, Int.self, Bytes.self)
                plan.answered[index] =
                    isSame
                    ? .success(Intake.StoredAnswer(status: status, body: body.bytes)) : .failure(.idempotencyKeyReused)
            }
        }
        if !events.isEmpty {
            for row in rest.removeFirst() {
                let contact = try ContactReading.contact(row)
                let event = SourceEvent(sourceID: contact.source.id, id: contact.sourceEventID ?? "")
                plan.contactsByEvent[event] = .known(contact)
            }
        }
        return plan
    }

    /// Adds what `operatorStatements` returned.
    func read(
        _ found: some Sequence<QueryResult>, into plan: inout IntakePlan
    ) throws(PostgresError) {
        var rest = Array(found)[...]
        let operators = rest.removeFirst()
        var turns: [Int: [Int: (credit: Int, lastTurn: Int)]] = [:]
        for row in rest.removeFirst() {
            var column = row.reader
            let sourceID: Int = try column.next()
            let person = try Self.person(&column)
            plan.people[person.id] = person
            turns[sourceID, default: [:]][person.id] = (try column.next(), try column.next())
        }
        try Queue.add(operators, turns, to: &plan.sources)
        plan.waiting = try Queue.heads(rest.removeFirst())
        for row in rest.removeFirst() {
            let (contactID, arrival, time) = try row.decode(Int.self, Int.self, Timestamp.self)
            plan.numbers.append(IntakePlan.Numbers(contactID: contactID, arrival: arrival, time: time))
        }
        if !kinds.isEmpty {
            for row in rest.removeFirst() {
                let (sourceID, leadID, operatorID) = try row.decode(Int.self, Int.self, Int.self)
                plan.lastOperators[IntakePlan.Returning(sourceID: sourceID, leadID: leadID)] = operatorID
            }
        }
        guard !plan.drawn.isEmpty else { return }
        for row in rest.removeFirst() {
            var column = row.reader
            let person = try Self.person(&column)
            plan.people[person.id] = person
        }
        plan.hasQueueBehindDraws = !rest.removeFirst().isEmpty
    }

    private static func person(_ column: inout RowReader) throws(PostgresError) -> IntakePlan.Person {
        IntakePlan.Person(
            id: try column.next(), name: try column.next(), createdAt: try column.next(), updatedAt: try column.next())
    }

    private func knownLeads(
        _ result: QueryResult
    ) throws(PostgresError) -> (owners: [LeadIdentity: Int], leads: [Int: LeadMatching.KnownLead]) {
        var owners: [LeadIdentity: Int] = [:]
        var leads: [Int: LeadMatching.KnownLead] = [:]
        for row in result {
            var column = row.reader
            let key = try Self.identity(&column)
            let lead = try ContactReading.lead(&column)
            guard let key else { continue }
            owners[key] = lead.id
            leads[lead.id] = LeadMatching.KnownLead(lead)
        }
        return (owners, leads)
    }

    private static func identity(_ column: inout RowReader) throws(PostgresError) -> LeadIdentity? {
        let kind: String = try column.next()
        let value: String = try column.next()
        return IdentityKind(rawValue: kind).map { LeadIdentity(kind: $0, value: value) }
    }
}

/// An event of a source, its id compared by bytes as in the database: Swift's strings are equal in more cases.
struct SourceEvent: Hashable, Sendable {
    private let sourceID: Int
    private let id: [UInt8]

    init(sourceID: Int, id: String) {
        self.sourceID = sourceID
        self.id = Array(id.utf8)
    }
}
