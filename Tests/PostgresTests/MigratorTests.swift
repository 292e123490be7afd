import Postgres
import TestSupport
import Testing

struct MigratorTests {
    private func migration(_ version: Int, _ sql: String) -> Migrator.Migration {
        Migrator.Migration(version: version, name: "migrations/\(version)", sql: sql)
    }

    /// Runs `body` on a database whose own migrations have been forgotten.
    private func withEmptyDatabase(_ body: (TestDatabase) async throws -> Void) async throws {
        try await TestDatabase.with { database in
            try await database.pool.withConnection { (connection) throws(PostgresError) in
                try await connection.runScript("drop table schema_migrations, schema_repeatables")
            }
            try await body(database)
        }
    }

    @Test func `migrations are applied once, in order, and views whenever their text changes`() async throws {
        try await withEmptyDatabase { database in
            let first = migration(1, "create table one (a integer)")
            let second = migration(2, "alter table one add b integer; insert into one values (1, 2)")
            func view(_ column: String) -> Migrator.Repeatable {
                Migrator.Repeatable(
                    name: "views/v", sql: "drop view if exists v; create view v as select \(column) from one")
            }
            func run(_ migrations: [Migrator.Migration], _ view: Migrator.Repeatable) async throws -> Migrator.Outcome {
                try await Migrator(migrations: migrations, repeatables: [view]).run(database.connectionConfiguration)
            }
            #expect(try await run([first], view("a")).applied == ["migrations/1"])
            let outcome = try await run([first, second], view("a"))
            #expect(outcome.applied == ["migrations/2"])
            #expect(outcome.repeated == [])
            #expect(try await run([first, second], view("b")).repeated == ["views/v"])
            #expect(try await run([first, second], view("b")) == Migrator.Outcome())
            #expect(try await database.value("select b from v", as: Int.self) == 2)
            #expect(try await Migrator.appliedVersion(database.pool) == 2)
            // An older program beside the newer schema puts nothing back.
            #expect(try await run([first], view("a")) == Migrator.Outcome())
        }
    }

    @Test func `what is to run alone runs after the others have been committed, and again only when its text changes`()
        async throws
    {
        try await withEmptyDatabase { database in
            func migrator(_ alone: String) -> Migrator {
                Migrator(
                    migrations: [migration(1, "create table runs (of text, number bigint)")],
                    repeatables: [
                        .init(
                            name: "alone", sql: "insert into runs values ('alone', txid_current()); \(alone)",
                            isAlone: true),
                        .init(name: "a", sql: "insert into runs values ('a', txid_current())"),
                        .init(name: "b", sql: "insert into runs values ('b', txid_current())"),
                    ])
            }
            // It fails: the others stay.
            _ = try await #require(throws: PostgresError.self) {
                try await migrator("select 1 / 0").run(database.connectionConfiguration)
            }
            let runs: Statement = "select string_agg(of, ' ' order by number, of) from runs"
            #expect(try await database.value(runs, as: String.self) == "a b")
            #expect(try await migrator("").run(database.connectionConfiguration).repeated == ["alone"])
            #expect(try await database.value(runs, as: String.self) == "a b alone")
            #expect(try await database.value("select count(distinct number) from runs", as: Int.self) == 2)
            #expect(try await migrator("").run(database.connectionConfiguration) == Migrator.Outcome())
        }
    }

    @Test func `a migration whose text changed is refused`() async throws {
        try await withEmptyDatabase { database in
            try await Migrator(migrations: [migration(1, "create table one ()")], repeatables: [])
                .run(database.connectionConfiguration)
            let error = try await #require(throws: PostgresError.self) {
                try await Migrator(migrations: [migration(1, "create table two ()")], repeatables: [])
                    .run(database.connectionConfiguration)
            }
            #expect(error.code == .migrationRefused)
        }
    }

    @Test func `a migration that fails leaves nothing of itself`() async throws {
        try await withEmptyDatabase { database in
            let bad = migration(1, "create table one (); select 1 / 0")
            _ = try await #require(throws: PostgresError.self) {
                try await Migrator(migrations: [bad], repeatables: []).run(database.connectionConfiguration)
            }
            #expect(try await database.value("select to_regclass('one') is null", as: Bool.self))
            #expect(try await Migrator.appliedVersion(database.pool) == 0)
        }
    }

    @Test func `several processes migrate at once and one does the work`() async throws {
        try await withEmptyDatabase { database in
            let migrator = Migrator(
                migrations: [migration(1, "create table one (); select pg_sleep(0.2)")], repeatables: [])
            let outcomes = try await withThrowingTaskGroup(of: Migrator.Outcome.self) { group in
                for _ in 1...4 { group.addTask { try await migrator.run(database.connectionConfiguration) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.flatMap(\.applied) == ["migrations/1"])
        }
    }

    @Test func `a table in use is waited for without making others wait`() async throws {
        try await withEmptyDatabase { database in
            let reader = try await Connection.open(database.connectionConfiguration)
            _ = try await reader.send(["begin", "select count(*) from sources"])
            let migrator = Migrator(migrations: [migration(1, "alter table sources add x integer")], repeatables: [])
            async let outcome = migrator.run(database.connectionConfiguration)
            // While the migration waits in turns, writers get through.
            for number in 1...20 {
                _ = try await database.pool.transaction { (transaction) throws(PostgresError) in
                    try await transaction.execute("insert into sources (name) values (\("s\(number)"))")
                }
            }
            _ = try await reader.send(["commit"])
            #expect(try await outcome.applied == ["migrations/1"])
            await reader.close()
        }
    }
}
