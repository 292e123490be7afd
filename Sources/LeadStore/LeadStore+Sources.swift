public import Leads
import Postgres

/// A weight together with the operator it belongs to.
public struct WeightedOperator: Sendable {
    public let weight: Weight
    public let `operator`: Operator

    public init(weight: Weight, operator: Operator) {
        self.weight = weight
        self.operator = `operator`
    }
}

extension LeadStore {
    /// Adds a source.
    /// - Throws: `StoreError.sourceNameTaken` and others.
    public func createSource(_ new: NewSource) async throws(StoreError) -> Source {
        let made = try await transaction { (transaction) throws(StoreError) in
            try await transaction.finish(with: [
                """
                insert into sources (name, description, strategy, sticky_days)
                values (\(new.name), \(new.description), \(new.strategy.rawValue), \(new.stickyDays)::integer)
                returning \(SourceReading.columns)
                """
            ])
        }
        return try SourceReading.only(made[0])
    }

    /// A source by id, without its weights.
    /// - Throws: `StoreError.sourceNotFound` and others.
    public func source(id: Int) async throws(StoreError) -> Source {
        try SourceReading.only(try await read("select \(SourceReading.columns) from sources where id = \(id)"))
    }

    /// Sources in order of id.
    /// - Throws: `StoreError`.
    public func sources(_ page: Page) async throws(StoreError) -> Listing<Source> {
        let found = try await readPage([
            "select \(SourceReading.columns) from sources \(page.rows(where: "true"))"
        ])[0]
        return try page.listing(found, id: \.id, SourceReading.source)
    }

    /// Changes a source; what is nil in the change stays, an empty description removes it.
    /// - Throws: `StoreError.sourceNotFound`, `.sourceNameTaken` and others.
    public func changeSource(id: Int, _ change: SourceChange) async throws(StoreError) -> Source {
        let changed = try await transaction { (transaction) throws(StoreError) in
            try await transaction.finish(with: [
                // Decisions under way end by the old settings, those to come begin with the new ones.
                Locks.source(id),
                Locks.rows(ofSources: "\(id)"),
                // Another strategy begins without a memory.
                """
                delete from source_turns t
                using sources s
                where t.source_id = \(id) and s.id = t.source_id and s.strategy <> \(change.strategy?.rawValue)
                """,
                """
                update sources
                set name = coalesce(\(change.name), name),
                    description = nullif(coalesce(\(change.description), description), ''),
                    strategy = coalesce(\(change.strategy?.rawValue), strategy),
                    sticky_days = coalesce(\(change.stickyDays)::integer, sticky_days),
                    updated_at = clock_timestamp()
                where id = \(id)
                returning \(SourceReading.columns)
                """,
            ])
        }
        return try SourceReading.only(changed[3])
    }

    /// A source's weights in order of operator.
    /// - Throws: `StoreError.sourceNotFound` and others.
    public func weights(sourceID: Int) async throws(StoreError) -> [WeightedOperator] {
        try Self.weights(try await readReport([Self.weights(ofSource: sourceID)])[0])
    }

    private static func weights(ofSource id: Int) -> Statement {
        """
        select s.id, w.id, w.operator_id, w.weight, w.created_at,
            o.name, l.is_active, l.max_load, l.load, o.created_at, o.updated_at
        from sources s
        left join weights w on w.source_id = s.id
        left join operators o on o.id = w.operator_id
        left join operator_loads l on l.operator_id = w.operator_id
        where s.id = \(id)
        order by w.operator_id
        """
    }

    private static func weights(_ found: QueryResult) throws(StoreError) -> [WeightedOperator] {
        guard !found.isEmpty else { throw .sourceNotFound }
        return try reading { () throws(PostgresError) in
            var weights: [WeightedOperator] = []
            for row in found {
                var column = row.reader
                let sourceID: Int = try column.next()
                guard let id: Int = try column.next(Int?.self) else { continue }
                let operatorID: Int = try column.next()
                weights.append(
                    WeightedOperator(
                        weight: Weight(
                            id: id, sourceID: sourceID, operatorID: operatorID, weight: try column.next(),
                            createdAt: try column.next()),
                        operator: Operator(
                            id: operatorID, name: try column.next(), isActive: try column.next(),
                            maxLoad: try column.next(), currentLoad: try column.next(),
                            createdAt: try column.next(), updatedAt: try column.next())))
            }
            return weights
        }
    }

