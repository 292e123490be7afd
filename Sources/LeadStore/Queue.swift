import Distribution
public import Leads
public import Postgres

/// The waiting contacts and what it takes to place them.
enum Queue {
    /// A source the transaction shares, with its operators, which the transaction has locked.
    struct LockedSource {
        let strategy: Strategy
        /// Whether a returning lead goes to its last operator.
        var keepsReturningLeads = false
        var candidates: [Candidate] = []
        /// Whether only one of its operators is a candidate, the one whose capacity became free. The contacts were then
        /// chosen so that this one may take them.
        var isPartial = false
        /// The source's `pool_version`, where it was asked for: before the operators were locked.
        var poolVersion: Int?
        /// Where the candidates are only those of a large pool that were drawn from it.
        var drawn: Drawn?
    }

    /// What was drawn from a large pool's `WeightLine`.
    struct Drawn {
        /// All weights on the line together.
        let total: Int
        /// In order of drawing.
        let positions: [Int]
        /// Where the weight of each operator that was drawn begins on the line.
        let starts: [Int: Int]
    }

    /// A contact at the head of a queue. Between being seen and being locked it may have been taken or closed.
    struct Head {
        let contactID: Int
        let sourceID: Int
        let priority: Int
        let arrival: Int
        let releasedBy: [Int]
        let isStillWaiting: Bool

        var queued: Round.Queued {
            Round.Queued(
                contactID: contactID, priority: priority, arrival: arrival, standing: .waiting, releasedBy: releasedBy)
        }
    }

    /// The settings of sources and the memory of those whose strategy has one, once they are shared and their operators
    /// are locked.
    static func settings(ofSources ids: [Int]) -> Statement {
        """
        select s.id, s.strategy, s.sticky_days > 0, t.operator_id, t.credit, t.last_turn
        from sources s
        left join source_turns t on t.source_id = s.id and s.strategy in ('smooth_weighted', 'round_robin')
        where s.id = any(\(ids))
        order by s.id
        """
    }

    /// Reads what `Locks.operators(ofSources:)` and `settings(ofSources:)` returned.
    static func sources(
        settings: QueryResult, operators: QueryResult
    ) throws(PostgresError) -> [Int: LockedSource] {
        var locked: [Int: LockedSource] = [:]
        var turns: [Int: [Int: (credit: Int, lastTurn: Int)]] = [:]
        for row in settings {
            let (id, strategy, keepsReturningLeads, operatorID, credit, lastTurn) = try row.decode(
                Int.self, Strategy.self, Bool.self, Int?.self, Int?.self, Int?.self)
            if locked[id] == nil {
                locked[id] = LockedSource(strategy: strategy, keepsReturningLeads: keepsReturningLeads)
            }
            if let operatorID { turns[id, default: [:]][operatorID] = (credit ?? 0, lastTurn ?? 0) }
        }
        try add(operators, turns, to: &locked)
        return locked
    }

    /// Adds the candidates that `Locks.operators(ofSources:)` returned, with what is remembered of them by source.
    static func add(
        _ operators: QueryResult, _ turns: [Int: [Int: (credit: Int, lastTurn: Int)]],
        to sources: inout [Int: LockedSource]
    ) throws(PostgresError) {
        for row in operators {
            let (sourceID, operatorID, weight, load, maxLoad, isActive, lastAssignment) = try row.decode(
                Int.self, Int.self, Int.self, Int.self, Int.self, Bool.self, Int.self)
            if let drawn = sources[sourceID]?.drawn, drawn.starts[operatorID] == nil { continue }
            let turn = turns[sourceID]?[operatorID]
            sources[sourceID]?.candidates.append(
                Candidate(
                    operatorID: operatorID, weight: weight, load: load, maxLoad: maxLoad, isActive: isActive,
                    credit: turn?.credit ?? 0, lastTurn: turn?.lastTurn ?? 0, lastAssignment: lastAssignment))
        }
    }

