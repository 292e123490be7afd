import Foundation
import FoundationNetworking
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
        case answered(Answer, HTTPURLResponse)
        case unanswered(reason: String)
        case cancelled
    }

    let address: String
    private let base: URL
    private let session: URLSession
    private let outage = Outage()
    private let report: @Sendable (Event) -> Void

    static let maximumConnections = 32
    private static let longestPause = 5.0

    init(base: URL, report: @escaping @Sendable (Event) -> Void) {
        self.base = base
        self.report = report
        address = base.absoluteString
        let configuration = URLSessionConfiguration.ephemeral
        configuration.httpMaximumConnectionsPerHost = Self.maximumConnections
        configuration.timeoutIntervalForRequest = 10
        configuration.urlCache = nil
        session = URLSession(configuration: configuration)
    }

    /// Whether the instance did not answer lately.
    var isAway: Bool { outage.isUnderWay }

    func close() {
        session.invalidateAndCancel()
    }

    /// Sends a request until it is answered by something else than "not now".
    /// - Parameter insists: whether a missing answer is no reason to give up.
    func call(
        _ method: String, _ path: String, body: Data? = nil, insists: Bool = true
    ) async throws(Failure) -> Answer {
        var pause = 0.25
        while true {
            var wanted: Double?
            switch await attempt(method, path, body: body) {
            case .cancelled:
                throw .cancelled
            case .answered(let answer, let response):
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
                wanted = response.value(forHTTPHeaderField: "Retry-After").flatMap { Double($0) }
                    .map { min(max($0, 0), 60) }
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

    private func attempt(_ method: String, _ path: String, body: Data?) async -> Attempt {
        guard let url = URL(string: base.absoluteString + path) else { return .unanswered(reason: "no such address") }
        var request = URLRequest(url: url)
        request.httpMethod = method
        request.setValue("application/json", forHTTPHeaderField: "Accept")
        if let body {
            request.httpBody = body
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        }
        let began = ContinuousClock.now
        switch await answer(to: request) {
        case .success(let (data, response)):
            let seconds = (ContinuousClock.now - began).inSeconds
            return .answered(Answer(status: response.statusCode, body: data, seconds: seconds), response)
        case .failure(is CancellationError):
            return .cancelled
        case .failure(let error):
            return .unanswered(reason: Self.reason(error))
        }
    }

    /// A cancelled task stops waiting, but the request is left to end by itself: `URLSession.data(for:)` cancels it under
    /// the task's lock, which its own answer may be waiting for (swift-corelibs-foundation of Swift 6.3; both hang).
    private func answer(to request: URLRequest) async -> Result<(Data, HTTPURLResponse), any Error> {
        let waiter = Waiter<Result<(Data, HTTPURLResponse), any Error>>()
        let task = session.dataTask(with: request) { data, response, error in
            if let response = response as? HTTPURLResponse {
                waiter.resume(.success((data ?? Data(), response)))
            } else {
                waiter.resume(.failure(error ?? URLError(.badServerResponse)))
            }
        }
        task.resume()
        return await withTaskCancellationHandler {
            await waiter.value
        } onCancel: {
            waiter.resume(.failure(CancellationError()))
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch (error as? URLError)?.code {
        case .cannotConnectToHost?: "connection refused"
        case .cannotFindHost?, .dnsLookupFailed?: "no such host"
        case .timedOut?: "no answer in time"
        case .networkConnectionLost?: "the connection broke"
        default: error.localizedDescription
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

/// One value that one task waits for; the first one given counts.
private final class Waiter<Value: Sendable>: Sendable {
    private enum State {
        case empty
        case awaited(CheckedContinuation<Value, Never>)
        case given(Value)
        case taken
    }

    private let state = Mutex(State.empty)

    var value: Value {
        get async {
            await withCheckedContinuation { continuation in
                let given: Value? = state.withLock { state in
                    guard case .given(let value) = state else {
                        state = .awaited(continuation)
                        return nil
                    }
                    state = .taken
                    return value
                }
                if let given { continuation.resume(returning: given) }
            }
        }
    }

    func resume(_ value: Value) {
        let continuation: CheckedContinuation<Value, Never>? = state.withLock { state in
            switch state {
            case .empty:
                state = .given(value)
                return nil
            case .awaited(let continuation):
                state = .taken
                return continuation
            case .given, .taken:
                return nil
            }
        }
        // Outside of the lock, since resuming takes the task's.
        continuation?.resume(returning: value)
    }
}
