internal import CLibPQ
import Glibc
import Synchronization

/// The thread on which every database connection of this process lives.
///
/// It is at once a serial executor for actors and an epoll loop for their sockets: actor jobs and socket readiness run
/// on one thread, one after the other, so that actor isolation covers the C state and the compiler checks the rest.
/// As a task executor it also runs whoever wants to be near the database: a task that prefers it wakes no other thread
/// between two statements.
/// Whatever is sent during one turn of the loop leaves in one go at its end, which is what makes pipelining pay.
///
/// `@unchecked Sendable`: `inbox` is behind its mutex and `threadID` is atomic; every other stored property is read and
/// written by the loop's own thread alone, which `precondition(isCurrent)` guards at each entrance.
final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
    /// Something that lives on the loop: all calls come on the loop's thread.
    protocol Resident: AnyObject {
        /// The socket can be read, written, or has failed.
        func socketIsReady()
        /// The turn ends: send what was gathered during it.
        func endTurn()
        /// When `deadlinePassed` is due next, or nil for never.
        var nextDeadline: ContinuousClock.Instant? { get }
        func deadlinePassed(_ now: ContinuousClock.Instant)
    }

    /// The loop all connections of the process share. It is never stopped: an idle one costs a sleeping thread.
    static let shared = EventLoop()

    private struct Inbox {
        var jobs: [UnownedJob] = []
        var closures: [@Sendable () -> Void] = []
        var isSignalled = false
    }

    private let epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    private let wakeUp = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    private let inbox = Mutex(Inbox())
    private let threadID = Atomic<UInt>(0)
    private static let wakeUpTag = UInt64.max

    private var residents: [UInt64: any Resident] = [:]
    private var restless: [any Resident] = []
    private var lastTag: UInt64 = 0
    /// The earliest of the residents' deadlines when they were last looked at, and whether one may have come since.
    private var deadline: ContinuousClock.Instant?
    private var mayHaveNewDeadline = false
    private var lastLook = ContinuousClock.now
    /// Deadlines are seconds; asking everybody in every turn would cost more than the turn.
    private static let lookInterval: Duration = .milliseconds(20)

    init() {
        precondition(epoll >= 0 && wakeUp >= 0, "the system is out of file descriptors")
        let isWatched = control(EPOLL_CTL_ADD, wakeUp, tag: Self.wakeUpTag, events: EPOLLIN.rawValue)
        precondition(isWatched, "the system watches no more file descriptors")
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let status = pthread_create(
            &thread, nil,
            { context in
                Unmanaged<EventLoop>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            }, context)
        precondition(status == 0, "the system is out of threads")
        pthread_detach(thread)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        post { $0.jobs.append(job) }
    }

    /// Runs the closure on the loop's thread, soon.
    func execute(_ closure: @escaping @Sendable () -> Void) {
        post { $0.closures.append(closure) }
    }

    private func post(_ append: (inout sending Inbox) -> Void) {
        let mustWake = inbox.withLock { inbox in
            append(&inbox)
            defer { inbox.isSignalled = true }
            return !inbox.isSignalled
        }
        if mustWake && !isCurrent { eventfd_write(wakeUp, 1) }
    }

    var isCurrent: Bool { threadID.load(ordering: .relaxed) == UInt(pthread_self()) }

    func checkIsolated() {
        precondition(isCurrent, "called off the database thread")
    }

    func isIsolatingCurrentContext() -> Bool? { isCurrent }

    /// Registers a resident and returns the tag that names it.
    func admit(_ resident: any Resident) -> UInt64 {
        precondition(isCurrent)
        lastTag += 1
        residents[lastTag] = resident
        return lastTag
    }

    func dismiss(_ tag: UInt64) {
        precondition(isCurrent)
        residents[tag] = nil
    }

    /// - Returns: whether the system will tell of it.
    func watch(_ socket: Int32, tag: UInt64) -> Bool {
        control(EPOLL_CTL_ADD, socket, tag: tag, events: EPOLLIN.rawValue)
    }

    /// - Returns: whether the system will tell of it.
    func setWatchesWriting(_ watchesWriting: Bool, _ socket: Int32, tag: UInt64) -> Bool {
        control(
            EPOLL_CTL_MOD, socket, tag: tag, events: EPOLLIN.rawValue | (watchesWriting ? EPOLLOUT.rawValue : 0))
    }

    /// What was not watched is none the worse for it.
    func unwatch(_ socket: Int32) {
        epoll_ctl(epoll, Int32(EPOLL_CTL_DEL), socket, nil)
    }

    /// Asks for `endTurn` at the end of this turn. The caller keeps track of having asked.
    func callAtEndOfTurn(_ resident: any Resident) {
        precondition(isCurrent)
        restless.append(resident)
    }

    private func control(_ operation: Int32, _ descriptor: Int32, tag: UInt64, events: UInt32) -> Bool {
        var event = epoll_event(events: events, data: epoll_data_t(u64: tag))
        return epoll_ctl(epoll, operation, descriptor, &event) == 0
    }

    private func run() {
        threadID.store(UInt(pthread_self()), ordering: .relaxed)
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        var jobs: [UnownedJob] = []
        var closures: [@Sendable () -> Void] = []
        let serialExecutor = asUnownedSerialExecutor()
        let taskExecutor = asUnownedTaskExecutor()
        while true {
            let ready = Int(epoll_wait(epoll, &events, Int32(events.count), waitMilliseconds))
            for event in events.prefix(max(ready, 0)) {
                if event.data.u64 == Self.wakeUpTag {
                    var count: eventfd_t = 0
                    eventfd_read(wakeUp, &count)
                } else {
                    residents[event.data.u64]?.socketIsReady()
                }
            }
            // Jobs may enqueue jobs; those run in the next turn, so that no actor can starve the sockets.
            inbox.withLock { inbox in
                swap(&inbox.jobs, &jobs)
                swap(&inbox.closures, &closures)
                inbox.isSignalled = false
            }
            for closure in closures { closure() }
            for job in jobs { job.runSynchronously(isolatedTo: serialExecutor, taskExecutor: taskExecutor) }
            mayHaveNewDeadline = mayHaveNewDeadline || ready > 0 || !closures.isEmpty || !jobs.isEmpty
            closures.removeAll(keepingCapacity: true)
            jobs.removeAll(keepingCapacity: true)
            passDeadlines()
            let turn = restless
            restless.removeAll(keepingCapacity: true)
            for resident in turn { resident.endTurn() }
        }
    }

    /// How long epoll may sleep: not at all with jobs waiting, else until the next deadline (rounded up).
    private var waitMilliseconds: Int32 {
        guard !inbox.withLock({ $0.isSignalled }) else { return 0 }
        let look = lastLook + Self.lookInterval
        guard let due = mayHaveNewDeadline ? min(look, deadline ?? look) : deadline else { return -1 }
        let wait = ContinuousClock.now.duration(to: due)
        guard wait > .zero else { return 0 }
        let (seconds, attoseconds) = wait.components
        return Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
    }

    private func passDeadlines() {
        let now = ContinuousClock.now
        guard deadline.map({ $0 <= now }) ?? false || (mayHaveNewDeadline && lastLook + Self.lookInterval <= now)
        else { return }
        for resident in Array(residents.values) {
            if let deadline = resident.nextDeadline, deadline <= now { resident.deadlinePassed(now) }
        }
        lastLook = now
        mayHaveNewDeadline = false
        deadline = residents.values.compactMap(\.nextDeadline).min()
    }
}