    /// Sets weights of a source in one transaction and places the contacts that waited for them.
    ///
    /// The source is taken exclusively, so that no registration concludes «no operator» from the old weights meanwhile;
    /// then all old and new operators are locked in order of id.
    /// - Parameter replacing: whether operators that are not named lose their weight.
    /// - Returns: all weights of the source, in order of operator.
    /// - Throws: `StoreError.sourceNotFound`, `.weightedOperatorNotFound`, `.weightOfAnotherSource` and others; nothing
    ///   is changed then.
    @discardableResult
    public func setWeights(
        sourceID: Int, _ new: [NewWeight], replacing: Bool
    ) async throws(StoreError) -> [WeightedOperator] {
        guard new.allSatisfy({ ($0.sourceID ?? sourceID) == sourceID }) else { throw .weightOfAnotherSource }
        // The same operator twice: the last one wins.
        let weights = Dictionary(new.map { ($0.operatorID, $0.weight) }, uniquingKeysWith: { $1 })
        let operatorIDs = weights.keys.sorted()
        let (stored, mayGoOn) = try await transaction { (transaction) throws(StoreError) in
            let found = try await transaction.run([
                Locks.source(sourceID),
                "select exists (select from sources where id = \(sourceID))",
                """
                with locked as materialized (
                    select l.operator_id
                    from operator_loads l
                    where l.operator_id = any(\(operatorIDs))
                        or l.operator_id in (select w.operator_id from weights w where w.source_id = \(sourceID))
                    order by l.operator_id
                    for update
                )
                select count(*) from locked
                """,
                // Read once they are locked: one may have been archived while we waited.
                "select id from operators where id = any(\(operatorIDs)) and archived_at is null",
                "select operator_id, weight from weights where source_id = \(sourceID)",
            ])
            let (isKnown, known, old) = try reading { () throws(PostgresError) in
                var known: Set<Int> = []
                for row in found[3] { known.insert(try row.decode(Int.self)) }
                var old: [Int: Int] = [:]
                for row in found[4] {
                    let (operatorID, weight) = try row.decode(Int.self, Int.self)
                    old[operatorID] = weight
                }
                return (try found[1][0].decode(Bool.self), known, old)
            }
            guard isKnown else { throw .sourceNotFound }
            if let missing = new.first(where: { !known.contains($0.operatorID) }) {
                throw .weightedOperatorNotFound(id: missing.operatorID)
            }
            var statements: [Statement] = []
            if replacing {
                statements.append(
                    "delete from weights where source_id = \(sourceID) and not operator_id = any(\(operatorIDs))")
            }
            statements.append(
                """
                insert into weights (source_id, operator_id, weight)
                select \(sourceID), w.operator_id, w.weight
                from unnest(\(operatorIDs), \(operatorIDs.map { Int32(weights[$0] ?? 1) })) as w (operator_id, weight)
                on conflict on constraint weights_source_operator_unique do update set weight = excluded.weight
                """)
            if old != (replacing ? weights : old.merging(weights) { $1 }) {
                statements += [
                    Self.carryTurns(ofSource: sourceID, oldTotal: old.values.reduce(0, +)),
                    Events.record([
                        Events.New(
                            .weightsChanged, by: .api,
                            data: """
                                {"source_id": \(sourceID), "operators": \(operatorIDs.count), "replaced": \(replacing)}
                                """)
                    ]),
                ]
            }
            let changed = try await transaction.run(statements + Self.lookUpQueue(ofSource: sourceID))
            let placing = try Self.placeQueue(ofSource: sourceID, changed[statements.count...])
            let stored = try await transaction.finish(
                with: placing.statements + [Self.weights(ofSource: sourceID)])
            return (try Self.weights(stored[stored.count - 1]), placing.mayGoOn)
        }
        if mayGoOn { goOnDraining(sourceID: sourceID) }
        return stored
    }
}

extension LeadStore {
    /// Carries what smooth weighted round robin owes the operators over to new weights: what each is owed, in contacts,
    /// stays; whoever is new begins at the mean of the others.
    private static func carryTurns(ofSource id: Int, oldTotal: Int) -> Statement {
        """
        with present as materialized (
            select operator_id, weight from weights where source_id = \(id)
        ),
        gone as (
            delete from source_turns where source_id = \(id) and operator_id not in (select operator_id from present)
        ),
        kept as (
            update source_turns t
            set credit = greatest(-1e15, least(1e15,
                round(t.credit::numeric * (select sum(weight) from present) / greatest(\(oldTotal), 1))))
            from present p
            where t.source_id = \(id) and t.operator_id = p.operator_id
            returning t.operator_id, t.credit
        )
        insert into source_turns (source_id, operator_id, credit)
        select \(id), operator_id, (select round(avg(credit)) from kept)
        from present
        where operator_id not in (select operator_id from kept) and exists (select from kept)
        """
    }
}

enum SourceReading {
    static let columns: Statement = "id, name, description, strategy, sticky_days, created_at, updated_at"

    static func only(_ result: QueryResult) throws(StoreError) -> Source {
        guard let row = result.first else { throw .sourceNotFound }
        return try reading { () throws(PostgresError) in try source(row) }
    }

    static func source(_ row: Row) throws(PostgresError) -> Source {
        var column = row.reader
        return Source(
            id: try column.next(), name: try column.next(), description: try column.next(),
            strategy: try column.next(), stickyDays: try column.next(), createdAt: try column.next(),
            updatedAt: try column.next())
    }
}
