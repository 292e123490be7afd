import Distribution
import Leads
import Postgres

extension Viewer {
    /// Operators do not, and whoever is shown masked data would be answered with what is not.
    fileprivate var mayRegister: Bool {
        if case .ownContacts = reach { false } else { !isMasked }
    }
}

/// What becomes of a batch: decided from what was read under the locks, without looking again.
struct IntakePlan: Sendable {
    /// Numbers for a contact, drawn under the operators' locks.
    struct Numbers {
        let contactID: Int
        let arrival: Int
        let time: Timestamp
    }

    /// What an answer shows of an operator beside its load.
    struct Person {
        let id: Int
        let name: String
        let createdAt: Timestamp
        let updatedAt: Timestamp?
    }

    /// A lead that may be known to a source whose leads go back to their last operator.
    struct Returning: Hashable {
        let sourceID: Int
        let leadID: Int
    }

    enum EventContact {
        /// Registered by an earlier transaction.
        case known(Contact)
        /// Registered by this one.
        case fresh(row: Int)
    }

    private struct RequestKey: Hashable {
        let owner: [UInt8]
        let key: [UInt8]

        init(_ idempotency: Intake.Idempotency) {
            owner = Array(idempotency.owner.utf8)
            key = Array(idempotency.key.utf8)
        }
    }

    private enum Member {
        case rejected(StoreError)
        case registered(row: Int)
        case repeated(EventContact)
        case replayed(Intake.StoredAnswer)
        /// The same request as an earlier member's.
        case sameAs(member: Int)
    }

    private struct Row {
        let member: Int
        let leadID: Int
        let contact: NewContact
        var outcome = Decision.Outcome.waiting(.noOperators)
    }

    let batch: IntakeBatch
    let queueHead: Int
    /// Keys that could not be locked.
    var heldByOthers: Set<Int> = []
    /// Keys of leads that could not be locked.
    var keysOfHeldLeads: Set<LeadIdentity> = []
    /// What requests that come again are answered, by member.
    var answered: [Int: Result<Intake.StoredAnswer, StoreError>] = [:]
    var contactsByEvent: [SourceEvent: EventContact] = [:]
    var matching = LeadMatching(owners: [:], leads: [:])
    var sources: [Int: Queue.LockedSource] = [:]
    var summaries: [Int: SourceSummary] = [:]
    var people: [Int: Person] = [:]
    var waiting: [Queue.Head] = []
    var lastOperators: [Returning: Int] = [:]
    /// Whether somebody waits in a source of whose large pool only those drawn are locked.
    var hasQueueBehindDraws = false
    /// For each member, likewise.
    var freshLeads: [(id: Int, time: Timestamp)] = []
    /// For each member, whether it turns out to need them or not.
    var numbers: [Numbers] = []
    private var members: [Member] = []
    private var membersByKey: [RequestKey: Int] = [:]
    private var rows: [Row] = []
    private var round = Round()

    init(batch: IntakeBatch, queueHead: Int) {
        self.batch = batch
        self.queueHead = queueHead
    }

    /// Known leads whose external ids have to be noted before the members are admitted.
    var leadsInQuestion: Set<Int> { matching.leadsInQuestion(by: batch.requests.map(\.keys)) }

    /// Reads what `IntakeBatch.externalIDs(ofLeads:)` returned.
    mutating func noteExternalIDs(_ found: QueryResult) throws(PostgresError) {
        for row in found {
            let (leadID, value) = try row.decode(Int.self, String.self)
            matching.note(externalID: value, of: leadID)
        }
    }

    /// Tells what each member is: a contact to register, and whose, or one that comes again, or none.
    mutating func admit() {
        for (index, request) in batch.requests.enumerated() {
            members.append(admit(request, index))
        }
    }

    /// How many contacts are to be registered, by source: 0 where members only come again or are refused.
    var contactCounts: [Int: Int] {
        rows.reduce(into: sources.mapValues { _ in 0 }) { $0[$1.contact.sourceID, default: 0] += 1 }
    }

    /// Of the sources with a large pool, who was drawn.
    var drawn: [Int: Queue.Drawn] { sources.compactMapValues(\.drawn) }

    /// Whether those drawn from a large pool do not do, because somebody waits there or too few of them had room: then
    /// nothing of this may be written.
    var needsEverybody: Bool { hasQueueBehindDraws || round.isOutOfDraws }

    /// Whether somebody waits in a source whom one of its operators may take.
    func waits(in sourceID: Int) -> Bool { waiting.contains { $0.sourceID == sourceID } }

