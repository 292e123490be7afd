import Distribution
import Leads
import Postgres

/// What one transaction closes: all of it active, or all of it waiting.
struct ClosingBatch: Sendable {
    /// What it does about what others hold.
    enum Manner {
        /// It waits for everything, for less time than transactions usually do: all who close wait behind it.
        case together
        /// It waits for operators only as long as other batches may have them, and leaves out the contacts to be closed that
        /// somebody holds, as well as those who wait.
        case apart
    }

    /// What has become of it, decided from what was read under the locks.
    struct Plan: Sendable {
        /// As they are afterwards.
        var contacts: [Int: Contact] = [:]
        /// Contacts that were left out because others hold them.
        var heldContactIDs: Set<Int> = []
        /// Operators with places left for whom more may wait.
        var unservedOperatorIDs: [Int] = []
        /// The last round trip.
        var statements: [Statement] = []
    }

    private let edits: [ContactEdit]
    private let operatorIDs: [Int]
    private let manner: Manner

    /// - Parameter edits: of different contacts.
    init(_ edits: [ContactEdit], _ manner: Manner) {
        // Rows are locked in order of id.
        self.edits = edits.sorted { $0.id < $1.id }
        operatorIDs = Set(edits.compactMap(\.seen.operatorID)).sorted()
        self.manner = manner
    }

    /// Locks the operators and those contacts that nobody holds, where that is done before anything else.
    /// - Returns: the contacts that others hold.
    /// - Throws: `StoreError.heldByOthers` when it is an operator.
    func takeHeldOut(_ transaction: Transaction) async throws(StoreError) -> Set<Int> {
        guard manner != .together else { return [] }
        let locked: [QueryResult]
        do throws(StoreError) {
            locked = try await transaction.run([
                Locks.impatience, Locks.operators(operatorIDs),
                "select id from contacts where id = any(\(edits.map(\.id))) order by id for update skip locked",
            ])
        } catch {
            throw error.isTimeout ? .heldByOthers : error
        }
        let free = try reading { () throws(PostgresError) in
            try locked[2].map { (row) throws(PostgresError) in try row.decode(Int.self) }
        }
        return Set(edits.map(\.id)).subtracting(free)
    }

    /// The statements that close the contacts, under the operators' locks, and look up who is to have the places.
    ///
    /// - Parameter held: contacts to be left out.
    func close(without held: Set<Int>) -> [Statement] {
        [
            manner == .together ? Self.patience : Locks.impatience, Locks.operators(operatorIDs),
            closing(edits.filter { !held.contains($0.id) }),
        ]
            + (serves
                ? [
                    Queue.head(ofOperators: operatorIDs, skippingHeld: manner == .apart),
                    Queue.candidates(ofOperators: operatorIDs),
                ] : [])
    }

    /// Long enough for a queue of transactions in front of an operator. With as long a time as others wait, who holds one
    /// operator would hold up the closings of all for twice as long.
    private static let patience: Statement = "select set_config('lock_timeout', '750ms', true)"

    private var serves: Bool { !operatorIDs.isEmpty }

    /// Closes the contacts that are still as they were seen and returns them with the loads their operators had before.
    private func closing(_ edits: [ContactEdit]) -> Statement {
        let viewers = ViewerColumns(edits.map(\.viewer))
        let viewerColumns: Statement = viewers.seeAllContacts ? "" : ", \(viewers.operatorIDs), \(viewers.sourceIDs)"
        let viewerNames: Statement = viewers.seeAllContacts ? "" : ", viewer_operator_id, viewer_source_ids"
        let contactCount: Statement =
            viewers.seeAllContacts
            ? "l.contact_count"
            : """
            (select count(*) from contacts counted
                where counted.lead_id = l.id and \(ViewerColumns.contacts(in: "counted", seenBy: "seen")))
            """
        return """
            update contacts c
            set status = 'closed', closed_at = clock_timestamp(), waiting_reason = null, waiting_since = null,
                priority = coalesce(seen.new_priority::smallint, c.priority),
                message = nullif(coalesce(seen.new_message, c.message), ''), updated_at = clock_timestamp(),
                version = c.version + 1
            from unnest(
                    \(edits.map(\.id)), \(edits.map { Int32($0.seen.version) }), \(edits.map(\.seen.status.rawValue)),
                    \(edits.map(\.seen.operatorID)), \(edits.map(\.priority)), \(edits.map(\.message))\(viewerColumns))
                    as seen (id, version, status, operator_id, new_priority, new_message\(viewerNames))
                left join operators o on o.id = seen.operator_id
                left join operator_loads ol on ol.operator_id = seen.operator_id,
                leads l, sources s
            where c.id = seen.id and c.version = seen.version and c.status = seen.status::contact_status
                and c.operator_id is not distinct from seen.operator_id and l.id = c.lead_id and s.id = c.source_id
            returning \(ContactReading.writtenColumns(contactCount: contactCount))
            """
    }

