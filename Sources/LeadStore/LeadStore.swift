import Leads
public import Postgres

/// Every statement the product runs, by what it means.
///
/// Lock order, everywhere: keys of the request (sorted advisory locks) → leads by id → sources (advisory, by id) →
/// operators' load rows by id → the sources' own rows by id, where weights, activity or settings change, then what
/// strategies remember → contacts by id → possible duplicates, as a table. A transaction locks either one operator or all
/// it may ever want, never one and then more. READ COMMITTED throughout: what decides is read in a statement that starts
/// after the lock is held.
public struct LeadStore: Sendable {
    let pool: Pool
    private let longReads: Turnstile
    /// Those who follow the log and are behind.
    let latecomers = Turnstile(places: 1, patience: .seconds(10))
    /// Contacts that are asked for by id.
    let singleContacts: SharedQuery<Contact>
    /// Leads that are asked for by id.
    let singleLeads: SharedQuery<LeadWithContacts>
    /// What supervisors watch.
    let overviews: RecentAnswers<OverviewRequest, Overview>
    /// Of registrations and closings.
    let turns = Turns()
    /// Nil in the store that carries them out.
    private(set) var closings: Closings?

    /// Waiting contacts that are placed when nobody is asked to wait for it.
    let drains: BackgroundDrains

    /// - Parameters:
    ///   - parallelLongReads: how many lists and reports may be read at once; less than the pool's connections.
    ///   - faultInBackground: is told of what no request can be told: a fault of this program or its schema that ended
    ///     the placing of waiting contacts in the background.
    public init(
        pool: Pool, parallelLongReads: Int = 3, faultInBackground: @escaping @Sendable (StoreError) -> Void = { _ in }
    ) {
        self.pool = pool
        drains = BackgroundDrains(faultFound: faultInBackground)
        let longReads = Turnstile(places: parallelLongReads)
        self.longReads = longReads
        overviews = RecentAnswers(freshness: .seconds(1), executor: pool.taskExecutor)
        singleContacts = SharedQuery(limit: 128, executor: pool.taskExecutor) { (ids, viewer) throws(StoreError) in
            let found = try await storing { () throws(PostgresError) in
                try await pool.read(ContactReading.contacts(ids: ids, for: viewer))
            }
            return try ContactReading.contactsByID(found)
        }
        // Some have a thousand contacts: contacts asked for by themselves are not to wait behind them.
        singleLeads = SharedQuery(limit: 16, executor: pool.taskExecutor) { (ids, viewer) throws(StoreError) in
            // As many queries as there are viewers may be sent at once, each over a connection of its own.
            if !viewer.seesAllContacts {
                guard await longReads.enter() else { throw .tooManyLongReads }
            }
            defer { if !viewer.seesAllContacts { longReads.leave() } }
            let found = try await storing { () throws(PostgresError) in
                try await pool.withConnection { (connection) throws(PostgresError) in
                    try await connection.execute(LeadReading.leads(ids: ids, for: viewer))
                }
            }
            return try LeadReading.leadsByID(found)
        }
        closings = Closings(store: self)
    }

    /// How the store's sessions are set up. A transaction pooler refuses such options: `roles.sql` gives the role
    /// `leads_app` the same ones.
    ///
    /// - Each time limit is shorter than the one around it: lock, statement, this side's deadline.
    /// - Prepared statements keep one plan, because planning them took half of their time, and that plan walks indexes:
    ///   it is often made while the tables are empty, when reading them whole looks cheaper, and then kept while they
    ///   grow. `jit` would be triggered by the planner's penalty for what is off.
    public static let sessionSettings = [
        "lock_timeout": "1500ms", "statement_timeout": "3s", "idle_in_transaction_session_timeout": "5s",
        "client_connection_check_interval": "1s", "plan_cache_mode": "force_generic_plan", "enable_seqscan": "off",
        "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off",
    ]

    /// For the rest of the transaction, each statement is planned for its values; how, stays as above. To start parallel
    /// workers takes longer than a page does. What PostgreSQL notes about what somebody searches for is nobody's concern.
    static let planningForValues: Statement = """
        select set_config('plan_cache_mode', 'auto', true), set_config('max_parallel_workers_per_gather', '0', true),
            set_config('client_min_messages', 'warning', true)
        """

    /// The same, and the planner chooses freely.
    private static let planningFreely: Statement = """
        select set_config('plan_cache_mode', 'auto', true), set_config('enable_seqscan', 'on', true),
            set_config('enable_hashjoin', 'on', true), set_config('enable_mergejoin', 'on', true)
        """

    /// Where tasks that mostly talk to the store run best; see `Pool.taskExecutor`.
    public var taskExecutor: any TaskExecutor { pool.taskExecutor }

    /// Whether the database answers and holds at least the schema this program was built with.
    /// - Throws: `StoreError`.
    public func isReady(schemaVersion: Int) async throws(StoreError) -> Bool {
        try await storing { () throws(PostgresError) in try await Migrator.appliedVersion(pool) >= schemaVersion }
    }

    /// Whether the database answers at all, however busy the connections are.
    public func databaseAnswers() async -> Bool {
        (try? await read("select 1")) != nil
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

    /// Runs the statements of one page of a list: planned for their values, along indexes, of which a page needs little.
    ///
    /// They have a connection to themselves and see the database as it was at one moment.
    ///
    /// - Parameter prepare: what has to happen on the connection before that moment.
    func readPage(
        _ statements: [Statement],
        after prepare: @Sendable (Connection) async throws(PostgresError) -> Void = { (_) throws(PostgresError) in }
    ) async throws(StoreError) -> [QueryResult] {
        try await readAlone(statements, Self.planningForValues, after: prepare)
    }

    /// Runs statements that may read much: planned for their values and freely, otherwise like a page's.
    func readReport(_ statements: [Statement]) async throws(StoreError) -> [QueryResult] {
        try await readAlone(statements, Self.planningFreely)
    }

    private func readAlone(
        _ statements: [Statement], _ planning: Statement,
        after prepare: @Sendable (Connection) async throws(PostgresError) -> Void = { (_) throws(PostgresError) in }
    ) async throws(StoreError) -> [QueryResult] {
        guard await longReads.enter() else { throw .tooManyLongReads }
        defer { longReads.leave() }
        let results = try await storing { () throws(PostgresError) in
            try await pool.withConnection { (connection) throws(PostgresError) in
                try await prepare(connection)
                return try await connection.send(
                    ["begin isolation level repeatable read read only", planning] + statements.map(\.plannedAfresh)
                        + ["commit"])
            }
        }
        return Array(results[2..<results.count - 1])
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
