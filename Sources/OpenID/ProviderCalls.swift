import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOSSL

/// Asks the provider, and takes no longer and no more than is sound.
struct ProviderCalls: Sendable {
    struct Limits: Sendable {
        /// Of one call, from its beginning to the end of its answer.
        var patience: Duration = .seconds(5)
        /// Bytes of an answer.
        var longestAnswer = 1_048_576
        /// How long what the provider says of itself, and its keys, are believed without asking again.
        var lifetime: Duration = .seconds(3600)
        /// Keys are not asked for again within this, whatever tokens may name.
        var keysPause: Duration = .seconds(30)
        /// Seconds that clocks may differ.
        var leeway = 60.0
    }

    struct Answer: Sendable {
        let status: Int
        let body: Data
    }

    let limits: Limits
    private let http: HTTPClient

    init(limits: Limits, tls: TLSConfiguration) {
        self.limits = limits
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        // Where a redirection leads, codes and secrets are nobody's business.
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        // Long enough for the calls of one sign-in. A provider that closes an idle connection would fail the next.
        configuration.connectionPool.idleTimeout = .seconds(1)
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    func shutDown() async {
        try? await http.shutdown()
    }

    /// What is answered with 200.
    func get(_ url: String, bearer: String? = nil, as call: OpenIDError.Call) async throws(OpenIDError) -> Data {
        var request = HTTPClientRequest(url: url)
        if let bearer { request.headers.add(name: "Authorization", value: "Bearer \(bearer)") }
        let answer = try await answer(to: request, as: call)
        guard answer.status == 200 else { throw .unavailable(call, .unexpectedStatus(answer.status)) }
        return answer.body
    }

    func post(
        _ fields: [(String, String)], to url: String, authorization: String?, as call: OpenIDError.Call
    ) async throws(OpenIDError) -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        if let authorization { request.headers.add(name: "Authorization", value: authorization) }
        request.body = .bytes(ByteBuffer(string: Form.encode(fields)))
        return try await answer(to: request, as: call)
    }

    private func answer(
        to request: HTTPClientRequest, as call: OpenIDError.Call
    ) async throws(OpenIDError) -> Answer {
        var request = request
        request.headers.add(name: "Accept", value: "application/json")
        // The client's own deadline ends with the head of an answer: a body could trickle for ever.
        let outcome = await withTaskGroup(of: Result<Answer, OpenIDError>.self) { [request] group in
            group.addTask { await exchange(request, as: call) }
            group.addTask {
                try? await Task.sleep(for: limits.patience)
                return .failure(.unavailable(call, .tooLate))
            }
            defer { group.cancelAll() }
            return await group.next() ?? .failure(.unavailable(call, .tooLate))
        }
        return try outcome.get()
    }

    private func exchange(
        _ request: HTTPClientRequest, as call: OpenIDError.Call
    ) async -> Result<Answer, OpenIDError> {
        do {
            let response = try await http.execute(request, deadline: .distantFuture)
            let body = try await response.body.collect(upTo: limits.longestAnswer)
            return .success(Answer(status: Int(response.status.code), body: Data(body.readableBytesView)))
        } catch is NIOTooManyBytesError {
            return .failure(.unavailable(call, .tooLong))
        } catch {
            return .failure(.unavailable(call, .unreachable))
        }
    }
}
