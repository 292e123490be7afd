public import Leads
import Postgres

/// Erasing people: by what they were known, what they wrote and what they were answered. Their contacts' numbers, times and
/// decisions stay, under the lead's number.
///
/// The first transaction takes from the lead all by which it is found, so that nobody comes to it any more, and what most
/// leads' contacts say along with it. Where there are more contacts, further transactions follow; `lead_erasures` knows
/// until the last, so that what is cut short is finished by the sweep.
extension LeadStore {
    /// What must be so under the locks for a lead to be erased.
    private enum Condition {
        case none
        case nothingOpen
        /// All its contacts have been closed for so many days.
        case closedForDays(Int)
    }

    /// How many contacts a transaction erases, and so how many keys of events it locks.
    private static let contactBatch = 400
    /// How many leads the sweep erases in a transaction.
    private static let leadBatch = 50
    /// How long answers that are being given again are waited for.
    private static let patience: Duration = .seconds(5)
    private static let pause: Duration = .milliseconds(20)
    /// How long erasures are left to those who began them.
    private static let abandonedAfter: Duration = .seconds(30)
    /// How often tables are analysed again, at most, because people have been erased.
    private static let longestMemory: Duration = .seconds(600)
    /// How long the sweep erases at a time.
    private static let longestTurn: Duration = .seconds(5)

    /// Erases a lead and what was merged into it; of one that was merged, the one it was merged into. Erasing again changes
    /// nothing.
    /// - Parameter closingContacts: whether open contacts are closed, as soon as nobody can come to the lead any more;
    ///   otherwise they are a reason to refuse.
    /// - Throws: `StoreError.leadNotFound`, `.leadHasOpenContacts`, `.notAllowed` for whoever does not see all contacts, when
    ///   nothing is changed, and others. After these the lead may be erased in part; the sweep finishes that, but closes no
    ///   contacts.
    public func eraseLead(
        id: Int, closingContacts: Bool = false, for viewer: Viewer, by actor: Actor
    ) async throws(StoreError) {
        try viewer.requireAllContacts()
        while true {
            guard let lead = try await survivors(of: [id], for: viewer)[id] else { throw .leadNotFound }
            if lead.isErased {
                try await finishErasing([lead.id], after: 0, by: actor)
            } else {
                let erased = try await erase([lead.id], if: closingContacts ? .none : .nothingOpen, by: actor)
                guard erased == [lead.id] else { continue }
            }
            if closingContacts { try await closeContacts(ofLead: lead.id, for: viewer, by: actor) }
            return
        }
    }

    /// Erases leads whose contacts have all been closed for so many days, as many as are found in some seconds.
    /// - Returns: how many.
    /// - Throws: `StoreError`.
    public func eraseExpiredLeads(afterDays days: Int) async throws(StoreError) -> Int {
        let end = ContinuousClock.now + Self.longestTurn
        var erased = 0
        while true {
            let found = try await transaction { (transaction) throws(StoreError) in
                try await transaction.finish(with: [
                    "select find_expired_leads(\(days)::integer, \(Self.leadBatch)::integer)"
                ])
            }
            let ids = try reading { () throws(PostgresError) in try found[0][0].decode([Int].self) }
            guard !ids.isEmpty else { return erased }
            erased += try await erase(ids, if: .closedForDays(days), by: .system).count
            guard ContinuousClock.now < end else { return erased }
        }
    }

    /// Finishes erasures that were cut short, and takes the values of those that are over out of the planner's statistics.
    /// - Parameter forgettingAfter: how long these may stay there; nil for the usual time.
    /// - Throws: `StoreError`.
    public func settleErasures(forgettingAfter: Duration? = nil) async throws(StoreError) {
        let age = Int(Self.abandonedAfter.components.seconds)
        let found = try await read(
            """
            select lead_id from lead_erasures
            where finished_at is null and begun_at < clock_timestamp() - make_interval(secs => \(age)::integer)
            order by lead_id
            limit \(Self.leadBatch)
            """)
        let abandoned = try reading { () throws(PostgresError) in
            try found.map { (row) throws(PostgresError) in try row.decode(Int.self) }
        }
        if !abandoned.isEmpty { try await finishErasing(abandoned, after: 0, by: .system) }
        try await forgetErasedValues(after: forgettingAfter ?? Self.longestMemory)
    }

