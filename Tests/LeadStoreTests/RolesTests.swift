import LeadStore
import Leads
import Postgres
import Schema
import TestSupport
import Testing

/// What the roles of a production database may and may not do. The roles are the server's, so these run one by one.
@Suite(.serialized) struct RolesTests {
    func withRoles(_ body: (TestDatabase) async throws -> Void) async throws {
        try await TestDatabase.with { database in
            for _ in 1...2 {  // harmless to run again
                try await database.byHand(Schema.ownership.sql)
                try await database.byHand(Schema.roles.sql)
            }
            try await body(database)
        }
    }

    func connect(_ database: TestDatabase, as role: String) async throws -> Connection {
        try await Connection.open(
            ConnectionConfiguration(
                connectionString: "\(database.connectionString) user=\(role) target_session_attrs=any"))
    }

    /// The store of an instance that connects as leads_app.
    func withStore(_ body: (TestDatabase, LeadStore) async throws -> Void) async throws {
        try await withRoles { database in
            let pool = Pool(
                Pool.Configuration(
                    connection: ConnectionConfiguration(
                        connectionString: "\(database.connectionString) user=leads_app")))
            try await body(database, LeadStore(pool: pool))
            await pool.close()
        }
    }

    @Test func `an upgrade gives leads_app its rights to what is new before the roles are equipped again`() async throws
    {
        try await TestDatabase.with { database in
            try await database.byHand(
                """
                do $$ begin create role leads_app login; exception when duplicate_object then null; end $$;
                \(Schema.repeatables.map(\.sql).joined(separator: "\n"))
                """)
            let hasAll: Bool = try await database.value(
                """
                select has_table_privilege('leads_app', 'contact_spans', 'select')
                    and has_table_privilege('leads_app', 'registered_minutes', 'select')
                    and has_table_privilege('leads_app', 'registered_quarters', 'select')
                    and has_table_privilege('leads_app', 'assigned_quarters', 'select')
                    and has_function_privilege('leads_app', 'fold_contact_spans()', 'execute')
                    and has_function_privilege('leads_app', 'flush_lead_names()', 'execute')
                    and has_function_privilege('leads_app', 'contact_waiting_reason(bigint, bigint[])', 'execute')
                    and has_function_privilege('leads_app', 'erase_leads(bigint[], bigint[])', 'execute')
                    and has_function_privilege('leads_app', 'finish_erasing_leads(bigint[])', 'execute')
                    and has_function_privilege('leads_app', 'forget_erased_values(integer, timestamptz)', 'execute')
                    and has_function_privilege('leads_app', 'find_expired_leads(integer, integer)', 'execute')
                    and has_table_privilege('leads_app', 'lead_erasures', 'select')
                    and has_function_privilege('leads_app', 'oldest_snapshot_seconds()', 'execute')
                    and has_function_privilege('leads_app', 'end_old_report_snapshots(integer)', 'execute')
                """)
            #expect(hasAll)
        }
    }

