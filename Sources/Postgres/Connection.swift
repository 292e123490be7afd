internal import CLibPQ
import DequeModule
import Glibc

/// One libpq connection in pipeline mode.
///
/// Statements sent by any number of tasks during one turn of the event loop leave in one pipeline segment, closed by
/// one Sync; the answers come back in order. A connection that fails in any way that leaves its state unknown is
/// closed, never mended.
public actor Connection {
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// What an error in one statement means for its neighbours in the same segment, which the server skips.
    enum Sharing: Sendable {
        /// Every statement stands alone and only reads: the skipped neighbours are sent again.
        case independentReads
        /// One owner at a time: the owner's segment fails as a whole.
        case exclusive
    }

    /// What the server still owes, in the order it will come.
    enum Expected {
        case preparation(Statement, PreparedStatements.Preparation)
        /// Of a statement sent by its name, unless the preparation is nil.
        case result(Request, PreparedStatements.Preparation?)
        case sync([Request])
    }

    /// A text of several statements that is under way, alone.
    struct Script {
        let id: UInt64
        var failure: PostgresError?
        let continuation: CheckedContinuation<Result<Void, PostgresError>, Never>
    }

    nonisolated let loop: EventLoop
    nonisolated let configuration: ConnectionConfiguration
    let handle: OpaquePointer
    let notices: NoticeBox
    /// OpenSSL's part of the connection, nil without TLS.
    private(set) var tls: OpaquePointer?
    private(set) var sharing = Sharing.exclusive
    private var tag: UInt64 = 0
    private(set) var isOpenNow = true
    var willEndTurn = false
    private(set) var watchesWriting = false
    private var closeHandler: (@Sendable () -> Void)?
    private var closesWhenDone = false
    var prepared = PreparedStatements()
    private var lastRequestID: UInt64 = 0

    var expected: Deque<Expected> = []
    /// Requests sent since the last Sync.
    var unsynced: [Request] = []
    /// The result of the command being answered, until libpq says that there is no other.
    var current: QueryResult?
    var script: Script?
    /// When the server completed an answer last, or began to owe one.
    var lastAnswer = ContinuousClock.now

    /// Opens a connection.
    /// - Throws: `PostgresError` with the code `connectionFailed` and what libpq said, or `invalidConnectionString`.
    public static func open(_ configuration: ConnectionConfiguration) async throws(PostgresError) -> Connection {
        let loop = EventLoop.shared
        let opened = await FreshHandle.connect(configuration)
        let connection = Connection(try opened.get(), configuration, loop)
        try await connection.start()
        return connection
    }

    private init(_ fresh: FreshHandle, _ configuration: ConnectionConfiguration, _ loop: EventLoop) {
        handle = fresh.pointer
        notices = NoticeBox(configuration.noticeReceived)
        self.configuration = configuration
        self.loop = loop
    }

    private func start() throws(PostgresError) {
        PQsetNoticeReceiver(handle, NoticeBox.receive, Unmanaged.passUnretained(notices).toOpaque())
        tag = loop.admit(self)
        if PQsslInUse(handle) == 1 { tls = PQsslStruct(handle, "OpenSSL").map { OpaquePointer($0) } }
        guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1,
            (PQsslInUse(handle) == 1) == (tls != nil), loop.watch(PQsocket(handle), tag: tag)
        else {
            fail(PostgresError(.connectionLost))
            throw PostgresError(.connectionFailed, note: "libpq or the system refused what the connection needs")
        }
    }

    public var isOpen: Bool { isOpenNow }

    /// How many requests are under way.
    var depth: Int { expected.count }

    private var isIdle: Bool { expected.isEmpty && unsynced.isEmpty && script == nil }

    /// Whether nothing is under way and the session is outside any transaction, so that another task may have it.
    var isClean: Bool {
        isOpenNow && isIdle && PQtransactionStatus(handle) == PQTRANS_IDLE
    }

    func setSharing(_ sharing: Sharing) {
        self.sharing = sharing
    }

    /// Calls the closure once, when the connection has closed for whatever reason.
    func onClose(_ handler: @escaping @Sendable () -> Void) {
        if isOpenNow { closeHandler = handler } else { handler() }
    }

    /// Runs one statement.
    @discardableResult
    public func execute(_ statement: Statement) async throws(PostgresError) -> QueryResult {
        try await send([statement])[0]
    }

    /// Runs statements in one round trip and returns a result for each.
    ///
    /// Outside an explicit transaction they form an implicit one.
    /// - Parameter commits: whether the last is a COMMIT. Such a request is never cancelled, losing the connection under
    ///   it is reported as `outcomeUnknown`, and it fails when PostgreSQL rolls the transaction back.
    /// - Throws: `PostgresError`; the first statement's that failed.
    public func send(_ statements: [Statement], commits: Bool = false) async throws(PostgresError) -> [QueryResult] {
        try await send(statements, ending: commits ? .commit : .none)
    }

    /// Rolls back the transaction that is open, also when the task was cancelled.
    /// - Throws: `PostgresError`; the connection is of no use then.
    func rollBack() async throws(PostgresError) {
        _ = try await send(["rollback"], ending: .rollback)
    }

    private func send(
        _ statements: [Statement], ending: Request.Ending
    ) async throws(PostgresError) -> [QueryResult] {
        guard isOpenNow else { throw PostgresError(.connectionLost) }
        guard !Task.isCancelled || ending != .none else { throw PostgresError(.cancelled) }
        guard statements.allSatisfy({ $0.parameters.areRepresentable && !$0.sql.containsNUL }) else {
            throw PostgresError(.invalidParameter, note: "text must not hold U+0000")
        }
        let id = nextRequestID()
        let deadline = ContinuousClock.now + configuration.statementDeadline
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                dispatch(
                    Request(
                        id: id, statements: statements, deadline: deadline, ending: ending,
                        continuation: continuation))
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.abandon(id) } }
        }
        return try result.get()
    }

    /// Runs a text of several statements through the simple protocol, as `psql` would: for migrations.
    ///
    /// It has no deadline: `statement_timeout` and the end of the task are what stops it.
    /// - Throws: `PostgresError`; the first statement's that failed.
    public func runScript(_ sql: String) async throws(PostgresError) {
        guard isOpenNow else { throw PostgresError(.connectionLost) }
        guard !Task.isCancelled else { throw PostgresError(.cancelled) }
        precondition(isIdle, "a script needs the connection to itself")
        guard !sql.containsNUL else { throw PostgresError(.invalidParameter, note: "a script holds U+0000") }
        let id = nextRequestID()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                script = Script(id: id, continuation: continuation)
                guard PQexitPipelineMode(handle) == 1, PQsendQuery(handle, sql) == 1 else {
                    return fail(PostgresError(.connectionLost))
                }
                flush()
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.abandonScript(id) } }
        }
        try result.get()
    }

    /// Closes the connection; whatever is under way fails.
    public func close() {
        fail(PostgresError(.connectionLost))
    }

    /// Closes the connection as soon as nothing is under way.
    func closeWhenDone() {
        closesWhenDone = true
        closeIfDone()
    }

    func closeIfDone() {
        if closesWhenDone && isIdle { close() }
    }

    private func nextRequestID() -> UInt64 {
        lastRequestID += 1
        return lastRequestID
    }

    func dispatch(_ request: Request) {
        guard isOpenNow else { return request.answer(.failure(PostgresError(.connectionLost))) }
        if request.ending == .commit { _ = notices.takeCancelledWait() }
        if isIdle { lastAnswer = .now }
        for statement in request.statements {
            guard sendToLibPQ(statement, for: request) else {
                request.answer(.failure(PostgresError(.connectionLost)))
                return fail(PostgresError(.connectionLost))
            }
        }
        unsynced.append(request)
        if !willEndTurn {
            willEndTurn = true
            loop.callAtEndOfTurn(self)
        }
    }

    private func sendToLibPQ(_ statement: Statement, for request: Request) -> Bool {
        let parameters = statement.parameters
        let count = Int32(parameters.count)
        let use = configuration.isPooled || statement.isPlannedAfresh ? .nameless : prepared.use(of: statement)
        let preparation: PreparedStatements.Preparation?
        switch use {
        case .prepared(_, let by): preparation = by
        case .toPrepare(let name):
            let types = parameters.types.map(\.oid)
            guard PQsendPrepare(handle, name, statement.sql, count, types) == 1 else { return false }
            let by = prepared.add(statement, name: name)
            expected.append(.preparation(statement, by))
            preparation = by
        case .nameless: preparation = nil
        }
        expected.append(.result(request, preparation))
        return parameters.withPointers { values, lengths, formats in
            switch use {
            case .prepared(let name, _), .toPrepare(let name):
                PQsendQueryPrepared(handle, name, count, values, lengths, formats, 1)
            case .nameless:
                PQsendQueryParams(
                    handle, statement.sql, count, parameters.types.map(\.oid), values, lengths, formats, 1)
            }
        } == 1
    }

    func flush() {
        let status = PQflush(handle)
        guard status >= 0 else { return fail(PostgresError(.connectionLost)) }
        guard (status == 1) != watchesWriting else { return }
        watchesWriting.toggle()
        guard loop.setWatchesWriting(watchesWriting, PQsocket(handle), tag: tag) else {
            return fail(PostgresError(.connectionLost))
        }
    }

    /// The caller was cancelled: it is answered at once, and what it asked for is stopped or dropped.
    private func abandon(_ id: UInt64) {
        guard let request = requests.first(where: { $0.id == id }), request.ending == .none else { return }
        request.answer(.failure(PostgresError(.cancelled)))
        if sharing == .exclusive { giveUp(PostgresError(.cancelled)) }
    }

    private func abandonScript(_ id: UInt64) {
        if script?.id == id { giveUp(PostgresError(.cancelled)) }
    }

    /// What is under way.
    var requests: [Request] {
        var requests = unsynced
        for case .sync(let synced) in expected { requests += synced }
        return requests
    }

    /// Asks the server to stop, and closes the connection: whether the cancellation hit this statement or the next would
    /// be unknown.
    func giveUp(_ error: PostgresError) {
        if isOpenNow { Cancellation(handle)?.send() }
        fail(error)
    }

    /// Closes the connection and fails everything under way with `error`.
    func fail(_ error: PostgresError) {
        guard isOpenNow else { return }
        isOpenNow = false
        let failed = requests
        expected = []
        unsynced = []
        current = nil
        tls = nil
        loop.unwatch(PQsocket(handle))
        loop.dismiss(tag)
        PQfinish(handle)
        for request in failed {
            if let failure = request.failure {
                request.answer(.failure(failure))
            } else if request.ending != .commit {
                request.answer(.failure(error))
            } else if request.results.count == request.statements.count {
                // The COMMIT itself was answered.
                request.answer(request.verdict(waitWasCancelled: notices.takeCancelledWait()))
            } else {
                request.answer(.failure(PostgresError(.outcomeUnknown)))
            }
        }
        if let script { script.continuation.resume(returning: .failure(script.failure ?? error)) }
        script = nil
        closeHandler?()
        closeHandler = nil
    }
}

extension String {
    /// Whether it holds U+0000. Statements are long, and `memchr` looks at many bytes at a time.
    fileprivate var containsNUL: Bool {
        var text = self
        return text.withUTF8 { bytes in bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false }
    }
}
