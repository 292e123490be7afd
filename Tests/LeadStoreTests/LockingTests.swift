import LeadStore
import Leads
import Postgres
import TestSupport
import Testing

/// The traps of locking, each as a schedule of two sessions: one holds a row and changes it, the other registers.
struct LockingTests {
    /// Lets `register` run into the locks of a session that has done `change` and not yet committed, then commits it.
    private func register(
        _ database: TestDatabase, _ sourceID: Int, behind change: [Statement]
    ) async throws -> Contact {
        let holder = try await Connection.open(database.connectionConfiguration)
        _ = try await holder.send(["begin"])
        _ = try await holder.send(change)
        let registration = Task { try await database.register(sourceID) }
        let waits = try await eventually { try await database.somebodyWaits() }
        #expect(waits, "the registration did not wait for the lock")
        _ = try await holder.send(["commit"])
        await holder.close()
        return try await registration.value
    }

    @Test func `a limit lowered while a registration waits for the row is the limit it sees`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([10])
            _ = try await database.register(source.id)
            let contact = try await register(
                database, source.id,
                behind: ["update operator_loads set max_load = 1 where operator_id = \(ids[0])"])
            #expect(contact.waitingReason == .allAtLimit)
        }
    }

    @Test func `an operator deactivated while a registration waits for the row is not chosen`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([10])
            let contact = try await register(
                database, source.id,
                behind: ["update operator_loads set is_active = false where operator_id = \(ids[0])"])
            #expect(contact.waitingReason == .allInactive)
        }
    }

    @Test func `a place taken while a registration waits for the row is taken`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1])
            let contact = try await register(
                database, source.id,
                behind: [
                    "insert into leads (name) values ('by hand')",
                    """
                    insert into contacts (lead_id, source_id, operator_id, status, assigned_at, first_assigned_at)
                    select max(id), \(source.id), \(ids[0]), 'active', now(), now() from leads
                    """,
                ])
            #expect(contact.waitingReason == .allAtLimit)
            #expect(try await database.drift() == 0)
        }
    }

    @Test func `a place freed while a registration waits for the row is found`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1])
            let first = try await database.register(source.id)
            // A condition on load below the lock would have dismissed the full operator before waiting for it.
            let contact = try await register(
                database, source.id,
                behind: ["update contacts set status = 'closed', closed_at = now() where id = \(first.id)"])
            #expect(contact.operator?.id == ids[0])
        }
    }

    @Test func `weights set while a registration waits for the source are the weights it sees`() async throws {
        try await TestDatabase.with { database in
            let (_, ids) = try await database.team([1])
            let source = try await database.store.createSource(
                NewSource(name: "without operators"), for: .everything, by: .api)
            let contact = try await register(
                database, source.id,
                behind: [
                    "select pg_advisory_xact_lock(7105, \(Int32(source.id)))",
                    "insert into weights (source_id, operator_id) values (\(source.id), \(ids[0]))",
                ])
            #expect(contact.operator?.id == ids[0])
        }
    }

    @Test func `a transaction that takes its locks and fails leaves none behind`() async throws {
        try await TestDatabase.with { database in
            let (source, _) = try await database.team([1])
            let missing = [NewWeight(operatorID: 999)]
            _ = try await #require(throws: StoreError.self) {
                try await database.store.setWeights(
                    sourceID: source.id, missing, replacing: true, for: .everything, by: .api)
            }
            #expect(try await database.register(source.id).status == .active)
        }
    }
}
