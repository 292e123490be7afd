public import Leads
import Postgres

extension LeadStore {
    /// Adds an operator.
    /// - Throws: `StoreError`.
    public func createOperator(_ new: NewOperator) async throws(StoreError) -> Operator {
        let made = try await transaction { (transaction) throws(StoreError) in
            try await transaction.finish(with: [
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
        }
        return try OperatorReading.only(made[0])
    }

    /// An operator by id, archived ones excepted.
    /// - Throws: `StoreError.operatorNotFound` and others.
    public func `operator`(id: Int) async throws(StoreError) -> Operator {
        let found = try await read(OperatorReading.operator(id: id))
        return try OperatorReading.only(found)
    }

    /// Operators in order of id, archived ones excepted.
    /// - Throws: `StoreError`.
    public func operators(isActive: Bool?, _ page: Page) async throws(StoreError) -> Listing<Operator> {
        let found = try await readPage([OperatorReading.operators(isActive: isActive, page)])[0]
        return try page.listing(found, id: \.id, OperatorReading.operator)
    }

    /// Changes an operator; capacity that appears is used at once by the contacts that wait for it, and contacts that
    /// are put back in the queue are placed at once where somebody else can take them.
    /// - Throws: `StoreError.operatorNotFound` and others.
    public func changeOperator(id: Int, _ change: OperatorChange) async throws(StoreError) -> Operator {
        let (changed, mayGoOn, requeuedSources) = try await transaction { (transaction) throws(StoreError) in
            // Contacts that go back to the queue must not be overtaken by a registration that has read it already.
            if change.requeues { _ = try await transaction.run([Locks.sources(ofOperator: id)]) }
            // The load row before the operator's: it is the lock that everybody who assigns or releases takes.
            let found = try await transaction.run(
                [
                    """
                    update operator_loads
                    set is_active = coalesce(\(change.isActive), is_active),
                        max_load = coalesce(\(change.maxLoad)::integer, max_load)
                    where operator_id = (select id from operators where id = \(id) and archived_at is null)
                    """,
                    """
                    update operators
                    set name = coalesce(\(change.name), name), updated_at = clock_timestamp()
                    where id = \(id) and archived_at is null
                    """,
                    Self.requeue(contactsOf: id, because: "operator_inactive", if: change.requeues),
                ] + Self.lookUpQueue(ofOperator: id))
            guard found[1].affectedRows == 1 else { throw .operatorNotFound }
            let requeuedSources = try Self.sources(found[2])
            let placing = try Self.placeQueue(ofOperator: id, found[3...])
            let stored = try await transaction.finish(
                with: placing.statements + [OperatorReading.operator(id: id)])
            return (try OperatorReading.only(stored[stored.count - 1]), placing.mayGoOn, requeuedSources)
        }
        if mayGoOn { goOnDraining(operatorID: id) }
        await serve(requeuedSources)
        return changed
    }

    /// Removes an operator from everything but history: the weights go, the contacts go back where they stood in the
    /// queue and are placed at once where somebody else can take them, the row stays for old contacts and reports.
    /// - Throws: `StoreError.operatorNotFound`, also for one archived before, and others.
    public func archiveOperator(id: Int) async throws(StoreError) {
        let requeuedSources = try await transaction { (transaction) throws(StoreError) in
            // Contacts that go back to the queue must not be overtaken by a registration that has read it already.
            _ = try await transaction.run([Locks.sources(ofOperator: id)])
            let found = try await transaction.run([
                Locks.operators([id]),
                """
                update operators set archived_at = clock_timestamp(), updated_at = clock_timestamp()
                where id = \(id) and archived_at is null
                """,
                "update operator_loads set is_active = false where operator_id = \(id)",
                "delete from weights where operator_id = \(id)",
                Self.requeue(contactsOf: id, because: "operator_archived", if: true),
                "insert into events (kind, from_operator_id) values ('operator_archived', \(id))",
            ])
            guard found[1].affectedRows == 1 else { throw .operatorNotFound }
            _ = try await transaction.finish(with: [])
            return try Self.sources(found[4])
        }
        await serve(requeuedSources)
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

    /// Puts an inactive operator's contacts back where they stood in the queue; returns the sources concerned.
    private static func requeue(contactsOf id: Int, because reason: String, if wanted: Bool) -> Statement {
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
            insert into events (contact_id, kind, from_operator_id, reason)
            select id, 'released', \(id), \(reason) from requeued order by id
        )
        select distinct source_id from requeued order by source_id
        """
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