    /// Locks the first waiting contacts of each source that somebody could take.
    ///
    /// Sources without capacity give no rows, so that a full house costs a registration nothing. The lateral form
    /// walks `contacts_waiting`; the same as `= any` with an ORDER BY walks the whole primary key. Contacts that only
    /// operators without capacity may take are walked over; those everybody has released are for whoever is free, as
    /// `Exclusion.effective` has it.
    static func head(ofSources ids: [Int], limit: Int) -> Statement {
        lockingHead(
            """
            select h.id, h.source_id, h.priority, h.arrival
            from (
                -- Mostly nobody waits, and then the operators need not be looked at; the offset keeps this first.
                select wanted.id
                from unnest(\(ids)) as wanted (id)
                where exists (select from contacts c where c.source_id = wanted.id and c.status = 'new')
                offset 0
            ) s
            cross join lateral (
                select array_agg(w.operator_id) as all_ids,
                    array_agg(w.operator_id) filter (where l.is_active and l.load < l.max_load) as free_ids
                from weights w
                join operator_loads l on l.operator_id = w.operator_id
                where w.source_id = s.id
            ) o
            cross join lateral (
                select c.id, c.source_id, c.priority, c.arrival
                from contacts c
                where c.source_id = s.id and c.status = 'new' and (
                    c.released_by is null or not o.free_ids <@ c.released_by or o.all_ids <@ c.released_by)
                order by c.priority desc, c.arrival
                limit \(limit)
            ) h
            where o.free_ids is not null
            """)
    }

    /// Locks the first waiting contacts of all sources of an operator that it may take, as many as it can take.
    /// - Parameter sourceID: a source to leave out, because its queue is read as a whole.
    static func head(ofOperator id: Int, limit: Int, without sourceID: Int? = nil) -> Statement {
        lockingHead(
            """
            select h.id, h.source_id, h.priority, h.arrival
            from (select least(max_load - load, \(limit)) as places from operator_loads
                where operator_id = \(id) and is_active and load < max_load) o
            cross join lateral (
                select c.id, c.source_id, c.priority, c.arrival
                from weights w
                cross join lateral (
                    select c.id, c.source_id, c.priority, c.arrival
                    from contacts c
                    where c.source_id = w.source_id and c.status = 'new' and (
                        c.released_by is null or \(id) <> all (c.released_by) or not exists (
                            select from weights other
                            where other.source_id = c.source_id and other.operator_id <> all (c.released_by)))
                    order by c.priority desc, c.arrival
                    limit o.places
                ) c
                where w.operator_id = \(id) and w.source_id is distinct from \(sourceID)
                order by c.priority desc, c.arrival
                limit o.places
            ) h
            """)
    }

    static func lockingHead(skippingHeld skipsHeld: Bool = false, _ head: Statement) -> Statement {
        """
        with head as materialized (
            \(head)
        ),
        locked as materialized (
            select c.id, c.released_by
            from contacts c
            where c.id in (select id from head) and c.status = 'new'
            order by c.id
            for update \(unsafe: skipsHeld ? "skip locked" : "")
        )
        select h.id, h.source_id, h.priority, h.arrival, coalesce(l.released_by, '{}'), l.id is not null
        from head h
        left join locked l on l.id = h.id
        """
    }

    static func heads(_ result: QueryResult) throws(PostgresError) -> [Head] {
        var heads: [Head] = []
        for row in result {
            let (id, sourceID, priority, arrival, releasedBy, isStillWaiting) = try row.decode(
                Int.self, Int.self, Int.self, Int.self, [Int].self, Bool.self)
            heads.append(
                Head(
                    contactID: id, sourceID: sourceID, priority: priority, arrival: arrival, releasedBy: releasedBy,
                    isStillWaiting: isStillWaiting))
        }
        return heads
    }

    /// The operator as a candidate of each of its sources, once its row is locked.
    static func candidates(ofOperator id: Int) -> Statement {
        """
        select w.source_id, s.strategy, w.weight, l.load, l.max_load, l.is_active, l.last_assignment,
            coalesce(t.credit, 0), coalesce(t.last_turn, 0)
        from operator_loads l
        join weights w on w.operator_id = l.operator_id
        join sources s on s.id = w.source_id
        left join source_turns t on t.source_id = w.source_id and t.operator_id = w.operator_id
        where l.operator_id = \(id)
        """
    }

