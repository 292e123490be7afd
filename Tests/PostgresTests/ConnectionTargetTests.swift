import Foundation
import Postgres
import TestSupport
import Testing

struct ConnectionTargetTests {
    @Test(arguments: [
        // Nothing leads to a Unix socket.
        ("", false), ("dbname=leads", false), ("postgresql:///leads", false), ("postgresql://anna@/leads", false),
        ("host=/run/postgresql", false), ("host=@abstract", false), ("postgresql://%2Frun%2Fpostgresql/leads", false),
        ("host=localhost", false), ("host=LOCALHOST", false), ("postgresql://127.0.0.1:5432/leads", false),
        ("host=127.8.9.10", false), ("postgresql://[::1]/leads", false), ("host=::ffff:127.0.0.1", false),
        ("host=localhost,/run/postgresql,127.0.0.1", false),
        ("host=db", true), ("postgresql://db/leads", true), ("host=10.0.0.1", true), ("host=::2", true),
        ("host=::ffff:10.0.0.1", true), ("host=0.0.0.0", true), ("host=localhost.example.com", true),
        ("host=127.0.0.1.example.com", true), ("host=localhost,db", true), ("postgresql://127.0.0.1,db/leads", true),
        // The address is what is connected to.
        ("host=db.example.com hostaddr=127.0.0.1", false), ("host=localhost hostaddr=10.0.0.1", true),
        ("hostaddr=127.0.0.1,10.0.0.1", true), ("host=localhost,localhost hostaddr=127.0.0.1,", false),
        ("host=localhost,db hostaddr=127.0.0.1,", true),
    ])
    func `a target is beyond this host unless all of its hosts are here`(string: String, isBeyond: Bool) throws {
        #expect(try ConnectionTarget(string).isBeyondThisHost == isBeyond)
    }

    @Test(arguments: [
        ("host=db", SSLMode.prefer), ("host=db sslmode=disable", .disable), ("host=db sslmode=require", .require),
        ("postgresql://db/leads?sslmode=verify-ca", .verifyCA),
        ("postgresql://db/leads?sslmode=verify-full", .verifyFull),
    ])
    func `what protects a connection beyond this host is compared with what is wanted`(string: String, mode: SSLMode)
        throws
    {
        let target = try ConnectionTarget(string)
        #expect(target.sslMode == mode)
        #expect(target.satisfies(nil))
        #expect(target.satisfies(.require) == [.require, .verifyCA, .verifyFull].contains(mode))
        #expect(target.satisfies(.verifyFull) == (mode == .verifyFull))
        let here = try ConnectionTarget(string.replacing("db", with: "localhost", maxReplacements: 1))
        #expect(here.satisfies(.verifyFull))
    }

