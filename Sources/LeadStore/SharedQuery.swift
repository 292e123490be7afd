import Leads
import Synchronization

/// Answers those who ask for things of one kind by id at about the same time, and see the same, with one query.
///
/// While a query is under way, those who come gather for the next one. There is no timer: whoever finds none under way
/// begins one at once, so that one alone waits for nobody. Everybody is answered by a query that was sent after they
/// came, and so sees whatever had been committed before.
///
/// A query is a task of its own, not its first caller's, so that a caller who goes away takes nobody along. It is
/// short, so nobody is called off it.
final class SharedQuery<Value: Sendable>: Sendable {
    private struct Caller {
        let id: Int
        let arrived: ContinuousClock.Instant
        let continuation: CheckedContinuation<Result<Value?, StoreError>, Never>
    }

    /// Of each viewer for whom a query is under way, those who wait for the next one, in the order in which they came.
    private typealias State = [Viewer: [Caller]]

    private let limit: Int
    private let patience: Duration
    private let executor: any TaskExecutor
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state = Mutex<State>([:])
    /// Those of the ids that the viewer sees, with what each stands for.
    private let read: @Sendable ([Int], Viewer) async throws(StoreError) -> [Int: Value]

    /// - Parameters:
    ///   - limit: how many ids a query may have.
    ///   - patience: how long a caller may wait for a query to be sent. Where each takes seconds, because the database is
    ///     stuck or the pool is exhausted, those at the end would hear of it after a minute.
    init(
        limit: Int, patience: Duration = .seconds(2), executor: any TaskExecutor,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        _ read: @escaping @Sendable ([Int], Viewer) async throws(StoreError) -> [Int: Value]
    ) {
        self.limit = limit
        self.patience = patience
        self.executor = executor
        self.now = now
        self.read = read
    }

    /// How many have not been asked for yet.
    var waiting: Int { state.withLock { $0.values.reduce(0) { $0 + $1.count } } }

    /// What an id stands for, nil for one that is unknown or that the viewer does not see.
    /// - Throws: `StoreError.tooManyLongReads` for one who has waited too long, and what the query throws.
    func value(of id: Int, for viewer: Viewer) async throws(StoreError) -> Value? {
        let viewer = viewer.ofContacts
        let result = await withCheckedContinuation { continuation in
            let begins = state.withLock { state in
                let begins = state[viewer] == nil
                state[viewer, default: []].append(Caller(id: id, arrived: now(), continuation: continuation))
                return begins
            }
            if begins { Task(executorPreference: executor) { await self.answer(viewer) } }
        }
        return try result.get()
    }

    /// Sends queries for as long as there is somebody to answer.
    private func answer(_ viewer: Viewer) async {
        while let (callers, late) = next(viewer) {
            for caller in late { caller.continuation.resume(returning: .failure(.tooManyLongReads)) }
            guard !callers.isEmpty else { continue }
            let ids = Set(callers.map(\.id))
            do throws(StoreError) {
                let values = try await read(Array(ids), viewer)
                for caller in callers { caller.continuation.resume(returning: .success(values[caller.id])) }
            } catch {
                guard case .unexpected = error, ids.count > 1 else {
                    for caller in callers { caller.continuation.resume(returning: .failure(error)) }
                    continue
                }
                // Of one of them, something cannot be read: the others are not to suffer for it.
                for caller in callers { caller.continuation.resume(returning: await answer(caller.id, viewer)) }
            }
        }
    }

    private func answer(_ id: Int, _ viewer: Viewer) async -> Result<Value?, StoreError> {
        do throws(StoreError) { return .success(try await read([id], viewer)[id]) } catch { return .failure(error) }
    }

    /// Who is answered next, and who has waited too long; nil when nobody waits: then the next to come begins.
    private func next(_ viewer: Viewer) -> (callers: [Caller], late: [Caller])? {
        let tooLate = now() - patience
        return state.withLock { state in
            guard let waiting = state[viewer], !waiting.isEmpty else {
                state[viewer] = nil
                return nil
            }
            // They stand in the order in which they came.
            let late = Array(waiting.prefix { $0.arrived <= tooLate })
            let callers = Array(waiting[late.count...].prefix(limit))
            state[viewer] = Array(waiting.dropFirst(late.count + callers.count))
            return (callers, late)
        }
    }
}

extension Viewer {
    /// The same without what makes no difference to the contacts it sees: all who see the same are one.
    fileprivate var ofContacts: Viewer { Viewer(reach: reach, sourceIDs: sourceIDs) }
}
