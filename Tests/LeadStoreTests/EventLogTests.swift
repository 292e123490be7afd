import LeadStore
import Leads
import Postgres
import TestSupport
import Testing

/// Readers of the log miss nothing and wait for nobody, whoever commits when.
struct EventLogTests {
    @Test func `a slow writer holds nobody up, and has its place when it is done`() async throws {
        try await TestDatabase.with { database in
            let slow = try await database.writer()
            let others = try await Connection.open(database.connectionConfiguration)
            try await slow.record("slow")
            var read: [String?] = []
            for number in 1...300 {
                try await others.execute("insert into events (kind, reason) values ('a', \("\(number)"))")
                guard number.isMultiple(of: 10) else { continue }
                let start = ContinuousClock.now
                read += try await database.store.events(LogPage(after: read.count), for: .everything).elements.map(
                    \.reason)
                // Some milliseconds, and a second or two beside all the other tests; the writer stays for the whole loop.
                #expect(ContinuousClock.now - start < .seconds(5))
            }
            await others.close()
            #expect(read == (1...300).map(String.init))

            try await slow.end("commit")
            let later = try await database.store.events(LogPage(after: 300), for: .everything).elements
            #expect(later.map(\.reason) == ["slow"] && later.map(\.position) == [301])
            #expect(try await database.logIsSound())
        }
    }

