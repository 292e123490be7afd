import Leads
import Synchronization

/// Puts concurrent registrations into common transactions.
///
/// While the lanes are busy, requests gather; a lane that has committed takes what has gathered. There is no timer: a
/// request that finds a lane free opens it at once, so that one alone waits for nobody. A lane is a task of its own, not
/// its first caller's, so that a caller who goes away takes nobody along.
final class IntakeLanes: Sendable {
    private struct Caller {
        let request: Intake.Request
        let arrived: ContinuousClock.Instant
        let continuation: CheckedContinuation<Result<Intake.Outcome, StoreError>, Never>
    }

    private struct State {
        var queue: IntakeQueue<Caller>
        var use = IntakeUse()
    }

    private let configuration: Intake.Configuration
    private let executor: any TaskExecutor
    private let state: Mutex<State>
    /// Registers requests in a transaction; an outcome for each, in order.
    private let register: @Sendable ([Intake.Request]) async -> [Result<Intake.Outcome, StoreError>]

    init(
        _ configuration: Intake.Configuration, executor: any TaskExecutor,
        register: @escaping @Sendable ([Intake.Request]) async -> [Result<Intake.Outcome, StoreError>]
    ) {
        self.configuration = configuration
        self.executor = executor
        self.register = register
        state = Mutex(State(queue: IntakeQueue(limit: configuration.queueLimit)))
    }

    var use: IntakeUse { state.withLock { $0.use } }

    /// Registers a request with whatever others are there.
    /// - Throws: `StoreError.intakeFull` when too many wait already, `.cancelled` when the caller went away while it still
    ///   waited, and what the transaction throws.
    func register(_ request: Intake.Request) async throws(StoreError) -> Intake.Outcome {
        guard !Task.isCancelled else { throw .cancelled }
        let number = Mutex<Int?>(nil)
        let sourceID = request.contact.sourceID
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let caller = Caller(request: request, arrived: .now, continuation: continuation)
                let (place, opensLane) = state.withLock { state -> (Int?, Bool) in
                    guard
                        let place = state.queue.append(
                            caller, sourceID: sourceID, locks: request.lockNumbers.count)
                    else {
                        state.use.refused += 1
                        return (nil, false)
                    }
                    state.use.waiting = state.queue.count
                    guard state.use.busyLanes < configuration.lanes else { return (place, false) }
                    state.use.busyLanes += 1
                    return (place, true)
                }
                guard let place else { return continuation.resume(returning: .failure(.intakeFull)) }
                number.withLock { $0 = place }
                if opensLane { Task(executorPreference: executor) { await self.runLane() } }
            }
        } onCancel: {
            if let number = number.withLock({ $0 }) { withdraw(number, sourceID: sourceID) }
        }
        return try result.get()
    }

    /// A caller who goes away while it still waits is not registered; once its transaction has begun, it is.
    private func withdraw(_ number: Int, sourceID: Int) {
        let caller = state.withLock { state in
            defer { state.use.waiting = state.queue.count }
            return state.queue.withdraw(number, sourceID: sourceID)
        }
        caller?.continuation.resume(returning: .failure(.cancelled))
    }

    private func runLane() async {
        while let (batch, late) = takeBatch() {
            for caller in late { caller.continuation.resume(returning: .failure(.intakeFull)) }
            guard !batch.isEmpty else { continue }
            let outcomes = await register(batch.map(\.request))
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

/// How busy the intake of an instance is.
public struct IntakeUse: Sendable {
    /// Requests that wait for a lane.
    public internal(set) var waiting = 0
    public internal(set) var busyLanes = 0
    /// Transactions begun so far, and the requests in them.
    public internal(set) var batches = 0
    public internal(set) var members = 0
    /// Requests turned away because too many waited.
    public internal(set) var refused = 0

    static func + (left: Self, right: Self) -> Self {
        var sum = left
        sum.waiting += right.waiting
        sum.busyLanes += right.busyLanes
        sum.batches += right.batches
        sum.members += right.members
        sum.refused += right.refused
        return sum
    }
}
