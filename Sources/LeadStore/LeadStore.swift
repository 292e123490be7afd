import Leads
public import Postgres

/// Every statement the product runs, by what it means.
///
/// Lock order, everywhere: keys of the request (sorted advisory locks) → leads by id → sources (advisory, by id) →
/// operators' load rows by id → contacts by id. A transaction locks either one operator or all it may ever want, never
/// one and then more. READ COMMITTED throughout: what decides is read in a statement that starts after the lock is held.
public struct LeadStore: Sendable {
    let pool: Pool

    public init(pool: Pool) {
        self.pool = pool
    }

    /// Whether the database answers and holds at least the schema this program was built with.
    /// - Throws: `StoreError`.
    public func isReady(schemaVersion: Int) async throws(StoreError) -> Bool {
        try await storing { () throws(PostgresError) in try await Migrator.appliedVersion(pool) >= schemaVersion }
    }

    /// Runs `body` in a transaction; see `Pool.transaction`.
    func transaction<Value: Sendable>(
        _ body: @Sendable (Transaction) async throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        try await pool.transaction(wrapping: { StoreError($0) }, body)
    }

    func read(_ statement: Statement) async throws(StoreError) -> QueryResult {
        try await storing { () throws(PostgresError) in try await pool.read(statement) }
    }

    /// Runs a statement that may take long, a list or a report, on a connection of its own.
    func readAlone(_ statement: Statement) async throws(StoreError) -> QueryResult {
        try await storing { () throws(PostgresError) in
            try await pool.withConnection { (connection) throws(PostgresError) in
                try await connection.execute(statement)
            }
        }
    }
}

/// Turns what the database throws into what it means.
func storing<Value>(
    _ body: () async throws(PostgresError) -> Value
) async throws(StoreError) -> Value {
    do throws(PostgresError) { return try await body() } catch { throw StoreError(error) }
}

/// Turns a column that is not what the code expects into what it means.
func reading<Value>(_ body: () throws(PostgresError) -> Value) throws(StoreError) -> Value {
    do throws(PostgresError) { return try body() } catch { throw StoreError(error) }
}

extension Transaction {
    func run(_ statements: [Statement]) async throws(StoreError) -> [QueryResult] {
        do throws(PostgresError) { return try await send(statements) } catch { throw StoreError(error) }
    }

    func finish(with statements: [Statement]) async throws(StoreError) -> [QueryResult] {
        do throws(PostgresError) { return try await commit(after: statements) } catch { throw StoreError(error) }
    }
}
