internal import CLibPQ
import DequeModule
import Dispatch
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

    private nonisolated let loop: EventLoop
    private nonisolated let configuration: ConnectionConfiguration
    private let handle: OpaquePointer
    private let notices: NoticeBox
    private var sharing = Sharing.exclusive
    private var tag: UInt64 = 0
    private var isOpenNow = true
    private var willEndTurn = false
    private var watchesWriting = false
    private var closeHandler: (@Sendable () -> Void)?
    /// The names of the statements prepared on this connection, or being prepared, by their text.
    private var prepared: [String: String] = [:]
    private var preparedCount = 0
    private var lastRequestID: UInt64 = 0

    /// What the server still owes, in the order it will come.
    private enum Expected {
        case preparation(sql: String)
        case result(Request)
        case sync([Request])
    }
    private var expected: Deque<Expected> = []
    /// Requests sent since the last Sync.
    private var unsynced: [Request] = []
    private var current: QueryResult?
    private var script: Request?

    /// One caller's statements, which travel in one segment and are answered together.
    private final class Request {
        let id: UInt64
        let statements: [Statement]
        let deadline: ContinuousClock.Instant
        let commits: Bool
        var results: [QueryResult] = []
        var failure: PostgresError?
        var wasSkipped = false
        var continuation: CheckedContinuation<Result<[QueryResult], PostgresError>, Never>?

        init(
            id: UInt64, statements: [Statement], deadline: ContinuousClock.Instant, commits: Bool,
            continuation: CheckedContinuation<Result<[QueryResult], PostgresError>, Never>
        ) {
            self.id = id
            self.statements = statements
            self.deadline = deadline
            self.commits = commits
            self.continuation = continuation
        }

        func answer(_ result: Result<[QueryResult], PostgresError>) {
            continuation?.resume(returning: result)
            continuation = nil
        }
    }

    /// Opens a connection.
    /// - Throws: `PostgresError` with the code `connectionFailed` and what libpq said.
    public static func open(_ configuration: ConnectionConfiguration) async throws(PostgresError) -> Connection {
        let loop = EventLoop.shared
        let opened = await FreshHandle.connect(configuration)
        let connection = Connection(try opened.get(), configuration, loop)
        await connection.start()
        return connection
    }

    private init(_ fresh: FreshHandle, _ configuration: ConnectionConfiguration, _ loop: EventLoop) {
        handle = fresh.pointer
        notices = NoticeBox(configuration.noticeReceived)
        self.configuration = configuration
        self.loop = loop
    }

    private func start() {
        PQsetnonblocking(handle, 1)
        PQsetNoticeReceiver(handle, NoticeBox.receive, Unmanaged.passUnretained(notices).toOpaque())
        PQenterPipelineMode(handle)
        tag = loop.admit(self)
        loop.watch(PQsocket(handle), tag: tag)
    }

    public var isOpen: Bool { isOpenNow }

    /// How many requests are under way.
    var depth: Int { expected.count }

    /// Whether nothing is under way and the session is outside any transaction, so that another task may have it.
    var isClean: Bool {
        isOpenNow && expected.isEmpty && unsynced.isEmpty && PQtransactionStatus(handle) == PQTRANS_IDLE
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
    /// - Parameter commits: whether they end a transaction durably. Such a request is never cancelled, and losing the
    ///   connection under it is reported as `outcomeUnknown`.
    /// - Throws: `PostgresError`; the first statement's that failed.
    public func send(_ statements: [Statement], commits: Bool = false) async throws(PostgresError) -> [QueryResult] {
        guard isOpenNow else { throw PostgresError(.connectionLost) }
        guard !Task.isCancelled || commits else { throw PostgresError(.cancelled) }
        guard statements.allSatisfy({ $0.parameters.areRepresentable && !$0.sql.containsNUL }) else {
            throw PostgresError(.invalidParameter, note: "text must not hold U+0000")
        }
        let id = nextRequestID()
        let deadline = ContinuousClock.now + configuration.statementDeadline
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                dispatch(
                    Request(
                        id: id, statements: statements, deadline: deadline, commits: commits,
                        continuation: continuation))
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.abandon(id) } }
        }
        return try result.get()
    }

    /// Runs a text of several statements through the simple protocol, as `psql` would: for migrations.
    /// - Throws: `PostgresError`; the first statement's that failed.
    public func runScript(_ sql: String) async throws(PostgresError) {
        guard isOpenNow else { throw PostgresError(.connectionLost) }
        guard !Task.isCancelled else { throw PostgresError(.cancelled) }
        precondition(expected.isEmpty && unsynced.isEmpty, "a script needs the connection to itself")
        guard !sql.containsNUL else { throw PostgresError(.invalidParameter, note: "a script holds U+0000") }
        let id = nextRequestID()
        let deadline = ContinuousClock.now + .seconds(86_400)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let request = Request(
                    id: id, statements: [], deadline: deadline, commits: false, continuation: continuation)
                guard PQexitPipelineMode(handle) == 1, PQsendQuery(handle, sql) == 1 else {
                    request.answer(.failure(PostgresError(.connectionLost)))
                    return
                }
                script = request
                socketIsReady()
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.abandonScript(id) } }
        }
        if isOpenNow { PQenterPipelineMode(handle) }
        _ = try result.get()
    }

    /// Closes the connection; whatever is under way fails.
    public func close() {
        fail(PostgresError(.connectionLost))
    }

    private func nextRequestID() -> UInt64 {
        lastRequestID += 1
        return lastRequestID
    }

    private func dispatch(_ request: Request) {
        guard isOpenNow else { return request.answer(.failure(PostgresError(.connectionLost))) }
        if request.commits { _ = notices.takeWarning() }
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
        if configuration.isPooled || statement.isPlannedAfresh {
            let types = parameters.types.map(\.oid)
            expected.append(.result(request))
            return parameters.withPointers { values, lengths, formats in
                PQsendQueryParams(handle, statement.sql, count, types, values, lengths, formats, 1)
            } == 1
        }
        let name: String
        if let known = prepared[statement.sql] {
            name = known
        } else {
            preparedCount += 1
            name = "s\(preparedCount)"
            let types = parameters.types.map(\.oid)
            guard PQsendPrepare(handle, name, statement.sql, count, types) == 1 else { return false }
            prepared[statement.sql] = name
            expected.append(.preparation(sql: statement.sql))
        }
        expected.append(.result(request))
        return parameters.withPointers { values, lengths, formats in
            PQsendQueryPrepared(handle, name, count, values, lengths, formats, 1)
        } == 1
    }

    private func readScriptResults(of request: Request) {
        while PQisBusy(handle) == 0 {
            guard let pointer = PQgetResult(handle) else {
                script = nil
                request.answer(request.failure.map { .failure($0) } ?? .success([]))
                return
            }
            request.failure = request.failure ?? QueryResult(pointer).error
        }
    }

    private func readResults() {
        while isOpenNow, let next = expected.first, PQisBusy(handle) == 0 {
            guard let pointer = PQgetResult(handle) else {
                if PQstatus(handle) == CONNECTION_BAD { return fail(PostgresError(.connectionLost)) }
                // The end of one command's results.
                guard let result = current else { continue }
                current = nil
                if case .sync = next {
                    // Not a Sync but the server's last words, as a rule «terminating connection».
                    return fail(result.error ?? PostgresError(.connectionLost))
                }
                expected.removeFirst()
                take(result, for: next)
                continue
            }
            let result = QueryResult(pointer)
            if result.status == PGRES_PIPELINE_SYNC {
                expected.removeFirst()
                if case .sync(let requests) = next { complete(requests) }
            } else {
                current = result
            }
            guard isOpenNow else { return }
            if PQstatus(handle) == CONNECTION_BAD { fail(result.error ?? PostgresError(.connectionLost)) }
        }
    }

    private func take(_ result: QueryResult, for item: Expected) {
        let wasSkipped = result.status == PGRES_PIPELINE_ABORTED
        switch item {
        case .preparation(let sql):
            if wasSkipped || result.error != nil { prepared[sql] = nil }
            // A statement that cannot be prepared fails its execution too, but only as «skipped»: keep the reason.
            if let error = result.error, !wasSkipped, case .result(let request)? = expected.first {
                request.failure = request.failure ?? error
            }
        case .result(let request):
            if wasSkipped {
                request.wasSkipped = true
            } else if let error = result.error {
                request.failure = request.failure ?? error
            } else {
                request.results.append(result)
            }
        case .sync:
            break
        }
    }

    private func complete(_ requests: [Request]) {
        for request in requests {
            let lostItsStatement = request.failure?.sqlState == .invalidStatementName && !configuration.isPooled
            if sharing == .independentReads, request.failure == nil ? request.wasSkipped : lostItsStatement {
                // A neighbour failed, or the preparation this one relied on did: send it again.
                request.results = []
                request.failure = nil
                request.wasSkipped = false
                if request.continuation != nil { dispatch(request) }
            } else if let failure = request.failure {
                if failure.sqlState == .featureNotSupported { prepared = [:] }
                request.answer(.failure(failure))
            } else if request.wasSkipped {
                request.answer(.failure(PostgresError(.connectionLost)))
            } else if request.commits && notices.takeWarning() {
                // «canceling wait for synchronous replication»: committed here, but perhaps not on the standby.
                request.answer(.failure(PostgresError(.outcomeUnknown, sqlState: .warning)))
            } else {
                request.answer(.success(request.results))
            }
        }
    }

    /// The caller was cancelled: it is answered at once, and what it asked for is stopped or dropped.
    private func abandon(_ id: UInt64) {
        guard let request = requests.first(where: { $0.id == id }), !request.commits else { return }
        request.answer(.failure(PostgresError(.cancelled)))
        if sharing == .exclusive { giveUp(PostgresError(.cancelled)) }
    }

    private func abandonScript(_ id: UInt64) {
        if script?.id == id { giveUp(PostgresError(.cancelled)) }
    }

    private var requests: [Request] {
        var requests = unsynced
        for case .sync(let synced) in expected { requests += synced }
        return requests
    }

    /// Asks the server to stop, from another thread because `PQcancel` blocks, and closes the connection: whether the
    /// cancellation hit this statement or the next would be unknown.
    private func giveUp(_ error: PostgresError) {
        if let cancel = PQgetCancel(handle) {
            let cancellation = Cancellation(pointer: cancel)
            DispatchQueue.global().async { cancellation.send() }
        }
        fail(error)
    }

    /// Closes the connection and fails everything under way with `error`.
    private func fail(_ error: PostgresError) {
        guard isOpenNow else { return }
        isOpenNow = false
        let failed = requests
        expected = []
        unsynced = []
        current = nil
        loop.unwatch(PQsocket(handle))
        loop.dismiss(tag)
        PQfinish(handle)
        for request in failed + [script].compactMap({ $0 }) {
            if request.commits && request.results.count == request.statements.count && !notices.takeWarning() {
                request.answer(.success(request.results))  // the COMMIT itself was acknowledged
            } else {
                request.answer(
                    .failure(request.failure ?? (request.commits ? PostgresError(.outcomeUnknown) : error)))
            }
        }
        script = nil
        closeHandler?()
        closeHandler = nil
    }
}