    /// Has the tables analysed again when an erasure has been over for so long.
    private func forgetErasedValues(after memory: Duration) async throws(StoreError) {
        let found = try await read(
            """
            select max(finished_at)
            from lead_erasures
            having min(finished_at)
                <= clock_timestamp() - make_interval(secs => \(Int(memory.components.seconds))::integer)
            """)
        guard let row = found.first else { return }
        let finished = try reading { () throws(PostgresError) in try row.decode(Timestamp.self) }
        for part in 1...4 {
            let done = try await transaction { (transaction) throws(StoreError) in
                try await transaction.finish(with: [
                    "select forget_erased_values(\(part)::integer, \(finished))"
                ])
            }
            guard try reading({ () throws(PostgresError) in try done[0][0].decode(Bool.self) }) else { return }
        }
    }

    /// Erases those of the leads for which the condition holds.
    /// - Returns: these. Empty where a lead was erased or merged meanwhile.
    /// - Throws: `StoreError.leadHasOpenContacts` where that is the condition.
    private func erase(
        _ ids: [Int], if condition: Condition, by actor: Actor
    ) async throws(StoreError) -> [Int] {
        while true {
            let keys = LeadKeyLocks(try await keys(of: ids))
            let batch = try ErasedContacts(try await read(ErasedContacts.of(ids, after: 0, limit: Self.contactBatch)))
            guard let begun = try await beginErasing(ids, keys, batch, condition, actor) else { continue }
            if !begun.isFinished { try await finishErasing(begun.ids, after: begun.lastContactID, by: actor) }
            return begun.ids
        }
    }

    private struct Begun {
        let ids: [Int]
        /// Whether nothing is left to erase.
        let isFinished: Bool
        /// The contacts up to here are erased.
        let lastContactID: Int
    }

    /// - Returns: nil when keys or contacts have come meanwhile.
    private func beginErasing(
        _ ids: [Int], _ keys: LeadKeyLocks, _ batch: ErasedContacts, _ condition: Condition, _ actor: Actor
    ) async throws(StoreError) -> Begun? {
        try await transaction { (transaction) throws(StoreError) -> Begun? in
            let found = try await transaction.run(
                keys.locks(and: batch.lockNumbers) + [
                    """
                    select id from leads
                    where id = any(\(ids)) or merged_into = any(\(ids))
                    order by id
                    for no key update
                    """,
                    keys.check(ids),
                    Self.erasable(ids, condition),
                    ErasedContacts.of(ids, after: 0, limit: Self.contactBatch),
                ])
            let contacts = try ErasedContacts(found[5])
            let areAll = try reading { () throws(PostgresError) in try keys.areAll(found[3]) }
            guard areAll, contacts.lockNumbers.isSubset(of: batch.lockNumbers) else { return nil }
            let due = try reading { () throws(PostgresError) -> [Int] in
                var due: [Int] = []
                for row in found[4] {
                    let (id, isDue) = try row.decode(Int.self, Bool.self)
                    if isDue { due.append(id) }
                }
                return due
            }
            if case .nothingOpen = condition, due.count < found[4].count { throw .leadHasOpenContacts }
            guard !due.isEmpty else { return Begun(ids: [], isFinished: true, lastContactID: 0) }
            let erased = contacts.erase(due)
            guard contacts.count < Self.contactBatch else {
                _ = try await transaction.finish(with: [erased])
                return Begun(ids: due, isFinished: false, lastContactID: contacts.lastID)
            }
            let finished = try await finish(due, after: [erased], actor, transaction)
            return Begun(ids: due, isFinished: finished == due.count, lastContactID: contacts.lastID)
        }
    }

    /// Which of the leads are there, in order of id, and for which of these the condition holds. A statement of its own,
    /// begun when the leads are locked: nobody adds a contact to them then.
    private static func erasable(_ ids: [Int], _ condition: Condition) -> Statement {
        let reason: Statement =
            switch condition {
            case .none: "false"
            case .nothingOpen: "c.status <> 'closed'"
            case .closedForDays(let days):
                """
                (c.status <> 'closed'
                    or c.closed_at >= clock_timestamp() - make_interval(days => \(days)::integer))
                """
            }
        return """
            select l.id, not exists (select from contacts c where c.lead_id = l.id and \(reason))
            from leads l
            where l.id = any(\(ids)) and l.merged_into is null and l.erased_at is null
            order by l.id
            """
    }

