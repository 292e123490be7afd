import LeadStore
import Leads
import Postgres
import TestSupport
import Testing

struct ArchivingTests {
    @Test func `an archived operator's contacts go to whoever can take them, in their old order`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([3, 1])
            var contacts: [Contact] = []
            for _ in 1...4 { contacts.append(try await database.register(source.id)) }
            let released = contacts.filter { $0.operator?.id == ids[0] }.map(\.id)
            let freed = try #require(contacts.first { $0.operator?.id == ids[1] })
            _ = try await database.store.changeContact(id: freed.id, ContactChange(.close), for: .everything, by: .api)
            try await database.store.archiveOperator(id: ids[0], for: .everything, by: .api)
            let (first, second) = (
                try await database.store.contact(id: released[0], for: .everything),
                try await database.store.contact(id: released[1], for: .everything)
            )
            #expect(first.operator?.id == ids[1])
            #expect((second.status, second.waitingReason) == (.new, .allAtLimit))
            #expect(try await database.load(of: ids[0]) == 0)
            #expect(try await database.drift() == 0)
            let events: [String] = try await database.value(
                """
                select array_agg(kind || coalesce(' ' || reason, '') order by id) from events
                where from_operator_id = \(ids[0]) and kind <> 'assigned'
                """)
            #expect(events == released.map { _ in "released operator_archived" } + ["operator_archived"])
        }
    }

    @Test func `an archived operator is gone from everywhere but history`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, ids) = try await database.team([2, 2])
            let contact = try await database.register(source.id)
            let person = try #require(contact.operator)
            _ = try await store.changeContact(id: contact.id, ContactChange(.close), for: .everything, by: .api)
            try await store.archiveOperator(id: person.id, for: .everything, by: .api)
            await #expect(throws: StoreError.self) { try await store.operator(id: person.id, for: .everything) }
            await #expect(throws: StoreError.self) {
                try await store.archiveOperator(id: person.id, for: .everything, by: .api)
            }
            await #expect(throws: StoreError.self) {
                try await store.operatorStatistics(id: person.id, for: .everything)
            }
            await #expect(throws: StoreError.self) {
                try await store.changeOperator(
                    id: person.id, OperatorChange(isActive: true), for: .everything, by: .api)
            }
            await #expect(throws: StoreError.self) {
                try await store.setWeights(
                    sourceID: source.id, [NewWeight(operatorID: person.id)], replacing: false, for: .everything,
                    by: .api)
            }
            #expect(
                try await store.operators(isActive: nil, Page(), for: .everything).elements.map(\.id)
                    == ids.filter { $0 != person.id })
            #expect(
                try await store.weights(sourceID: source.id, for: .everything).map(\.operator.id)
                    == ids.filter { $0 != person.id })
            #expect(
                try await store.distributionStatistics(for: .everything).byOperator.map(\.operatorID)
                    == ids.filter { $0 != person.id })
            #expect(try await store.contact(id: contact.id, for: .everything).operator?.id == person.id)
            let reopened = try await store.changeContact(
                id: contact.id, ContactChange(.reopen), for: .everything, by: .api)
            #expect(reopened.operator?.id == ids.first { $0 != person.id })
        }
    }

    @Test func `an operator archived while weights wait for the row gets none`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1])
            let holder = try await Connection.open(database.connectionConfiguration)
            try await holder.execute("begin")
            try await holder.execute("select from operator_loads where operator_id = \(ids[0]) for update")
            async let setting = Task {
                try await database.store.setWeights(
                    sourceID: source.id, [NewWeight(operatorID: ids[0], weight: 7)], replacing: true, for: .everything,
                    by: .api)
            }.result
            #expect(
                try await eventually(within: .seconds(5)) {
                    let blocked: Int = try await database.value(
                        """
                        select count(*) from pg_stat_activity
                        where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0
                        """)
                    return blocked == 1
                })
            try await holder.execute("update operators set archived_at = now() where id = \(ids[0])")
            try await holder.execute("update operator_loads set is_active = false where operator_id = \(ids[0])")
            try await holder.execute("delete from weights where operator_id = \(ids[0])")
            try await holder.execute("commit")
            await holder.close()
            guard case .failure(let error as StoreError) = await setting, case .weightedOperatorNotFound(ids[0]) = error
            else { Issue.record("the weights were stored"); return }
            #expect(try await database.store.weights(sourceID: source.id, for: .everything).isEmpty)
        }
    }
}
