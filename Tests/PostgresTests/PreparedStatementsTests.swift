import TestSupport
import Testing

@testable import Postgres

struct PreparedStatementsTests {
    @Test func `a name is the FNV-1a of the text`() {
        // From the draft's test vectors.
        #expect(PreparedStatements.hash("") == 0xcbf2_9ce4_8422_2325)
        #expect(PreparedStatements.hash("foobar") == 0x8594_4171_f739_67e8)
        #expect(PreparedStatements().use(of: "foobar") == .toPrepare(name: "s85944171f73967e8"))
    }

    @Test func `two statements with one hash are not mixed up`() {
        var prepared = PreparedStatements(hash: { _ in 7 })
        let name = "s0000000000000007"
        #expect(prepared.use(of: "select 1") == .toPrepare(name: name))
        let first = prepared.add("select 1", name: name)
        #expect(prepared.use(of: "select 1") == .prepared(name: name, by: first))
        #expect(prepared.use(of: "select 2") == .nameless)
        prepared.forget("select 2", by: first)
        #expect(prepared.use(of: "select 1") == .prepared(name: name, by: first))
        prepared.forget("select 1", by: first)
        #expect(prepared.use(of: "select 2") == .toPrepare(name: name))
    }

    @Test func `late news of a preparation says nothing about the one that followed`() {
        var prepared = PreparedStatements()
        let first = prepared.add("select 1", name: "s1")
        prepared.forget("select 1", by: first)
        let second = prepared.add("select 1", name: "s1")
        prepared.forget("select 1", by: first)
        #expect(prepared.use(of: "select 1") == .prepared(name: "s1", by: second))
    }

    @Test func `types and bytes tell statements apart`() {
        var prepared = PreparedStatements()
        let known: Statement = "select \(1), '\u{e9}'"
        let preparation = prepared.add(known, name: "s1")
        #expect(prepared.use(of: "select \(2), '\u{e9}'") == .prepared(name: "s1", by: preparation))
        for other: Statement in ["select \("1"), '\u{e9}'", "select \(1), 'e\u{301}'"] {
            guard case .toPrepare = prepared.use(of: other) else {
                Issue.record("\(other.sql)")
                continue
            }
        }
    }

    @Test func `what is renewed is prepared under another name`() {
        var prepared = PreparedStatements()
        _ = prepared.add("foobar", name: "s85944171f73967e8")
        prepared.renew()
        #expect(prepared.use(of: "foobar") == .toPrepare(name: "s85944171f73967e8_1"))
    }

    @Test func `sessions agree on the name of a statement`() async throws {
        try await TestDatabase.with { database in
            var names: Set<String> = []
            for number in 1...2 {
                let connection = try await Connection.open(database.connectionConfiguration)
                for other in 1...number { try await connection.execute("select \(unsafe: "\(other)")") }
                try await connection.execute("select \(1) as it")
                names.insert(try await Self.name(of: "select $1 as it", connection))
                await connection.close()
            }
            #expect(names.count == 1)
        }
    }

    @Test func `a session that does not hold a statement is given it again`() async throws {
        try await TestDatabase.with { database in
            let connection = try await Connection.open(database.connectionConfiguration)
            for number in 1...3 {
                #expect(try await connection.execute("select \(number)")[0].decode(Int.self) == number)
                try await connection.runScript("deallocate all")
            }
            await connection.close()

            let answers = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 1...300 {
                    group.addTask {
                        if number % 50 == 0 { _ = try await database.pool.read("deallocate all") }
                        return try await database.pool.read("select \(number)")[0].decode(Int.self)
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(answers == 300 * 301 / 2)
        }
    }

    @Test func `a session that holds a statement already runs it`() async throws {
        try await TestDatabase.with { database in
            let name: String
            do {
                let connection = try await Connection.open(database.connectionConfiguration)
                try await connection.execute("select \(1) as it")
                name = try await Self.name(of: "select $1 as it", connection)
                await connection.close()
            }
            // As if a pooler had another client's session here.
            let connection = try await Connection.open(database.connectionConfiguration)
            try await connection.runScript("prepare \(name) (bigint) as select $1 as it")
            for number in 1...2 {
                #expect(try await connection.execute("select \(number) as it")[0].decode(Int.self) == number)
            }
            await connection.close()
        }
    }

    @Test func `inside a transaction a session that does not hold a statement costs a repetition of the whole`()
        async throws
    {
        try await TestDatabase.with { database in
            let attempts = Shared(0)
            let value = try await database.pool.transaction { (transaction) throws(PostgresError) in
                attempts.withLock { $0 += 1 }
                try await transaction.execute("insert into sources (name) values (\("a"))")
                try await transaction.execute("select \(1) as it")
                if attempts.value == 1 { try await transaction.execute("deallocate all") }
                return try await transaction.execute("select \(2) as it")[0].decode(Int.self)
            }
            #expect(value == 2)
            #expect(attempts.value == 2)
            #expect(try await database.value("select count(*) from sources", as: Int.self) == 1)
        }
    }

    @Test func `statements planned before a change of the schema are prepared again`() async throws {
        try await TestDatabase.with { database in
            func change(_ sql: String) async throws {
                try await database.pool.withConnection { (connection) throws(PostgresError) in
                    try await connection.runScript(sql)
                }
            }
            try await change("create table changing (a integer); insert into changing values (1)")
            #expect(try await database.pool.read("select * from changing")[0].decode(Int.self) == 1)
            for type in ["bigint", "smallint", "bigint"] {
                try await change("alter table changing alter a type \(type)")
                #expect(try await database.pool.read("select * from changing")[0].decode(Int.self) == 1)
            }
        }
    }

    private static func name(of sql: String, _ connection: Connection) async throws -> String {
        let known: Statement = "select name from pg_prepared_statements where statement = \(sql)"
        return try await connection.execute(known)[0].decode(String.self)
    }
}
