import Postgres
import TestSupport
import Testing

/// Connections under TLS, whose other end sends records of 16 KiB.
struct TLSTests {
    /// Runs `body` with what leads to the database through TLS.
    private func withRelay(_ body: (_ target: String, TestAuthority, TestDatabase) async throws -> Void) async throws {
        let authority = try TestAuthority()
        defer { authority.remove() }
        try await TestDatabase.with { database in
            try await TLSRelay.with(database, authority) { relay in
                let target = """
                    hostaddr=127.0.0.1 port=\(relay.port) user=postgres dbname=\(database.name) sslmode=verify-full \
                    connect_timeout=30
                    """
                try await body(target, authority, database)
            }
        }
    }

    @Test func `results of any length arrive whole`() async throws {
        try await withRelay { target, authority, _ in
            var configuration = ConnectionConfiguration(
                connectionString: "\(target) host=localhost sslrootcert=\(authority.root)")
            configuration.statementDeadline = .seconds(15)
            let connection = try await Connection.open(configuration)
            // Rows of almost half of libpq's first buffer: what it cannot take of a record stays with OpenSSL, of which
            // the socket says nothing. How much that is depends on the length.
            for count in 1...60 {
                let length = 5_000 + 41 * count
                let begun = ContinuousClock.now
                let rows = try await connection.execute(
                    "select repeat('x', \(length)::bigint::integer) from generate_series(1, \(count))")
                let lengths = try rows.map { try $0.decode(String.self).utf8.count }
                #expect(lengths == Array(repeating: length, count: count))
                // What stalls is read at the deadline at last.
                try #require(begun.duration(to: .now) < configuration.statementDeadline)
            }
            for length in [70_000, 1 << 20, 5_000_000] {
                let text = try await connection.execute("select repeat('x', \(length)::bigint::integer)")[0]
                    .decode(String.self)
                #expect(text.utf8.count == length)
            }
            await connection.close()
        }
    }

    @Test(.enabled(if: TestDatabase.isOverTLS, "with LEADS_TEST_TLS=1"))
    func `the suites' own connections are encrypted`() async throws {
        try await TestDatabase.with { database in
            let isEncrypted: Statement = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
            let (reader, other) = (
                try await database.pool.read(isEncrypted), try await database.value(isEncrypted, as: Bool.self)
            )
            #expect(try reader[0].decode(Bool.self) && other)
        }
    }

    @Test func `a certificate of another authority, or for another host, is refused`() async throws {
        let stranger = try TestAuthority()
        defer { stranger.remove() }
        try await withRelay { target, authority, _ in
            for wrong in [
                "host=localhost sslrootcert=\(stranger.root)", "host=elsewhere.invalid sslrootcert=\(authority.root)",
            ] {
                let error = try await #require(throws: PostgresError.self) {
                    _ = try await Connection.open(ConnectionConfiguration(connectionString: "\(target) \(wrong)"))
                }
                #expect(error.code == .connectionFailed)
                #expect("\(error)".contains("certificate"), "\(error)")
            }
        }
    }
}