    /// An operator as the candidate of a choice by hand, whether or not it has a weight on the source, once its row is
    /// locked. Archived ones are not found.
    static func candidate(_ id: Int, ofSource sourceID: Int) -> Statement {
        """
        select s.strategy, coalesce(w.weight, 0), l.load, l.max_load, l.is_active
        from operators o
        join operator_loads l on l.operator_id = o.id
        join sources s on s.id = \(sourceID)
        left join weights w on w.source_id = s.id and w.operator_id = o.id
        where o.id = \(id) and o.archived_at is null
        """
    }

    /// - Returns: the source's strategy, the operator, and its weight on the source, 0 for none.
    static func candidate(_ id: Int, _ result: QueryResult) throws(StoreError) -> (Strategy, Candidate, weight: Int)? {
        guard let row = result.first else { return nil }
        return try reading { () throws(PostgresError) in
            let (strategy, weight, load, maxLoad, isActive) = try row.decode(
                Strategy.self, Int.self, Int.self, Int.self, Bool.self)
            return (
                strategy,
                Candidate(operatorID: id, weight: weight, load: load, maxLoad: maxLoad, isActive: isActive), weight
            )
        }
    }

    static func sources(ofOperator id: Int, _ result: QueryResult) throws(PostgresError) -> [Int: LockedSource] {
        var sources: [Int: LockedSource] = [:]
        for row in result {
            var column = row.reader
            let sourceID: Int = try column.next()
            let strategy: Strategy = try column.next()
            let weight: Int = try column.next()
            let load: Int = try column.next()
            let maxLoad: Int = try column.next()
            let isActive: Bool = try column.next()
            let lastAssignment: Int = try column.next()
            sources[sourceID] = LockedSource(
                strategy: strategy,
                candidates: [
                    Candidate(
                        operatorID: id, weight: weight, load: load, maxLoad: maxLoad, isActive: isActive,
                        credit: try column.next(), lastTurn: try column.next(), lastAssignment: lastAssignment)
                ], isPartial: true)
        }
        return sources
    }
}

extension LeadStore {
    /// How many waiting contacts one transaction places; a longer queue is drained in several.
    static let drainBatch = 500

    /// Goes on placing waiting contacts on an operator, in the background.
    func goOnDraining(operatorID: Int) {
        drains.begin(.operator(operatorID)) { () throws(StoreError) in try await drain(operatorID: operatorID) }
    }

    /// Goes on placing a source's waiting contacts, in the background.
    func goOnDraining(sourceID: Int) {
        drains.begin(.source(sourceID)) { () throws(StoreError) in try await drain(sourceID: sourceID) }
    }

    /// Places waiting contacts on an operator that has capacity, until one of the two runs out.
    /// - Throws: `StoreError`.
    func drain(operatorID: Int) async throws(StoreError) {
        while try await drainOnce(operatorID: operatorID) {}
    }

    private func drainOnce(operatorID: Int) async throws(StoreError) -> Bool {
        try await transaction { (transaction) throws(StoreError) in
            let found = try await transaction.run(
                [Locks.operators([operatorID])] + Self.lookUpQueue(ofOperator: operatorID))
            let placing = try Self.placeQueue(ofOperator: operatorID, found.dropFirst())
            _ = try await transaction.finish(with: placing.statements)
            return placing.mayGoOn
        }
    }

    /// Places the waiting contacts of a source on whoever is eligible, until none waits or nobody is left.
    /// - Throws: `StoreError`.
    func drain(sourceID: Int) async throws(StoreError) {
        while try await drainOnce(sourceID: sourceID) {}
    }

    func drainOnce(sourceID: Int) async throws(StoreError) -> Bool {
        try await transaction { (transaction) throws(StoreError) in
            let found = try await transaction.run(
                [Locks.shareSources([sourceID])] + Self.lookUpQueue(ofSource: sourceID))
            let placing = try Self.placeQueue(ofSource: sourceID, found.dropFirst())
            _ = try await transaction.finish(with: placing.statements)
            return placing.mayGoOn
        }
    }

