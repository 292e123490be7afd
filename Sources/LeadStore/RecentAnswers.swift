import Synchronization

/// Answers those who ask for the same within a short time with one answer.
///
/// Unlike with ``SharedQuery``, an answer may be a little older than the question: many watch the same figures, which
/// take a while to find, and nobody's next step depends on the last second of them. Who comes while the answer is looked
/// for waits for it.
///
/// Looking is a task of its own, not its first caller's, so that a caller who goes away takes nobody along.
final class RecentAnswers<Question: Hashable & Sendable, Answer: Sendable>: Sendable {
    typealias Outcome = Result<Answer, StoreError>

    private enum Entry {
        case underWay([CheckedContinuation<Outcome, Never>])
        case known(Answer, until: ContinuousClock.Instant)
    }

    private let freshness: Duration
    private let executor: any TaskExecutor
    private let now: @Sendable () -> ContinuousClock.Instant
    private let entries = Mutex<[Question: Entry]>([:])

    /// - Parameter freshness: for how long an answer serves, counted from when it was begun to be looked for.
    init(
        freshness: Duration, executor: any TaskExecutor,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.freshness = freshness
        self.executor = executor
        self.now = now
    }

    /// The answer to a question, which `look` finds when there is none that is fresh. A failure is told to those who wait
    /// and not kept.
    func answer(
        to question: Question, _ look: @escaping @Sendable () async throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        let asked = now()
        let outcome: Outcome = await withCheckedContinuation { continuation in
            let known = entries.withLock { entries -> Outcome? in
                switch entries[question] {
                case .known(let answer, let until) where asked < until:
                    return .success(answer)
                case .underWay(let others):
                    entries[question] = .underWay(others + [continuation])
                    return nil
                case .known, nil:
                    entries[question] = .underWay([continuation])
                    Task(executorPreference: executor) {
                        do throws(StoreError) {
                            self.tell(.success(try await look()), about: question, begun: asked)
                        } catch {
                            self.tell(.failure(error), about: question, begun: asked)
                        }
                    }
                    return nil
                }
            }
            if let known { continuation.resume(returning: known) }
        }
        return try outcome.get()
    }

    private func tell(_ outcome: Outcome, about question: Question, begun: ContinuousClock.Instant) {
        let (until, time) = (begun + freshness, now())
        let waiting = entries.withLock { entries -> [CheckedContinuation<Outcome, Never>] in
            guard case .underWay(let waiting) = entries[question] else { return [] }
            // What nobody asks for any more is not kept.
            entries = entries.filter { _, entry in
                if case .known(_, let until) = entry { until > time } else { true }
            }
            entries[question] = (try? outcome.get()).map { .known($0, until: until) }
            return waiting
        }
        for continuation in waiting { continuation.resume(returning: outcome) }
    }
}
