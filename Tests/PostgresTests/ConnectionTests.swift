import Postgres
import TestSupport
import Testing

struct ConnectionTests {
    private func withConnection(
        _ configure: (inout ConnectionConfiguration) -> Void = { _ in },
        _ body: (Connection, TestDatabase) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            var configuration = database.connectionConfiguration
            configure(&configuration)
            let connection = try await Connection.open(configuration)
            try await body(connection, database)
            await connection.close()
        }
    }

    @Test func `values travel in binary and come back the same`() async throws {
        try await withConnection { connection, _ in
            let bytes = String(decoding: (1...0x7f).map { UInt8($0) }, as: UTF8.self) + "Ж🙂e\u{301}"
            let row = try await connection.execute(
                """
                select \(Int.min), \(Int32.max), \(true), \(1.5), \("")::text, \(bytes), \(nil as Int?), \(7 as Int?),
                    \([1, 2, 3]), \([String]()), \(["a", nil, ""]), \([Int32(1)]), \([false, true]), 5::smallint
                """)[0]
            var column = row.reader
            #expect(try column.next(Int.self) == .min)
            #expect(try column.next(Int.self) == Int(Int32.max))
            #expect(try column.next(Bool.self))
            #expect(try column.next(Double.self) == 1.5)
            #expect(try column.next(String.self) == "")
            #expect(try Array(column.next(String.self).utf8) == Array(bytes.utf8))
            #expect(try column.next(Int?.self) == nil)
            #expect(try column.next(Int?.self) == 7)
            #expect(try column.next([Int].self) == [1, 2, 3])
            #expect(try column.next([String].self) == [])
            #expect(try column.next([String?].self) == ["a", nil, ""])
            #expect(try column.next([Int].self) == [1])
            #expect(try column.next([Bool].self) == [false, true])
            #expect(try column.next(Int.self) == 5)
            #expect(throws: PostgresError.self) { try column.next(Int.self) }
        }
    }

    @Test func `a column of another type is an error, not a guess`() async throws {
        try await withConnection { connection, _ in
            let row = try await connection.execute("select 'text', null::bigint, array[[1,2],[3,4]]")[0]
            #expect(throws: PostgresError.self) { try row.decode(Int.self) }
            #expect(throws: PostgresError.self) { try row.decode(String.self, Int.self) }
            #expect(throws: PostgresError.self) { try row.decode(String.self, Int?.self, [Int].self) }
        }
    }

    @Test func `text with U+0000 is refused before it is sent`() async throws {
        try await withConnection { connection, _ in
            for statement: Statement in ["select \("a\u{0}b")", "select \(["ok", "\u{0}"])", "select 'a\u{0}b'"] {
                let error = try await #require(throws: PostgresError.self) { try await connection.execute(statement) }
                #expect(error.code == .invalidParameter)
            }
            #expect(try await connection.execute("select 1")[0].decode(Int.self) == 1)
        }
    }

    @Test func `an error names the constraint and never quotes the row`() async throws {
        try await withConnection { connection, _ in
            try await connection.execute("insert into sources (name) values (\("secret-canary"))")
            let error = try await #require(throws: PostgresError.self) {
                try await connection.execute("insert into sources (name) values (\("secret-canary"))")
            }
            #expect(error.sqlState == .uniqueViolation)
            #expect(error.constraint == "sources_name_unique")
            let invalid = try await #require(throws: PostgresError.self) {
                try await connection.execute("select \("secret-canary")::integer")
            }
            for text in ["\(error)", "\(invalid)", String(reflecting: invalid.description)] {
                #expect(!text.contains("canary"), "\(text)")
            }
        }
    }

    @Test func `statements in one round trip each have their result`() async throws {
        try await withConnection { connection, _ in
            let results = try await connection.send(["select 1", "select 'b'", "select generate_series(1, 3)"])
            #expect(results.map(\.count) == [1, 1, 3])
            #expect(try await connection.send([]).isEmpty)
        }
    }

    @Test func `one statement that fails does not harm its neighbours when they only read`() async throws {
        try await TestDatabase.with { database in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<400 {
                    group.addTask {
                        let divisor = number % 7 == 3 ? 0 : 1
                        do {
                            return try await database.pool.read("select \(number) / \(divisor)")[0].decode(Int.self)
                        } catch let error as PostgresError where error.sqlState == SQLState("22012") {
                            return -number
                        }
                    }
                }
                var sum = 0
                for try await value in group { sum += value }
                #expect(sum == (0..<400).reduce(0) { $0 + ($1 % 7 == 3 ? -$1 : $1) })
            }
        }
    }

    @Test func `a statement that cannot be prepared says why, also beside good ones`() async throws {
        try await TestDatabase.with { database in
            async let good = database.pool.read("select 1")
            async let bad = database.pool.read("select nothing from nowhere")
            async let alsoGood = database.pool.read("select 2")
            #expect(try await good[0].decode(Int.self) == 1)
            #expect(try await alsoGood[0].decode(Int.self) == 2)
            do {
                _ = try await bad
                Issue.record("a table that does not exist was read")
            } catch let error as PostgresError {
                #expect(error.sqlState == SQLState("42P01"))
            }
        }
    }

    @Test func `a deadline closes the connection, because its state is unknown`() async throws {
        try await withConnection {
            $0.statementDeadline = .milliseconds(200)
        } _: { connection, database in
            let begun = ContinuousClock.now
            let error = try await #require(throws: PostgresError.self) {
                try await connection.execute("select pg_sleep(30)")
            }
            #expect(error.code == .deadlineExceeded)
            #expect(begun.duration(to: .now) < .seconds(5))
            #expect(await !connection.isOpen)
            #expect(await eventually { await Self.sleepers(database) == 0 }, "the server was not told to stop")
        }
    }

    @Test func `cancelling a task stops its statement on the server`() async throws {
        try await withConnection { connection, database in
            let task = Task { try await connection.execute("select pg_sleep(30)") }
            #expect(await eventually { await Self.sleepers(database) == 1 })
            task.cancel()
            let error = try await #require(throws: PostgresError.self) { _ = try await task.value }
            #expect(error.code == .cancelled)
            #expect(await eventually { await Self.sleepers(database) == 0 })
        }
    }

    @Test func `cancelling one reader leaves the shared connection and its neighbours alone`() async throws {
        try await TestDatabase.with { database in
            // Long enough to be seen at it on a busy machine; the neighbour waits for its end.
            let slow = Task { try await database.pool.read("select 1 from pg_sleep(3)") }
            #expect(await eventually { await Self.sleepers(database) == 1 })
            async let neighbour = database.pool.read("select 2")
            slow.cancel()
            _ = try await #require(throws: PostgresError.self) { _ = try await slow.value }
            #expect(try await neighbour[0].decode(Int.self) == 2)
        }
    }

    @Test func `notices arrive with their code`() async throws {
        let seen = Shared<[Notice]>([])
        try await withConnection {
            $0.noticeReceived = { notice in seen.withLock { $0.append(notice) } }
        } _: { connection, _ in
            try await connection.runScript("do $$ begin raise warning 'secret'; end $$")
            #expect(seen.withLock { $0.map(\.sqlState) } == [.warning])
            #expect(seen.withLock { $0.map(\.severity) } == ["WARNING"])
        }
    }

    @Test func `a large parameter and a large result pass`() async throws {
        try await withConnection { connection, _ in
            let text = String(repeating: "0123456789", count: 2_000_000)
            let (length, echo) = try await connection.execute("select length(\(text)), \(text)")[0]
                .decode(Int.self, String.self)
            #expect(length == 20_000_000)
            #expect(echo.utf8.count == 20_000_000)
        }
    }

    @Test func `a server that cannot be reached is an error that keeps the password to itself`() async throws {
        let error = try await #require(throws: PostgresError.self) {
            _ = try await Connection.open(
                ConnectionConfiguration(connectionString: "postgresql://nobody:secret-canary@127.0.0.1:1/nothing"))
        }
        #expect(error.code == .connectionFailed)
        #expect(!"\(error)".contains("canary"))
    }

    @Test func `behind a transaction pooler no statement is prepared by name`() async throws {
        try await withConnection {
            $0.isPooled = true
        } _: { connection, _ in
            for _ in 1...3 { #expect(try await connection.execute("select \(5)")[0].decode(Int.self) == 5) }
            let prepared = try await connection.execute("select count(*) from pg_prepared_statements")
            #expect(try prepared[0].decode(Int.self) == 0)
        }
    }

    @Test func `COPY to or from the client is refused, and ends the connection`() async throws {
        for copy in ["copy (select 1) to stdout", "copy sources (name) from stdin"] {
            for asScript in [true, false] {
                try await withConnection { connection, _ in
                    let error = try await #require(throws: PostgresError.self) {
                        if asScript {
                            try await connection.runScript(copy)
                        } else {
                            try await connection.execute("\(unsafe: copy)")
                        }
                    }
                    #expect(error.code == .unsupported)
                    #expect(await !connection.isOpen)
                }
            }
        }
    }

    @Test func `a script that ends with an error leaves the connection to others`() async throws {
        try await withConnection { connection, _ in
            let error = try await #require(throws: PostgresError.self) {
                try await connection.runScript("select 1; select 1 / 0; select 2")
            }
            #expect(error.sqlState == SQLState("22012"))
            #expect(try await connection.execute("select 3")[0].decode(Int.self) == 3)
        }
    }

    @Test func `a script has no deadline, and is stopped with its task`() async throws {
        try await withConnection {
            $0.statementDeadline = .milliseconds(100)
        } _: { connection, database in
            try await connection.runScript("select pg_sleep(0.5)")
            let task = Task { try await connection.runScript("select pg_sleep(30)") }
            #expect(await eventually { await Self.sleepers(database) == 1 })
            task.cancel()
            let error = try await #require(throws: PostgresError.self) { try await task.value }
            #expect(error.code == .cancelled)
            #expect(await eventually { await Self.sleepers(database) == 0 })
        }
    }

    @Test func `statements of one text with parameters of other types are other statements`() async throws {
        try await withConnection { connection, _ in
            let number = try await connection.execute("select \(7)")[0].decode(Int.self)
            let text = try await connection.execute("select \("8 bytes.")")[0].decode(String.self)
            #expect(number == 7)
            #expect(text == "8 bytes.")
        }
    }

    @Test func `statements that Swift holds for equal are told apart by their bytes`() async throws {
        try await withConnection { connection, _ in
            for letter in ["\u{e9}", "e\u{301}"] {
                let text = try await connection.execute("select '\(unsafe: letter)'")[0].decode(String.self)
                #expect(Array(text.utf8) == Array(letter.utf8))
            }
        }
    }

    @Test func `statements compose with their parameters renumbered`() {
        let inner: Statement = "a = \(1) and b = \("x")"
        let outer: Statement = "select \(0) where \(inner) or c = \(true)"
        #expect(outer.sql == "select $1 where a = $2 and b = $3 or c = $4")
    }

    /// How many sessions of the database sleep in `pg_sleep`.
    private static func sleepers(_ database: TestDatabase) async -> Int {
        (try? await database.value(
            """
            select count(*) from pg_stat_activity
            where datname = current_database() and wait_event = 'PgSleep' and pid <> pg_backend_pid()
            """)) ?? -1
    }
}
