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
    public func operators(isActive: Bool?, _ page: Page) async throws(StoreError) -> [Operator] {
        let found = try await readAlone(OperatorReading.operators(isActive: isActive, page))
        return try reading { () throws(PostgresError) in
            var operators: [Operator] = []
            for row in found { operators.append(try OperatorReading.operator(row)) }
            return operators
        }
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
                    Self.requeue(contactsOf: id, if: change.requeues),
                ] + Self.lookUpQueue(ofOperator: id))
            guard found[1].affectedRows == 1 else { throw .operatorNotFound }
            let requeuedSources = try reading { () throws(PostgresError) in
                var sources: [Int] = []
                for row in found[2] { sources.append(try row.decode(Int.self)) }
                return sources
            }
            let placing = try Self.placeQueue(ofOperator: id, found[3...])
            let stored = try await transaction.finish(
                with: placing.statements + [OperatorReading.operator(id: id)])
            return (try OperatorReading.only(stored[stored.count - 1]), placing.mayGoOn, requeuedSources)
        }
        if mayGoOn { goOnDraining(operatorID: id) }
        for sourceID in requeuedSources {
            // The first batch at once, so that the answer is worth reading; see `goOnDraining` for errors.
            if (try? await drainOnce(sourceID: sourceID)) != false { goOnDraining(sourceID: sourceID) }
        }
        return changed
    }

    /// Puts an inactive operator's contacts back where they stood in the queue; returns the sources concerned.
    private static func requeue(contactsOf id: Int, if wanted: Bool) -> Statement {
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
            select id, 'released', \(id), 'operator_inactive' from requeued order by id
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
        return """
            \(selection) where o.archived_at is null \(condition)
            order by o.id \(unsafe: page.order.rawValue) offset \(page.skip) limit \(page.limit)
            """
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
