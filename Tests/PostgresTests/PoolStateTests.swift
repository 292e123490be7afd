import Testing

@testable import Postgres

struct PoolStateTests {
    private typealias Connection = PoolState.ConnectionID
    private typealias Lease = PoolState.LeaseID
    private let start = ContinuousClock.now

    private func state(_ maximum: Int = 2, minimum: Int = 1, waiting: Int = 100) -> PoolState {
        var limits = PoolState.Limits()
        limits.maximumConnections = maximum
        limits.minimumConnections = minimum
        limits.maximumWaitingLeases = waiting
        return PoolState(limits: limits)
    }

    private func request(_ number: Int, after: Duration = .seconds(1)) -> PoolState.Event {
        .leaseRequested(Lease(number: number), deadline: start + after)
    }

    private func opened(_ connection: PoolState.ConnectionID, for lifetime: Duration = .seconds(3600))
        -> PoolState.Event
    {
        .connectionOpened(connection, retiresAt: start + lifetime)
    }

    @Test func `it opens the minimum when started and grants it to the first lease`() {
        var pool = state()
        #expect(pool.handle(.started, at: start) == [.open(Connection(number: 1))])
        #expect(pool.handle(opened(Connection(number: 1)), at: start).isEmpty)
        #expect(pool.handle(request(1), at: start) == [.grant(Lease(number: 1), Connection(number: 1))])
    }

    @Test func `it opens one connection per waiting lease up to the maximum`() {
        var pool = state(2)
        #expect(pool.handle(request(1), at: start) == [.open(Connection(number: 1))])
        #expect(pool.handle(request(2), at: start) == [.open(Connection(number: 2))])
        #expect(pool.handle(request(3), at: start).isEmpty)
    }

