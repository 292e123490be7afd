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
    /// - Throws: `StoreError.sourceNameTaken`, `.notAllowed` for whoever is limited to others, and others.
    public func createSource(_ new: NewSource, for viewer: Viewer, by actor: Actor) async throws(StoreError) -> Source {
        try viewer.requireAllContacts()
        return try await transaction { (transaction) throws(StoreError) in
            let made = try await transaction.run([
                """
                insert into sources (name, description, strategy, sticky_days)
                values (\(new.name), \(new.description), \(new.strategy.rawValue), \(new.stickyDays)::integer)
                returning \(SourceReading.columns)
                """
            ])
            let created = try SourceReading.only(made[0])
            _ = try await transaction.finish(with: [
                Events.record([
                    Events.New(
                        .sourceCreated, by: actor,
                        data: """
                            {"source_id": \(created.id), "strategy": "\(created.strategy.rawValue)", \
                            "sticky_days": \(created.stickyDays)}
                            """)
                ])
            ])
            return created
        }
    }

    /// A source by id, without its weights.
    /// - Throws: `StoreError.sourceNotFound`, `.notAllowed` and others.
    public func source(id: Int, for viewer: Viewer) async throws(StoreError) -> Source {
        try viewer.requireMoreThanOwn()
        let id = viewer.known(sourceID: id)
        return try SourceReading.only(try await read("select \(SourceReading.columns) from sources where id = \(id)"))
    }

    /// Sources in order of id.
    /// - Throws: `StoreError.notAllowed` and others.
    public func sources(_ page: Page, for viewer: Viewer) async throws(StoreError) -> Listing<Source> {
        try viewer.requireMoreThanOwn()
        let found = try await readPage([
            "select \(SourceReading.columns) from sources \(page.rows(where: viewer.sources(withID: "id") ?? "true"))"
        ])[0]
        return try page.listing(found, id: \.id, SourceReading.source)
    }

    /// Changes a source; what is nil in the change stays, an empty description removes it.
    /// - Throws: `StoreError.sourceNotFound`, `.sourceNameTaken`, `.notAllowed` and others.
    public func changeSource(
        id: Int, _ change: SourceChange, for viewer: Viewer, by actor: Actor
    ) async throws(StoreError) -> Source {
        try viewer.requireMoreThanOwn()
        let id = viewer.known(sourceID: id)
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
                Self.update(source: id, change, by: actor),
            ])
        }
        return try SourceReading.only(changed[3])
    }

    /// Writes what the change says, and an event of what it makes different: none when it makes nothing different.
    private static func update(source id: Int, _ change: SourceChange, by actor: Actor) -> Statement {
        """
        with before as materialized (
            select name, description, strategy, sticky_days from sources where id = \(id)
        ),
        changed as (
            update sources
            set name = coalesce(\(change.name), name),
                description = nullif(coalesce(\(change.description), description), ''),
                strategy = coalesce(\(change.strategy?.rawValue), strategy),
                sticky_days = coalesce(\(change.stickyDays)::integer, sticky_days),
                updated_at = clock_timestamp()
            where id = \(id)
            returning \(SourceReading.columns)
        ),
        differences as (
            select jsonb_object_agg(d.field, d.difference) as fields
            from before b, changed c, lateral (values
                ('name', case when c.name <> b.name then jsonb_build_object() end),
                ('description', case when c.description is distinct from b.description
                    then jsonb_build_object('from', b.description, 'to', c.description) end),
                ('strategy', case when c.strategy <> b.strategy
                    then jsonb_build_object('from', b.strategy, 'to', c.strategy) end),
                ('sticky_days', case when c.sticky_days <> b.sticky_days
                    then jsonb_build_object('from', b.sticky_days, 'to', c.sticky_days) end)
                ) as d (field, difference)
            where d.difference is not null
        ),
        recorded as (
            insert into events (kind, actor_kind, actor_id, actor_name, data)
            select \(Event.Kind.sourceChanged.rawValue), \(actor.kind.rawValue), \(actor.id), \(actor.name),
                jsonb_build_object('source_id', \(id)) || fields
            from differences
            where fields is not null
        )
        select \(SourceReading.columns) from changed
        """
    }

    /// A source's weights in order of operator.
    /// - Throws: `StoreError.sourceNotFound`, `.notAllowed` and others.
    public func weights(sourceID: Int, for viewer: Viewer) async throws(StoreError) -> [WeightedOperator] {
        try viewer.requireMoreThanOwn()
        return try Self.weights(try await readReport([Self.weights(ofSource: viewer.known(sourceID: sourceID))])[0])
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
    /// - Throws: `StoreError.sourceNotFound`, `.weightedOperatorNotFound`, `.weightOfAnotherSource`, `.notAllowed` and
    ///   others; nothing is changed then.
    @discardableResult
    public func setWeights(
        sourceID: Int, _ new: [NewWeight], replacing: Bool, for viewer: Viewer, by actor: Actor
    ) async throws(StoreError) -> [WeightedOperator] {
        try viewer.requireMoreThanOwn()
        guard new.allSatisfy({ ($0.sourceID ?? sourceID) == sourceID }) else { throw .weightOfAnotherSource }
        let sourceID = viewer.known(sourceID: sourceID)
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
            let differences = WeightDifferences(from: old, to: replacing ? weights : old.merging(weights) { $1 })
            if !differences.isEmpty {
                statements += [
                    Self.carryTurns(ofSource: sourceID, oldTotal: old.values.reduce(0, +)),
                    Events.record([
                        Events.New(
                            .weightsChanged, by: actor,
                            data: """
                                {"source_id": \(sourceID), "operators": \(operatorIDs.count), "replaced": \(replacing), \
                                \(differences.fields)}
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

/// What a set of weights makes different, as a part of an event's JSON.
struct WeightDifferences {
    private struct Difference {
        let operatorID: Int
        let from: Int?
        let to: Int?
    }

    private let differences: [Difference]

    /// How many of them an event names.
    static let longestList = 1000

    init(from old: [Int: Int], to new: [Int: Int]) {
        differences = Set(old.keys).union(new.keys).sorted().compactMap { id in
            old[id] == new[id] ? nil : Difference(operatorID: id, from: old[id], to: new[id])
        }
    }

    var isEmpty: Bool { differences.isEmpty }

    /// `weights`, the first of those that differ in order of operator, with null for having none; and how many more there
    /// are as `more_weights`, where there are.
    var fields: String {
        let named = differences.prefix(Self.longestList).map { difference in
            func text(_ weight: Int?) -> String { weight.map(String.init) ?? "null" }
            return #"{"operator_id": \#(difference.operatorID), "from": \#(text(difference.from)), "#
                + #""to": \#(text(difference.to))}"#
        }
        let more = differences.count - named.count
        return #""weights": [\#(named.joined(separator: ", "))]"# + (more > 0 ? #", "more_weights": \#(more)"# : "")
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
