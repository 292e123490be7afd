import Distribution
public import Leads
import Postgres

/// Registers contacts: finds or makes their leads, chooses their operators and stores all of it in one transaction.
///
/// Takes a list, because everything here is set-based; a member that cannot be registered fails alone.
public struct Intake: Sendable {
    /// A contact to register, with the keys its lead is recognised by.
    public struct Request: Sendable {
        public let contact: NewContact
        /// Strongest first, at most one of each kind.
        public let keys: [LeadIdentity]

        public init(contact: NewContact, keys: [LeadIdentity]) {
            self.contact = contact
            self.keys = keys
        }
    }

    public struct Registered: Sendable {
        public let contact: Contact
        /// Whether the source had already sent this event, and the contact is the one made then.
        public let isRepetition: Bool
    }

    private let store: LeadStore
    /// How many waiting contacts of a source a registration serves before its own.
    private static let queueHead = 100

    public init(store: LeadStore) {
        self.store = store
    }

    /// Registers the contacts in the order given and returns an outcome for each.
    /// - Throws: `StoreError` when the transaction as a whole failed; nothing is registered then.
    public func register(
        _ requests: [Request]
    ) async throws(StoreError) -> [Result<Registered, StoreError>] {
        guard !requests.isEmpty else { return [] }
        let batch = Batch(requests)
        let (outcomes, unserved) = try await store.transaction { (transaction) throws(StoreError) in
            let found = try await transaction.run(batch.lookUp(queueHead: Self.queueHead))
            var plan = try reading { () throws(PostgresError) in try batch.plan(found, queueHead: Self.queueHead) }
            var generator = SystemRandomNumberGenerator()
            let unserved = plan.decide(using: &generator)
            let stored = try await transaction.finish(with: plan.statements)
            return try reading { () throws(PostgresError) in (try plan.outcomes(stored[stored.count - 1]), unserved) }
        }
        // More contacts waited than one transaction serves, beside free capacity: go on at once.
        for source in unserved { store.goOnDraining(sourceID: source) }
        return outcomes
    }
}

/// What one transaction registers.
private struct Batch: Sendable {
    let requests: [Intake.Request]
    let sourceIDs: [Int]

    init(_ requests: [Intake.Request]) {
        self.requests = requests
        sourceIDs = Set(requests.map(\.contact.sourceID)).sorted()
    }

    private var lockNumbers: Set<Int> {
        var numbers: Set<Int> = []
        for request in requests {
            for key in request.keys { numbers.insert(Locks.number(for: "lead", key.kind.rawValue, key.value)) }
            if let event = request.contact.sourceEventID {
                numbers.insert(Locks.number(for: "event", String(request.contact.sourceID), event))
            }
        }
        return numbers
    }