    @Test func `leases are granted in order of arrival, the connection used last first`() {
        var pool = state(2)
        for number in 1...3 { _ = pool.handle(request(number), at: start) }
        #expect(
            pool.handle(opened(Connection(number: 2)), at: start)
                == [.grant(Lease(number: 1), Connection(number: 2))])
        _ = pool.handle(opened(Connection(number: 1)), at: start)
        #expect(
            pool.handle(.connectionReturned(Connection(number: 2)), at: start)
                == [.grant(Lease(number: 3), Connection(number: 2))])
        _ = pool.handle(.connectionReturned(Connection(number: 1)), at: start)
        _ = pool.handle(.connectionReturned(Connection(number: 2)), at: start)
        #expect(pool.handle(request(4), at: start) == [.grant(Lease(number: 4), Connection(number: 2))])
    }

    @Test func `transactions cannot shut readers out`() {
        var limits = PoolState.Limits()
        limits.maximumConnections = 2
        limits.reservedForReaders = 1
        var pool = PoolState(limits: limits)
        #expect(pool.handle(request(1), at: start) == [.open(Connection(number: 1))])
        _ = pool.handle(opened(Connection(number: 1)), at: start)
        #expect(pool.handle(request(2), at: start).isEmpty)
        let reader = PoolState.Event.leaseRequested(
            Lease(number: 3), deadline: start + .seconds(1), isReader: true)
        #expect(pool.handle(reader, at: start) == [.open(Connection(number: 2))])
        #expect(
            pool.handle(opened(Connection(number: 2)), at: start)
                == [.grant(Lease(number: 3), Connection(number: 2))])
    }

    @Test func `a lease nobody could grant in time is refused`() {
        var pool = state(1)
        _ = pool.handle(request(1), at: start)
        _ = pool.handle(opened(Connection(number: 1)), at: start)
        _ = pool.handle(request(2, after: .milliseconds(500)), at: start)
        #expect(pool.nextDeadline == start + .milliseconds(500))
        #expect(pool.handle(.timePassed, at: start + .milliseconds(499)).isEmpty)
        #expect(
            pool.handle(.timePassed, at: start + .milliseconds(500)) == [.refuse(Lease(number: 2), .noneFreeInTime)])
        #expect(pool.nextDeadline == nil)
    }

    @Test func `a cancelled lease leaves the line`() {
        var pool = state(1)
        _ = pool.handle(request(1), at: start)
        #expect(pool.handle(.leaseCancelled(Lease(number: 1)), at: start) == [.refuse(Lease(number: 1), .cancelled)])
        #expect(pool.handle(opened(Connection(number: 1)), at: start).isEmpty)
        #expect(pool.handle(.leaseCancelled(Lease(number: 1)), at: start).isEmpty)
    }

    @Test func `too many waiting leases are refused at once`() {
        var pool = state(1, waiting: 1)
        _ = pool.handle(request(1), at: start)
        #expect(pool.handle(request(2), at: start) == [.refuse(Lease(number: 2), .tooManyWaiting)])
    }

    @Test func `three failures open the circuit, attempts go on with growing pauses, success closes it`() {
        var pool = state(2)
        _ = pool.handle(request(1, after: .seconds(60)), at: start)
        var now = start
        var attempt = 1
        for pause in [50, 100] {
            #expect(pool.handle(.openingFailed(Connection(number: attempt)), at: now).isEmpty)
            now += .milliseconds(pause)
            attempt += 1
            #expect(pool.handle(.timePassed, at: now) == [.open(Connection(number: attempt))])
        }
        #expect(
            pool.handle(.openingFailed(Connection(number: 3)), at: now) == [.refuse(Lease(number: 1), .unreachable)])
        #expect(pool.isCircuitOpen)
        #expect(pool.handle(request(2), at: now) == [.refuse(Lease(number: 2), .unreachable)])
        #expect(pool.handle(.timePassed, at: now + .milliseconds(199)).isEmpty)
        now += .milliseconds(200)
        #expect(pool.handle(.timePassed, at: now) == [.open(Connection(number: 4))])
        _ = pool.handle(opened(Connection(number: 4)), at: now)
        #expect(!pool.isCircuitOpen)
        #expect(
            pool.handle(.leaseRequested(Lease(number: 3), deadline: now + .seconds(1)), at: now)
                == [.grant(Lease(number: 3), Connection(number: 4))])
    }

    @Test func `a connection whose time has come is closed when it is idle, and another is opened`() {
        var pool = state(2)
        _ = pool.handle(.started, at: start)
        _ = pool.handle(opened(Connection(number: 1), for: .seconds(60)), at: start)
        #expect(pool.nextDeadline == start + .seconds(60))
        #expect(pool.handle(.timePassed, at: start + .milliseconds(59_999)).isEmpty)
        #expect(
            pool.handle(.timePassed, at: start + .seconds(60))
                == [.close(Connection(number: 1)), .open(Connection(number: 2))])
        #expect(pool.nextDeadline == nil)
    }

    @Test func `a connection is not closed under a lease but when it is returned`() {
        var pool = state(1, minimum: 0)
        _ = pool.handle(request(1), at: start)
        _ = pool.handle(opened(Connection(number: 1), for: .seconds(60)), at: start)
        #expect(pool.nextDeadline == nil, "nobody is woken for what cannot be done")
        #expect(pool.handle(.timePassed, at: start + .seconds(61)).isEmpty)
        // Whoever waits for it is given another one.
        _ = pool.handle(.leaseRequested(Lease(number: 2), deadline: start + .seconds(90)), at: start + .seconds(62))
        #expect(
            pool.handle(.connectionReturned(Connection(number: 1)), at: start + .seconds(63))
                == [.close(Connection(number: 1)), .open(Connection(number: 2))])
    }

    @Test func `a connection that readers share is recalled once`() {
        var limits = PoolState.Limits()
        limits.minimumConnections = 0
        limits.reservedForReaders = 1
        var pool = PoolState(limits: limits)
        let reader = PoolState.Event.leaseRequested(Lease(number: 1), deadline: start + .seconds(1), isReader: true)
        _ = pool.handle(reader, at: start)
        _ = pool.handle(opened(Connection(number: 1), for: .seconds(60)), at: start)
        #expect(pool.nextDeadline == start + .seconds(60))
        #expect(pool.handle(.timePassed, at: start + .seconds(60)) == [.recall(Connection(number: 1))])
        #expect(pool.nextDeadline == nil)
        #expect(pool.handle(.timePassed, at: start + .seconds(61)).isEmpty)
        #expect(pool.handle(.connectionClosed(Connection(number: 1)), at: start + .seconds(62)).isEmpty)
    }

    @Test func `no connection is retired while others cannot be opened`() {
        var pool = state(2, minimum: 2)
        _ = pool.handle(.started, at: start)
        _ = pool.handle(opened(Connection(number: 1), for: .seconds(60)), at: start)
        _ = pool.handle(.openingFailed(Connection(number: 2)), at: start + .seconds(59))
        #expect(pool.handle(.timePassed, at: start + .seconds(61)) == [.open(Connection(number: 3))])
        #expect(pool.nextDeadline == nil)
        #expect(
            pool.handle(opened(Connection(number: 3)), at: start + .seconds(62))
                == [.close(Connection(number: 1)), .open(Connection(number: 4))])
    }

    @Test func `a lost connection is replaced`() {
        var pool = state(2)
        _ = pool.handle(.started, at: start)
        _ = pool.handle(opened(Connection(number: 1)), at: start)
        #expect(pool.handle(.connectionClosed(Connection(number: 1)), at: start) == [.open(Connection(number: 2))])
    }

    @Test func `a connection returned after it was reported closed is forgotten`() {
        var pool = state(1, minimum: 0)
        _ = pool.handle(request(1), at: start)
        _ = pool.handle(opened(Connection(number: 1)), at: start)
        _ = pool.handle(.connectionClosed(Connection(number: 1)), at: start)
        _ = pool.handle(.connectionReturned(Connection(number: 1)), at: start)
        #expect(pool.counts.idle == 0)
    }

    @Test func `shutting down refuses the waiting, closes the idle and closes the leased when they return`() {
        var pool = state(2)
        _ = pool.handle(request(1), at: start)
        _ = pool.handle(opened(Connection(number: 1)), at: start)
        _ = pool.handle(request(2), at: start)
        #expect(pool.handle(.shutDown, at: start) == [.refuse(Lease(number: 2), .shutDown)])
        #expect(
            pool.handle(opened(Connection(number: 2)), at: start) == [.close(Connection(number: 2))])
        #expect(
            pool.handle(.connectionReturned(Connection(number: 1)), at: start) == [.close(Connection(number: 1))])
        #expect(pool.handle(request(3), at: start) == [.refuse(Lease(number: 3), .shutDown)])
    }

    @Test func `whatever happens, no connection is granted twice and the maximum holds`() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var pool = state(3)
            var now = start
            var opening: [PoolState.ConnectionID] = []
            var open: Set<PoolState.ConnectionID> = []
            var leased: Set<PoolState.ConnectionID> = []
            var outstanding: Set<PoolState.LeaseID> = []
            var wantedByReaders: Set<PoolState.LeaseID> = []
            var readers: Set<PoolState.ConnectionID> = []
            var recalled: Set<PoolState.ConnectionID> = []
            for step in 1...200 {
                now += .milliseconds(Int.random(in: 0...30, using: &generator))
                let event: PoolState.Event
                switch Int.random(in: 0...5, using: &generator) {
                case 0 where !opening.isEmpty:
                    let connection = opening.removeFirst()
                    open.insert(connection)
                    event = .connectionOpened(
                        connection, retiresAt: now + .milliseconds(Int.random(in: 0...300, using: &generator)))
                case 1 where !opening.isEmpty: event = .openingFailed(opening.removeFirst())
                case 2 where !leased.isEmpty:
                    let connection = leased.removeFirst()
                    readers.remove(connection)
                    event = .connectionReturned(connection)
                case 3 where !open.isEmpty:
                    let connection = open.removeFirst()
                    leased.remove(connection)
                    readers.remove(connection)
                    event = .connectionClosed(connection)
                case 4: event = .timePassed
                default:
                    outstanding.insert(Lease(number: step))
                    let isReader = Bool.random(using: &generator)
                    if isReader { wantedByReaders.insert(Lease(number: step)) }
                    event = .leaseRequested(
                        Lease(number: step), deadline: now + .milliseconds(100), isReader: isReader)
                }
                for action in pool.handle(event, at: now) {
                    switch action {
                    case .open(let connection): opening.append(connection)
                    case .grant(let lease, let connection):
                        #expect(open.contains(connection) && leased.insert(connection).inserted)
                        #expect(outstanding.remove(lease) != nil)
                        if wantedByReaders.contains(lease) { readers.insert(connection) }
                    case .refuse(let lease, _): #expect(outstanding.remove(lease) != nil)
                    case .close(let connection):
                        #expect(!leased.contains(connection), "closed under a lease")
                        open.remove(connection)
                    case .recall(let connection):
                        #expect(readers.contains(connection) && recalled.insert(connection).inserted)
                    }
                }
                #expect(opening.count + open.count <= 3)
            }
        }
    }
}
