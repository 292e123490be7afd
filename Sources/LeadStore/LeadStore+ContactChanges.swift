import Distribution
public import Leads
import Postgres

extension LeadStore {
    /// Changes a contact and serves whoever waits for the place that becomes free. What changes nothing leaves version and
    /// events alone.
    ///
    /// What decides the locks is read unlocked, the locks are taken, and the contact is written only if it is still the
    /// version that was read; otherwise it starts over. So it is one that the viewer sees when it is written, and before
    /// anything about it is refused.
    /// - Parameters:
    ///   - condition: which versions of the contact the change is meant for.
    ///   - viewer: who is answered with what has become of the contact, also where it does not see it any more.
    /// - Throws: `StoreError.contactNotFound`, also for one that the viewer does not see, `.notAllowed`,
    ///   `.versionConflict`, `.contactClosed`, `.contactUnassigned`, `.operatorNotFound`, `.operatorInactive`,
    ///   `.operatorAtLimit` and others; nothing is changed then.
    public func changeContact(
        id: Int, _ change: ContactChange, if condition: VersionCondition = .any, for viewer: Viewer, by actor: Actor
    ) async throws(StoreError) -> Contact {
        guard viewer.mayMake(change) else { throw .notAllowed }
        while true {
            if change.move == .close {
                let closing = Closing(id: id, change: change, condition: condition, viewer: viewer, actor: actor)
                if let closed = try await closings?.close(closing) { return viewer.shown(closed) }
            }
            guard let seen = try await standings(ofContacts: [(id, viewer)])[0] else { throw .contactNotFound }
            guard condition.holds(for: seen.version) else { throw .versionConflict }
            let edit = ContactEdit(id: id, seen: seen, change, for: viewer, by: actor)
            let changed: Contact?
            switch try edit.move(change.move) {
            case nil:
                guard edit.changesSomething else { return try await contact(id: id, for: viewer) }
                changed = try await write(edit)
            case .close: changed = nil  // It was changed at the same moment.
            case .reopen: changed = try await reopen(edit)
            case .assign(let assignment): changed = try await assign(edit, assignment)
            case .release(let reason): changed = try await release(edit, reason: reason)
            }
            if let changed { return changed }
        }
    }

    /// Changes what can be changed wherever the contact stands. The place in the queue changes under the locks of those
    /// who serve it.
    private func write(_ edit: ContactEdit) async throws(StoreError) -> Contact? {
        let sourceID = edit.seen.sourceID
        let locks =
            edit.seen.status == .new && edit.priority != nil
            ? [Locks.shareSources([sourceID]), Locks.operators(ofSources: [sourceID])] : []
        return try await transaction { (transaction) throws(StoreError) -> Contact? in
            let found = try await transaction.run(locks + [edit.update("")])
            guard found[locks.count].affectedRows == 1 else { return nil }
            return try await Self.finish(transaction, edit, [])
        }
    }

    /// Opens a closed contact again: back to its operator when that one is eligible, otherwise by the source's strategy,
    /// behind the contacts that wait already.
    private func reopen(_ edit: ContactEdit) async throws(StoreError) -> Contact? {
        let seen = edit.seen
        let sourceID = seen.sourceID
        let (contact, drains) = try await transaction { (transaction) throws(StoreError) -> (Contact?, Bool) in
            let found = try await transaction.run([
                Locks.shareSources([sourceID]),
                Locks.operators(ofSources: [sourceID]),
                Queue.settings(ofSources: [sourceID]),
                Queue.head(ofSources: [sourceID], limit: Self.drainBatch),
                "select nextval('contact_arrivals')",
            ])
            let (sources, heads, arrival) = try reading { () throws(PostgresError) in
                (
                    try Queue.sources(settings: found[2], operators: found[1]), try Queue.heads(found[3]),
                    try found[4][0].decode(Int.self)
                )
            }
            guard let source = sources[sourceID] else { throw .sourceNotFound }
            var round = Round()
            let lastHead = Round.LastHead(of: heads, limit: Self.drainBatch)
            var generator = SystemRandomNumberGenerator()
            let capacityLeft = round.decide(
                sourceID: sourceID, source,
                queue: heads.filter(\.isStillWaiting).map(\.queued) + [
                    Round.Queued(
                        contactID: edit.id, priority: edit.priority ?? seen.priority, arrival: arrival,
                        standing: .newcomer, releasedBy: seen.releasedBy,
                        preferred: seen.operatorID.map { Circumstances.Preference(operatorID: $0, rule: .returned) })
                ],
                lastHead: lastHead, using: &generator)
            let outcome = round.decided.first { $0.standing == .newcomer }?.outcome ?? .waiting(.behindQueue)
            let written = try await transaction.run([edit.update(Self.reopening(outcome, arrival: arrival))])
            guard written[0].affectedRows == 1 else { return (nil, false) }
            var reopened = Events.New(.reopened, contactID: edit.id, fromOperatorID: seen.operatorID, by: edit.actor)
            switch outcome {
            case .placed(let operatorID): reopened.toOperatorID = operatorID
            case .waiting(let reason): reopened.reason = reason.rawValue
            }
            let contact = try await Self.finish(transaction, edit, [reopened], round.statements)
            return (contact, lastHead != nil && capacityLeft > 0)
        }
        if drains { goOnDraining(sourceID: sourceID) }
        return contact
    }