    /// What stores the leads of the admitted members.
    var leadStatements: [Statement] { matching.leadStatements }

    /// Decides every contact of the admitted members. Returns the sources in which contacts still wait beside free capacity.
    mutating func decide(using generator: inout some RandomNumberGenerator) -> [Int] {
        let heads = Dictionary(grouping: waiting, by: \.sourceID)
        let newcomers = Dictionary(grouping: rows.indices) { rows[$0].contact.sourceID }
        // Source by source, which takes one record of the candidates each; but where the order between sources matters,
        // first all who wait and then the newcomers as they came.
        var runs = newcomers.sorted { $0.key < $1.key }.map {
            (sourceID: $0.key, heads: heads[$0.key] ?? [], rows: $0.value)
        }
        if sources.count > 1, sharesScarcePlaces || sharesReturningLeads {
            runs = runsOfWaiting.map { ($0, $1, []) } + runsByArrival.map { ($0, [], $1) }
        }
        var unserved: Set<Int> = []
        for run in runs {
            guard let source = sources[run.sourceID] else { continue }
            // More may wait behind as many heads as were asked for, whether or not those are still there.
            let lastHead = Round.LastHead(of: heads[run.sourceID] ?? [], limit: queueHead)
            let capacityLeft = round.decide(
                sourceID: run.sourceID, source,
                queue: run.heads.filter(\.isStillWaiting).map(\.queued) + run.rows.map { queued(rows[$0]) },
                lastHead: lastHead, using: &generator)
            if lastHead != nil && capacityLeft > 0 {
                unserved.insert(run.sourceID)
            } else {
                unserved.remove(run.sourceID)
            }
        }
        var outcomes: [Int: Decision.Outcome] = [:]
        for decided in round.decided where decided.standing == .newcomer {
            outcomes[decided.contactID] = decided.outcome
        }
        for index in rows.indices {
            if let outcome = outcomes[numbers[rows[index].member].contactID] { rows[index].outcome = outcome }
        }
        return unserved.sorted()
    }

    /// Those who wait as they are to be served, whatever their source, those of one source in a row together.
    private var runsOfWaiting: [(sourceID: Int, heads: [Queue.Head])] {
        var runs: [(sourceID: Int, heads: [Queue.Head])] = []
        for head in waiting.sorted(by: { ($1.priority, $0.arrival) < ($0.priority, $1.arrival) }) {
            if runs.last?.sourceID == head.sourceID {
                runs[runs.count - 1].heads.append(head)
            } else {
                runs.append((head.sourceID, [head]))
            }
        }
        return runs
    }

    /// The newcomers as they came, those of one source in a row together.
    private var runsByArrival: [(sourceID: Int, rows: [Int])] {
        var runs: [(sourceID: Int, rows: [Int])] = []
        for index in rows.indices {
            let sourceID = rows[index].contact.sourceID
            if runs.last?.sourceID == sourceID {
                runs[runs.count - 1].rows.append(index)
            } else {
                runs.append((sourceID, [index]))
            }
        }
        return runs
    }

    /// Whether a source's first newcomers could take places from those of another that arrived before its last.
    private var sharesScarcePlaces: Bool {
        var sourcesOf: [Int: Int] = [:]
        // Who has no place at all is nobody to compete for.
        for candidate in sources.values.lazy.flatMap(\.candidates) where candidate.isActive {
            let places = candidate.maxLoad - candidate.load
            if places > 0 && places < rows.count + waiting.count { sourcesOf[candidate.operatorID, default: 0] += 1 }
        }
        return sourcesOf.values.contains { $0 > 1 }
    }

    /// Whether a lead's operator in one source may be the one its contact in another goes back to.
    private var sharesReturningLeads: Bool {
        guard sources.values.contains(where: \.keepsReturningLeads) else { return false }
        var sourceOf: [Int: Int] = [:]
        return rows.contains {
            (sourceOf.updateValue($0.contact.sourceID, forKey: $0.leadID) ?? $0.contact.sourceID) != $0.contact.sourceID
        }
    }

    private func queued(_ row: Row) -> Round.Queued {
        let lastOperator = lastOperators[Returning(sourceID: row.contact.sourceID, leadID: row.leadID)]
        return Round.Queued(
            contactID: numbers[row.member].contactID, priority: row.contact.priority,
            arrival: numbers[row.member].arrival,
            standing: .newcomer,
            preferred: lastOperator.map { Circumstances.Preference(operatorID: $0, rule: .sticky) },
            leadID: row.leadID)
    }

