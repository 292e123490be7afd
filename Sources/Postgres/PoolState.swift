/// The rules of a connection pool as a pure state machine: events in, actions out, no I/O and no clock of its own.
///
/// - A lease is granted the connection used last, so that few stay warm; leases wait in order of arrival.
/// - Connections are opened when leases wait for one, up to the maximum, and kept at the minimum in the background.
/// - After `failuresToTrip` failed attempts in a row with no connection left, leases are refused at once (the circuit
///   is open) while attempts go on with growing pauses; the first success closes it.
/// - A connection is retired when its time has come: an idle one is closed, a leased one when it is returned. One that
///   readers share is never returned: it is recalled. While attempts fail none is retired: an old one beats none.
struct PoolState {
    typealias Instant = ContinuousClock.Instant

    struct ConnectionID: Hashable {
        let number: Int
    }
    struct LeaseID: Hashable {
        let number: Int
    }

    struct Limits {
        var minimumConnections = 1
        var maximumConnections = 8
        /// How many of the connections only readers may lease, so that transactions cannot shut them out.
        var reservedForReaders = 0
        var maximumWaitingLeases = 4096
        var failuresToTrip = 3
        var firstPause: Duration = .milliseconds(50)
        var longestPause: Duration = .seconds(1)
    }

    enum Event {
        case started
        case leaseRequested(LeaseID, deadline: Instant, isReader: Bool = false)
        case leaseCancelled(LeaseID)
        case connectionOpened(ConnectionID, retiresAt: Instant)
        case openingFailed(ConnectionID)
        case connectionReturned(ConnectionID)
        case connectionClosed(ConnectionID)
        case timePassed
        case shutDown
    }

    enum Refusal: Equatable {
        case noneFreeInTime
        case tooManyWaiting
        case unreachable
        case shutDown
        case cancelled
    }

    enum Action: Equatable {
        case open(ConnectionID)
        case grant(LeaseID, ConnectionID)
        case refuse(LeaseID, Refusal)
        case close(ConnectionID)
        /// No reader is to be given the connection any more, and it is to be closed once those it has are done.
        case recall(ConnectionID)
    }

    private struct Waiting {
        let lease: LeaseID
        let deadline: Instant
        let isReader: Bool
    }

    private let limits: Limits
    private var opening: Set<ConnectionID> = []
    private var idle: [ConnectionID] = []
    private var leased: Set<ConnectionID> = []
    private var leasedByReaders: Set<ConnectionID> = []
    /// When those that are open, and were not recalled, are to go.
    private var retirements: [ConnectionID: Instant] = [:]
    private var waiting: [Waiting] = []
    private var lastConnection = 0
    private var failures = 0
    private var retryAt: Instant?
    private var isShutDown = false

    init(limits: Limits) {
        self.limits = limits
    }

    var isCircuitOpen: Bool {
        failures >= limits.failuresToTrip && idle.isEmpty && leased.isEmpty
    }

    var counts: (opening: Int, idle: Int, leased: Int, waiting: Int) {
        (opening.count, idle.count, leased.count, waiting.count)
    }

    /// When `timePassed` is next of interest.
    var nextDeadline: Instant? {
        let retirement = failures > 0 ? nil : retirements.filter { mayRetire($0.key) }.map(\.value).min()
        return [waiting.map(\.deadline).min(), retryAt, retirement].compactMap(\.self).min()
    }

    mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        var actions: [Action] = []
        switch event {
        case .started, .timePassed:
            break
        case .leaseRequested(let lease, let deadline, let isReader):
            if isShutDown {
                actions.append(.refuse(lease, .shutDown))
            } else if isCircuitOpen {
                actions.append(.refuse(lease, .unreachable))
            } else if waiting.count >= limits.maximumWaitingLeases {
                actions.append(.refuse(lease, .tooManyWaiting))
            } else {
                waiting.append(Waiting(lease: lease, deadline: deadline, isReader: isReader))
            }
        case .leaseCancelled(let lease):
            if let index = waiting.firstIndex(where: { $0.lease == lease }) {
                waiting.remove(at: index)
                actions.append(.refuse(lease, .cancelled))
            }
        case .connectionOpened(let connection, let retiresAt):
            opening.remove(connection)
            failures = 0
            retryAt = nil
            if isShutDown {
                actions.append(.close(connection))
            } else {
                idle.append(connection)
                retirements[connection] = retiresAt
            }
        case .openingFailed(let connection):
            opening.remove(connection)
            failures += 1
            retryAt = now + pause
            if isCircuitOpen {
                actions += waiting.map { .refuse($0.lease, .unreachable) }
                waiting = []
            }
        case .connectionReturned(let connection):
            leasedByReaders.remove(connection)
            if leased.remove(connection) != nil {
                if isShutDown { actions.append(.close(connection)) } else { idle.append(connection) }
            }
        case .connectionClosed(let connection):
            leased.remove(connection)
            leasedByReaders.remove(connection)
            idle.removeAll { $0 == connection }
            retirements[connection] = nil
        case .shutDown:
            isShutDown = true
            actions += waiting.map { .refuse($0.lease, .shutDown) } + idle.map { .close($0) }
            waiting = []
            idle = []
            retirements = [:]
        }
        expire(at: now, &actions)
        retire(at: now, &actions)
        grant(&actions)
        openMore(at: now, &actions)
        return actions
    }

    private var pause: Duration {
        let doublings = min(failures - 1, 10)
        return min(limits.firstPause * (1 << doublings), limits.longestPause)
    }

    private mutating func expire(at now: Instant, _ actions: inout [Action]) {
        waiting.removeAll { waiting in
            guard waiting.deadline <= now else { return false }
            actions.append(.refuse(waiting.lease, failures > 0 ? .unreachable : .noneFreeInTime))
            return true
        }
    }

    private func mayRetire(_ connection: ConnectionID) -> Bool {
        leasedByReaders.contains(connection) || !leased.contains(connection)
    }

    private mutating func retire(at now: Instant, _ actions: inout [Action]) {
        guard failures == 0 else { return }
        let due = retirements.filter { $0.value <= now && mayRetire($0.key) }.map(\.key)
        for connection in due.sorted(by: { $0.number < $1.number }) {
            retirements[connection] = nil
            if leasedByReaders.contains(connection) {
                actions.append(.recall(connection))
            } else {
                idle.removeAll { $0 == connection }
                actions.append(.close(connection))
            }
        }
    }

    private mutating func grant(_ actions: inout [Action]) {
        while let connection = idle.last, let index = waiting.firstIndex(where: { $0.isReader || ordinaryPlaces > 0 }) {
            idle.removeLast()
            let next = waiting.remove(at: index)
            leased.insert(connection)
            if next.isReader { leasedByReaders.insert(connection) }
            actions.append(.grant(next.lease, connection))
        }
    }

    /// How many more leases may be granted to others than readers.
    private var ordinaryPlaces: Int {
        limits.maximumConnections - limits.reservedForReaders - (leased.count - leasedByReaders.count)
    }

    private mutating func openMore(at now: Instant, _ actions: inout [Action]) {
        guard !isShutDown else { return }
        if let retryAt {
            guard retryAt <= now else { return }
            self.retryAt = nil
        }
        let live = idle.count + leased.count
        let readers = waiting.count { $0.isReader }
        let grantable = readers + min(waiting.count - readers, max(ordinaryPlaces, 0))
        let wanted = min(max(live + grantable, limits.minimumConnections), limits.maximumConnections)
        // One attempt at a time while the server is failing: a crowd would only slow its recovery.
        let missing = failures > 0 ? min(1, wanted - live) : wanted - live
        while opening.count < missing {
            lastConnection += 1
            let connection = ConnectionID(number: lastConnection)
            opening.insert(connection)
            actions.append(.open(connection))
        }
    }
}