extension Connection: EventLoop.Resident {
    nonisolated func socketIsReady() {
        assumeIsolated { connection in
            guard connection.isOpenNow else { return }
            guard PQconsumeInput(connection.handle) == 1 else {
                // What the server said before it hung up may still be readable: it tells why.
                connection.readResults()
                return connection.fail(PostgresError(.connectionLost))
            }
            if connection.watchesWriting { connection.flush() }
            guard connection.isOpenNow else { return }
            if let script = connection.script {
                connection.readScriptResults(of: script)
                if connection.watchesWriting == false { connection.flush() }
            } else {
                connection.readResults()
            }
        }
    }

    nonisolated func endTurn() {
        assumeIsolated { connection in
            connection.willEndTurn = false
            guard connection.isOpenNow, !connection.unsynced.isEmpty else { return }
            guard PQpipelineSync(connection.handle) == 1 else {
                return connection.fail(PostgresError(.connectionLost))
            }
            connection.expected.append(.sync(connection.unsynced))
            connection.unsynced = []
            connection.flush()
        }
    }

    nonisolated var nextDeadline: ContinuousClock.Instant? {
        assumeIsolated { connection in
            guard let first = connection.expected.first else { return nil }
            switch first {
            case .result(let request): return request.deadline
            case .sync(let requests): return requests.first?.deadline
            case .preparation: return connection.requests.first?.deadline
            }
        }
    }

