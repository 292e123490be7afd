import Foundation
import NIOSSL
import Subprocess
import Testing

@testable import OpenID

/// Keys that tests share: making one of RSA takes its time.
enum Keys {
    static let shared = Task {
        var keys: [SigningKey.Kind: SigningKey] = [:]
        for kind in SigningKey.Kind.allCases { keys[kind] = try await SigningKey(kind) }
        return keys
    }

    static func of(_ kind: SigningKey.Kind) async throws -> SigningKey {
        try #require(try await shared.value[kind])
    }

    static let stranger = Task { try await SigningKey(.rs256) }
}

extension ProviderCalls.Limits {
    /// Of tests that are not about patience, on a machine that may be busy.
    static func patient(lifetime: Duration = .seconds(3600), keysPause: Duration = .seconds(30)) -> Self {
        Self(patience: .seconds(60), lifetime: lifetime, keysPause: keysPause)
    }
}

/// A provider and one who relies on it.
struct Fixture {
    let stub: StubProvider
    let provider: OpenIDProvider

    /// A sign-in from its beginning to its end.
    func signIn() async throws(OpenIDError) -> OpenIDIdentity {
        let begun = try await provider.beginSignIn()
        return try await provider.completeSignIn(query: answer(to: begun), secrets: begun.secrets)
    }

    /// What the browser brings back.
    func answer(to signIn: SignIn) -> [(String, String)] {
        do {
            return try stub.visit(signIn)
        } catch {
            Issue.record("the browser was sent somewhere else: \(signIn.url)")
            return []
        }
    }

    /// A sign-in with a token that is made by the maker.
    func signIn(token: @escaping StubProvider.TokenMaker) async throws(OpenIDError) -> OpenIDIdentity {
        stub.issue(token)
        return try await signIn()
    }
}

func withProvider(
    _ kind: SigningKey.Kind = .rs256, limits: ProviderCalls.Limits = .patient(),
    secret: String? = StubProvider.clientSecret, roleClaim: String? = nil, roles: [String: String] = [:],
    certificate: Certificate? = nil, trusts: Bool = true, _ body: (Fixture) async throws -> Void
) async throws {
    let stub = try await StubProvider(
        key: try await Keys.of(kind), stranger: try await Keys.stranger.value,
        certificate: certificate.map { ($0.chain, $0.key) })
    var tls = TLSConfiguration.makeClientConfiguration()
    if let certificate, trusts { tls.trustRoots = .file(certificate.chain) }
    let provider = OpenIDProvider(
        try OpenIDConfiguration(
            issuer: stub.address, clientID: StubProvider.clientID, clientSecret: secret,
            redirectURL: StubProvider.redirectURL, roleClaim: roleClaim, roles: roles),
        limits: limits, tls: tls)
    do {
        try await body(Fixture(stub: stub, provider: provider))
    } catch {
        await provider.shutDown()
        try await stub.close()
        throw error
    }
    await provider.shutDown()
    try await stub.close()
}

/// A certificate that nobody vouches for, in files that go with it.
final class Certificate: Sendable {
    let chain: String
    let key: String
    private let directory: URL

    init(host: String) async throws {
        directory = URL.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        chain = directory.appending(path: "chain.pem").path
        key = directory.appending(path: "key.pem").path
        let made = try await Subprocess.run(
            .name("openssl"),
            arguments: [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=\(host)", "-addext",
                "subjectAltName=DNS:\(host)", "-keyout", key, "-out", chain,
            ], output: .discarded, error: .discarded)
        try #require(made.terminationStatus.isSuccess)
    }

    deinit {
        try? FileManager.default.removeItem(at: directory)
    }
}
