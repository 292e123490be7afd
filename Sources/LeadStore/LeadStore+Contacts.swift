import Distribution
public import Leads
import Postgres

extension LeadStore {
    /// - Throws: `StoreError.contactNotFound` and others.
    public func contact(id: Int) async throws(StoreError) -> Contact {
        try Self.onlyContact(try await read(ContactReading.contact(id: id)))
    }

    /// Contacts in order of id.
    /// - Throws: `StoreError`.
    public func contacts(_ filter: ContactFilter, _ page: Page) async throws(StoreError) -> Listing<Contact> {
        let found = try await readPage([ContactReading.contacts(filter, page)])[0]
        return try page.listing(found, id: \.id, ContactReading.contact)
    }

    /// Closes a contact and gives its operator's place to whoever waits for it. Closing twice changes nothing.
    /// - Throws: `StoreError.contactNotFound` and others.
    public func closeContact(id: Int) async throws(StoreError) -> Contact {
        while true {
            // The operator is read unlocked, its row locked, then the contact checked to be still the same.
            guard let seen = try await standing(ofContact: id) else { throw .contactNotFound }
            guard seen.status != .closed else { return try await contact(id: id) }
            if let closed = try await close(id, as: seen) { return closed }
        }
    }

    private func close(_ id: Int, as seen: Standing) async throws(StoreError) -> Contact? {
        let (contact, drains) = try await transaction { (transaction) throws(StoreError) -> (Contact?, Int?) in
            let lock = seen.operatorID.map { [Locks.operators([$0])] } ?? []
            let queue = seen.operatorID.map { Self.lookUpQueue(ofOperator: $0) } ?? []
            let found = try await transaction.run(
                lock + [
                    """
                    with closed as (
                        update contacts
                        set status = 'closed', closed_at = clock_timestamp(), updated_at = clock_timestamp(),
                            waiting_reason = null, waiting_since = null, version = version + 1
                        where id = \(id) and status = \(seen.status.rawValue)::contact_status
                            and operator_id is not distinct from \(seen.operatorID)
                        returning id, operator_id
                    )
                    insert into events (contact_id, kind, from_operator_id)
                    select id, 'closed', operator_id from closed
                    """
                ] + queue)
            guard found[lock.count].affectedRows == 1 else { return (nil, nil) }
            let placing =
                try seen.operatorID.map { (operatorID) throws(StoreError) in
                    try Self.placeQueue(ofOperator: operatorID, found[(lock.count + 1)...])
                } ?? Placing()
            let stored = try await transaction.finish(with: placing.statements + [ContactReading.contact(id: id)])
            return (try Self.onlyContact(stored[stored.count - 1]), placing.mayGoOn ? seen.operatorID : nil)
        }
        if let drains { goOnDraining(operatorID: drains) }
        return contact
    }

    /// Opens a closed contact again: back to its operator when that one is eligible, otherwise by the source's strategy
    /// and behind the contacts that wait already. A contact that is not closed is left as it is.
    /// - Throws: `StoreError.contactNotFound` and others.
    public func reopenContact(id: Int) async throws(StoreError) -> Contact {
        while true {
            guard let seen = try await standing(ofContact: id) else { throw .contactNotFound }
            guard seen.status == .closed else { return try await contact(id: id) }
            if let reopened = try await reopen(id, as: seen) { return reopened }
        }
    }

