import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Requests to one instance. Those it cannot answer at present are sent again until it does.
struct Client: Sendable {
    /// What a call came to that did not succeed.
    enum Failure: Error {
        case refused(status: Int, detail: String, code: String?)
        case unanswered(reason: String)
        case cancelled
    }

    struct Answer: Sendable {
        let status: Int
        let body: Data
        /// Of the last attempt, from sending the request to having the whole answer.
        let seconds: Double
    }

    /// Something worth telling that happens between a request and its answer.
    enum Event: Sendable {
        case failed(status: Int?)
        case wentAway(reason: String)
        case cameBack(after: Duration)
    }

    private enum Attempt {
        case answered(Answer, HTTPHeaders)
        case unanswered(reason: String)
        case cancelled
    }

    let address: String
    private let headers: HTTPHeaders
    private let http: HTTPClient
    private let outage = Outage()
    private let report: @Sendable (Event) -> Void

    static let maximumConnections = 32
    private static let longestPause = 5.0
    private static let patience = TimeAmount.seconds(10)
    /// Bytes; a page of a thousand contacts has one or two million.
    private static let longestAnswer = 32 * 1_048_576

    /// - Parameters:
    ///   - address: of the instance, without a slash at the end.
    ///   - key: what a closed instance knows the demonstration by.
    init(address: String, key: String?, report: @escaping @Sendable (Event) -> Void) {
        self.address = address
        self.report = report
        var headers: HTTPHeaders = ["Accept": "application/json"]
        if let key { headers.add(name: "Authorization", value: "Bearer \(key)") }
        self.headers = headers
        var configuration = HTTPClient.Configuration()
        configuration.timeout = HTTPClient.Configuration.Timeout(connect: Self.patience, read: Self.patience)
        // Somebody else's address would be told the key.
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = Self.maximumConnections
        // An outage is told when it begins, and ends by requests that are sent again.
        configuration.connectionPool.retryConnectionEstablishment = false
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Whether the instance did not answer lately.
    var isAway: Bool { outage.isUnderWay }

    func close() async {
        try? await http.shutdown()
    }

    /// Sends a request until it is answered by something else than "not now".
    /// - Parameter insists: whether a missing answer is no reason to give up.
    func call(
        _ method: HTTPMethod, _ path: String, body: Data? = nil, insists: Bool = true
    ) async throws(Failure) -> Answer {
        var pause = 0.25
        while true {
            var wanted: Double?
            switch await attempt(method, path, body: body) {
            case .cancelled:
                throw .cancelled
            case .answered(let answer, let headers):
                if (200..<300).contains(answer.status) {
                    if let gone = outage.end() { report(.cameBack(after: gone)) }
                    return answer
                }
                report(.failed(status: answer.status))
                guard insists, [429, 502, 503, 504].contains(answer.status) else {
                    let refusal = try? Wire.decode(Wire.Refusal.self, from: answer.body)
                    throw .refused(
                        status: answer.status, detail: refusal?.detail ?? "no explanation", code: refusal?.code)
                }
                if outage.begin() { report(.wentAway(reason: "answers \(answer.status)")) }
                wanted = headers.first(name: "Retry-After").flatMap { Double($0) }.map { min(max($0, 0), 60) }
            case .unanswered(let reason):
                report(.failed(status: nil))
                guard insists else { throw .unanswered(reason: reason) }
                if outage.begin() { report(.wentAway(reason: "does not answer (\(reason))")) }
            }
            do {
                try await Task.sleep(for: .seconds((wanted ?? pause) * .random(in: 1...1.2)))
            } catch {
                throw .cancelled
            }
            if wanted == nil { pause = min(pause * 2, Self.longestPause) }
        }
    }

    private func attempt(_ method: HTTPMethod, _ path: String, body: Data?) async -> Attempt {
        var request = HTTPClientRequest(url: address + path)
        request.method = method
        request.headers = headers
        if let body {
            request.body = .bytes(body)
            request.headers.add(name: "Content-Type", value: "application/json")
        }
        let began = ContinuousClock.now
        do {
            let response = try await http.execute(request, timeout: Self.patience)
            let body = Data(try await response.body.collect(upTo: Self.longestAnswer).readableBytesView)
            let seconds = (ContinuousClock.now - began).inSeconds
            return .answered(Answer(status: Int(response.status.code), body: body, seconds: seconds), response.headers)
        } catch {
            guard !Task.isCancelled else { return .cancelled }
            return .unanswered(reason: Self.reason(error))
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError where [.connectTimeout, .readTimeout, .deadlineExceeded].contains(error):
            return "no answer in time"
        case let error as HTTPClientError where error == .remoteConnectionClosed:
            return "the connection broke"
        case let error as IOError:
            return error.errnoCode == ECONNREFUSED ? "connection refused" : "the connection broke"
        case let error as NIOConnectionError:
            return error.connectionErrors.first.map { reason($0.error) } ?? "no such host"
        default:
            return "\(error)"
        }
    }
}

/// Since when the instance has not answered, so that this is told once and not by every request.
private final class Outage: Sendable {
    private let since = Mutex<ContinuousClock.Instant?>(nil)

    var isUnderWay: Bool { since.withLock { $0 != nil } }

    /// - Returns: whether this is the first anybody hears of it.
    func begin() -> Bool {
        since.withLock { since in
            guard since == nil else { return false }
            since = .now
            return true
        }
    }

    /// - Returns: how long it took, if there was an outage.
    func end() -> Duration? {
        since.withLock { since in
            defer { since = nil }
            return since.map { ContinuousClock.now - $0 }
        }
    }
}