    /// The first round trip: all locks in the product's order, each followed by what must be read under it.
    func lookUp(queueHead: Int) -> [Statement] {
        let keys = requests.flatMap(\.keys)
        let kinds = keys.map(\.kind.rawValue)
        let values = keys.map(\.value)
        let events = requests.map(\.contact).filter { $0.sourceEventID != nil }
        return [
            Locks.keys(lockNumbers),
            """
            select c.source_id, c.source_event_id, c.id
            from unnest(\(events.map(\.sourceID)), \(events.map { $0.sourceEventID ?? "" })) as e (source_id, event_id)
            join contacts c on c.source_id = e.source_id and c.source_event_id = e.event_id
            """,
            """
            select id, external_id is not null, phone is not null, email is not null, name is not null
            from leads
            where id in (
                select i.lead_id
                from unnest(\(kinds), \(values)) as k (kind, value)
                join lead_identities i on i.kind = k.kind::identity_kind and i.value = k.value)
            order by id
            for no key update
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
            Queue.head(ofSources: sourceIDs, limit: queueHead),
            """
            select nextval('contacts_id_seq'), nextval('leads_id_seq'), nextval('contact_arrivals'), clock_timestamp()
            from generate_series(1, \(requests.count))
            """,
        ] + (keys.isEmpty ? [] : [lastOperators(kinds, values)])
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

    func plan(_ found: [QueryResult], queueHead: Int) throws(PostgresError) -> Plan {
        var plan = Plan(batch: self, queueHead: queueHead)
        for row in found[1] {
            let (sourceID, eventID, contactID) = try row.decode(Int.self, String.self, Int.self)
            plan.contactsByEvent[SourceEvent(sourceID: sourceID, id: eventID)] = contactID
        }
        var leads: [Int: LeadMatching.KnownLead] = [:]
        for row in found[2] {
            let (id, hasExternalID, hasPhone, hasEmail, hasName) = try row.decode(
                Int.self, Bool.self, Bool.self, Bool.self, Bool.self)
            leads[id] = LeadMatching.KnownLead(
                externalIDs: [], hasExternalID: hasExternalID, hasPhone: hasPhone, hasEmail: hasEmail, hasName: hasName)
        }
        var owners: [LeadIdentity: Int] = [:]
        for row in found[3] {
            let (kind, value, leadID, externalIDs) = try row.decode(
                String.self, String.self, Int.self, [String].self)
            guard let kind = IdentityKind(rawValue: kind) else { continue }
            owners[LeadIdentity(kind: kind, value: value)] = leadID
            leads[leadID]?.externalIDs = Set(externalIDs)
        }
        plan.matching = LeadMatching(owners: owners, leads: leads)
        plan.sources = try Queue.sources(settings: found[6], operators: found[5])
        plan.waiting = try Queue.heads(found[7])
        for row in found[8] {
            let (contactID, leadID, arrival, time) = try row.decode(Int.self, Int.self, Int.self, Timestamp.self)
            plan.fresh.append(Plan.Fresh(contactID: contactID, leadID: leadID, arrival: arrival, time: time))
        }
        for row in found.dropFirst(9).joined() {
            let (sourceID, leadID, operatorID) = try row.decode(Int.self, Int.self, Int.self)
            plan.lastOperators[Plan.Returning(sourceID: sourceID, leadID: leadID)] = operatorID
        }
        return plan
    }
}

/// An event of a source, its id compared by bytes as in the database: Swift's strings are equal in more cases.
private struct SourceEvent: Hashable, Sendable {
    private let sourceID: Int
    private let id: [UInt8]

    init(sourceID: Int, id: String) {
        self.sourceID = sourceID
        self.id = Array(id.utf8)
    }
}

/// What is to be written for a batch.
private struct Plan: Sendable {
    /// Numbers drawn under the locks, one set per member whether it turns out to need them or not.
    struct Fresh {
        let contactID: Int
        let leadID: Int
        let arrival: Int
        let time: Timestamp
    }

    /// A lead that may be known to a source whose leads go back to their last operator.
    struct Returning: Hashable {
        let sourceID: Int
        let leadID: Int
    }

    private enum Member {
        case rejected(StoreError)
        case registered(contactID: Int)
        case repeated(contactID: Int)
    }

    private struct Row {
        let contactID: Int
        let leadID: Int
        let arrival: Int
        let time: Timestamp
        let contact: NewContact
        var outcome = Decision.Outcome.waiting(.noOperators)
    }

    let batch: Batch
    let queueHead: Int
    var contactsByEvent: [SourceEvent: Int] = [:]
    var matching = LeadMatching(owners: [:], leads: [:])
    var sources: [Int: Queue.LockedSource] = [:]
    var waiting: [Queue.Head] = []
    var lastOperators: [Returning: Int] = [:]
    var fresh: [Fresh] = []
    private var members: [Member] = []
    private var rows: [Row] = []
    private var round = Round()

    init(batch: Batch, queueHead: Int) {
        self.batch = batch
        self.queueHead = queueHead
    }

    /// Decides every member. Returns the sources in which contacts still wait beside free capacity.
    mutating func decide(using generator: inout some RandomNumberGenerator) -> [Int] {
        for (request, fresh) in zip(batch.requests, fresh) {
            members.append(admit(request, fresh))
        }
        var unserved: [Int] = []
        for (sourceID, source) in sources.sorted(by: { $0.key < $1.key }) {
            let heads = waiting.filter { $0.sourceID == sourceID }
            let newcomers = rows.filter { $0.contact.sourceID == sourceID }
            guard !newcomers.isEmpty else { continue }
            // More may wait behind as many heads as were asked for, whether or not those are still there.
            let lastHead = Round.LastHead(of: heads, limit: queueHead)
            let capacityLeft = round.decide(
                sourceID: sourceID, source,
                queue: heads.filter(\.isStillWaiting).map(\.queued) + newcomers.map(queued),
                lastHead: lastHead, using: &generator)
            if lastHead != nil && capacityLeft > 0 { unserved.append(sourceID) }
        }
        let outcomes = Dictionary(
            uniqueKeysWithValues: round.decided.filter { $0.standing == .newcomer }.map { ($0.contactID, $0.outcome) })
        for index in rows.indices {
            if let outcome = outcomes[rows[index].contactID] { rows[index].outcome = outcome }
        }
        return unserved
    }

    private func queued(_ row: Row) -> Round.Queued {
        let lastOperator = lastOperators[Returning(sourceID: row.contact.sourceID, leadID: row.leadID)]
        return Round.Queued(
            contactID: row.contactID, priority: row.contact.priority, arrival: row.arrival, standing: .newcomer,
            preferred: lastOperator.map { Circumstances.Preference(operatorID: $0, rule: .sticky) },
            leadID: row.leadID)
    }

    private mutating func admit(_ request: Intake.Request, _ fresh: Fresh) -> Member {
        let contact = request.contact
        guard sources[contact.sourceID] != nil else { return .rejected(.sourceNotFound) }
        if let eventID = contact.sourceEventID {
            let event = SourceEvent(sourceID: contact.sourceID, id: eventID)
            if let contactID = contactsByEvent[event] { return .repeated(contactID: contactID) }
            contactsByEvent[event] = fresh.contactID
        }
        let leadID = matching.lead(of: contact, keys: request.keys, freshID: fresh.leadID, at: fresh.time)
        rows.append(
            Row(
                contactID: fresh.contactID, leadID: leadID, arrival: fresh.arrival, time: fresh.time,
                contact: contact))
        return .registered(contactID: fresh.contactID)
    }

    /// The second round trip; its last statement reads the contacts of all members back.
    var statements: [Statement] {
        leadStatements + (rows.isEmpty ? [] : [contactStatement]) + round.statements
            + (rows.isEmpty ? [] : [eventStatement]) + [ContactReading.contacts(ids: contactIDs)]
    }

    private var contactIDs: [Int] {
        members.compactMap { member in
            switch member {
            case .registered(let contactID), .repeated(let contactID): contactID
            case .rejected: nil
            }
        }
    }

    private var leadStatements: [Statement] {
        var statements: [Statement] = []
        let made = matching.newLeads
        if !made.isEmpty {
            statements.append(
                """
                insert into leads (id, external_id, phone, email, name, created_at)
                overriding system value
                select * from unnest(
                    \(made.map(\.id)), \(made.map(\.externalID)), \(made.map(\.phone)), \(made.map(\.email)),
                    \(made.map(\.name)), \(made.map(\.createdAt)))
                """)
        }
        let fillings = matching.fillings
        if !fillings.isEmpty {
            statements.append(
                """
                update leads l
                set external_id = coalesce(l.external_id, f.external_id), phone = coalesce(l.phone, f.phone),
                    email = coalesce(l.email, f.email), name = coalesce(l.name, f.name),
                    updated_at = clock_timestamp()
                from (
                    -- Several members of the batch may each fill some of a lead's fields.
                    select id, max(external_id) as external_id, max(phone) as phone, max(email) as email,
                        max(name) as name
                    from unnest(
                        \(fillings.map(\.leadID)), \(fillings.map(\.externalID)), \(fillings.map(\.phone)),
                        \(fillings.map(\.email)), \(fillings.map(\.name)))
                        as given (id, external_id, phone, email, name)
                    group by id
                ) f
                where l.id = f.id
                """)
        }
        let identities = matching.newIdentities
        if !identities.isEmpty {
            statements.append(
                """
                insert into lead_identities (kind, value, lead_id)
                select i.kind::identity_kind, i.value, i.lead_id
                from unnest(
                    \(identities.map(\.identity.kind.rawValue)), \(identities.map(\.identity.value)),
                    \(identities.map(\.leadID))) as i (kind, value, lead_id)
                """)
        }
        let duplicates = Array(matching.possibleDuplicates)
        if !duplicates.isEmpty {
            statements.append(
                """
                insert into possible_duplicates (lead_id, other_lead_id, kind)
                select d.lead_id, d.other_lead_id, d.kind::identity_kind
                from unnest(
                    \(duplicates.map(\.leadID)), \(duplicates.map(\.otherLeadID)),
                    \(duplicates.map(\.kind.rawValue))) as d (lead_id, other_lead_id, kind)
                on conflict do nothing
                """)
        }
        return statements
    }

    private var contactStatement: Statement {
        func operatorID(_ row: Row) -> Int? {
            if case .placed(let operatorID) = row.outcome { operatorID } else { nil }
        }
        func reason(_ row: Row) -> String? {
            if case .waiting(let reason) = row.outcome { reason.rawValue } else { nil }
        }
        return """
            insert into contacts (
                id, lead_id, source_id, operator_id, status, priority, arrival, message, source_event_id,
                waiting_reason, waiting_since, created_at, assigned_at, first_assigned_at)
            overriding system value
            select c.id, c.lead_id, c.source_id, c.operator_id,
                (case when c.operator_id is null then 'new' else 'active' end)::contact_status,
                c.priority, c.arrival, c.message, c.source_event_id, c.reason,
                case when c.operator_id is null then c.created_at end, c.created_at,
                case when c.operator_id is not null then c.created_at end,
                case when c.operator_id is not null then c.created_at end
            from unnest(
                \(rows.map(\.contactID)), \(rows.map(\.leadID)), \(rows.map(\.contact.sourceID)),
                \(rows.map(operatorID)), \(rows.map { Int32($0.contact.priority) }), \(rows.map(\.arrival)),
                \(rows.map(\.contact.message)), \(rows.map(\.contact.sourceEventID)), \(rows.map(reason)),
                \(rows.map(\.time)))
                as c (id, lead_id, source_id, operator_id, priority, arrival, message, source_event_id, reason, created_at)
            """
    }

    private var eventStatement: Statement {
        Events.record(
            rows.map { row in
                switch row.outcome {
                case .placed(let operatorID):
                    Events.New(.registered, contactID: row.contactID, toOperatorID: operatorID, by: .api)
                case .waiting(let reason):
                    Events.New(.registered, contactID: row.contactID, reason: reason.rawValue, by: .api)
                }
            })
    }

    /// An outcome for each member, given the contacts as they were read back.
    func outcomes(_ result: QueryResult) throws(PostgresError) -> [Result<Intake.Registered, StoreError>] {
        var contacts: [Int: Contact] = [:]
        for row in result {
            let contact = try ContactReading.contact(row)
            contacts[contact.id] = contact
        }
        return members.map { member in
            switch member {
            case .rejected(let error): return .failure(error)
            case .registered(let contactID):
                guard let contact = contacts[contactID] else { return .failure(.contactNotFound) }
                return .success(Intake.Registered(contact: contact, isRepetition: false))
            case .repeated(let contactID):
                guard let contact = contacts[contactID] else { return .failure(.contactNotFound) }
                return .success(Intake.Registered(contact: contact, isRepetition: true))
            }
        }
    }
}