    nonisolated func deadlinePassed(_ now: ContinuousClock.Instant) {
        assumeIsolated { connection in
            // The answer may have come while this thread was busy: read before judging.
            connection.socketIsReady()
            guard connection.isOpenNow, let due = connection.nextDeadline, due <= now else { return }
            let requests = connection.requests
            for request in requests where request.deadline <= now && !request.commits {
                request.answer(.failure(PostgresError(.deadlineExceeded)))
            }
            if requests.contains(where: \.commits) {
                connection.fail(PostgresError(.outcomeUnknown))  // a COMMIT must not be cancelled
            } else {
                connection.giveUp(PostgresError(.connectionLost))
            }
        }
    }

    private func flush() {
        let status = PQflush(handle)
        guard status >= 0 else { return fail(PostgresError(.connectionLost)) }
        if (status == 1) != watchesWriting {
            watchesWriting.toggle()
            loop.setWatchesWriting(watchesWriting, PQsocket(handle), tag: tag)
        }
    }
}

/// A connection as the connecting thread made it.
///
/// `@unchecked Sendable`: that thread gives the pointer up when it hands it over, and the actor that takes it is the
/// only one to use it from then on.
private struct FreshHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Connects on a thread of its own, because looking up a host name blocks; `connect_timeout` bounds the rest.
    static func connect(_ configuration: ConnectionConfiguration) async -> Result<FreshHandle, PostgresError> {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(returning: connectBlocking(configuration))
            }
        }
    }

    private static func connectBlocking(
        _ configuration: ConnectionConfiguration
    ) -> Result<FreshHandle, PostgresError> {
        let keywords = configuration.keywords
        let pointer = withCStrings(keywords.map(\.0)) { names in
            withCStrings(keywords.map(\.1)) { values in
                PQconnectdbParams(names, values, 1)
            }
        }
        guard let pointer else { return .failure(PostgresError(.connectionFailed, serverMessage: "out of memory")) }
        guard PQstatus(pointer) == CONNECTION_OK else {
            let message = String(cString: PQerrorMessage(pointer))
            PQfinish(pointer)
            return .failure(PostgresError(.connectionFailed, serverMessage: message))
        }
        return .success(FreshHandle(pointer: pointer))
    }

    private static func withCStrings<R>(
        _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> R
    ) -> R {
        let copies = strings.map { string in
            let bytes = Array(string.utf8CString)
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
            copy.initialize(from: bytes, count: bytes.count)
            return copy
        }
        defer { for copy in copies { copy.deallocate() } }
        return body(copies.map { UnsafePointer($0) } + [nil])
    }
}

