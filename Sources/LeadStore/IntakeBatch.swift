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

    init(_ requests: [Intake.Request], isPatient: Bool = true) {
        self.requests = requests
        self.isPatient = isPatient
        sourceIDs = Set(requests.map(\.contact.sourceID)).sorted()
    }

    private var identities: [LeadIdentity] { requests.flatMap(\.keys) }
    private var events: [NewContact] { requests.map(\.contact).filter { $0.sourceEventID != nil } }
    private var keyedRequests: [(index: Int, idempotency: Intake.Idempotency)] {
        requests.enumerated().compactMap { index, request in request.idempotency.map { (index, $0) } }
    }

    /// The first round trip: all locks in the product's order, each followed by what must be read under it.
    func lookUp(queueHead: Int) -> [Statement] {
        let identities = identities
        let kinds = identities.map(\.kind.rawValue)
        let values = identities.map(\.value)
        let lockNumbers = Set(requests.lazy.flatMap(\.lockNumbers))
        var statements: [Statement] = [
            isPatient ? Locks.keys(lockNumbers) : Locks.keysWithoutWaiting(lockNumbers),
            """
            select id, external_id, phone, email, name, created_at, updated_at, contact_count
            from leads
            where id in (
                select i.lead_id
                from unnest(\(kinds), \(values)) as k (kind, value)
                join lead_identities i on i.kind = k.kind::identity_kind and i.value = k.value)
            order by id
            for no key update \(unsafe: isPatient ? "" : "skip locked")
            """,
            """
            select i.kind::text, i.value, i.lead_id,
                array(select e.value from lead_identities e where e.lead_id = i.lead_id and e.kind = 'external_id')
            from unnest(\(kinds), \(values)) as k (kind, value)
            join lead_identities i on i.kind = k.kind::identity_kind and i.value = k.value
            """,
            Locks.shareSources(sourceIDs),
            Locks.operators(ofSources: sourceIDs),
            Queue.settings(ofSources: sourceIDs),
            "select id, name, description, created_at from sources where id = any(\(sourceIDs))",
            """
            select id, name, created_at, updated_at
            from operators
            where id in (select operator_id from weights where source_id = any(\(sourceIDs)))
            """,
            Queue.head(ofSources: sourceIDs, limit: queueHead),
            """
            select nextval('contacts_id_seq'), nextval('leads_id_seq'), nextval('contact_arrivals'), clock_timestamp()
            from generate_series(1, \(requests.count))
            """,
        ]
        if !keyedRequests.isEmpty { statements.append(replays) }
        if !events.isEmpty { statements.append(knownEvents) }
        if !identities.isEmpty { statements.append(lastOperators(kinds, values)) }
        return isPatient ? statements : [Locks.impatience] + statements
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
    /// hundreds of contacts nobody ever had, the latest are looked at.
    private func lastOperators(_ kinds: [String], _ values: [String]) -> Statement {
        """
        select s.id, l.lead_id, c.operator_id
        from sources s
        cross join (
            select distinct i.lead_id
            from unnest(\(kinds), \(values)) as k (kind, value)
            join lead_identities i on i.kind = k.kind::identity_kind and i.value = k.value
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

    /// Reads what the first round trip returned.
    func plan(_ found: [QueryResult], queueHead: Int) throws(PostgresError) -> IntakePlan {
        let found = isPatient ? found : Array(found.dropFirst())
        var plan = IntakePlan(batch: self, queueHead: queueHead)
        if !isPatient {
            for row in found[0] {
                let (number, isLocked) = try row.decode(Int.self, Bool.self)
                if !isLocked { plan.heldByOthers.insert(number) }
            }
        }
        (plan.matching, plan.keysOfHeldLeads) = try matching(leads: found[1], identities: found[2])
        plan.sources = try Queue.sources(settings: found[5], operators: found[4])
        for row in found[6] {
            let (id, name, description, createdAt) = try row.decode(
                Int.self, String.self, String?.self, Timestamp.self)
            plan.summaries[id] = SourceSummary(id: id, name: name, description: description, createdAt: createdAt)
        }
        for row in found[7] {
            let (id, name, createdAt, updatedAt) = try row.decode(
                Int.self, String.self, Timestamp.self, Timestamp?.self)
            plan.people[id] = IntakePlan.Person(name: name, createdAt: createdAt, updatedAt: updatedAt)
        }
        plan.waiting = try Queue.heads(found[8])
        for row in found[9] {
            var column = row.reader
            plan.fresh.append(
                IntakePlan.Fresh(
                    contactID: try column.next(), leadID: try column.next(), arrival: try column.next(),
                    time: try column.next()))
        }
        var rest = found.dropFirst(10)
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
        for row in rest.joined() {
            let (sourceID, leadID, operatorID) = try row.decode(Int.self, Int.self, Int.self)
            plan.lastOperators[IntakePlan.Returning(sourceID: sourceID, leadID: leadID)] = operatorID
        }
        return plan
    }

    /// - Returns: the matching, and the keys of leads that were not locked because others hold them.
    private func matching(
        leads: QueryResult, identities: QueryResult
    ) throws(PostgresError) -> (LeadMatching, held: Set<LeadIdentity>) {
        var known: [Int: LeadMatching.KnownLead] = [:]
        for row in leads {
            var column = row.reader
            let lead = try ContactReading.lead(&column)
            known[lead.id] = LeadMatching.KnownLead(lead)
        }
        var owners: [LeadIdentity: Int] = [:]
        var held: Set<LeadIdentity> = []
        for row in identities {
            let (kind, value, leadID, externalIDs) = try row.decode(
                String.self, String.self, Int.self, [String].self)
            guard let kind = IdentityKind(rawValue: kind) else { continue }
            let identity = LeadIdentity(kind: kind, value: value)
            guard known[leadID] != nil else {
                held.insert(identity)
                continue
            }
            owners[identity] = leadID
            known[leadID]?.externalIDs = Set(externalIDs)
        }
        return (LeadMatching(owners: owners, leads: known), held)
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
