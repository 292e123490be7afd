public import Leads
import Postgres

extension LeadStore {
    /// Adds an operator.
    /// - Throws: `StoreError.notAllowed` for whoever does not see all contacts, which are all operators', and others.
    public func createOperator(
        _ new: NewOperator, for viewer: Viewer, by actor: Actor
    ) async throws(StoreError) -> Operator {
        try viewer.requireAllContacts()
        return try await transaction { (transaction) throws(StoreError) in
            let made = try await transaction.run([
                """
                with o as (
                    insert into operators (name) values (\(new.name)) returning id, name, created_at, updated_at
                ),
                l as (
                    insert into operator_loads (operator_id, is_active, max_load)
                    select id, \(new.isActive), \(new.maxLoad)::integer from o
                    returning is_active, max_load, load
                )
                select \(OperatorReading.columns) from o, l
                """
            ])
            let created = try OperatorReading.only(made[0])
            _ = try await transaction.finish(with: [
                Events.record([
                    Events.New(
                        .operatorCreated, toOperatorID: created.id, by: actor,
                        data: #"{"is_active": \#(created.isActive), "max_load": \#(created.maxLoad)}"#)
                ])
            ])
            return created
        }
    }

    /// An operator by id, archived ones excepted. An operator sees itself alone.
    /// - Throws: `StoreError.operatorNotFound` and others.
    public func `operator`(id: Int, for viewer: Viewer) async throws(StoreError) -> Operator {
        let found = try await read(OperatorReading.operator(id: try viewer.known(operatorID: id)))
        return try OperatorReading.only(found)
    }

    /// Operators in order of id, archived ones excepted.
    /// - Throws: `StoreError.notAllowed` for an operator, who sees ``colleagues(ofOperator:_:)``, and others.
    public func operators(
        isActive: Bool?, _ page: Page, for viewer: Viewer
    ) async throws(StoreError) -> Listing<Operator> {
        try viewer.requireMoreThanOwn()
        let found = try await readPage([OperatorReading.operators(isActive: isActive, page)])[0]
        return try page.listing(found, id: \.id, OperatorReading.operator)
    }

    /// Operators in order of id as one of them sees them: by name, and itself as it is. Archived ones excepted.
    /// - Throws: `StoreError`.
    public func colleagues(ofOperator id: Int, _ page: Page) async throws(StoreError) -> Listing<Colleague> {
        let found = try await readPage([OperatorReading.colleagues(ofOperator: id, page)])[0]
        return try page.listing(found, id: \.id, OperatorReading.colleague)
    }

    /// Changes an operator; capacity that appears is used at once by the contacts that wait for it, and contacts that
    /// are put back in the queue are placed at once where somebody else can take them. An operator changes nothing but
    /// whether it is active itself.
    /// - Throws: `StoreError.operatorNotFound`, `.notAllowed` and others.
    public func changeOperator(
        id: Int, _ change: OperatorChange, for viewer: Viewer, by actor: Actor
    ) async throws(StoreError) -> Operator {
        guard viewer.mayMake(change) else { throw .notAllowed }
        let id = try viewer.known(operatorID: id)
        while true {
            let sourceIDs = change.requeues ? try await sources(withContactsOf: id) : []
            let changed = try await transaction { (transaction) throws(StoreError) -> (Operator, Bool)? in
                let found = try await transaction.run(
                    Self.locks(of: id, requeueingIn: sourceIDs) + [OperatorReading.operator(id: id)])
                guard try Self.covers(sourceIDs, found[2], ofInterest: change.requeues) else { return nil }
                let before = try OperatorReading.only(found[3])
                // The load row before the operator's: it is the lock that everybody who assigns or releases takes.
                let written = try await transaction.run(
                    [
                        """
                        update operator_loads
                        set is_active = coalesce(\(change.isActive), is_active),
                            max_load = coalesce(\(change.maxLoad)::integer, max_load)
                        where operator_id = \(id)
                        """,
                        """
                        update operators
                        set name = coalesce(\(change.name), name), updated_at = clock_timestamp()
                        where id = \(id)
                        """,
                        Self.requeue(contactsOf: id, because: .inactive, if: change.requeues, by: actor),
                    ] + Self.lookUpQueue(ofOperator: id))
                let placing = try Self.placeQueue(ofOperator: id, written[3...])
                let event = Self.event(of: change, before, by: actor)
                let stored = try await transaction.finish(
                    with: event + placing.statements + [OperatorReading.operator(id: id)])
                return (try OperatorReading.only(stored[stored.count - 1]), placing.mayGoOn)
            }
            guard let (changed, mayGoOn) = changed else { continue }
            if mayGoOn { goOnDraining(operatorID: id) }
            await serve(sourceIDs)
            return changed
        }
    }

    /// Removes an operator from everything but history: the weights go, the contacts go back where they stood in the
    /// queue and are placed at once where somebody else can take them, the row stays for old contacts and reports.
    /// - Throws: `StoreError.operatorNotFound`, also for one archived before, `.notAllowed` for whoever does not see all
    ///   contacts, and others.
    public func archiveOperator(id: Int, for viewer: Viewer, by actor: Actor) async throws(StoreError) {
        try viewer.requireAllContacts()
        while true {
            let sourceIDs = try await sources(withContactsOf: id)
            let isDone = try await transaction { (transaction) throws(StoreError) in
                let found = try await transaction.run(Self.locks(of: id, requeueingIn: sourceIDs))
                guard try Self.covers(sourceIDs, found[2], ofInterest: true) else { return false }
                _ = try await transaction.run([
                    Locks.rows(ofSources: "select source_id from weights where operator_id = \(id)")
                ])
                let written = try await transaction.run([
                    """
                    update operators set archived_at = clock_timestamp(), updated_at = clock_timestamp()
                    where id = \(id) and archived_at is null
                    """,
                    "update operator_loads set is_active = false where operator_id = \(id)",
                    // What the others of its sources are owed, in contacts, stays: see `carryTurns`.
                    """
                    update source_turns t
                    set credit = round(t.credit::numeric * coalesce(w.kept, 0) / w.total)
                    from (
                        select source_id, sum(weight) as total, sum(weight) filter (where operator_id <> \(id)) as kept
                        from weights
                        where source_id in (select source_id from weights where operator_id = \(id))
                        group by source_id
                    ) w
                    where t.source_id = w.source_id and t.operator_id <> \(id)
                    """,
                    "delete from weights where operator_id = \(id)",
                    "delete from source_turns where operator_id = \(id)",
                    Self.requeue(contactsOf: id, because: .archived, if: true, by: actor),
                ])
                guard written[0].affectedRows == 1 else { throw .operatorNotFound }
                _ = try await transaction.finish(with: [
                    Events.record([Events.New(.operatorArchived, fromOperatorID: id, by: actor)])
                ])
                return true
            }
            guard isDone else { continue }
            await serve(sourceIDs)
            return
        }
    }

    /// Takes the sources in whose queues the operator's contacts may go back, then all who could serve those, in order of
    /// id: a contact with an early place must not appear in a queue that somebody is just serving. The last statement
    /// tells in which sources there are contacts, once the operator's row is locked.
    private static func locks(of id: Int, requeueingIn sourceIDs: [Int]) -> [Statement] {
        [
            Locks.sources(sourceIDs), Locks.operators(ofSources: sourceIDs, and: [id]),
            sourcesConcerned(byOperator: id),
        ]
    }

    /// The sources an operator has contacts from or a weight on: when it goes, waiting contacts of the latter may be for
    /// others to take.
    private static func sourcesConcerned(byOperator id: Int) -> Statement {
        """
        select source_id from contacts where operator_id = \(id) and status = 'active'
        union
        select source_id from weights where operator_id = \(id)
        order by source_id
        """
    }

    private func sources(withContactsOf id: Int) async throws(StoreError) -> [Int] {
        try Self.sources(try await read(Self.sourcesConcerned(byOperator: id)))
    }

    /// Whether the sources taken are still all that are concerned; they were read before the locks.
    private static func covers(
        _ sourceIDs: [Int], _ concerned: QueryResult, ofInterest: Bool
    ) throws(StoreError) -> Bool {
        guard ofInterest else { return true }
        return Set(try sources(concerned)).isSubset(of: sourceIDs)
    }

    /// What the change makes different, as an event; none when it makes nothing different.
    private static func event(of change: OperatorChange, _ before: Operator, by actor: Actor) -> [Statement] {
        var differences: [String] = []
        if let isActive = change.isActive, isActive != before.isActive {
            differences.append(#""is_active": {"from": \#(before.isActive), "to": \#(isActive)}"#)
        }
        if let maxLoad = change.maxLoad, maxLoad != before.maxLoad {
            differences.append(#""max_load": {"from": \#(before.maxLoad), "to": \#(maxLoad)}"#)
        }
        if let name = change.name, !name.utf8.elementsEqual(before.name.utf8) {
            differences.append(#""name": {}"#)
        }
        guard !differences.isEmpty else { return [] }
        return [
            Events.record([
                Events.New(
                    .operatorChanged, toOperatorID: before.id, by: actor,
                    data: "{\(differences.joined(separator: ", "))}")
            ])
        ]
    }

    /// Places contacts that went back to their sources' queues: the first of each at once, so that the answer is worth
    /// reading; see `goOnDraining` for the others and for errors.
    private func serve(_ sourceIDs: [Int]) async {
        for sourceID in sourceIDs where (try? await drainOnce(sourceID: sourceID)) != false {
            goOnDraining(sourceID: sourceID)
        }
    }

    private static func sources(_ found: QueryResult) throws(StoreError) -> [Int] {
        try reading { () throws(PostgresError) in
            var sources: [Int] = []
            for row in found { sources.append(try row.decode(Int.self)) }
            return sources
        }
    }

    /// Puts an inactive operator's contacts back where they stood in the queue. It excludes nobody: the operator did not
    /// release them.
    private static func requeue(
        contactsOf id: Int, because reason: Event.Requeueing, if wanted: Bool, by actor: Actor
    ) -> Statement {
        """
        with requeued as (
            update contacts
            set status = 'new', operator_id = null, assigned_at = null, waiting_reason = 'behind_queue',
                waiting_since = clock_timestamp(), is_forced = false, updated_at = clock_timestamp(),
                version = version + 1
            where operator_id = \(id) and status = 'active' and \(wanted)
                and exists (select from operator_loads where operator_id = \(id) and not is_active)
            returning id, source_id
        ),
        recorded as (
            insert into events (contact_id, kind, from_operator_id, reason, actor_kind, actor_id, actor_name)
            select id, 'released', \(id), \(reason.rawValue), \(actor.kind.rawValue), \(actor.id), \(actor.name)
            from requeued
            order by id
        )
        select distinct source_id from requeued order by source_id
        """
    }
}

extension Viewer {
    /// What to ask for instead of an operator: itself, or one that there never is where an operator asks for a colleague.
    func known(operatorID: Int) throws(StoreError) -> Int {
        switch reach {
        case .everything: operatorID
        case .ownContacts(let own): own == operatorID ? operatorID : 0
        case .registered: throw .notAllowed
        }
    }

    /// Whether it may make such changes to operators that it sees.
    fileprivate func mayMake(_ change: OperatorChange) -> Bool {
        if case .ownContacts = reach { change.name == nil && change.maxLoad == nil } else { seesAllContacts }
    }
}

enum OperatorReading {
    static let columns: Statement = "o.id, o.name, l.is_active, l.max_load, l.load, o.created_at, o.updated_at"

    private static let selection: Statement = """
        select \(columns)
        from operators o
        join operator_loads l on l.operator_id = o.id
        """

    static func `operator`(id: Int) -> Statement {
        "\(selection) where o.id = \(id) and o.archived_at is null"
    }

    static func operators(isActive: Bool?, _ page: Page) -> Statement {
        let condition: Statement = isActive.map { "and l.is_active = \($0)" } ?? ""
        return "\(selection) \(page.rows(where: "o.archived_at is null \(condition)", by: "o.id"))"
    }

    /// Of all but one, the columns that are nobody's business are null.
    static func colleagues(ofOperator id: Int, _ page: Page) -> Statement {
        """
        select o.id, o.name, l.is_active, l.max_load, l.load, own.created_at, own.updated_at
        from operators o
        left join operators own on own.id = o.id and o.id = \(id)
        left join operator_loads l on l.operator_id = own.id
        \(page.rows(where: "o.archived_at is null", by: "o.id"))
        """
    }

    static func colleague(_ row: Row) throws(PostgresError) -> Colleague {
        let (id, name, isActive) = try row.decode(Int.self, String.self, Bool?.self)
        return Colleague(id: id, name: name, itself: isActive == nil ? nil : try `operator`(row))
    }

    static func only(_ result: QueryResult) throws(StoreError) -> Operator {
        guard let row = result.first else { throw .operatorNotFound }
        return try reading { () throws(PostgresError) in try `operator`(row) }
    }

    static func `operator`(_ row: Row) throws(PostgresError) -> Operator {
        var column = row.reader
        return Operator(
            id: try column.next(), name: try column.next(), isActive: try column.next(), maxLoad: try column.next(),
            currentLoad: try column.next(), createdAt: try column.next(), updatedAt: try column.next())
    }
}
