import DequeModule
import Dispatch
import Foundation
import Glibc
import Synchronization

/// The thread on which requests with very large bodies are worked on, one after the other while they compute.
///
/// Such a body takes tens of milliseconds to parse. Several at a time would take all processors from requests that need
/// a tenth of a millisecond; and to the system this thread matters less than those that serve them (`nice`).
final class LargeBodyThread: TaskExecutor {
    static let shared = LargeBodyThread()

    /// Of the nineteen steps by which a thread may matter less: enough for a tenth of another one's share.
    private static let steps: Int32 = 10

    private let jobs = Mutex<Deque<UnownedJob>>([])
    private let available = DispatchSemaphore(value: 0)

    /// It lives as long as the process.
    private init() {
        Thread.detachNewThread { self.run() }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
        available.signal()
    }

    private func run() {
        // On Linux of the thread that calls it alone.
        _ = nice(Self.steps)
        while true {
            available.wait()
            jobs.withLock { $0.popFirst() }?.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
