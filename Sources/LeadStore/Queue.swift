import Distribution
public import Leads
public import Postgres

/// The waiting contacts and what it takes to place them.
enum Queue {
    /// A source the transaction shares, with its operators, which the transaction has locked.
    struct LockedSource {
        let strategy: Strategy
        var candidates: [Candidate] = []
    }

    /// A contact at the head of a queue. Between being seen and being locked it may have been taken or closed.
    struct Head {
        let contactID: Int
        let sourceID: Int
        let priority: Int
        let arrival: Int
        let isStillWaiting: Bool

        var queued: Round.Queued {
            Round.Queued(contactID: contactID, priority: priority, arrival: arrival, isNewcomer: false)
        }
    }

    /// Reads what `Locks.shareSources` and `Locks.operators(ofSources:)` returned.
    static func sources(_ sources: QueryResult, operators: QueryResult) throws(PostgresError) -> [Int: LockedSource] {
        var locked: [Int: LockedSource] = [:]
        for row in sources {
            let (id, strategy) = try row.decode(Int.self, Strategy.self)
            locked[id] = LockedSource(strategy: strategy)
        }
        for row in operators {
            let (sourceID, operatorID, weight, load, maxLoad, isActive) = try row.decode(
                Int.self, Int.self, Int.self, Int.self, Int.self, Bool.self)
            locked[sourceID]?.candidates.append(
                Candidate(
                    operatorID: operatorID, weight: weight, load: load, maxLoad: maxLoad, isActive: isActive))
        }
        return locked
    }

    /// Locks the first waiting contacts of each source that has an operator with capacity.
    ///
    /// Sources without capacity give no rows, so that a full house costs a registration nothing. The lateral form
    /// walks `contacts_waiting`; the same as `= any` with an ORDER BY walks the whole primary key.
    static func head(ofSources ids: [Int], limit: Int) -> Statement {
        lockingHead(
            """
            select h.id, h.source_id, h.priority, h.arrival
            from unnest(\(ids)) as s (id)
            cross join lateral (
                select c.id, c.source_id, c.priority, c.arrival
                from contacts c
                where c.source_id = s.id and c.status = 'new'
                order by c.priority desc, c.arrival
                limit \(limit)
            ) h
            where exists (
                select
                from weights w
                join operator_loads l on l.operator_id = w.operator_id
                where w.source_id = s.id and l.is_active and l.load < l.max_load)
            """)
    }

