/// A pool of connections to one database.
///
/// Three ways in: `transaction` leases a connection for a transaction, `withConnection` for anything else that wants
/// one to itself, and `read` sends a short statement over connections that many tasks share in pipeline mode. The pool
/// survives the loss of any connection and of the server: it reopens in the background and refuses quickly meanwhile.
public actor Pool {
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    public struct Configuration: Sendable {
        public var connection: ConnectionConfiguration
        /// The most connections leased at a time, 1 or more; the shared readers come on top.
        public var maximumConnections: Int
        /// Connections that `read` shares, 1 or more.
        public var readers: Int
        /// How long a lease may wait for a free connection.
        public var leaseTimeout: Duration
        /// How often a transaction is run when the server asks for it to be repeated.
        public var maximumAttempts: Int
        /// How long after its first start a transaction may be started again.
        public var retryBudget: Duration = .seconds(2)
        /// How long a connection is used, give or take a tenth, so that a moved primary and changed settings of a role
        /// reach every session. It ends between leases, never under one.
        public var connectionLifetime: Duration = .seconds(30 * 60)

        public init(
            connection: ConnectionConfiguration, maximumConnections: Int = 6, readers: Int = 1,
            leaseTimeout: Duration = .seconds(2), maximumAttempts: Int = 4
        ) {
            self.connection = connection
            self.maximumConnections = maximumConnections
            self.readers = readers
            self.leaseTimeout = leaseTimeout
            self.maximumAttempts = maximumAttempts
        }
    }

    /// How many connections there are of each kind, and leases that wait for one.
    public struct Counts: Sendable {
        public let idle: Int
        public let leased: Int
        public let opening: Int
        public let waiting: Int
    }

    private nonisolated let loop = EventLoop.shared
    private nonisolated let configuration: Configuration
    private var state: PoolState
    private var tag: UInt64?
    private var connections: [PoolState.ConnectionID: Connection] = [:]
    private var leases: [PoolState.LeaseID: CheckedContinuation<Result<Lease, PostgresError>, Never>] = [:]
    private var lastLease = 0
    private var readers: [Reader?]
    private var lastFailure: PostgresError?

    private struct Lease {
        let id: PoolState.ConnectionID
        let connection: Connection
    }

    /// A connection the pool has lent to all who read. The task lets many callers wait for one connection to open.
    private final class Reader {
        let lease: Task<Result<Lease, PostgresError>, Never>
        var connection: Connection?

        init(lease: Task<Result<Lease, PostgresError>, Never>) {
            self.lease = lease
        }
    }

    public init(_ configuration: Configuration) {
        precondition(configuration.maximumConnections >= 1 && configuration.readers >= 1)
        self.configuration = configuration
        var limits = PoolState.Limits()
        limits.maximumConnections = configuration.maximumConnections + configuration.readers
        limits.reservedForReaders = configuration.readers
        state = PoolState(limits: limits)
        readers = Array(repeating: nil, count: configuration.readers)
    }

    /// The thread on which the connections live. A task that prefers it (`withTaskExecutorPreference`) is spared the
    /// change of threads before and after each statement; it must not block there.
    public nonisolated var taskExecutor: any TaskExecutor { loop }

    /// Begins to open connections in the background. Without it the first lease does.
    public func start() {
        apply(.started)
    }

    /// Refuses further leases and closes each connection as soon as it is returned.
    public func close() async {
        apply(.shutDown)
        for reader in readers.compactMap({ $0?.connection }) { await reader.close() }
        readers = Array(repeating: nil, count: readers.count)
    }

    public var counts: Counts {
        let counts = state.counts
        return Counts(
            idle: counts.idle, leased: counts.leased, opening: counts.opening, waiting: counts.waiting)
    }

    /// Runs a statement that only reads over a shared connection, together with whatever else is read at the moment.
    ///
    /// Meant for short point reads: a slow statement makes those behind it wait. It is sent again when the connection
    /// breaks, so it must not write.
    /// - Throws: `PostgresError`.
    public func read(_ statement: Statement) async throws(PostgresError) -> QueryResult {
        do throws(PostgresError) {
            return try await reader().execute(statement)
        } catch {
            guard error.isConnectionLoss || error.isRetryable, !Task.isCancelled else { throw error }
            return try await reader().execute(statement)
        }
    }

    /// Lends a connection to `body`. One that is not clean when it comes back is closed.
    /// - Throws: what the lease or `body` throws.
    public func withConnection<Value: Sendable>(
        _ body: @Sendable (Connection) async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        let lease = try await lease()
        let result: Result<Value, PostgresError>
        do throws(PostgresError) { result = .success(try await body(lease.connection)) } catch {
            result = .failure(error)
        }
        await giveBack(lease)
        return try result.get()
    }

    /// Runs `body` in a transaction and commits it; any error, or cancellation, rolls it back.
    ///
    /// When the server asks for a repetition (serialization failure, deadlock) or the connection breaks before the
    /// COMMIT was sent, the whole body is run again, so it must have no effects outside the database.
    /// - Throws: what `body` throws, or `PostgresError` wrapped by `wrapping`; `outcomeUnknown` when the COMMIT's answer
    ///   was lost.
    public func transaction<Value: Sendable, Failure: Error>(
        wrapping: @Sendable (PostgresError) -> Failure,
        _ body: @Sendable (Transaction) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        var attempt = 1
        let lastStart = ContinuousClock.now + configuration.retryBudget
        while true {
            let lease: Lease
            do throws(PostgresError) { lease = try await self.lease() } catch { throw wrapping(error) }
            let transaction = Transaction(lease.connection)
            let result: Result<Value, Failure>
            do throws(Failure) {
                let value = try await body(transaction)
                do throws(PostgresError) { try await transaction.commitIfOpen() } catch { throw wrapping(error) }
                result = .success(value)
            } catch {
                await transaction.rollBack()
                result = .failure(error)
            }
            let failure = await transaction.failure
            if let failure, failure.isFaultOfSession { await lease.connection.close() }
            await giveBack(lease)
            guard case .failure = result, let failure, failure.isRetryable, attempt < configuration.maximumAttempts,
                !Task.isCancelled, ContinuousClock.now < lastStart
            else { return try result.get() }
            // Full jitter, so that transactions which collided do not collide again.
            try? await Task.sleep(for: .milliseconds(Int.random(in: 0...(5 << attempt))))
            attempt += 1
        }
    }

    /// Runs `body` in a transaction, as above, throwing `PostgresError` alone.
    public func transaction<Value: Sendable>(
        _ body: @Sendable (Transaction) async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        try await transaction(wrapping: { $0 }, body)
    }

    private func reader() async throws(PostgresError) -> Connection {
        var best: (slot: Int, depth: Int)?
        for slot in readers.indices {
            guard let connection = readers[slot]?.connection, await connection.isOpen else { continue }
            let depth = await connection.depth
            if best == nil || depth < best!.depth { best = (slot, depth) }
            if depth == 0 { break }
        }
        let hasEmptySlot = readers.contains { $0 == nil }
        if let best, best.depth == 0 || !hasEmptySlot, let connection = readers[best.slot]?.connection {
            return connection
        }
        let slot = readers.firstIndex { $0 == nil } ?? 0
        let reader =
            readers[slot]
            ?? Reader(
                lease: Task {
                    do throws(PostgresError) { return .success(try await self.lease(asReader: true)) } catch {
                        return .failure(error)
                    }
                })
        readers[slot] = reader
        switch await reader.lease.value {
        case .success(let lease):
            if reader.connection == nil {
                reader.connection = lease.connection
                await lease.connection.setSharing(.independentReads)
                await lease.connection.onClose { [weak self] in
                    guard let self else { return }
                    self.assumeIsolated { $0.readerClosed(lease) }
                }
            }
            return lease.connection
        case .failure(let error):
            if readers[slot] === reader { readers[slot] = nil }
            throw error
        }
    }

    private func readerClosed(_ lease: Lease) {
        if let slot = readers.firstIndex(where: { $0?.connection === lease.connection }) { readers[slot] = nil }
        connectionClosed(lease.id)
    }

    private func lease(asReader isReader: Bool = false) async throws(PostgresError) -> Lease {
        guard !Task.isCancelled else { throw PostgresError(.cancelled) }
        lastLease += 1
        let id = PoolState.LeaseID(number: lastLease)
        let deadline = ContinuousClock.now + configuration.leaseTimeout
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                leases[id] = continuation
                apply(.leaseRequested(id, deadline: deadline, isReader: isReader))
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.apply(.leaseCancelled(id)) } }
        }
        return try result.get()
    }

    private func giveBack(_ lease: Lease) async {
        if await lease.connection.isClean {
            apply(.connectionReturned(lease.id))
        } else {
            await lease.connection.close()
            connectionClosed(lease.id)
        }
    }

    private func connectionClosed(_ id: PoolState.ConnectionID) {
        guard connections.removeValue(forKey: id) != nil else { return }
        apply(.connectionClosed(id))
    }

    private func apply(_ event: PoolState.Event) {
        if tag == nil { tag = loop.admit(self) }
        for action in state.handle(event, at: .now) {
            switch action {
            case .open(let id):
                Task { await self.open(id) }
            case .grant(let leaseID, let id):
                guard let connection = connections[id] else { preconditionFailure("granted a connection that is gone") }
                leases.removeValue(forKey: leaseID)?.resume(
                    returning: .success(Lease(id: id, connection: connection)))
            case .refuse(let leaseID, let refusal):
                leases.removeValue(forKey: leaseID)?.resume(returning: .failure(error(for: refusal)))
            case .close(let id):
                if let connection = connections.removeValue(forKey: id) { Task { await connection.close() } }
            case .recall(let id):
                guard let connection = connections[id] else { break }
                if let slot = readers.firstIndex(where: { $0?.connection === connection }) { readers[slot] = nil }
                Task { await connection.closeWhenDone() }
            }
        }
        if case .shutDown = event, let tag {
            loop.dismiss(tag)
        }
    }

    private func open(_ id: PoolState.ConnectionID) async {
        do throws(PostgresError) {
            let connection = try await Connection.open(configuration.connection)
            connections[id] = connection
            await connection.onClose { [weak self] in
                guard let self else { return }
                self.assumeIsolated { $0.connectionClosed(id) }
            }
            // It may have closed again while the handler was being set.
            let lifetime = configuration.connectionLifetime * .random(in: 0.9...1.1)
            apply(connections[id] == nil ? .openingFailed(id) : .connectionOpened(id, retiresAt: .now + lifetime))
        } catch {
            lastFailure = error
            apply(.openingFailed(id))
        }
    }

    private func error(for refusal: PoolState.Refusal) -> PostgresError {
        switch refusal {
        case .noneFreeInTime, .tooManyWaiting: PostgresError(.poolExhausted)
        case .unreachable: PostgresError(.unavailable, note: lastFailure?.description)
        case .shutDown: PostgresError(.poolClosed)
        case .cancelled: PostgresError(.cancelled)
        }
    }
}

extension Pool: EventLoop.Resident {
    nonisolated func socketIsReady() {}
    nonisolated func endTurn() {}
    nonisolated var nextDeadline: ContinuousClock.Instant? { assumeIsolated { $0.state.nextDeadline } }
    nonisolated func deadlinePassed(_ now: ContinuousClock.Instant) { assumeIsolated { $0.apply(.timePassed) } }
}
