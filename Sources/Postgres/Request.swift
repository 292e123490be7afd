/// One caller's statements, which travel in one segment and are answered together. Used on the event loop's thread only.
final class Request {
    /// How the last statement ends a transaction.
    enum Ending: Sendable {
        case none
        /// Durably: it is never cancelled, and when its answer is lost the outcome is unknown.
        case commit
        /// Without a trace: it is not cancelled either, but nothing depends on its answer.
        case rollback
    }

    let id: UInt64
    let statements: [Statement]
    let deadline: ContinuousClock.Instant
    let ending: Ending
    private(set) var results: [QueryResult] = []
    private(set) var failure: PostgresError?
    private(set) var wasSkipped = false
    /// How often it has been sent again because the session did not hold its statement under its name, or held it already.
    private(set) var preparationsRepeated = 0
    private var continuation: CheckedContinuation<Result<[QueryResult], PostgresError>, Never>?

    init(
        id: UInt64, statements: [Statement], deadline: ContinuousClock.Instant, ending: Ending,
        continuation: CheckedContinuation<Result<[QueryResult], PostgresError>, Never>
    ) {
        self.id = id
        self.statements = statements
        self.deadline = deadline
        self.ending = ending
        self.continuation = continuation
    }

    /// Whether somebody still waits for the answer.
    var isAwaited: Bool { continuation != nil }

    /// The statement whose result comes next.
    var nextStatement: Statement { statements[results.count] }

    /// Takes the result of the next statement.
    func take(_ result: QueryResult) {
        if result.isSkipped {
            wasSkipped = true
        } else if let error = result.error {
            fail(error)
        } else {
            results.append(result)
        }
    }

    /// Keeps the first error.
    func fail(_ error: PostgresError) {
        failure = failure ?? error
    }

    /// Forgets what has come, before it is sent again.
    func startOver() {
        if failure?.isOfPreparation ?? false { preparationsRepeated += 1 }
        results = []
        failure = nil
        wasSkipped = false
    }

    /// What is to be told when all has been answered without an error.
    /// - Parameter waitWasCancelled: whether a wait for a standby was cancelled while this was under way.
    func verdict(waitWasCancelled: Bool) -> Result<[QueryResult], PostgresError> {
        guard ending == .commit else { return .success(results) }
        // PostgreSQL answers the COMMIT of a failed transaction with success, and with this tag.
        guard results.last?.commandTag == "COMMIT" else {
            return .failure(
                PostgresError(.server, sqlState: .inFailedTransaction, note: "COMMIT rolled a failed transaction back"))
        }
        guard !waitWasCancelled else { return .failure(PostgresError(.outcomeUnknown, sqlState: .warning)) }
        return .success(results)
    }

    func answer(_ result: Result<[QueryResult], PostgresError>) {
        continuation?.resume(returning: result)
        continuation = nil
    }
}