    private static func reopening(_ outcome: Decision.Outcome, arrival: Int) -> Statement {
        switch outcome {
        case .placed(let operatorID):
            """
            status = 'active', operator_id = \(operatorID), assigned_at = clock_timestamp(),
            first_assigned_at = coalesce(first_assigned_at, clock_timestamp()), closed_at = null, is_forced = false,
            """
        case .waiting(let reason):
            """
            status = 'new', operator_id = null, assigned_at = null, closed_at = null, arrival = \(arrival),
            waiting_reason = \(reason.rawValue), waiting_since = clock_timestamp(), is_forced = false,
            """
        }
    }

    /// Gives a contact that waits or is another operator's to the operator wanted, whose weights do not matter.
    private func assign(_ edit: ContactEdit, _ assignment: Assignment) async throws(StoreError) -> Contact? {
        let seen = edit.seen
        let target = assignment.operatorID
        let (contact, drains) = try await transaction { (transaction) throws(StoreError) -> (Contact?, Bool) in
            let found = try await transaction.run(
                [
                    Locks.operators([target] + (seen.operatorID.map { [$0] } ?? [])),
                    "select exists (select from contacts where id = \(edit.id) and version = \(seen.version))",
                    Queue.candidate(target, ofSource: seen.sourceID),
                    edit.update(
                        """
                        status = 'active', operator_id = \(target), assigned_at = clock_timestamp(),
                        first_assigned_at = coalesce(first_assigned_at, clock_timestamp()), waiting_reason = null,
                        waiting_since = null, released_by = nullif(array_remove(released_by, \(target)), '{}'),
                        is_forced = exists (
                            select from operator_loads l
                            where l.operator_id = \(target) and not (l.is_active and l.load < l.max_load)),
                        """,
                        and: """
                            exists (
                                select
                                from operators o
                                join operator_loads l on l.operator_id = o.id
                                where o.id = \(target) and o.archived_at is null
                                    and (\(assignment.force) or (l.is_active and l.load < l.max_load)))
                            """),
                ] + (seen.operatorID.map { Self.lookUpQueue(ofOperator: $0) } ?? []))
            // What the contact has become decides first: it may be theirs by now, or closed.
            let isAsSeen = try reading { () throws(PostgresError) in try found[1][0].decode(Bool.self) }
            guard isAsSeen else { return (nil, false) }
            guard let (strategy, candidate, weight) = try Queue.candidate(target, found[2]) else {
                throw .operatorNotFound
            }
            let isForced = !candidate.isActive || candidate.load >= candidate.maxLoad
            if isForced && !assignment.force { throw candidate.isActive ? .operatorAtLimit : .operatorInactive }
            guard found[3].affectedRows == 1 else { return (nil, false) }
            let placing =
                try seen.operatorID.map { (operatorID) throws(StoreError) in
                    try Self.placeQueue(ofOperator: operatorID, found[4...])
                } ?? Placing()
            let decision = DecisionSnapshot(
                sourceID: seen.sourceID, strategy: strategy, candidates: [candidate], weights: [weight],
                decisions: [
                    (
                        edit.id,
                        Decision(
                            ordinal: 0, outcome: .placed(operatorID: target), rule: isForced ? .forced : .manual,
                            draw: nil)
                    )
                ])
            let assigned = Events.New(
                seen.operatorID == nil ? .assigned : .transferred, contactID: edit.id,
                fromOperatorID: seen.operatorID, toOperatorID: target, reason: assignment.reason, by: edit.actor,
                data: isForced ? #"{"forced": true}"# : nil)
            let contact = try await Self.finish(
                transaction, edit, [assigned], [decision.statement] + placing.statements)
            return (contact, placing.mayGoOn)
        }
        if drains, let operatorID = seen.operatorID { goOnDraining(operatorID: operatorID) }
        return contact
    }

    /// How often a release looks again at who waits in the operator's other sources.
    private static let looksAtOthers = 10

    /// Puts a contact back where it stood in the queue, for somebody else, and places it at once if there is one. The place
    /// that becomes free goes to whoever waits first, in any of the operator's sources.
    private func release(_ edit: ContactEdit, reason: String?) async throws(StoreError) -> Contact? {
        let seen = edit.seen
        let sourceID = seen.sourceID
        guard let operatorID = seen.operatorID else { return nil }
        let (contact, drains) = try await transaction { (transaction) throws(StoreError) -> (Contact?, Bool) in
            let found = try await transaction.run(
                [
                    Locks.shareSources([sourceID]),
                    Locks.operators(ofSources: [sourceID], and: [operatorID]),
                    edit.update(
                        """
                        status = 'new', operator_id = null, assigned_at = null, waiting_reason = 'behind_queue',
                        waiting_since = clock_timestamp(), is_forced = false,
                        released_by = array_append(array_remove(released_by, \(operatorID)), \(operatorID)),
                        """),
                    "select priority, arrival, released_by from contacts where id = \(edit.id)",
                ] + Self.lookUpQueue(ofSource: sourceID)
                    // Whom its own source's queue leaves a place, a contact of another source may have.
                    + Self.lookUpQueue(ofOperator: operatorID, without: sourceID))
            guard found[2].affectedRows == 1 else { return (nil, false) }
            var others = try reading { () throws(PostgresError) in try Queue.heads(found[7]) }
            // Of the other sources only so many are looked at as there are places. One that was placed or closed while its
            // row was awaited leaves its turn to the next one there, and not to whoever waits in this source.
            for _ in 0..<Self.looksAtOthers where others.contains(where: { !$0.isStillWaiting }) {
                let again = try await transaction.run([
                    Queue.head(ofOperator: operatorID, limit: Self.drainBatch, without: sourceID)
                ])
                others = try reading { () throws(PostgresError) in try Queue.heads(again[0]) }
            }
            let seenOthers = others
            let (queue, sources, lastHead, mayGoOn) = try reading { () throws(PostgresError) in
                let (priority, arrival, releasedBy) = try found[3][0].decode(Int.self, Int.self, [Int].self)
                let released = Round.Queued(
                    contactID: edit.id, priority: priority, arrival: arrival, standing: .released,
                    releasedBy: releasedBy)
                let heads = try Queue.heads(found[6])
                var sources = try Queue.sources(ofOperator: operatorID, found[8])
                sources.merge(try Queue.sources(settings: found[5], operators: found[4])) { $1 }
                let waiting = (heads + seenOthers).filter { $0.contactID != edit.id }
                let lastHead = Round.LastHead(of: heads, limit: Self.drainBatch)
                return (
                    waiting.filter(\.isStillWaiting).map { ($0.sourceID, $0.queued) } + [(sourceID, released)],
                    sources, lastHead, waiting.contains { !$0.isStillWaiting } || lastHead != nil
                )
            }
            let (round, _) = Self.decide(queue, sources, lastHeads: lastHead.map { [sourceID: $0] } ?? [:])
            let releasing = Events.New(
                .released, contactID: edit.id, fromOperatorID: operatorID, reason: reason, by: edit.actor)
            return (try await Self.finish(transaction, edit, [releasing], round.statements), mayGoOn)
        }
        if drains {
            goOnDraining(sourceID: sourceID)
            goOnDraining(operatorID: operatorID)
        }
        return contact
    }

    private static func finish(
        _ transaction: Transaction, _ edit: ContactEdit, _ events: [Events.New], _ statements: [Statement] = []
    ) async throws(StoreError) -> Contact {
        let stored = try await transaction.finish(
            with: [Events.record(events + edit.events)] + statements
                + [ContactReading.contact(id: edit.id, shownTo: edit.viewer)])
        return edit.viewer.shown(try onlyContact(stored[stored.count - 1]))
    }

    /// Contacts as they stand, in order; nil for those that do not exist or that their viewer does not see.
    func standings(
        ofContacts wanted: [(id: Int, viewer: Viewer)]
    ) async throws(StoreError) -> [ContactEdit.Standing?] {
        let ids = wanted.map(\.id)
        let viewers = ViewerColumns(wanted.map(\.viewer))
        let isSeen: Statement =
            viewers.seeAllContacts ? "true" : ViewerColumns.contacts(in: "contacts", seenBy: "wanted")
        let asked: Statement =
            viewers.seeAllContacts
            ? "unnest(\(ids), \(Array(ids.indices))) as wanted (id, place)"
            : """
            unnest(\(ids), \(Array(ids.indices)), \(viewers.operatorIDs), \(viewers.sourceIDs))
                as wanted (id, place, viewer_operator_id, viewer_source_ids)
            """
        let found = try await read(
            """
            select wanted.place, source_id, operator_id, status::text, version, priority, coalesce(released_by, '{}'),
                message
            from \(asked)
            join contacts on contacts.id = wanted.id
            where \(isSeen)
            """)
        return try reading { () throws(PostgresError) in
            var standings = [ContactEdit.Standing?](repeating: nil, count: ids.count)
            for row in found {
                var column = row.reader
                standings[try column.next()] = ContactEdit.Standing(
                    sourceID: try column.next(), operatorID: try column.next(), status: try column.next(),
                    version: try column.next(), priority: try column.next(), releasedBy: try column.next(),
                    message: try column.next())
            }
            return standings
        }
    }
}

extension Viewer {
    /// Whether it may make such changes to contacts that it sees.
    fileprivate func mayMake(_ change: ContactChange) -> Bool {
        switch (reach, change.move) {
        case (.registered, _): false
        case (.ownContacts, .assign(let assignment)?), (.ownContacts, .transfer(let assignment)?): !assignment.force
        default: true
        }
    }
}

/// A change of a contact as it was seen, reduced to what it really changes.
struct ContactEdit: Sendable {
    /// What decides which locks a change needs, and whether it changes anything.
    struct Standing: Sendable {
        let sourceID: Int
        let operatorID: Int?
        let status: ContactStatus
        let version: Int
        let priority: Int
        let releasedBy: [Int]
        let message: String?
    }