    private func reopen(_ id: Int, as seen: Standing) async throws(StoreError) -> Contact? {
        let sourceID = seen.sourceID
        let (contact, drains) = try await transaction { (transaction) throws(StoreError) -> (Contact?, Bool) in
            // All operators of the source at once: its own may turn out to be full, and then another is wanted.
            let found = try await transaction.run([
                Locks.shareSources([sourceID]),
                Locks.operators(ofSources: [sourceID]),
                Queue.head(ofSources: [sourceID], limit: Self.drainBatch),
                """
                select priority, nextval('contact_arrivals')
                from contacts
                where id = \(id) and status = 'closed' and operator_id is not distinct from \(seen.operatorID)
                for update
                """,
            ])
            guard let row = found[3].first else { return (nil, false) }
            let (priority, arrival) = try reading { () throws(PostgresError) in try row.decode(Int.self, Int.self) }
            let (sources, heads) = try reading { () throws(PostgresError) in
                (try Queue.sources(found[0], operators: found[1]), try Queue.heads(found[2]))
            }
            guard let source = sources[sourceID] else { throw .sourceNotFound }

            var round = Round()
            let lastHead = heads.count >= Self.drainBatch ? heads.map(\.priority).min() : nil
            let outcome: Decision.Outcome
            var capacityLeft = 0
            var generator = SystemRandomNumberGenerator()
            if let own = source.candidates.first(where: { $0.operatorID == seen.operatorID }), own.isActive,
                own.load < own.maxLoad
            {
                outcome = .placed(operatorID: own.operatorID)
            } else {
                let newcomer = Round.Queued(contactID: id, priority: priority, arrival: arrival, isNewcomer: true)
                capacityLeft = round.decide(
                    sourceID: sourceID, strategy: source.strategy, candidates: source.candidates,
                    queue: heads.filter(\.isStillWaiting).map(\.queued) + [newcomer], lastHeadPriority: lastHead,
                    using: &generator)
                outcome = round.decided.first { $0.isNewcomer }?.outcome ?? .waiting(.behindQueue)
            }
            let stored = try await transaction.finish(
                with: Self.reopening(id, arrival, outcome, from: seen.operatorID) + round.statements
                    + [ContactReading.contact(id: id)])
            return (try Self.onlyContact(stored[stored.count - 1]), lastHead != nil && capacityLeft > 0)
        }
        if drains { goOnDraining(sourceID: sourceID) }
        return contact
    }

    private static func reopening(
        _ id: Int, _ arrival: Int, _ outcome: Decision.Outcome, from operatorID: Int?
    ) -> [Statement] {
        switch outcome {
        case .placed(let newOperatorID):
            [
                """
                update contacts
                set status = 'active', operator_id = \(newOperatorID), assigned_at = clock_timestamp(),
                    first_assigned_at = coalesce(first_assigned_at, clock_timestamp()),
                    closed_at = null, updated_at = clock_timestamp(), is_forced = false, version = version + 1
                where id = \(id)
                """,
                Events.record([
                    Events.New(
                        contactID: id, kind: "reopened", fromOperatorID: operatorID, toOperatorID: newOperatorID)
                ]),
            ]
        case .waiting(let reason):
            [
                """
                update contacts
                set status = 'new', operator_id = null, assigned_at = null, closed_at = null,
                    arrival = \(arrival), waiting_reason = \(reason.rawValue), waiting_since = clock_timestamp(),
                    updated_at = clock_timestamp(), is_forced = false, version = version + 1
                where id = \(id)
                """,
                Events.record([
                    Events.New(contactID: id, kind: "reopened", fromOperatorID: operatorID, reason: reason.rawValue)
                ]),
            ]
        }
    }

    /// What decides which locks a change of a contact needs.
    private struct Standing {
        let sourceID: Int
        let operatorID: Int?
        let status: ContactStatus
    }

    private func standing(ofContact id: Int) async throws(StoreError) -> Standing? {
        let found = try await read("select source_id, operator_id, status::text from contacts where id = \(id)")
        guard let row = found.first else { return nil }
        let (sourceID, operatorID, status) = try reading { () throws(PostgresError) in
            try row.decode(Int.self, Int?.self, ContactStatus.self)
        }
        return Standing(sourceID: sourceID, operatorID: operatorID, status: status)
    }

    private static func onlyContact(_ result: QueryResult) throws(StoreError) -> Contact {
        guard let row = result.first else { throw .contactNotFound }
        return try reading { () throws(PostgresError) in try ContactReading.contact(row) }
    }
}
