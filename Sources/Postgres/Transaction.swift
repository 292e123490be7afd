/// An open transaction on a leased connection, at READ COMMITTED.
///
/// BEGIN travels with the first statements, so an empty transaction costs nothing; COMMIT can travel with the last.
public actor Transaction {
    public nonisolated var unownedExecutor: UnownedSerialExecutor { connection.unownedExecutor }

    private enum Phase {
        case notBegun
        case open
        case ended
    }

    private nonisolated let connection: Connection
    private var phase = Phase.notBegun
    /// The error that ended the transaction's chances, kept so that the pool can judge whether to run it again. Nil once it
    /// has been committed, whatever a savepoint has caught.
    private(set) var failure: PostgresError?

    init(_ connection: Connection) {
        self.connection = connection
    }

    /// Runs one statement.
    /// - Throws: `PostgresError`; the transaction can only be rolled back afterwards.
    @discardableResult
    public func execute(_ statement: Statement) async throws(PostgresError) -> QueryResult {
        try await send([statement])[0]
    }

    /// Runs statements in one round trip and returns a result for each.
    ///
    /// Each sees what committed before it started, as READ COMMITTED has it, also within one round trip.
    /// - Throws: `PostgresError`; the transaction can only be rolled back afterwards.
    public func send(_ statements: [Statement]) async throws(PostgresError) -> [QueryResult] {
        try await send(statements, commits: false)
    }

    /// Runs the last statements and the COMMIT in one round trip.
    ///
    /// From here on nothing is cancelled. Losing the connection is reported as `outcomeUnknown`.
    /// - Throws: `PostgresError`; what had failed before, when PostgreSQL rolled the transaction back for it.
    public func commit(after statements: [Statement] = []) async throws(PostgresError) -> [QueryResult] {
        try await send(statements, commits: true)
    }

    private func send(_ statements: [Statement], commits: Bool) async throws(PostgresError) -> [QueryResult] {
        if phase == .ended, let failure { throw failure }
        precondition(phase != .ended, "the transaction has ended")
        let begins = phase == .notBegun
        var segment: [Statement] = begins ? ["begin isolation level read committed read write"] : []
        segment += statements
        if commits { segment.append("commit") }
        phase = .open
        do throws(PostgresError) {
            var results = try await connection.send(segment, commits: commits)
            if commits {
                phase = .ended
                failure = nil
                results.removeLast()
            }
            return begins ? Array(results.dropFirst()) : results
        } catch {
            // A session outside any transaction has nothing left to roll back.
            if await connection.isClean { phase = .ended }
            guard commits, error.code == .outcomeUnknown else {
                // COMMIT says only that the transaction had failed; what came first says why.
                failure = failure ?? error
                throw error.sqlState == .inFailedTransaction ? failure! : error
            }
            failure = error
            throw error
        }
    }

    func commitIfOpen() async throws(PostgresError) {
        switch phase {
        case .notBegun: phase = .ended
        case .open: _ = try await commit()
        case .ended: if let failure { throw failure }
        }
    }

    /// Ends the transaction without a trace. A connection on which even that fails is closed by the pool.
    public func rollBack() async {
        guard phase == .open else { return }
        phase = .ended
        try? await connection.rollBack()
    }
}
