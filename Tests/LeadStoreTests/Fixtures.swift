import LeadStore
import Leads
import Postgres
import TestSupport

extension TestDatabase {
    var intake: Intake { Intake(store: store) }

    /// Adds operators with the given limits and a source that has all of them, with weights counting from 1.
    func team(_ maxLoads: [Int], strategy: Strategy = .weightedRandom) async throws -> (source: Source, ids: [Int]) {
        let source = try await store.createSource(
            NewSource(name: "source \(Int.random(in: 0...Int.max))", strategy: strategy), for: .everything, by: .api)
        var ids: [Int] = []
        for maxLoad in maxLoads {
            ids.append(
                try await store.createOperator(
                    NewOperator(name: "operator", maxLoad: maxLoad), for: .everything, by: .api
                ).id)
        }
        try await store.setWeights(
            sourceID: source.id, ids.enumerated().map { NewWeight(operatorID: $1, weight: $0 + 1) }, replacing: true,
            for: .everything, by: .api)
        return (source, ids)
    }

    /// Registers one contact and returns it.
    func register(_ contact: NewContact, keys: [LeadIdentity] = []) async throws -> Contact {
        try await intake.register([Intake.Request(contact: contact, keys: keys, for: .everything, by: .api)])[0].get()
            .contact
    }

    func register(_ sourceID: Int, priority: Int = 0) async throws -> Contact {
        try await register(NewContact(sourceID: sourceID, priority: priority))
    }

    /// Runs statements over a connection of their own, as a person at psql would.
    func byHand(_ sql: String) async throws {
        let connection = try await Connection.open(connectionConfiguration)
        do {
            try await connection.runScript(sql)
            await connection.close()
        } catch {
            await connection.close()
            throw error
        }
    }

    /// Whether a session of this database waits for another's lock.
    func somebodyWaits() async throws -> Bool {
        try await value(
            """
            select exists (
                select from pg_locks l join pg_stat_activity a using (pid)
                where not l.granted and a.datname = current_database())
            """)
    }

    func load(of operatorID: Int) async throws -> Int {
        try await value("select load from operator_loads where operator_id = \(operatorID)")
    }

    /// How many stored loads and counts differ from the recount. Expected to be 0, always.
    func drift() async throws -> Int {
        try await value(
            """
            select (select count(*) from report.load_drift) + (select count(*) from report.tally_drift)
                + (select count(*) from report.quarter_drift)
            """)
    }

    /// Whether nobody waits beside an operator who could take them, as soon as the drains under way have ended. Nothing
    /// sweeps here: whoever is left behind stays so.
    func strandsNobody() async throws -> Bool {
        try await eventually(within: .seconds(5)) { try await stranded() == 0 }
    }

    private func stranded() async throws -> Int {
        try await value(
            """
            select count(*) from contacts c
            where c.status = 'new' and exists (
                select from weights w join operator_loads l on l.operator_id = w.operator_id
                where w.source_id = c.source_id and l.is_active and l.load < l.max_load)
            """)
    }
}