/// A request to stop what a connection is doing.
///
/// `@unchecked Sendable`: libpq makes `PGcancel` for exactly this, use from another thread; one closure owns it.
private struct Cancellation: @unchecked Sendable {
    let pointer: OpaquePointer

    func send() {
        var reason = [CChar](repeating: 0, count: 256)
        PQcancel(pointer, &reason, Int32(reason.count))
        PQfreeCancel(pointer)
    }
}

/// Where libpq delivers a connection's notices. Used on the event loop's thread only.
private final class NoticeBox {
    private let received: (@Sendable (Notice) -> Void)?
    private var sawWarning = false

    init(_ received: (@Sendable (Notice) -> Void)?) {
        self.received = received
    }

    /// Whether a plain warning has come since the last call.
    func takeWarning() -> Bool {
        defer { sawWarning = false }
        return sawWarning
    }

    static let receive: PQnoticeReceiver = { context, pointer in
        guard let context, let pointer else { return }
        let box = Unmanaged<NoticeBox>.fromOpaque(context).takeUnretainedValue()
        // libpq frees the result itself, so it must not be wrapped in a QueryResult.
        func field(_ character: Unicode.Scalar) -> String? {
            PQresultErrorField(pointer, Int32(character.value)).map { String(cString: $0) }
        }
        let notice = Notice(sqlState: SQLState(field("C") ?? "00000"), severity: field("V") ?? "NOTICE")
        if notice.sqlState == .warning { box.sawWarning = true }
        box.received?(notice)
    }
}

extension String {
    /// Whether it holds U+0000. Statements are long, and `memchr` looks at many bytes at a time.
    fileprivate var containsNUL: Bool {
        var text = self
        return text.withUTF8 { bytes in bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false }
    }
}
