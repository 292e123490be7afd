import Synchronization

/// What can share a transaction with others of its kind.
protocol Sharing: Sendable {
    associatedtype Outcome: Sendable
    /// Whose turn it is when it is taken: the lines take turns.
    var line: Int { get }
    /// How many locks on keys its transaction holds for it.
    var locks: Int { get }
}

/// Puts concurrent requests into common transactions.
///
/// While the lanes are busy, requests gather; a lane that has committed takes what has gathered. There is no timer: a
/// request that finds a lane free opens it at once, so that one alone waits for nobody. A lane is a task of its own, not
/// its first caller's, so that a caller who goes away takes nobody along.
final class Lanes<Request: Sharing>: Sendable {
    private struct Caller {
        let request: Request
        let arrived: ContinuousClock.Instant
        let continuation: CheckedContinuation<Result<Request.Outcome, StoreError>, Never>
    }

    private struct State {
        var queue: LaneQueue<Caller>
        var use = LaneUse()
    }

    private let configuration: Intake.Configuration
    private let executor: any TaskExecutor
    /// What those hear who are too many or have waited for too long.
    private let whenFull: StoreError
    /// Taken for each transaction; nil for whoever waits for nobody.
    private let turns: Turns?
    private let state: Mutex<State>
    /// Does what is requested in a transaction; an outcome for each, in order.
    private let perform: @Sendable ([Request]) async -> [Result<Request.Outcome, StoreError>]

    init(
        _ configuration: Intake.Configuration, executor: any TaskExecutor, whenFull: StoreError = .intakeFull,
        turns: Turns? = nil,
        perform: @escaping @Sendable ([Request]) async -> [Result<Request.Outcome, StoreError>]
    ) {
        self.configuration = configuration
        self.executor = executor
        self.whenFull = whenFull
        self.turns = turns
        self.perform = perform
        state = Mutex(State(queue: LaneQueue(limit: configuration.queueLimit)))
    }

    var use: LaneUse { state.withLock { $0.use } }

    /// Does what is requested, with whatever else is there.
    /// - Throws: `whenFull` when too many wait already or this one has waited for too long, `.cancelled` when the caller
    ///   went away while it still waited, and what the transaction throws.
    func perform(_ request: Request) async throws(StoreError) -> Request.Outcome {
        guard !Task.isCancelled else { throw .cancelled }
        let number = Mutex<Int?>(nil)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let caller = Caller(request: request, arrived: .now, continuation: continuation)
                let (place, opensLane) = state.withLock { state -> (Int?, Bool) in
                    guard let place = state.queue.append(caller, line: request.line, locks: request.locks) else {
                        state.use.refused += 1
                        return (nil, false)
                    }
                    state.use.waiting = state.queue.count
                    guard state.use.busyLanes < configuration.lanes else { return (place, false) }
                    state.use.busyLanes += 1
                    return (place, true)
                }
                guard let place else { return continuation.resume(returning: .failure(whenFull)) }
                number.withLock { $0 = place }
                if opensLane { Task(executorPreference: executor) { await self.runLane() } }
            }
        } onCancel: {
            if let number = number.withLock({ $0 }) { withdraw(number, line: request.line) }
        }
        return try result.get()
    }

    /// Nothing is done for a caller who goes away while it still waits; once its transaction has begun, it is done.
    private func withdraw(_ number: Int, line: Int) {
        let caller = state.withLock { state in
            defer { state.use.waiting = state.queue.count }
            return state.queue.withdraw(number, line: line)
        }
        caller?.continuation.resume(returning: .failure(.cancelled))
    }

    private func runLane() async {
        while true {
            // The batch is put together afterwards, with whoever has come meanwhile.
            let hasTurn = await turns?.take() ?? false
            defer { if hasTurn { turns?.giveBack() } }
            guard let (batch, late) = takeBatch() else { return }
            for caller in late { caller.continuation.resume(returning: .failure(whenFull)) }
            guard !batch.isEmpty else { continue }
            let outcomes = await perform(batch.map(\.request))
            for (caller, outcome) in zip(batch, outcomes) { caller.continuation.resume(returning: outcome) }
        }
    }

    /// The next batch, and those who have waited for too long; nil when nobody waits: then the lane is closed.
    private func takeBatch() -> (batch: [Caller], late: [Caller])? {
        let tooLate = ContinuousClock.now - configuration.patience
        return state.withLock { state in
            let taken = state.queue.take(atMost: configuration.batchLimit, locks: Intake.locksPerTransaction)
            state.use.waiting = state.queue.count
            guard !taken.isEmpty else {
                state.use.busyLanes -= 1
                return nil
            }
            let batch = taken.filter { $0.arrived > tooLate }
            let late = batch.count == taken.count ? [] : taken.filter { $0.arrived <= tooLate }
            state.use.refused += late.count
            state.use.batches += batch.isEmpty ? 0 : 1
            state.use.members += batch.count
            return (batch, late)
        }
    }
}