    private mutating func admit(_ request: Intake.Request, _ index: Int) -> Member {
        let contact = request.contact
        guard request.viewer.mayRegister else { return .rejected(.notAllowed) }
        if let number = request.idempotency?.lockNumber, heldByOthers.contains(number) {
            return .rejected(.idempotencyKeyInUse)
        }
        if let answered = answered[index] {
            do throws(StoreError) {
                let answer = try answered.get()
                // Its key was answered before it lost the source.
                return sources[contact.sourceID] == nil ? .rejected(.sourceNotFound) : .replayed(answer)
            } catch { return .rejected(error) }
        }
        if request.lockNumbers.contains(where: heldByOthers.contains)
            || request.keys.contains(where: { keysOfHeldLeads.contains($0) })
        {
            return .rejected(.heldByOthers)
        }
        if let idempotency = request.idempotency, let first = membersByKey[RequestKey(idempotency)] {
            let isSame = batch.requests[first].idempotency?.content == idempotency.content
            return isSame ? .sameAs(member: first) : .rejected(.idempotencyKeyReused)
        }
        guard sources[contact.sourceID] != nil else { return .rejected(.sourceNotFound) }
        if let idempotency = request.idempotency { membersByKey[RequestKey(idempotency)] = index }
        if let eventID = contact.sourceEventID {
            let event = SourceEvent(sourceID: contact.sourceID, id: eventID)
            if let known = contactsByEvent[event] { return .repeated(known) }
            contactsByEvent[event] = .fresh(row: rows.count)
        }
        let fresh = freshLeads[index]
        let leadID = matching.lead(of: contact, keys: request.keys, freshID: fresh.id, at: fresh.time)
        rows.append(Row(member: index, leadID: leadID, contact: contact))
        return .registered(row: rows.count - 1)
    }

    /// An outcome for each member, as the database will show it once everything is written.
    /// - Throws: `StoreError` when what was read contradicts itself; nothing must be written then.
    func outcomes() throws(StoreError) -> [Result<Intake.Outcome, StoreError>] {
        let reasons = waitingReasons()
        var contacts: [Contact] = []
        contacts.reserveCapacity(rows.count)
        for row in rows { contacts.append(try contact(row, numbers[row.member], reasons)) }
        var outcomes: [Result<Intake.Outcome, StoreError>] = []
        for (index, member) in members.enumerated() {
            func registered(_ contact: Contact, isRepetition: Bool) -> Result<Intake.Outcome, StoreError> {
                let registered = Intake.Registered(contact: contact, isRepetition: isRepetition)
                return .success(.registered(registered, batch.requests[index].idempotency?.answer(registered)))
            }
            switch member {
            case .rejected(let error): outcomes.append(.failure(error))
            case .registered(let row): outcomes.append(registered(contacts[row], isRepetition: false))
            case .repeated(.known(let contact)):
                outcomes.append(registered(asLeft(contact), isRepetition: true))
            case .repeated(.fresh(let row)): outcomes.append(registered(contacts[row], isRepetition: true))
            case .replayed(let answer): outcomes.append(.success(.replayed(answer)))
            case .sameAs(let first):
                if case .success(.registered(_, let answer?)) = outcomes[first] {
                    outcomes.append(.success(.replayed(answer)))
                } else {
                    outcomes.append(outcomes[first])
                }
            }
        }
        return outcomes
    }

    /// A contact of an earlier transaction, with what this one has changed about its lead and its operator's load.
    private func asLeft(_ contact: Contact) -> Contact {
        let holder = contact.operator.map { holder in
            Operator(
                id: holder.id, name: holder.name, isActive: holder.isActive, maxLoad: holder.maxLoad,
                currentLoad: round.load(of: holder.id) ?? holder.currentLoad, createdAt: holder.createdAt,
                updatedAt: holder.updatedAt)
        }
        var left = contact
        left.lead = matching.lead(contact.lead.id) ?? contact.lead
        left.operator = holder
        return left
    }

    /// Why newcomers that nobody takes wait, by source, as it is once all members are placed.
    private func waitingReasons() -> [Int: WaitingReason] {
        var reasons: [Int: WaitingReason] = [:]
        for row in rows where reasons[row.contact.sourceID] == nil {
            guard case .waiting = row.outcome, let source = sources[row.contact.sourceID] else { continue }
            reasons[row.contact.sourceID] = round.waitingReason(sourceID: row.contact.sourceID, source)
        }
        return reasons
    }