    enum Move {
        case close, reopen, assign(Assignment), release(reason: String?)
    }

    let id: Int
    let seen: Standing
    /// Who is shown what has become of it.
    let viewer: Viewer
    let actor: Actor
    let priority: Int?
    /// Nil for leaving it, an empty one for removing it.
    let message: String?

    init(id: Int, seen: Standing, _ change: ContactChange, for viewer: Viewer, by actor: Actor) {
        self.id = id
        self.seen = seen
        self.viewer = viewer
        self.actor = actor
        priority = change.priority == seen.priority ? nil : change.priority
        // Compared by bytes: Swift's strings are equal in more cases.
        message = change.message.flatMap { $0.utf8.elementsEqual((seen.message ?? "").utf8) ? nil : $0 }
    }

    var changesSomething: Bool { priority != nil || message != nil }

    /// What a wanted move comes down to; nil when the contact is there already.
    func move(_ wanted: ContactChange.Move?) throws(StoreError) -> Move? {
        switch (wanted, seen.status) {
        case (nil, _), (.close, .closed), (.reopen, .new), (.reopen, .active), (.release, .new): return nil
        case (.close, _): return .close
        case (.reopen, .closed): return .reopen
        case (.assign, .closed), (.transfer, .closed), (.release, .closed): throw .contactClosed
        case (.transfer, .new): throw .contactUnassigned
        case (.assign(let assignment), _), (.transfer(let assignment), _):
            return assignment.operatorID == seen.operatorID ? nil : .assign(assignment)
        case (.release(let reason), .active): return .release(reason: reason)
        }
    }

    /// Writes the contact if it is still as it was seen; `assignments` end with a comma.
    func update(_ assignments: Statement, and condition: Statement = "true") -> Statement {
        """
        update contacts
        set \(assignments) priority = coalesce(\(priority)::smallint, priority),
            message = nullif(coalesce(\(message), message), ''), updated_at = clock_timestamp(), version = version + 1
        where id = \(id) and version = \(seen.version) and status = \(seen.status.rawValue)::contact_status
            and operator_id is not distinct from \(seen.operatorID) and \(condition)
        """
    }

    /// The events of everything but the move.
    var events: [Events.New] {
        var events: [Events.New] = []
        if let priority {
            events.append(
                Events.New(
                    .priorityChanged, contactID: id, by: actor,
                    data: #"{"from": \#(seen.priority), "to": \#(priority)}"#))
        }
        if message != nil { events.append(Events.New(.messageChanged, contactID: id, by: actor)) }
        return events
    }
}
