import HTTPTypes
public import Logging
import Synchronization

/// What happens, told once: everything that logs and metrics say about requests comes through here.
///
/// Successful requests are counted and logged at debug, slow ones at notice, as are callers who were not let in; an answer
/// of 5xx is logged at warning or error with its cause. Warnings and answers of 401 and 403 come in floods while a
/// database is away or somebody tries keys: one a second of each level is logged, with the number of those that were not; at
/// debug, all.
/// Nothing a caller sent is kept but the request's id, and paths are those of the route table.
public final class Observation: Sendable {
    /// What became of a contact somebody wanted to register.
    enum RegistrationOutcome: String, CaseIterable {
        /// It has an operator.
        case placed
        /// It is stored and waits.
        case waiting
        /// Its event was known; nothing was stored.
        case repeated
        /// A request with its key had been answered; nothing was stored.
        case replayed
    }

    /// One request and its answer.
    struct Exchange {
        let id: String
        let method: HTTPRequest.Method
        /// Nil when the path is not in the route table.
        let endpoint: RouteTree.Endpoint?
        let status: Int
        let duration: Duration
        /// Why it was answered 5xx, free of what the caller sent.
        let cause: String?

        /// Those that metrics tell apart: a caller may make up as many as it likes.
        private static let knownMethods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options]

        private var knownMethod: Int? { Self.knownMethods.firstIndex(of: method) }
        fileprivate var methodName: String { knownMethod == nil ? "other" : method.rawValue }
        /// The path in the route table, `unknown` for others.
        fileprivate var route: String { endpoint?.path ?? "unknown" }

