internal import CLibPQ

extension Connection: EventLoop.Resident {
    nonisolated func socketIsReady() {
        assumeIsolated { connection in
            repeat {
                guard connection.isOpenNow else { return }
                guard PQconsumeInput(connection.handle) == 1 else {
                    // What the server said before it hung up may still be readable: it tells why.
                    connection.readWhatCame()
                    return connection.fail(PostgresError(.connectionLost))
                }
                if connection.watchesWriting { connection.flush() }
                connection.readWhatCame()
            } while connection.hasUnreadRecord
            // libpq may have read an answer while it was sending: then there is more to send.
            if connection.script != nil, !connection.watchesWriting { connection.flush() }
        }
    }

    /// Whether OpenSSL holds the rest of a record that libpq's buffer could not take. The socket knows nothing of it:
    /// epoll would wait for the server's next word, and the server for ours.
    private var hasUnreadRecord: Bool {
        isOpenNow && tls.map { SSL_pending($0) > 0 } ?? false
    }

    nonisolated func endTurn() {
        assumeIsolated { connection in
            connection.willEndTurn = false
            guard connection.isOpenNow, !connection.unsynced.isEmpty else { return }
            guard PQpipelineSync(connection.handle) == 1 else {
                return connection.fail(PostgresError(.connectionLost))
            }
            connection.expected.append(.sync(connection.unsynced))
            connection.unsynced = []
            connection.flush()
        }
    }

    nonisolated var nextDeadline: ContinuousClock.Instant? {
        assumeIsolated { connection in
            let requests = connection.requests
            let deadline = requests.lazy.filter(\.isAwaited).map(\.deadline).min()
            guard connection.sharing == .independentReads, !requests.isEmpty else { return deadline }
            return min(deadline ?? connection.endOfSilence, connection.endOfSilence)
        }
    }

    private var endOfSilence: ContinuousClock.Instant { lastAnswer + configuration.silenceLimit }

    nonisolated func deadlinePassed(_ now: ContinuousClock.Instant) {
        assumeIsolated { connection in
            // The answer may have come while this thread was busy: read before judging.
            connection.socketIsReady()
            guard connection.isOpenNow, let due = connection.nextDeadline, due <= now else { return }
            let requests = connection.requests
            for request in requests where request.deadline <= now && request.ending == .none {
                request.answer(.failure(PostgresError(.deadlineExceeded)))
            }
            switch connection.sharing {
            case .independentReads:
                // The answer is dropped when it comes; `statement_timeout` sees to it that it does.
                if connection.endOfSilence <= now { connection.giveUp(PostgresError(.connectionLost)) }
            case .exclusive where requests.contains { $0.ending == .commit }:
                connection.fail(PostgresError(.connectionLost))  // a COMMIT must not be cancelled
            case .exclusive:
                connection.giveUp(PostgresError(.connectionLost))
            }
        }
    }

    private func readWhatCame() {
        if script == nil { readResults() } else { readScriptResults() }
    }

    private func readScriptResults() {
        while isOpenNow, script != nil, PQisBusy(handle) == 0 {
            guard let pointer = PQgetResult(handle) else {
                guard PQstatus(handle) != CONNECTION_BAD, PQenterPipelineMode(handle) == 1 else {
                    return fail(PostgresError(.connectionLost))
                }
                let result: Result<Void, PostgresError> = script?.failure.map { .failure($0) } ?? .success(())
                script?.continuation.resume(returning: result)
                script = nil
                return
            }
            let result = QueryResult(pointer)
            guard !result.isCopy else { return fail(.copyIsNotSpoken) }
            if let error = result.error, script?.failure == nil { script?.failure = error }
        }
    }

    private func readResults() {
        while isOpenNow, let next = expected.first, PQisBusy(handle) == 0 {
            guard let pointer = PQgetResult(handle) else {
                // The end of one command's results. Without any, libpq expects less of the server than is expected here.
                guard PQstatus(handle) != CONNECTION_BAD, let result = current else {
                    return fail(PostgresError(.connectionLost))
                }
                current = nil
                if case .sync = next {
                    // Not a Sync but the server's last words, as a rule «terminating connection».
                    return fail(result.error ?? PostgresError(.connectionLost))
                }
                expected.removeFirst()
                take(result, for: next)
                continue
            }
            let result = QueryResult(pointer)
            if result.isSync {
                expected.removeFirst()
                lastAnswer = .now
                guard case .sync(let requests) = next else { return fail(PostgresError(.connectionLost)) }
                complete(requests)
            } else if result.isCopy {
                // libpq would offer it for ever.
                if case .result(let request, _) = next { request.fail(.copyIsNotSpoken) }
                return fail(PostgresError(.connectionLost))
            } else {
                current = result
            }
            guard isOpenNow else { return }
            if PQstatus(handle) == CONNECTION_BAD { fail(result.error ?? PostgresError(.connectionLost)) }
        }
    }

    private func take(_ result: QueryResult, for item: Expected) {
        switch item {
        case .preparation(let statement, let preparation):
            guard result.isSkipped || result.error != nil else { return }
            if result.error?.sqlState != .duplicatePreparedStatement { prepared.forget(statement, by: preparation) }
            // A statement that cannot be prepared fails its execution too, but only as «skipped»: keep the reason.
            if let error = result.error, !result.isSkipped, case .result(let request, _)? = expected.first {
                request.fail(error)
            }
        case .result(let request, let preparation):
            if let preparation, result.error?.sqlState == .invalidStatementName {
                prepared.forget(request.nextStatement, by: preparation)
            }
            request.take(result)
        case .sync:
            break
        }
    }

    private func complete(_ requests: [Request]) {
        for request in requests {
            if isToBeSentAgain(request) {
                request.startOver()
                if request.isAwaited { dispatch(request) }
            } else if let failure = request.failure {
                // «cached plan must not change result type», after a migration.
                if failure.sqlState == .featureNotSupported { prepared.renew() }
                request.answer(.failure(failure))
            } else if request.wasSkipped {
                request.answer(.failure(PostgresError(.connectionLost)))
            } else {
                request.answer(
                    request.verdict(waitWasCancelled: request.ending == .commit && notices.takeCancelledWait()))
            }
        }
        closeIfDone()
    }

    /// Whether a request that failed is sent again without its caller's knowledge: nothing of it has been done, and the
    /// fault was a neighbour's, or the session's, which did not hold its statement under its name, or held it already.
    private func isToBeSentAgain(_ request: Request) -> Bool {
        guard isOpenNow else { return false }
        guard let failure = request.failure else { return request.wasSkipped && sharing == .independentReads }
        guard failure.isOfPreparation, request.preparationsRepeated < Self.longestSearchForSession else { return false }
        switch sharing {
        case .independentReads: return true
        case .exclusive:
            // Inside a transaction all before it is lost as well.
            return request.results.isEmpty && isClean
        }
    }

    /// How often in a row a statement may meet a session that does not know it, behind a pooler that mixes sessions.
    private static let longestSearchForSession = 3
}

extension PostgresError {
    fileprivate static let copyIsNotSpoken = PostgresError(
        .unsupported, note: "COPY from or to the client is not spoken here")
}