    @Test func `whoever follows the log is told what is new and where it ends, whatever was numbered before`()
        async throws
    {
        try await TestDatabase.with { database in
            #expect(
                try await database.store.newEvents(after: .max, atMost: 10) == LogPart(entries: [], limit: 10, end: 0))
            try await database.byHand(
                "insert into events (kind, reason) select 'a', n::text from generate_series(1, 25) n")
            let first = try await database.store.newEvents(after: 0, atMost: 10)
            #expect(
                first.events(for: .everything).map(\.position) == Array(1...10)
                    && (first.reached, first.end) == (10, 25))
            let rest = try await database.store.oldEvents(after: 10, atMost: 1000, for: .everything)
            #expect(
                rest.events(for: .everything).map(\.reason) == (11...25).map(String.init)
                    && (rest.reached, rest.end) == (25, 25))
            #expect(
                rest.events(for: .everything)
                    == (try await database.store.events(LogPage(after: 10), for: .everything).elements))
            for position in [25, 26, Int.max] {
                #expect(
                    try await database.store.newEvents(after: position, atMost: 10)
                        == LogPart(entries: [], limit: 10, end: 25))
            }
            #expect(try await database.logIsSound())
        }
    }

    @Test func `writers that roll back leave no gap in positions`() async throws {
        try await TestDatabase.with { database in
            for number in 1...20 {
                let writer = try await database.writer()
                try await writer.record("\(number)")
                try await writer.end(number.isMultiple(of: 3) ? "rollback" : "commit")
                if number.isMultiple(of: 5) { try await database.store.sequenceEvents() }
            }
            let events = try await database.store.events(LogPage(), for: .everything).elements
            #expect(events.map(\.reason) == (1...20).filter { !$0.isMultiple(of: 3) }.map(String.init))
            #expect(try await database.logIsSound())
        }
    }

    @Test func `many writers and readers: each reader sees each event once, all in one order`() async throws {
        try await TestDatabase.with { database in
            var generator = SeededGenerator()
            let seeds = (1...11).map { _ in generator.next() }
            let source = try await database.store.createSource(NewSource(name: "source"), for: .everything, by: .api)
            var contacts: [Int] = []
            for _ in 1...5 { contacts.append(try await database.register(source.id).id) }
            try await database.byHand("truncate events")
            let areWriting = Shared(8)

            let read = try await withThrowingTaskGroup(of: [Event]?.self, returning: [[Event]].self) { group in
                for seed in seeds[..<8] {
                    group.addTask { [contacts] in
                        defer { areWriting.withLock { $0 -= 1 } }
                        var generator = SeededGenerator(seed: seed)
                        for _ in 1...40 { try await database.changeContacts(contacts, using: &generator) }
                        return nil
                    }
                }
                for seed in seeds[8...] {
                    group.addTask { try await database.follow(until: { areWriting.value == 0 }, seed: seed) }
                }
                return try await group.reduce(into: []) { if let events = $1 { $0.append(events) } }
            }

            let committed: Int = try await database.value("select count(*) from events")
            #expect(committed > 200)
            for events in read {
                #expect(events.map(\.position) == Array(1...committed))
                #expect(events == read[0])
            }
            for contact in contacts {
                let versions = read[0].filter { $0.contactID == contact }.map(\.reason)
                #expect(versions == (2..<(2 + versions.count)).map(String.init), "contact \(contact)")
            }
            #expect(try await database.logIsSound())
        }
    }

    @Test func `sequencers at once give each event one position`() async throws {
        try await TestDatabase.with { database in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...4 {
                    group.addTask {
                        for _ in 1...60 { _ = try await database.pass(most: 7) }
                    }
                    group.addTask {
                        for _ in 1...25 {
                            try await database.byHand("insert into events (kind) select 'a' from generate_series(1, 5)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await database.store.sequenceEvents()
            #expect(try await database.value("select count(*) from event_log") == 500)
            #expect(try await database.logIsSound())
        }
    }

    @Test func `a gap is kept as long as somebody may still fill it, however often it is looked at`() async throws {
        try await TestDatabase.with { database in
            // The later number draws the earlier id, and only the earlier number has ended: no snapshot shows the other.
            let (quick, slow) = (try await database.writer(), try await database.writer())
            try await quick.run("select pg_current_xact_id()")
            try await slow.run("select pg_current_xact_id()")
            try await slow.record("slow")
            try await quick.record("quick")
            try await quick.end("commit")
            for _ in 1...5 { _ = try await database.pass(patience: "0") }
            #expect(try await database.gaps() == "{[1,2)}")
            try await slow.end("commit")
            #expect(try await database.pass(patience: "0") == 1)
            #expect(
                try await database.store.events(LogPage(), for: .everything).elements.map(\.reason) == [
                    "quick", "slow",
                ])
            #expect(try await database.gaps() == nil)
        }
    }

    @Test func `a gap is forgotten once everybody who may have drawn its ids has ended, and not before`() async throws {
        try await TestDatabase.with { database in
            let (bystander, failed) = (try await database.writer(), try await database.writer())
            try await bystander.run("select pg_current_xact_id()")
            try await failed.record("failed")
            try await database.byHand("insert into events (kind) values ('a')")
            try await failed.end("rollback")
            for _ in 1...3 { _ = try await database.pass(patience: "0") }
            #expect(try await database.gaps() == "{[1,2)}")
            try await bystander.end("rollback")
            // Other tests' transactions are bystanders too.
            #expect(
                try await eventually(within: .seconds(60)) {
                    _ = try await database.pass(patience: "0")
                    return try await database.gaps() == nil
                })
            #expect(try await database.logIsSound())
        }
    }

    @Test func `whoever has drawn an id before having a number is waited for`() async throws {
        try await TestDatabase.with { database in
            let late = try await database.writer()
            try await late.run("select nextval('events_id_seq'), nextval('events_id_seq')")
            try await database.byHand("insert into events (kind) values ('a')")
            for _ in 1...3 { _ = try await database.pass() }
            #expect(try await database.gaps() == "{[1,3)}")
            try await late.run("insert into events (id, kind) overriding system value values (1, 'late')")
            try await late.end("commit")
            #expect(try await database.pass() == 1)
            #expect(try await database.gaps() == "{[2,3)}")
        }
    }

    @Test func `a pass that is cut short forgets nothing`() async throws {
        try await TestDatabase.with { database in
            let slow = try await database.writer()
            try await slow.run("insert into events (kind) select 'slow' from generate_series(1, 10)")
            try await database.byHand("insert into events (kind) values ('a')")
            #expect(try await database.pass(patience: "0", most: 3) == 1)
            try await slow.end("commit")
            try await database.byHand("insert into events (kind) values ('b')")
            var passes: [Int] = []
            repeat { passes.append(try await database.pass(patience: "0", most: 3)) } while passes.last != 0
            #expect(passes == [3, 3, 3, 2, 0])
            let kinds = try await database.store.events(LogPage(), for: .everything).elements.map(\.kind)
            #expect(kinds == ["a"] + Array(repeating: "slow", count: 10) + ["b"])
            #expect(try await database.logIsSound())
        }
    }

    @Test func `a hundred thousand ids rolled back are one range`() async throws {
        try await TestDatabase.with { database in
            let failed = try await database.writer()
            try await failed.run("insert into events (kind) select 'a' from generate_series(1, 100000)")
            try await failed.end("rollback")
            try await database.byHand("insert into events (kind) values ('a')")
            #expect(try await database.pass() == 1)
            #expect(try await database.gaps() == "{[1,100001)}")
            #expect(try await database.store.events(LogPage(), for: .everything).elements.map(\.position) == [1])
        }
    }

    @Test func `looking for what is missing costs by what is missing, whenever it was planned`() async throws {
        try await TestDatabase.with { database in
            var configuration = database.connectionConfiguration
            configuration.sessionSettings = LeadStore.sessionSettings
            let session = try await Connection.open(configuration)
            for _ in 1...3 { try await session.execute("select sequence_events()") }
            try await database.byHand(
                """
                insert into events (kind) select 'a' from generate_series(1, 20000);
                delete from events where id % 40 = 0;
                """)
            while try await session.execute("select sequence_events()")[0].decode(Int.self) > 0 {}
            #expect(try await database.value("select count(*) from event_gaps, unnest(ids)") == 499)
            let start = ContinuousClock.now
            for _ in 1...20 { try await session.execute("select sequence_events()") }
            // Some 4 ms each; through all events for each gap it would be a second, and many times that beside other tests.
            #expect(ContinuousClock.now - start < .seconds(10))
            await session.close()
        }
    }

    @Test func `gaps that came with a dump from another server are forgotten`() async throws {
        try await TestDatabase.with { database in
            try await database.byHand(
                """
                insert into event_gaps (ids, horizon, noticed_at)
                values ('{[1,9)}', '99999999999', now() - interval '1 h')
                """)
            _ = try await database.pass()
            #expect(try await database.gaps() == nil)
        }
    }

    @Test func `numbering demands a transaction of its own that sees what is committed meanwhile`() async throws {
        try await TestDatabase.with { database in
            for begin in ["begin; select pg_current_xact_id()", "begin isolation level repeatable read"] {
                let error = try await #require(throws: PostgresError.self) {
                    try await database.byHand("\(begin); select sequence_events(); commit")
                }
                #expect(error.sqlState == SQLState("25001"), "\(error)")
            }
        }
    }

    @Test func `events from before the log are numbered, a page's worth before it is shown`() async throws {
        try await TestDatabase.with { database in
            try await database.byHand(
                "insert into events (kind, reason) select 'a', n from generate_series(1, 25000) n")
            let first = try await database.store.events(LogPage(limit: 2), for: .everything)
            #expect(first.elements.map(\.position) == [1, 2] && first.nextCursor == 2)
            #expect(try await database.value("select count(*) from event_log") == 10_000)
            let last = try await database.store.events(LogPage(after: 24_998), for: .everything)
            #expect(last.elements.map(\.reason) == ["24999", "25000"] && last.nextCursor == nil)
            #expect(
                try await database.store.events(LogPage(after: .max, limit: 1000), for: .everything).elements.isEmpty)
            #expect(try await database.logIsSound())
        }
    }

    @Test func `a contact's history has all that was committed, each event with its place in the log`() async throws {
        try await TestDatabase.with { database in
            let (source, ids) = try await database.team([1])
            let (first, second) = (try await database.register(source.id), try await database.register(source.id))
            _ = try await database.store.changeContact(id: first.id, ContactChange(.close), for: .everything, by: .api)
            try await database.byHand(
                #"""
                insert into events (contact_id, kind, actor_kind, actor_id, actor_name, data)
                values (\#(second.id), 'b', 'api', '7', 'bot', '{"a":[1e400,"é"]}')
                """#)

            let history = try await database.store.history(ofContact: second.id, LogPage(limit: 1000), for: .everything)
                .elements
            #expect(history.map(\.kind) == ["registered", "assigned", "b"])
            #expect(history[1].toOperatorID == ids[0] && history[1].actor == Event.Actor(kind: "system"))
            #expect(history[2].actor == Event.Actor(kind: "api", id: "7", name: "bot"))
            #expect(history[2].data?.hasSuffix(#", "é"]}"#) == true)
            let log = try await database.store.events(LogPage(), for: .everything).elements
            #expect(log.filter { $0.contactID == second.id } == history)

            let page = try await database.store.history(
                ofContact: second.id, LogPage(after: history[0].position, limit: 1), for: .everything)
            #expect(page.elements == [history[1]] && page.nextCursor == history[1].position)
            let error = try await #require(throws: StoreError.self) {
                _ = try await database.store.history(ofContact: 999, LogPage(), for: .everything)
            }
            guard case .contactNotFound = error else { throw error }
        }
    }
}

/// A session with a transaction of its own, as slow as a test wants it.
private struct Writer {
    let connection: Connection

    func run(_ statement: Statement) async throws {
        try await connection.execute(statement)
    }

    func record(_ reason: String) async throws {
        try await run("insert into events (kind, reason) values ('a', \(reason))")
    }

    func end(_ how: String) async throws {
        try await run("\(unsafe: how)")
        await connection.close()
    }
}

extension TestDatabase {
    fileprivate func writer() async throws -> Writer {
        let connection = try await Connection.open(connectionConfiguration)
        try await connection.execute("begin")
        return Writer(connection: connection)
    }

    fileprivate func pass(patience: String = "1 minute", most: Int = 10_000) async throws -> Int {
        try await value("select sequence_events(\(patience)::text::interval, \(most)::bigint::integer)")
    }

    /// The ids that may still appear, nil for none.
    fileprivate func gaps() async throws -> String? {
        try await value("select range_agg(ids)::text from event_gaps")
    }

    /// Whether positions have no gaps, and no event will never have one.
    fileprivate func logIsSound() async throws -> Bool {
        try await value(
            """
            select (select count(*) = coalesce(max(position), 0) and count(*) = (select last_position from event_sequencer)
                    from event_log)
                and not exists (select from report.event_drift)
                and not exists (select from event_log where event_id not in (select id from events))
            """)
    }

    /// Changes one to three contacts in one transaction, each with an event, and commits it now or later or never.
    fileprivate func changeContacts(_ contacts: [Int], using generator: inout SeededGenerator) async throws {
        let writer = try await writer()
        let chosen = contacts.shuffled(using: &generator).prefix(.random(in: 1...3, using: &generator)).sorted()
        for contact in chosen {
            try await writer.run(
                """
                with changed as (
                    update contacts set version = version + 1 where id = \(contact) returning id, version
                )
                insert into events (contact_id, kind, reason) select id, 'changed', version::text from changed
                """)
        }
        // Some have nothing to do with any contact and take long: they hold no row that others want.
        let isSlow = Int.random(in: 1...10, using: &generator) == 1
        if isSlow {
            try await writer.run("rollback")
            try await writer.run("begin")
            try await writer.record("0")
        }
        try await Task.sleep(for: .milliseconds(.random(in: 0...(isSlow ? 500 : 10), using: &generator)))
        try await writer.end(Int.random(in: 1...4, using: &generator) == 1 ? "rollback" : "commit")
    }

    /// Reads the log as a client of another instance would, until nothing more comes.
    fileprivate func follow(
        until isOver: @Sendable () -> Bool, seed: UInt64
    ) async throws -> [Event] {
        let pool = Pool(Pool.Configuration(connection: connectionConfiguration))
        let store = LeadStore(pool: pool)
        var generator = SeededGenerator(seed: seed)
        var read: [Event] = []
        while true {
            let wasOver = isOver()
            let page = LogPage(after: read.last?.position ?? 0, limit: .random(in: 1...50, using: &generator))
            let found = try await store.events(page, for: .everything).elements
            read += found
            if wasOver && found.isEmpty { break }
        }
        await pool.close()
        return read
    }
}