    @Test(arguments: [
        "postgresql://anna:geheim@h:port/db", "postgresql://anna:geheim@h:0/db", "postgresql://anna:geheim@h:99999/db",
        "password='geheim", "password=very geheim host=h", "password=x geheim=1", "geheim",
        "host=h password='geheim\\'",
        "postgresql://anna:geheim%@h/db", "postgresql://anna:geheim%zz@h/db", "postgresql://anna:geheim%00@h/db",
        "postgresql://anna:ge@geheim@h/db", "postgresql://anna:5432/geheim@h/db", "postgresql://anna:ge/he?geheim@h/db",
        "postgresql://anna:geheim@[::1/db", "postgresql://anna:x@h/db?geheim", "postgresql://anna:x@h/db?geheim=1",
        "postgresql://anna:x@h/db?sslmode=geheim", "postgresql://h/db?password=x&geheim&", "host=h sslmode=geheim",
        "host=h service=geheim", "host=h password=geheim gssencmode=require", "host=h port=geheim",
        "postgresql://anna:geheim\u{0}@h/db", "mysql://anna:geheim@h/db",
    ])
    func `what cannot be read is refused without a word of it`(string: String) async throws {
        let refused = try #require(throws: PostgresError.self) { _ = try ConnectionTarget(string) }
        let error = try await #require(throws: PostgresError.self) {
            _ = try await Connection.open(ConnectionConfiguration(connectionString: string))
        }
        for error in [refused, error] {
            #expect(error.code == .invalidConnectionString)
            #expect(!String(reflecting: error).contains("geheim") && !"\(error)".contains("geheim"), "\(error)")
        }
    }

    @Test func `a password with every special character percent-encoded is read`() throws {
        let password = "@/?#%&=:[] '\\"
        let encoded = try #require(password.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
        #expect(try ConnectionTarget("postgresql://anna:\(encoded)@db/leads").isBeyondThisHost)
    }

    /// In a process of its own, whose environment is nobody else's.
    @Test func `variables and service files count, and the string has the last word`() async {
        await #expect(processExitsWith: .success) {
            let file = FileManager.default.temporaryDirectory.appending(path: "services-\(UUID())")
            defer { try? FileManager.default.removeItem(at: file) }
            let services = "[far]\nhost=db.example.com\nsslmode=verify-full\n[near]\nhost=127.0.0.1\n"
            try services.write(to: file, atomically: true, encoding: .utf8)
            setenv("PGSERVICEFILE", file.path(), 1)
            setenv("PGHOST", "elsewhere", 1)
            setenv("PGSSLMODE", "require", 1)
            let byVariables = try ConnectionTarget("dbname=leads")
            #expect(byVariables.isBeyondThisHost && byVariables.sslMode == .require)
            #expect(try !ConnectionTarget("host=localhost").isBeyondThisHost)
            let far = try ConnectionTarget("service=far")
            #expect(far.isBeyondThisHost && far.sslMode == .verifyFull)
            #expect(try ConnectionTarget("service=far sslmode=disable").sslMode == .disable)
            #expect(try !ConnectionTarget("service=near").isBeyondThisHost)
            setenv("PGSERVICE", "near", 1)
            #expect(try !ConnectionTarget("dbname=leads").isBeyondThisHost)
        }
    }

    @Test func `options of the string and of the environment are added to the session's settings`() async throws {
        try await TestDatabase.with { database in
            let string = database.connectionString
            let plain = try await Self.settings(string)
            #expect(plain == ["7s", "8s", "0", "leads-crm"])
            let withOptions = "\(string) options='-c geqo_seed=0.5 -c lock_timeout=9s' fallback_application_name=mine"
            #expect(try await Self.settings(withOptions) == ["7s", "9s", "0.5", "mine"])
            await #expect(processExitsWith: .success) { [string = string as String] in
                setenv("PGOPTIONS", "-c geqo_seed=0.25", 1)
                setenv("PGAPPNAME", "theirs", 1)
                let theirs = try await Self.settings(string)
                #expect(theirs == ["7s", "8s", "0.25", "theirs"])
            }
        }
    }

    private static func settings(_ connectionString: String) async throws -> [String] {
        let connection = try await Connection.open(
            ConnectionConfiguration(
                connectionString: connectionString,
                sessionSettings: ["statement_timeout": "7s", "lock_timeout": "8s"]))
        let row = try await connection.execute(
            """
            select current_setting('statement_timeout'), current_setting('lock_timeout'),
                current_setting('geqo_seed'), current_setting('application_name')
            """)[0]
        await connection.close()
        let (statement, lock, other, name) = try row.decode(String.self, String.self, String.self, String.self)
        return [statement, lock, other, name]
    }

    @Test func `the session speaks UTF-8 whatever else is wanted`() async throws {
        try await TestDatabase.with { database in
            let connection = try await Connection.open(
                ConnectionConfiguration(connectionString: "\(database.connectionString) client_encoding=latin1"))
            #expect(try await connection.execute("select 'Ж'")[0].decode(String.self) == "Ж")
            await connection.close()
        }
    }
}