    /// Locks the first waiting contacts of all sources of an operator, as many as the operator can take.
    static func head(ofOperator id: Int, limit: Int) -> Statement {
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
                    where c.source_id = w.source_id and c.status = 'new'
                    order by c.priority desc, c.arrival
                    limit o.places
                ) c
                where w.operator_id = \(id)
                order by c.priority desc, c.arrival
                limit o.places
            ) h
            """)
    }

    private static func lockingHead(_ head: Statement) -> Statement {
        """
        with head as materialized (
            \(head)
        ),
        locked as materialized (
            select c.id from contacts c where c.id in (select id from head) and c.status = 'new' order by c.id for update
        )
        select id, source_id, priority, arrival, id in (select id from locked)
        from head
        """
    }

    static func heads(_ result: QueryResult) throws(PostgresError) -> [Head] {
        var heads: [Head] = []
        for row in result {
            let (id, sourceID, priority, arrival, isStillWaiting) = try row.decode(
                Int.self, Int.self, Int.self, Int.self, Bool.self)
            heads.append(
                Head(
                    contactID: id, sourceID: sourceID, priority: priority, arrival: arrival,
                    isStillWaiting: isStillWaiting))
        }
        return heads
    }

    /// The operator as a candidate of each of its sources, once its row is locked.
    static func candidates(ofOperator id: Int) -> Statement {
        """
        select w.source_id, s.strategy, w.weight, l.load, l.max_load, l.is_active
        from operator_loads l
        join weights w on w.operator_id = l.operator_id
        join sources s on s.id = w.source_id
        where l.operator_id = \(id)
        """
    }

    static func sources(ofOperator id: Int, _ result: QueryResult) throws(PostgresError) -> [Int: LockedSource] {
        var sources: [Int: LockedSource] = [:]
        for row in result {
            let (sourceID, strategy, weight, load, maxLoad, isActive) = try row.decode(
                Int.self, Strategy.self, Int.self, Int.self, Int.self, Bool.self)
            sources[sourceID] = LockedSource(
                strategy: strategy,
                candidates: [
                    Candidate(operatorID: id, weight: weight, load: load, maxLoad: maxLoad, isActive: isActive)
                ])
        }
        return sources
    }
}

extension LeadStore {
    /// How many waiting contacts one transaction places; a longer queue is drained in several.
    static let drainBatch = 500

    /// Goes on placing waiting contacts on an operator, in the background.
    ///
    /// What released the capacity is committed and answered for: neither may the request fail by this, nor wait for a
    /// queue of any length. What an error leaves behind, the sweep finds.
    func goOnDraining(operatorID: Int) {
        Task { try? await drain(operatorID: operatorID) }
    }

    /// Goes on placing a source's waiting contacts, in the background, as above.
    func goOnDraining(sourceID: Int) {
        Task { try? await drain(sourceID: sourceID) }
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
            let placing = try Self.placeQueue(ofSource: sourceID, found[0], found[1], found[2])
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
    static func lookUpQueue(ofOperator id: Int) -> [Statement] {
        [Queue.head(ofOperator: id, limit: drainBatch), Queue.candidates(ofOperator: id)]
    }

    static func placeQueue(
        ofOperator id: Int, _ found: ArraySlice<QueryResult>
    ) throws(StoreError) -> Placing {
        try reading { () throws(PostgresError) in
            let results = Array(found)
            let heads = try Queue.heads(results[0])
            let sources = try Queue.sources(ofOperator: id, results[1])
            return place(heads, sources)
        }
    }

    /// The statements to run right after changing a source that is locked or shared.
    static func lookUpQueue(ofSource id: Int) -> [Statement] {
        [Locks.operators(ofSources: [id]), Queue.head(ofSources: [id], limit: drainBatch)]
    }

    static func placeQueue(
        ofSource id: Int, _ shared: QueryResult, _ operators: QueryResult, _ heads: QueryResult
    ) throws(StoreError) -> Placing {
        try reading { () throws(PostgresError) in
            place(try Queue.heads(heads), try Queue.sources(shared, operators: operators))
        }
    }

    private static func place(_ heads: [Queue.Head], _ sources: [Int: Queue.LockedSource]) -> Placing {
        guard !heads.isEmpty else { return Placing() }
        var generator = SystemRandomNumberGenerator()
        var round = Round()
        var capacityLeft = 0
        // One operator's sources compete for it: whoever has waited longest at the highest priority comes first.
        let ordered = heads.filter(\.isStillWaiting).sorted { ($1.priority, $0.arrival) < ($0.priority, $1.arrival) }
        var index = 0
        while index < ordered.count {
            let sourceID = ordered[index].sourceID
            let run = ordered[index...].prefix { $0.sourceID == sourceID }
            index += run.count
            guard let source = sources[sourceID] else { continue }
            capacityLeft = round.decide(
                sourceID: sourceID, strategy: source.strategy, candidates: source.candidates, queue: run.map(\.queued),
                lastHeadPriority: nil, using: &generator)
        }
        // Heads that vanished under us leave capacity for those behind them, as does a full batch.
        let vanished = heads.contains { !$0.isStillWaiting }
        return Placing(statements: round.statements, mayGoOn: vanished || capacityLeft > 0)
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
            select s.id
            from sources s
            where exists (select from contacts c where c.source_id = s.id and c.status = 'new')
                and exists (
                    select
                    from weights w
                    join operator_loads l on l.operator_id = w.operator_id
                    where w.source_id = s.id and l.is_active and l.load < l.max_load)
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
