import Leads
import Postgres

/// A contact to be closed, as it was seen.
struct Closing: Sharing {
    /// The contact as it is afterwards; nil when it was not any more as it had been seen.
    typealias Outcome = Contact?

    let id: Int
    let seen: ContactEdit.Standing

    /// Operators take turns, so that whoever closes much makes nobody else wait.
    var line: Int { seen.operatorID ?? 0 }
    var locks: Int { 0 }
}

/// Contacts that are closed at the same time share a transaction, as registrations do.
extension LeadStore {
    /// Closes a contact together with whatever others are closed at the moment. One whose operator is held by somebody else,
    /// or that is changed otherwise as well, is closed by itself.
    func closeWithOthers(_ edit: ContactEdit) async throws(StoreError) -> Contact? {
        guard let closings, !edit.changesSomething, !heldOperators.contains(edit.seen.operatorID ?? 0) else {
            return try await close(edit)
        }
        return try await closings.perform(Closing(id: edit.id, seen: edit.seen))
    }

    /// Closes contacts in one transaction, and those of each operator in one of their own when somebody holds one of them.
    func close(_ batch: [Closing]) async -> [Result<Contact?, StoreError>] {
        let byOperator = Dictionary(grouping: batch.indices) { batch[$0].seen.operatorID }
        do throws(StoreError) {
            return try await commit(batch, isPatient: true).map { .success($0) }
        } catch  where error.isTimeout && byOperator.count > 1 {
            var outcomes = batch.map { _ in Result<Contact?, StoreError>.failure(.heldByOthers) }
            for (operatorID, members) in byOperator {
                do throws(StoreError) {
                    let closed = try await commit(members.map { batch[$0] }, isPatient: false)
                    for (member, contact) in zip(members, closed) { outcomes[member] = .success(contact) }
                } catch {
                    if error.isTimeout, let operatorID { heldOperators.insert(operatorID) }
                    for member in members { outcomes[member] = .failure(error.isTimeout ? .heldByOthers : error) }
                }
            }
            return outcomes
        } catch {
            if error.isTimeout, let operatorID = batch.first?.seen.operatorID { heldOperators.insert(operatorID) }
            return batch.map { _ in .failure(error) }
        }
    }

    /// One transaction; whoever waits for the places is served right after it.
    private func commit(_ batch: [Closing], isPatient: Bool) async throws(StoreError) -> [Contact?] {
        // In order of id, in which rows are locked. One that is there twice is closed once.
        let sorted = batch.sorted { $0.id < $1.id }
        let operatorIDs = Set(batch.compactMap(\.seen.operatorID)).sorted()
        let (found, freed) = try await transaction { (transaction) throws(StoreError) in
            let locked = try await transaction.run([
                isPatient ? "select" : Locks.impatience,
                Locks.operators(operatorIDs),
                Self.closing(sorted),
                Self.wanted(operatorIDs),
            ])
            let closed = try reading { () throws(PostgresError) in
                try locked[2].map { (row) throws(PostgresError) in try row.decode(Int.self, Int?.self) }
            }
            let freed = try reading { () throws(PostgresError) in
                try locked[3].map { (row) throws(PostgresError) in try row.decode(Int.self) }
            }
            let events = closed.map { Events.New(.closed, contactID: $0.0, fromOperatorID: $0.1, by: .api) }
            let stored = try await transaction.finish(with: [
                Events.record(events), ContactReading.contacts(ids: closed.map(\.0)),
            ])
            return (stored[1], freed)
        }
        var contacts = try contacts(in: found)
        if !freed.isEmpty {
            for operatorID in freed { await serve(operatorID) }
            // The answer shows what its operator carries with the contact that took the place.
            let changed = contacts.values.filter { $0.operator.map { freed.contains($0.id) } ?? false }.map(\.id)
            contacts.merge(try self.contacts(in: try await read(ContactReading.contacts(ids: changed)))) { $1 }
        }
        return batch.map { contacts.removeValue(forKey: $0.id) }
    }

    private static func closing(_ sorted: [Closing]) -> Statement {
        """
        update contacts c
        set status = 'closed', closed_at = clock_timestamp(), waiting_reason = null, waiting_since = null,
            updated_at = clock_timestamp(), version = c.version + 1
        from unnest(
            \(sorted.map(\.id)), \(sorted.map { Int32($0.seen.version) }), \(sorted.map(\.seen.status.rawValue)),
            \(sorted.map(\.seen.operatorID))) as seen (id, version, status, operator_id)
        where c.id = seen.id and c.version = seen.version and c.status = seen.status::contact_status
            and c.operator_id is not distinct from seen.operator_id
        returning c.id, c.operator_id
        """
    }

    /// The operators for whose places somebody waits, once they are locked and have been given up.
    private static func wanted(_ operatorIDs: [Int]) -> Statement {
        """
        select l.operator_id
        from operator_loads l
        where l.operator_id = any(\(operatorIDs)) and l.is_active and l.load < l.max_load and exists (
            select
            from weights w
            cross join lateral (
                select from contacts c where c.source_id = w.source_id and c.status = 'new' limit 1
            ) waiting
            where w.operator_id = l.operator_id)
        order by l.operator_id
        """
    }

    /// Gives an operator's places to those who wait. What cannot be done now is tried again in the background.
    private func serve(_ operatorID: Int) async {
        do throws(StoreError) {
            guard try await drainOnce(operatorID: operatorID) else { return }
        } catch {}
        goOnDraining(operatorID: operatorID)
    }

    private func contacts(in result: QueryResult) throws(StoreError) -> [Int: Contact] {
        try reading { () throws(PostgresError) in
            var contacts: [Int: Contact] = [:]
            for row in result {
                let contact = try ContactReading.contact(row)
                contacts[contact.id] = contact
            }
            return contacts
        }
    }
}