    @Test func `leads_app can do all the product does`() async throws {
        try await withStore { database, store in
            let source = try await store.createSource(NewSource(name: "source"), for: .everything, by: .api)
            let person = try await store.createOperator(NewOperator(name: "a", maxLoad: 1), for: .everything, by: .api)
            try await store.setWeights(
                sourceID: source.id, [NewWeight(operatorID: person.id)], replacing: true, for: .everything, by: .api)
            let intake = Intake(store: store)
            for name in ["a", "b"] {
                let contact = NewContact(sourceID: source.id, leadName: name, sourceEventID: name)
                let key = LeadIdentity(kind: .phone, value: "+79001234567")
                _ = try await intake.register([
                    Intake.Request(contact: contact, keys: [key], for: .everything, by: .api)
                ])[0].get()
            }
            _ = try await store.changeContact(id: 1, ContactChange(.close), for: .everything, by: .api)
            _ = try await store.changeContact(id: 1, ContactChange(.reopen), for: .everything, by: .api)
            let other = try await store.createOperator(NewOperator(name: "other"), for: .everything, by: .api)
            let assignment = Assignment(operatorID: other.id)
            _ = try await store.changeContact(
                id: 1, ContactChange(.assign(assignment), priority: 3, message: "m"), for: .everything, by: .api)
            _ = try await store.changeContact(
                id: 1, ContactChange(.transfer(Assignment(operatorID: person.id, force: true))), for: .everything,
                by: .api)
            _ = try await store.changeContact(id: 1, ContactChange(.release(reason: "r")), for: .everything, by: .api)
            for strategy in [Strategy.smoothWeighted, .roundRobin, .leastLoaded] {
                _ = try await store.changeSource(
                    id: source.id, SourceChange(strategy: strategy, stickyDays: 1), for: .everything, by: .api)
                _ = try await store.changeOperator(
                    id: person.id, OperatorChange(maxLoad: 3), for: .everything, by: .api)
                let key = LeadIdentity(kind: .phone, value: "+79001234567")
                let contact = NewContact(sourceID: source.id)
                _ = try await intake.register([
                    Intake.Request(contact: contact, keys: [key], for: .everything, by: .api)
                ])[0].get()
            }
            _ = try await store.changeOperator(
                id: person.id, OperatorChange(name: "b", isActive: false, maxLoad: 5, requeues: true), for: .everything,
                by: .api)
            _ = try await store.changeSource(id: source.id, SourceChange(description: "d"), for: .everything, by: .api)
            try await store.setWeights(sourceID: source.id, [], replacing: true, for: .everything, by: .api)
            #expect(try await store.contacts(ContactFilter(), Page(), for: .everything).elements.count == 5)
            #expect(try await store.waitingGroups(for: .everything).first?.reason == .noOperators)
            #expect(try await store.explanation(contactID: 1, for: .everything).contactID == 1)
            try await store.removeDecisionDetails(olderThanDays: 1)
            #expect(try await store.leads(Page(), for: .everything).elements.count == 1)
            try await store.archiveOperator(id: person.id, for: .everything, by: .api)
            try await store.foldTallies()
            try await store.sequenceEvents()
            #expect(try await store.events(LogPage(), for: .everything).elements.count >= 4)
            #expect(
                try await store.history(ofContact: 1, LogPage(), for: .everything).elements.first?.kind == "registered")
            #expect(try await store.distributionStatistics(for: .everything).summary.totalContacts == 5)
            #expect(try await store.overview(OverviewRequest(), for: .everything).waiting == 5)
            #expect(try await store.shares(ofSource: source.id, SharesRequest(), for: .everything).isEmpty)
            let query = LeadQuery(words: ["m"], beginnings: [])
            #expect(
                try await store.contacts(ContactFilter(), matching: query, Page(), for: .everything).elements.map(\.id)
                    == [1])
            #expect(try await store.isReady(schemaVersion: LeadStore.migrations.count))
            #expect(try await store.sweep() == 0)
            #expect(try await database.drift() == 0)
        }
    }

    @Test func `leads_app can change, merge, find and erase leads`() async throws {
        try await withStore { database, store in
            let source = try await store.createSource(NewSource(name: "source"), for: .everything, by: .api)
            var ids: [Int] = []
            for id in ["a", "b", "c"] {
                let keys = [LeadIdentity(kind: .externalID, value: id), LeadIdentity(kind: .phone, value: "1")]
                let contact = NewContact(
                    sourceID: source.id, leadExternalID: id, leadPhone: "1", leadName: "Lead \(id)")
                let registered = await Intake(store: store).register([
                    Intake.Request(contact: contact, keys: keys, for: .everything, by: .api)
                ])
                ids.append(try registered[0].get().contact.lead.id)
            }
            #expect(try await store.possibleDuplicates(Page(), for: .everything).elements.count == 2)
            _ = try await store.changeLead(
                id: ids[0], LeadChange(phone: "", externalID: "d"), for: .everything, by: .api
            ) {
                externalID, _, _ in
                externalID.map { [LeadIdentity(kind: .externalID, value: $0)] } ?? []
            }
            // So many keys that their table is locked.
            try await database.byHand(
                """
                insert into lead_identities (kind, value, lead_id)
                select 'email', n || '@', \(ids[0]) from generate_series(1, 2000) n
                """)
            _ = try await store.mergeLead(id: ids[0], into: ids[1], for: .everything, by: .api)
            _ = try await store.mergeLead(id: ids[1], into: ids[2], for: .everything, by: .api)
            let query = LeadQuery(words: ["lead", "c"], beginnings: [LeadIdentity(kind: .email, value: "1")])
            #expect(
                try await store.leads(matching: query, Page(), for: .everything).elements.map(\.lead.id) == [ids[2]])
            #expect(try await store.possibleDuplicates(Page(), for: .everything).elements.isEmpty)
            try await store.eraseLead(id: ids[0], closingContacts: true, for: .everything, by: .api)
            #expect(try await store.lead(id: ids[2], for: .everything).lead.name == nil)
            #expect(try await store.eraseExpiredLeads(afterDays: 1) == 0)
            try await store.settleErasures(forgettingAfter: .zero)
        }
    }

    @Test func `an instance that connects as leads_app starts on a schema that is up to date`() async throws {
        try await withRoles { database in
            let migrator = Migrator(migrations: LeadStore.migrations, repeatables: LeadStore.repeatables)
            let outcome = try await migrator.run(
                ConnectionConfiguration(connectionString: "\(database.connectionString) user=leads_app"))
            #expect(outcome == Migrator.Outcome())
        }
    }

    @Test(arguments: ["leads_app", "leads_report"])
    func `nobody can hang the counting function on a table of his own`(role: String) async throws {
        try await withRoles { database in
            try await database.byHand("grant temporary on database \(database.name) to \(role)")
            let connection = try await Connection.open(
                ConnectionConfiguration(
                    connectionString: "\(database.connectionString) user=\(role)",
                    sessionSettings: ["default_transaction_read_only": "off"]))
            let error = try await #require(throws: PostgresError.self) {
                try await connection.runScript(
                    """
                    create temporary table mine (id bigint, lead_id bigint, operator_id bigint, status text, is_forced boolean);
                    create trigger mine after insert on mine referencing new table as new_contacts
                        for each statement execute function count_contact_loads();
                    """)
            }
            #expect(error.sqlState == SQLState("42501"), "\(error)")
            await connection.close()
        }
    }

    @Test func `the role's settings are those the instances ask for`() async throws {
        try await withRoles { database in
            let asked = try await Connection.open(
                ConnectionConfiguration(
                    connectionString: database.connectionString, sessionSettings: LeadStore.sessionSettings))
            let given = try await connect(database, as: "leads_app")
            for name in LeadStore.sessionSettings.keys {
                let show: Statement = "select current_setting(\(name))"
                let values = [try await asked.execute(show), try await given.execute(show)]
                #expect(try values[0][0].decode(String.self) == values[1][0].decode(String.self), "\(name)")
            }
            await asked.close()
            await given.close()
        }
    }

    @Test func `leads_report reads the report`() async throws {
        try await withRoles { database in
            _ = try await database.register(
                try await database.store.createSource(NewSource(name: "empty"), for: .everything, by: .api).id)
            let connection = try await connect(database, as: "leads_report")
            for view in [
                "contacts", "operator_load", "distribution", "weights", "waiting", "load_drift", "lead_drift",
                "tally_drift", "quarter_drift", "registrations", "assignments", "stranded", "events", "event_drift",
            ] {
                try await connection.execute("select * from report.\(unsafe: view)")
            }
            let error = try await #require(throws: PostgresError.self) {
                try await connection.runScript("create table mine (a integer)")
            }
            #expect(error.sqlState == .readOnlyTransaction)
            await connection.close()
        }
    }

    @Test func `sessions of leads_report that keep an old snapshot are ended, and no others`() async throws {
        try await withStore { database, store in
            let kept: Statement = "begin isolation level repeatable read"
            let analyst = try await connect(database, as: "leads_report")
            _ = try await analyst.send([kept, "select count(*) from report.contacts"])
            // Between two statements it has no snapshot.
            let waiting = try await connect(database, as: "leads_report")
            try await waiting.runScript("begin isolation level read committed; select count(*) from report.contacts")
            let instance = try await connect(database, as: "leads_app")
            _ = try await instance.send([kept, "select count(*) from contacts"])
            let administrator = try await Connection.open(database.connectionConfiguration)
            _ = try await administrator.send([kept, "select count(*) from contacts"])

            #expect(try await store.endOldReportSnapshots(olderThanSeconds: 60) == 0)
            #expect(try await eventually { try await store.gauges().oldestSnapshotSeconds >= 1 })
            #expect(try await store.endOldReportSnapshots(olderThanSeconds: 0) == 1)
            await #expect(throws: PostgresError.self) { try await analyst.execute("select 1") }
            for connection in [waiting, instance, administrator] {
                try await connection.execute("select 1")
                await connection.close()
            }
        }
    }

    @Test func `what only a superuser can take from everybody is told to others`() async throws {
        try await TestDatabase.with { database in
            try await database.byHand(Schema.ownership.sql)
            try await database.byHand(
                """
                do $$ begin
                    create role leads_migrator createrole login;
                exception when duplicate_object then null; end $$;
                grant leads_owner, leads_app, leads_report to leads_migrator with admin option;
                alter database \(database.name) owner to leads_migrator;
                """)
            let migrator = try await connect(database, as: "leads_migrator")
            try await migrator.runScript(Schema.ownership.sql)
            try await migrator.runScript(Schema.roles.sql)
            let left = try await migrator.execute(LeadStore.rightsLeftOpen)[0].decode([String].self)
            #expect(left.contains("every account may take the product's advisory locks"))
            #expect(left.contains("every account may store large objects"))
            #expect(!left.contains { $0.contains("temporary tables") || $0.contains("in the schema public") })
            await migrator.close()
            // The instances' account does all it does all the same.
            let pool = Pool(
                Pool.Configuration(
                    connection: ConnectionConfiguration(
                        connectionString: "\(database.connectionString) user=leads_app")))
            let store = LeadStore(pool: pool)
            let source = try await store.createSource(NewSource(name: "source"), for: .everything, by: .api)
            let contact = NewContact(sourceID: source.id)
            _ = try await Intake(store: store).register([
                Intake.Request(contact: contact, keys: [], for: .everything, by: .api)
            ])[0].get()
            await pool.close()

            try await database.byHand(Schema.roles.sql)
            #expect(try await database.value(LeadStore.rightsLeftOpen, as: [String].self) == [])
        }
    }
}