    private func contact(
        _ row: Row, _ numbers: Numbers, _ reasons: [Int: WaitingReason]
    ) throws(StoreError) -> Contact {
        guard let lead = matching.lead(row.leadID) else { throw .leadNotFound }
        guard let source = summaries[row.contact.sourceID] else { throw .sourceNotFound }
        var placed: Operator?
        if case .placed(let id) = row.outcome {
            guard let person = people[id], let candidate = candidate(id, row.contact.sourceID) else {
                throw .operatorNotFound
            }
            placed = Operator(
                id: id, name: person.name, isActive: candidate.isActive, maxLoad: candidate.maxLoad,
                currentLoad: round.load(of: id) ?? candidate.load, createdAt: person.createdAt,
                updatedAt: person.updatedAt)
        }
        return Contact(
            id: numbers.contactID, status: placed == nil ? .new : .active, message: row.contact.message,
            priority: row.contact.priority, sourceEventID: row.contact.sourceEventID,
            waitingReason: placed == nil ? reasons[row.contact.sourceID] : nil, version: 1,
            createdAt: numbers.time, assignedAt: placed == nil ? nil : numbers.time, closedAt: nil, updatedAt: nil,
            lead: lead, operator: placed, source: source)
    }

    private func candidate(_ id: Int, _ sourceID: Int) -> Candidate? {
        sources[sourceID]?.candidates.first { $0.operatorID == id }
    }

    /// What stores everything but the leads, which come first.
    func statements(storing outcomes: [Result<Intake.Outcome, StoreError>]) -> [Statement] {
        // Those who waited were given their operators first, which the trigger goes by.
        round.placementStatements + (rows.isEmpty ? [] : [contactStatement]) + round.recordStatements
            + (rows.isEmpty ? [] : [eventStatement]) + matching.duplicateStatements + answerStatements(outcomes)
    }

    private var contactStatement: Statement {
        func operatorID(_ row: Row) -> Int? {
            if case .placed(let operatorID) = row.outcome { operatorID } else { nil }
        }
        func reason(_ row: Row) -> String? {
            if case .waiting(let reason) = row.outcome { reason.rawValue } else { nil }
        }
        let numbers = rows.map { self.numbers[$0.member] }
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
                \(numbers.map(\.contactID)), \(rows.map(\.leadID)), \(rows.map(\.contact.sourceID)),
                \(rows.map(operatorID)), \(rows.map { Int32($0.contact.priority) }), \(numbers.map(\.arrival)),
                \(rows.map(\.contact.message)), \(rows.map(\.contact.sourceEventID)), \(rows.map(reason)),
                \(numbers.map(\.time)))
                as c (id, lead_id, source_id, operator_id, priority, arrival, message, source_event_id, reason, created_at)
            """
    }

    private var eventStatement: Statement {
        Events.record(
            rows.map { row in
                let contactID = numbers[row.member].contactID
                let actor = batch.requests[row.member].actor
                switch row.outcome {
                case .placed(let operatorID):
                    return Events.New(.registered, contactID: contactID, toOperatorID: operatorID, by: actor)
                case .waiting(let reason):
                    return Events.New(.registered, contactID: contactID, reason: reason.rawValue, by: actor)
                }
            })
    }

    /// Stores the answers to requests that came with a key, so that those who repeat them are told the same.
    private func answerStatements(_ outcomes: [Result<Intake.Outcome, StoreError>]) -> [Statement] {
        var stored: [(request: Intake.Idempotency, contactID: Int, answer: Intake.StoredAnswer)] = []
        for (index, outcome) in outcomes.enumerated() {
            guard case .success(.registered(let registered, let answer?)) = outcome,
                let request = batch.requests[index].idempotency
            else { continue }
            if case .sameAs = members[index] { continue }
            stored.append((request, registered.contact.id, answer))
        }
        guard !stored.isEmpty else { return [] }
        return [
            """
            insert into idempotency_keys (owner, key, fingerprint, contact_id, status, body)
            select g.owner, g.key, sha256(g.content), g.contact_id, g.status, g.body
            from unnest(
                \(stored.map(\.request.owner)), \(stored.map(\.request.key)),
                \(stored.map { Bytes($0.request.content) }), \(stored.map(\.contactID)),
                \(stored.map { Int32($0.answer.status) }), \(stored.map { Bytes($0.answer.body) }))
                as g (owner, key, content, contact_id, status, body)
            """
        ]
    }
}
