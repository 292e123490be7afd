import Postgres
import TestSupport
import Testing

struct PoolTests {
    private struct Refused: Error {}

    private func count(_ database: TestDatabase) async throws -> Int {
        try await database.value("select count(*) from sources")
    }

    private func insert(_ name: String) -> Statement {
        "insert into sources (name) values (\(name))"
    }

    @Test func `a transaction is committed when its body returns`() async throws {
        try await TestDatabase.with { database in
            let value = try await database.pool.transaction { (transaction) throws(PostgresError) in
                try await transaction.execute(insert("a"))
                return 5
            }
            #expect(value == 5)
            #expect(try await count(database) == 1)
        }
    }

    @Test func `a transaction leaves nothing when its body throws, and the connection goes on`() async throws {
        try await TestDatabase.with {
            $0.maximumConnections = 1
        } _: { database in
            _ = try await #require(throws: (any Error).self) {
                try await database.pool.transaction(wrapping: { $0 as any Error }) { transaction in
                    try await transaction.execute(insert("a"))
                    throw Refused()
                }
            }
            let error = try await #require(throws: PostgresError.self) {
                try await database.pool.transaction { (transaction) throws(PostgresError) in
                    try await transaction.execute(insert("b"))
                    try await transaction.execute("select 1 / \(0)")
                }
            }
            #expect(error.sqlState == SQLState("22012"))
            #expect(try await count(database) == 0)
            #expect(await database.pool.counts.idle == 1, "the connection was thrown away")
        }
    }

    @Test func `a cancelled transaction leaves nothing`() async throws {
        try await TestDatabase.with { database in
            let begun = Shared(false)
            let task = Task {
                try await database.pool.transaction { (transaction) throws(PostgresError) in
                    try await transaction.execute(insert("a"))
                    begun.withLock { $0 = true }
                    try await transaction.execute("select pg_sleep(30)")
                }
            }
            #expect(await eventually { begun.withLock { $0 } })
            task.cancel()
            _ = try await #require(throws: PostgresError.self) { try await task.value }
            #expect(try await count(database) == 0)
            #expect(try await database.pool.read("select 1").count == 1)
        }
    }

    @Test func `the last statements and the COMMIT share a round trip`() async throws {
        try await TestDatabase.with { database in
            try await database.pool.transaction { (transaction) throws(PostgresError) in
                _ = try await transaction.send(["select 1"])
                let results = try await transaction.commit(after: [insert("a"), "select count(*) from sources"])
                #expect(try results[1][0].decode(Int.self) == 1)
            }
            #expect(try await count(database) == 1)
        }
    }

    @Test func `deadlocks are resolved by running one of the two again`() async throws {
        try await TestDatabase.with {
            // The server takes a second to find one, and longer on a busy machine.
            $0.retryBudget = .seconds(30)
        } _: { database in
            try await database.pool.transaction { (transaction) throws(PostgresError) in
                try await transaction.execute(insert("a"))
                try await transaction.execute(insert("b"))
            }
            let attempts = Shared(0)
            let halfway = Shared(0)
            try await withThrowingTaskGroup { group in
                for names in [["a", "b"], ["b", "a"]] {
                    group.addTask {
                        try await database.pool.transaction { (transaction) throws(PostgresError) in
                            attempts.withLock { $0 += 1 }
                            for name in names {
                                try await transaction.execute(
                                    "update sources set sticky_days = sticky_days + 1 where name = \(name)")
                                halfway.withLock { $0 += 1 }
                                _ = await eventually { halfway.withLock { $0 } >= 2 }
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await database.value("select sum(sticky_days) from sources", as: Int.self) == 4)
            #expect(attempts.withLock { $0 } > 2, "they did not collide")
        }
    }

    @Test func `leases wait for a connection and are refused when none comes free in time`() async throws {
        try await TestDatabase.with {
            $0.maximumConnections = 1
            $0.readers = 1
            // Long enough to open a connection on a busy machine, which counts too.
            $0.leaseTimeout = .seconds(2)
        } _: { database in
            let release = Shared(false)
            _ = try await database.pool.read("select 1")
            let holder = Task {
                try await database.pool.withConnection { (connection) throws(PostgresError) in
                    _ = await eventually { release.withLock { $0 } }
                }
            }
            #expect(await eventually { await database.pool.counts.leased == 2 })
            let error = try await #require(throws: PostgresError.self) {
                try await database.pool.withConnection { (connection) throws(PostgresError) in
                    _ = try await connection.execute("select 1")
                }
            }
            #expect(error.code == .poolExhausted)
            #expect(try await database.pool.read("select 2").count == 1, "readers do not wait for leases")
            release.withLock { $0 = true }
            try await holder.value
        }
    }

    @Test func `a connection left inside a transaction is closed, not lent again`() async throws {
        try await TestDatabase.with {
            $0.maximumConnections = 1
        } _: { database in
            let first = try await database.pool.withConnection { (connection) throws(PostgresError) in
                _ = try await connection.send(["begin", "select 1"])
                return try await connection.execute("select pg_backend_pid()")[0].decode(Int.self)
            }
            let second = try await database.pool.withConnection { (connection) throws(PostgresError) in
                try await connection.execute("select pg_backend_pid()")[0].decode(Int.self)
            }
            #expect(first != second)
        }
    }

    @Test func `the pool survives the loss of all its connections under way`() async throws {
        try await TestDatabase.with { database in
            let stop = Shared(false)
            let done = Shared(0)
            let traffic = Task {
                while !stop.withLock({ $0 }) {
                    do throws(PostgresError) {
                        try await database.pool.transaction { (transaction) throws(PostgresError) in
                            _ = try await transaction.execute("select count(*) from sources")
                        }
                        _ = try await database.pool.read("select 1")
                        done.withLock { $0 += 1 }
                    } catch {
                        // Unavailable: new connections are terminated too, and then the pool refuses for a moment.
                        #expect(
                            error.isConnectionLoss || [.outcomeUnknown, .unavailable].contains(error.code), "\(error)")
                    }
                }
            }
            for _ in 1...20 {
                _ = try await database.value(
                    """
                    select count(pg_terminate_backend(pid)) from pg_stat_activity
                    where datname = current_database() and pid <> pg_backend_pid()
                    """, as: Int.self)
                try await Task.sleep(for: .milliseconds(20))
            }
            let doneInTheStorm = done.value
            #expect(await eventually { done.value > doneInTheStorm })
            stop.withLock { $0 = true }
            await traffic.value
            #expect(try await database.pool.read("select 1").count == 1)
        }
    }

    @Test func `a broken connection in the middle of a transaction repeats the whole of it`() async throws {
        try await TestDatabase.with { database in
            let attempts = Shared(0)
            try await database.pool.transaction { (transaction) throws(PostgresError) in
                try await transaction.execute(insert("a"))
                attempts.withLock { $0 += 1 }
                if attempts.value == 1 {
                    try await transaction.execute("select pg_terminate_backend(pg_backend_pid())")
                }
            }
            #expect(attempts.withLock { $0 } == 2)
            #expect(try await count(database) == 1)
        }
    }

    @Test func `a COMMIT whose answer is lost has an unknown outcome and is not repeated`() async throws {
        try await TestDatabase.with { database in
            // A deferred trigger ends the session inside the COMMIT.
            try await database.pool.withConnection { (connection) throws(PostgresError) in
                try await connection.runScript(
                    """
                    create function hang_up() returns trigger language plpgsql as
                        $$ begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(5); return null; end $$;
                    create constraint trigger hang_up after insert on sources deferrable initially deferred
                        for each row execute function hang_up();
                    """)
            }
            let attempts = Shared(0)
            let error = try await #require(throws: PostgresError.self) {
                try await database.pool.transaction { (transaction) throws(PostgresError) in
                    attempts.withLock { $0 += 1 }
                    try await transaction.execute(insert("a"))
                }
            }
            #expect(error.code == .outcomeUnknown || error.sqlState == .adminShutdown, "\(error)")
            if error.code == .outcomeUnknown { #expect(attempts.withLock { $0 } == 1) }
        }
    }

    @Test func `a transaction that PostgreSQL rolled back is no success`() async throws {
        try await TestDatabase.with { database in
            let error = try await #require(throws: PostgresError.self) {
                try await database.pool.transaction { (transaction) throws(PostgresError) in
                    try await transaction.execute(insert("a"))
                    _ = try? await transaction.execute("select 1 / \(0)")
                }
            }
            #expect(error.sqlState == SQLState("22012"), "what ended the transaction is told: \(error)")
            #expect(try await count(database) == 0)

            // The error was one that asks for a repetition.
            let attempts = Shared(0)
            try await database.pool.transaction { (transaction) throws(PostgresError) in
                try await transaction.execute(insert("b"))
                attempts.withLock { $0 += 1 }
                if attempts.value == 1 {
                    _ = try? await transaction.execute(
                        "do $$ begin raise exception 'again' using errcode = 'serialization_failure'; end $$")
                }
            }
            #expect(attempts.value == 2)
            #expect(try await count(database) == 1)
        }
    }

    @Test func `a COMMIT that failed is no success, although its error was caught`() async throws {
        try await TestDatabase.with { database in
            try await database.pool.withConnection { (connection) throws(PostgresError) in
                try await connection.runScript(
                    """
                    create function refuse() returns trigger language plpgsql as
                        $$ begin raise exception 'no' using errcode = 'check_violation'; end $$;
                    create constraint trigger refuse after insert on sources deferrable initially deferred
                        for each row execute function refuse();
                    """)
            }
            let after = Shared<PostgresError?>(nil)
            let error = try await #require(throws: PostgresError.self) {
                try await database.pool.transaction { (transaction) throws(PostgresError) in
                    _ = try? await transaction.commit(after: [insert("a")])
                    do throws(PostgresError) { try await transaction.execute(insert("b")) } catch {
                        after.withLock { $0 = error }
                    }
                }
            }
            #expect(error.sqlState == SQLState("23514"))
            #expect(after.value?.sqlState == SQLState("23514"), "what comes after is not run outside the transaction")
            #expect(try await count(database) == 0)
        }
    }

    @Test func `an error that a savepoint has caught does not keep a transaction from being committed`() async throws {
        try await TestDatabase.with { database in
            try await database.pool.transaction { (transaction) throws(PostgresError) in
                _ = try await transaction.send([insert("a"), "savepoint s"])
                _ = try? await transaction.execute("select 1 / \(0)")
                try await transaction.execute("rollback to s")
            }
            #expect(try await count(database) == 1)
        }
    }

    @Test func `a warning at COMMIT is not an unknown outcome`() async throws {
        try await TestDatabase.with { database in
            try await database.pool.withConnection { (connection) throws(PostgresError) in
                try await connection.runScript(
                    """
                    create function warn() returns trigger language plpgsql as
                        $$ begin raise warning 'canceling wait for synchronous replication'; return null; end $$;
                    create constraint trigger warn after insert on sources deferrable initially deferred
                        for each row execute function warn();
                    """)
            }
            try await database.pool.transaction { (transaction) throws(PostgresError) in
                _ = try await transaction.execute(insert("a"))
            }
            #expect(try await count(database) == 1)
        }
    }

    @Test func `a COMMIT whose wait for a standby is cancelled has an unknown outcome`() async throws {
        try await TestDatabase.with { database in
            async let committed: Void = database.pool.transaction { (transaction) throws(PostgresError) in
                _ = try await transaction.send(["set local synchronous_commit = on", insert("a")])
            }
            let cancelled = await eventually {
                let cancel: Statement = """
                    select count(*) filter (where pg_cancel_backend(pid)) from pg_stat_activity
                    where datname = current_database() and wait_event = 'SyncRep'
                    """
                return (try? await database.value(cancel, as: Int.self)) == 1
            }
            #expect(cancelled)
            do {
                try await committed
                Issue.record("it may be on no standby")
            } catch let error as PostgresError {
                #expect(error.code == .outcomeUnknown)
            }
            #expect(try await count(database) == 1)
        }
    }

    @Test func `a read that takes too long costs nobody the connection`() async throws {
        try await TestDatabase.with {
            $0.connection.statementDeadline = .seconds(1)
            $0.connection.sessionSettings["statement_timeout"] = "3s"
        } _: { database in
            func session() async throws -> Int {
                try await database.pool.read("select pg_backend_pid()")[0].decode(Int.self)
            }
            let before = try await session()
            let begun = ContinuousClock.now
            let error = try await #require(throws: PostgresError.self) {
                _ = try await database.pool.read("select pg_sleep(30)")
            }
            #expect(error.code == .deadlineExceeded)
            #expect(begun.duration(to: .now) < .seconds(3), "the caller waited for the server")
            let after = Shared(0)
            let answers = await eventually {
                guard let pid = try? await session() else { return false }
                after.withLock { $0 = pid }
                return true
            }
            #expect(answers)
            #expect(after.value == before)
        }
    }

    @Test func `a shared connection that stays silent is given up`() async throws {
        try await TestDatabase.with {
            $0.connection.statementDeadline = .milliseconds(200)
            $0.connection.silenceLimit = .seconds(1)
            $0.connection.sessionSettings["statement_timeout"] = "0"
        } _: { database in
            _ = try await #require(throws: PostgresError.self) {
                _ = try await database.pool.read("select pg_sleep(60)")
            }
            let answers = await eventually(within: .seconds(30)) {
                (try? await database.pool.read("select 1")) != nil
            }
            #expect(answers, "its statement keeps everybody waiting")
        }
    }

    @Test func `changed settings of a role reach every session, and nobody notices`() async throws {
        try await TestDatabase.with {
            $0.connectionLifetime = .milliseconds(300)
        } _: { database in
            let isOver = Shared(false)
            let done = Shared(0)
            // Readers all the time, so that their connection is never idle by itself, and transactions longer than a life.
            let traffic = Task {
                try await withThrowingTaskGroup { group in
                    for _ in 1...8 {
                        group.addTask {
                            while !isOver.value {
                                _ = try await database.pool.read("select pg_sleep(0.002)")
                                done.withLock { $0 += 1 }
                            }
                        }
                    }
                    group.addTask {
                        while !isOver.value {
                            try await database.pool.transaction { (transaction) throws(PostgresError) in
                                _ = try await transaction.execute("select pg_sleep(0.5)")
                                _ = try await transaction.execute("select 1")
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(await eventually { done.value > 0 })
            let name = database.name
            _ = try await database.pool.withConnection { (connection) throws(PostgresError) in
                try await connection.execute("alter database \(unsafe: name) set geqo_seed = 0.25")
            }
            let setting: Statement = "select current_setting('geqo_seed')"
            let haveAll = await eventually {
                let readers = try? await database.pool.read(setting)[0].decode(String.self)
                let leased = try? await database.pool.withConnection { (connection) throws(PostgresError) in
                    try await connection.execute(setting)[0].decode(String.self)
                }
                return readers == "0.25" && leased == "0.25"
            }
            #expect(haveAll)
            isOver.withLock { $0 = true }
            try await traffic.value
        }
    }

    @Test func `a closed pool refuses`() async throws {
        try await TestDatabase.with { database in
            _ = try await database.pool.read("select 1")
            await database.pool.close()
            let error = try await #require(throws: PostgresError.self) { _ = try await database.pool.read("select 1") }
            #expect(error.code == .poolClosed)
        }
    }

    @Test func `an unreachable server is refused quickly once the circuit is open`() async throws {
        let pool = Pool(
            Pool.Configuration(
                connection: ConnectionConfiguration(connectionString: "host=127.0.0.1 port=1 dbname=nothing")))
        await pool.start()
        _ = try await #require(throws: PostgresError.self) { _ = try await pool.read("select 1") }
        #expect(
            await eventually {
                let begun = ContinuousClock.now
                do throws(PostgresError) {
                    _ = try await pool.read("select 1")
                    return false
                } catch {
                    return error.code == .unavailable && begun.duration(to: .now) < .milliseconds(50)
                }
            })
        await pool.close()
    }
}