    /// What a pass over a queue writes, and whether another pass may find more.
    struct Placing {
        var statements: [Statement] = []
        var mayGoOn = false
    }

    /// The statements to run right after releasing capacity of an operator whose row is locked.
    static func lookUpQueue(ofOperator id: Int, without sourceID: Int? = nil) -> [Statement] {
        [Queue.head(ofOperator: id, limit: drainBatch, without: sourceID), Queue.candidates(ofOperator: id)]
    }

    static func placeQueue(
        ofOperator id: Int, _ found: ArraySlice<QueryResult>
    ) throws(StoreError) -> Placing {
        let results = Array(found)
        return try reading { () throws(PostgresError) in
            place(try Queue.heads(results[0]), try Queue.sources(ofOperator: id, results[1]))
        }
    }

    /// The statements to run right after changing a source that is taken or shared.
    static func lookUpQueue(ofSource id: Int) -> [Statement] {
        [
            Locks.operators(ofSources: [id]), Queue.settings(ofSources: [id]),
            Queue.head(ofSources: [id], limit: drainBatch),
        ]
    }

    static func placeQueue(ofSource id: Int, _ found: ArraySlice<QueryResult>) throws(StoreError) -> Placing {
        let results = Array(found)
        return try reading { () throws(PostgresError) in
            place(try Queue.heads(results[2]), try Queue.sources(settings: results[1], operators: results[0]))
        }
    }

    private static func place(_ heads: [Queue.Head], _ sources: [Int: Queue.LockedSource]) -> Placing {
        guard !heads.isEmpty else { return Placing() }
        let (round, capacityLeft) = decide(heads.filter(\.isStillWaiting).map { ($0.sourceID, $0.queued) }, sources)
        // Heads that vanished under us leave capacity for those behind them, as does a full batch.
        let vanished = heads.contains { !$0.isStillWaiting }
        return Placing(statements: round.statements, mayGoOn: vanished || capacityLeft > 0)
    }

    /// Decides contacts of several sources that compete for the same operators: whoever has waited longest at the highest
    /// priority comes first.
    /// - Returns: what was decided, and the capacity left to the source decided last.
    static func decide(
        _ queue: [(sourceID: Int, contact: Round.Queued)], _ sources: [Int: Queue.LockedSource],
        lastHeads: [Int: Round.LastHead] = [:]
    ) -> (Round, capacityLeft: Int) {
        var generator = SystemRandomNumberGenerator()
        var round = Round()
        var capacityLeft = 0
        var ordered = queue.sorted {
            ($1.contact.priority, $0.contact.arrival) < ($0.contact.priority, $1.contact.arrival)
        }[...]
        while let sourceID = ordered.first?.sourceID {
            let run = ordered.prefix { $0.sourceID == sourceID }
            ordered = ordered.dropFirst(run.count)
            guard let source = sources[sourceID] else { continue }
            capacityLeft = round.decide(
                sourceID: sourceID, source, queue: run.map(\.contact), lastHead: lastHeads[sourceID], using: &generator)
        }
        return (round, capacityLeft)
    }
}

extension Strategy: ColumnDecodable {
    public init?(_ field: UnsafeRawBufferPointer?, of dataType: DataType) {
        guard let text = String(field, of: dataType) else { return nil }
        self.init(rawValue: text)
    }
}

extension LeadStore {
    /// Serves every source in which contacts wait although an operator could take them.
    /// - Returns: how many such sources there were; 0 is expected.
    /// - Throws: `StoreError`; the last source's that failed, after all were tried.
    public func sweep() async throws(StoreError) -> Int {
        let found = try await readReport([
            """
            select distinct source_id from report.stranded order by source_id
            """
        ])[0]
        var failure: StoreError?
        for row in found {
            let sourceID = try reading { () throws(PostgresError) in try row.decode(Int.self) }
            do throws(StoreError) { try await drain(sourceID: sourceID) } catch { failure = error }
        }
        if let failure { throw failure }
        return found.count
    }
}