    /// Erases what the contacts behind one say, and finishes. Also for leads that are finished: nothing is done then.
    private func finishErasing(_ ids: [Int], after contactID: Int, by actor: Actor) async throws(StoreError) {
        guard try await areUnfinished(ids) else { return }
        var last = contactID
        while true {
            let batch = try ErasedContacts(
                try await read(ErasedContacts.of(ids, after: last, limit: Self.contactBatch)))
            guard batch.count > 0 else { break }
            // Nobody comes to these leads any more, nor is one merged: what was read stays so but for what others erase.
            _ = try await transaction { (transaction) throws(StoreError) in
                try await transaction.finish(with: [Locks.keys(batch.lockNumbers), batch.erase(ids)])
            }
            last = batch.lastID
        }
        let end = ContinuousClock.now + Self.patience
        while true {
            _ = try await transaction { (transaction) throws(StoreError) in
                try await finish(ids, after: [], actor, transaction)
            }
            guard try await areUnfinished(ids) else { return }
            guard ContinuousClock.now < end else { throw .heldByOthers }
            try? await Task.sleep(for: Self.pause)
            guard !Task.isCancelled else { throw .cancelled }
        }
    }

    /// Ends the transaction with what tells that nothing is left of the leads, if that is so.
    /// - Returns: of how many.
    private func finish(
        _ ids: [Int], after statements: [Statement], _ actor: Actor, _ transaction: Transaction
    ) async throws(StoreError) -> Int {
        let found = try await transaction.run(statements + ["select finish_erasing_leads(\(ids))"])
        let finished = try reading { () throws(PostgresError) in
            try found[statements.count].map { (row) throws(PostgresError) in try row.decode(Int.self) }
        }
        guard !finished.isEmpty else { return 0 }
        _ = try await transaction.finish(with: [
            Events.record(
                finished.sorted().map { Events.New(.leadErased, by: actor, data: #"{"lead_id": \#($0)}"#) })
        ])
        return finished.count
    }

    private func areUnfinished(_ ids: [Int]) async throws(StoreError) -> Bool {
        let found = try await read(
            "select from lead_erasures where lead_id = any(\(ids)) and finished_at is null limit 1")
        return !found.isEmpty
    }

    private func closeContacts(
        ofLead id: Int, for viewer: Viewer, by actor: Actor
    ) async throws(StoreError) {
        let found = try await read("select id from contacts where lead_id = \(id) and status <> 'closed' order by id")
        let open = try reading { () throws(PostgresError) in
            try found.map { (row) throws(PostgresError) in try row.decode(Int.self) }
        }
        for contactID in open {
            _ = try await changeContact(id: contactID, ContactChange(.close), for: viewer, by: actor)
        }
    }
}

/// Contacts that are about to say nothing any more.
private struct ErasedContacts: Sendable {
    private let ids: [Int]
    /// The locks of the events by which they are found.
    let lockNumbers: Set<Int>

    static func of(_ leadIDs: [Int], after contactID: Int, limit: Int) -> Statement {
        """
        select id, source_id, source_event_id
        from contacts
        where lead_id = any(\(leadIDs)) and id > \(contactID)
        order by id
        limit \(limit)
        """
    }

    init(_ found: QueryResult) throws(StoreError) {
        var ids: [Int] = []
        var numbers: Set<Int> = []
        do throws(PostgresError) {
            for row in found {
                let (id, sourceID, eventID) = try row.decode(Int.self, Int.self, String?.self)
                ids.append(id)
                if let eventID { numbers.insert(Locks.number(forEvent: eventID, ofSource: sourceID)) }
            }
        } catch { throw StoreError(error) }
        self.ids = ids
        lockNumbers = numbers
    }

    var count: Int { ids.count }
    var lastID: Int { ids.last ?? 0 }

    func erase(_ leadIDs: [Int]) -> Statement {
        "select erase_leads(\(leadIDs), \(ids))"
    }
}
