/// Tasks that anybody may add to and that end together.
struct Crowd: Sendable {
    typealias Job = @Sendable () async -> Void

    private let jobs: AsyncStream<Job>.Continuation
    private let members: Task<Void, Never>

    init() {
        let (stream, continuation) = AsyncStream<Job>.makeStream()
        jobs = continuation
        members = Task {
            await withDiscardingTaskGroup { group in
                for await job in stream { group.addTask { await job() } }
                group.cancelAll()
            }
        }
    }

    /// Starts a task, unless all have been sent home.
    func add(_ job: @escaping Job) {
        jobs.yield(job)
    }

    /// Cancels every task and waits until all have ended.
    func disperse() async {
        jobs.finish()
        await members.value
    }
}