    /// Reads what `close` returned, places those who wait and tells what is to be written.
    func plan(_ found: [QueryResult], without held: Set<Int>) throws(StoreError) -> Plan {
        let (operators, closed) = try reading { () throws(PostgresError) in
            (
                try found[1].map { (row) throws(PostgresError) in
                    let (id, isActive, maxLoad, load) = try row.decode(Int.self, Bool.self, Int.self, Int.self)
                    return (id: id, isActive: isActive, maxLoad: maxLoad, load: load)
                },
                try found[2].map { (row) throws(PostgresError) in try ContactReading.contact(row) }
            )
        }
        var loads = Dictionary(uniqueKeysWithValues: operators.map { ($0.id, $0.load) })
        for contact in closed {
            if let holder = contact.operator { loads[holder.id, default: 0] -= 1 }
        }
        func places(of id: Int, _ isActive: Bool, _ maxLoad: Int) -> Int {
            isActive ? max(maxLoad - loads[id, default: 0], 0) : 0
        }
        var plan = Plan(heldContactIDs: held)
        let closedIDs = Set(closed.map(\.id))
        let events = edits.filter { closedIDs.contains($0.id) }.flatMap { edit in
            [Events.New(.closed, contactID: edit.id, fromOperatorID: edit.seen.operatorID, by: edit.actor)]
                + edit.events
        }
        if !events.isEmpty { plan.statements.append(Events.record(events)) }
        if serves {
            let (heads, sources) = try reading { () throws(PostgresError) in
                (try Queue.heads(found[3]), try Queue.sources(ofOperators: found[4]))
            }
            let most = min(
                operators.reduce(0) { $0 + places(of: $1.id, $1.isActive, $1.maxLoad) }, LeadStore.drainBatch)
            let waiting = heads.filter(\.isStillWaiting)
            let (round, _) = LeadStore.decide(waiting.map { ($0.sourceID, $0.queued) }, sources)
            plan.statements += round.statements
            for id in operatorIDs { if let load = round.load(of: id) { loads[id] = load } }
            // Those who vanished leave places for those behind them, and where as many were found as were looked for,
            // more may be there. To look again apart would be to wait for whoever is held, with the operator's row locked:
            // that is left to the next who come, and to the sweep.
            if manner == .together,
                waiting.count < heads.count
                    || Dictionary(grouping: heads, by: \.sourceID).values.contains(where: { $0.count >= most })
            {
                plan.unservedOperatorIDs = operators.filter { places(of: $0.id, $0.isActive, $0.maxLoad) > 0 }.map(\.id)
            }
        }
        for contact in closed {
            plan.contacts[contact.id] = contact.operator.flatMap { loads[$0.id] }.map(contact.with) ?? contact
        }
        return plan
    }
}

extension Contact {
    /// The same with what its operator carries.
    fileprivate func with(operatorLoad load: Int) -> Contact {
        let holder = `operator`.map {
            Operator(
                id: $0.id, name: $0.name, isActive: $0.isActive, maxLoad: $0.maxLoad, currentLoad: load,
                createdAt: $0.createdAt, updatedAt: $0.updatedAt)
        }
        var contact = self
        contact.operator = holder
        return contact
    }
}

extension Queue {
    /// Locks the first waiting contacts of all sources of operators that one of these may take, of each source as many as
    /// they have places in all. What is chosen from is known to be free: that somebody of the source's others may take a
    /// contact makes no difference, as whoever is free has taken it.
    /// - Parameter skipsHeld: whether those that somebody holds are passed over, as if they were gone.
    static func head(ofOperators ids: [Int], skippingHeld skipsHeld: Bool) -> Statement {
        lockingHead(
            skippingHeld: skipsHeld,
            """
            with free as materialized (
                select operator_id, max_load - load as places
                from operator_loads
                where operator_id = any(\(ids)) and is_active and load < max_load
            )
            select h.id, h.source_id, h.priority, h.arrival
            from (
                select w.source_id as id, array_agg(w.operator_id) as free_ids
                from free f
                join weights w on w.operator_id = f.operator_id
                group by w.source_id
            ) s
            cross join lateral (
                select c.id, c.source_id, c.priority, c.arrival
                from contacts c
                where c.source_id = s.id and c.status = 'new' and (
                    c.released_by is null or not s.free_ids <@ c.released_by or not exists (
                        select from weights other
                        where other.source_id = c.source_id and other.operator_id <> all (c.released_by)))
                order by c.priority desc, c.arrival
                limit least((select sum(places) from free), \(LeadStore.drainBatch))
            ) h
            """)
    }

    /// Operators whose rows are locked, as candidates of each of their sources in which somebody waits.
    static func candidates(ofOperators ids: [Int]) -> Statement {
        """
        select w.source_id, s.strategy, l.operator_id, w.weight, l.load, l.max_load, l.is_active,
            coalesce(t.credit, 0), coalesce(t.last_turn, 0), l.last_assignment
        from operator_loads l
        join weights w on w.operator_id = l.operator_id
        join sources s on s.id = w.source_id
        left join source_turns t on t.source_id = w.source_id and t.operator_id = w.operator_id
        -- With the limit it is asked of each source; a plain "exists" may be planned as a walk through all who wait.
        cross join lateral (
            select from contacts c where c.source_id = w.source_id and c.status = 'new' limit 1
        ) waiting
        where l.operator_id = any(\(ids))
        order by w.source_id, l.operator_id
        """
    }

    /// Reads what `candidates(ofOperators:)` returned.
    ///
    /// Of a contact that some of them have released, `head(ofOperators:)` says that others of them are free or that
    /// everybody has released it, so that who is excluded is the same as if all of the source's operators were candidates.
    static func sources(ofOperators result: QueryResult) throws(PostgresError) -> [Int: LockedSource] {
        var sources: [Int: LockedSource] = [:]
        for row in result {
            var column = row.reader
            let sourceID: Int = try column.next()
            let strategy: Strategy = try column.next()
            let candidate = Candidate(
                operatorID: try column.next(), weight: try column.next(), load: try column.next(),
                maxLoad: try column.next(), isActive: try column.next(), credit: try column.next(),
                lastTurn: try column.next(), lastAssignment: try column.next())
            sources[sourceID, default: LockedSource(strategy: strategy)].candidates.append(candidate)
        }
        return sources
    }
}