        /// Where it is counted.
        fileprivate var row: Int {
            let row = (endpoint.map { $0.number + 1 } ?? 0) * (Self.knownMethods.count + 1)
            return row + (knownMethod ?? Self.knownMethods.count)
        }
    }

    /// What is counted under names of its own.
    struct Series: Hashable {
        let method: String
        let route: String
        let status: Int
    }

    struct Histogram {
        /// Upper bounds in seconds.
        static let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
        /// How many fell below each bound and above the one before; the last count is of those beyond all.
        var counts = [Int](repeating: 0, count: bounds.count + 1)
        var sum = 0.0

        mutating func record(_ seconds: Double) {
            counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
            sum += seconds
        }
    }

    /// What came of the requests with one method to one path.
    fileprivate struct Row {
        let method: String
        let route: String
        /// A path answers with a handful of statuses: going through them is quicker than hashing.
        var answers: [(status: Int, count: Int)] = []
        var durations = Histogram()

        mutating func record(_ status: Int, _ seconds: Double) {
            durations.record(seconds)
            if let index = answers.firstIndex(where: { $0.status == status }) {
                answers[index].count += 1
            } else {
                answers.append((status, 1))
            }
        }
    }

    /// The numbers so far.
    struct Totals {
        /// By the number of the endpoint and the method.
        fileprivate var rows: [Row?] = []
        fileprivate(set) var inFlight = 0
        fileprivate(set) var registrations: [RegistrationOutcome: Int] = [:]
        /// Of batches, those that were the caller's fault and those that were not.
        fileprivate(set) var refusedInBatches = 0
        fileprivate(set) var failedInBatches = 0
        fileprivate(set) var strandedSources = 0
        fileprivate(set) var faultsInBackground = 0
        fileprivate(set) var refusedConnections = 0

        var requests: [Series: Int] {
            var counts: [Series: Int] = [:]
            for row in rows.compactMap(\.self) {
                for (status, count) in row.answers {
                    counts[Series(method: row.method, route: row.route, status: status)] = count
                }
            }
            return counts
        }

        /// By method and route; the series' status is 0.
        var durations: [Series: Histogram] {
            var durations: [Series: Histogram] = [:]
            for row in rows.compactMap(\.self) {
                durations[Series(method: row.method, route: row.route, status: 0)] = row.durations
            }
            return durations
        }
    }

    private struct Floodgate {
        var openAgainAt: ContinuousClock.Instant
        var suppressed = 0
    }

    private let logger: Logger
    private let state = Mutex(Totals())
    private let inFlight = Atomic(0)
    private let floodgates = Mutex<[Logger.Level: Floodgate]>([:])
    private let backgroundFaultLogged = Mutex<ContinuousClock.Instant?>(nil)
    private static let slow: Duration = .seconds(1)
    private static let floodInterval: Duration = .seconds(1)

    public init(logger: Logger) {
        self.logger = logger
    }

    var totals: Totals {
        var totals = state.withLock { $0 }
        totals.inFlight = inFlight.load(ordering: .relaxed)
        return totals
    }

    func requestBegan() {
        inFlight.wrappingAdd(1, ordering: .relaxed)
    }

    func requestEnded(_ exchange: Exchange) {
        inFlight.wrappingSubtract(1, ordering: .relaxed)
        let (seconds, attoseconds) = exchange.duration.components
        let duration = Double(seconds) + Double(attoseconds) * 1e-18
        let index = exchange.row
        state.withLock { totals in
            while totals.rows.count <= index { totals.rows.append(nil) }
            if totals.rows[index] == nil {
                totals.rows[index] = Row(method: exchange.methodName, route: exchange.route)
            }
            totals.rows[index]?.record(exchange.status, duration)
        }
        log(exchange)
    }

    /// Notes an answer to what is no request.
    func refused(id: String, _ status: HTTPResponse.Status) {
        logger.debug("answered", metadata: ["request_id": "\(id)", "status": "\(status.code)"])
    }

    func connectionRefused() {
        state.withLock { $0.refusedConnections += 1 }
    }

    func registered(_ outcome: RegistrationOutcome) {
        state.withLock { $0.registrations[outcome, default: 0] += 1 }
    }

    /// Notes what of a batch was not registered although the request went well.
    /// - Parameter cause: why the last of it was not tried, free of what the caller sent.
    func batchAnswered(refused: Int, failed: Int, cause: String?) {
        state.withLock {
            $0.refusedInBatches += refused
            $0.failedInBatches += failed
        }
        guard failed > 0 else { return }
        logInTurn(
            .warning, "a batch was registered in part", ["failed": "\(failed)", "cause": "\(cause ?? "unknown")"])
    }

    private func log(_ exchange: Exchange) {
        let level: Logger.Level =
            switch exchange.status {
            case 503: exchange.cause == nil ? .debug : .warning
            case 500...: .error
            case _ where exchange.cause != nil: .warning
            case 401, 403: .notice
            default: exchange.duration > Self.slow ? .notice : .debug
            }
        guard level >= logger.logLevel else { return }
        var metadata: Logger.Metadata = [
            "request_id": "\(exchange.id)", "method": "\(exchange.methodName)", "route": "\(exchange.route)",
            "status": "\(exchange.status)", "milliseconds": "\(Int(exchange.duration / .milliseconds(1)))",
        ]
        if let cause = exchange.cause { metadata["cause"] = "\(cause)" }
        if level == .warning || exchange.status == 401 || exchange.status == 403 {
            logInTurn(level, "answered", metadata)
        } else {
            logger.log(level: level, "answered", metadata: metadata)
        }
    }

    /// Tells of one among what may be thousands.
    private func logInTurn(_ level: Logger.Level, _ message: Logger.Message, _ metadata: Logger.Metadata) {
        guard logger.logLevel > .debug else { return logger.log(level: level, message, metadata: metadata) }
        guard let suppressed = passFloodgate(of: level) else { return }
        let metadata = suppressed > 0 ? metadata.merging(["not_logged": "\(suppressed)"]) { $1 } : metadata
        logger.log(level: level, message, metadata: metadata)
    }

    /// How many were suppressed since the last one that passed; nil when this one is suppressed too.
    private func passFloodgate(of level: Logger.Level) -> Int? {
        let now = ContinuousClock.now
        return floodgates.withLock { gates in
            let gate = gates[level]
            if let gate, now < gate.openAgainAt {
                gates[level]?.suppressed += 1
                return nil
            }
            gates[level] = Floodgate(openAgainAt: now + Self.floodInterval)
            return gate?.suppressed ?? 0
        }
    }
}

extension Observation {
    /// Notes the result of a sweep: how many sources had contacts waiting beside capacity. 0 is expected.
    public func swept(sources: Int) {
        guard sources > 0 else { return }
        state.withLock { $0.strandedSources += sources }
        logger.notice(
            "the sweep found contacts waiting beside capacity and placed them", metadata: ["sources": "\(sources)"])
    }

    /// Notes that those who listen to streams of events hear of nothing new for a while. They stay.
    /// - Parameter cause: free of what callers sent.
    func streamsInterrupted(cause: String?) {
        logger.warning(
            "streams of events are interrupted: the log cannot be read", metadata: ["cause": "\(cause ?? "unknown")"])
    }

    /// Notes that streams go on where they were.
    func streamsContinued() {
        logger.notice("streams of events go on: the log can be read again")
    }

    /// Notes that waiting contacts could not be placed in the background, through a fault of this program or its
    /// rights. Every transaction that leaves some of them behind may meet the same one: all are counted, one a second
    /// is logged.
    public func faultInBackground(_ error: any Error) {
        state.withLock { $0.faultsInBackground += 1 }
        let now = ContinuousClock.now
        let isLogged = backgroundFaultLogged.withLock { last in
            if let last, now - last < Self.floodInterval { return false }
            last = now
            return true
        }
        guard isLogged else { return }
        logger.error("waiting contacts could not be placed in the background", metadata: ["cause": "\(error)"])
    }
}
