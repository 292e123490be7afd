import Foundation
import TestSupport
import Testing

@testable import OpenID

struct UnreliableProviderTests {
    /// What is asked for, and by which path.
    static let calls: [(OpenIDError.Call, String)] = [
        (.metadata, "/.well-known/openid-configuration"), (.keys, "/keys"), (.token, "/token"), (.userInfo, "/me"),
    ]

    /// A sign-in that needs all four.
    private func signIn(_ fixture: Fixture) async throws(OpenIDError) {
        _ = try await fixture.signIn { nonce, provider in
            try provider.key.token(claims: provider.claims(nonce: nonce).filter { $0.key != "email" })
        }
    }

    @Test(arguments: calls)
    func `an answer that is too long is not read to its end`(call: OpenIDError.Call, path: String) async throws {
        try await withProvider { fixture in
            fixture.stub.answer(path) { _ in .answer(200, "\"" + String(repeating: "x", count: 2_097_152) + "\"") }
            await #expect(throws: OpenIDError.unavailable(call, .tooLong)) { try await signIn(fixture) }
        }
    }

    @Test(arguments: calls)
    func `an answer of the longest length is read`(call: OpenIDError.Call, path: String) async throws {
        try await withProvider { fixture in
            fixture.stub.answer(path) { _ in .answer(200, String(repeating: " ", count: 1_048_576)) }
            await #expect(throws: OpenIDError.unavailable(call, .malformed)) { try await signIn(fixture) }
        }
    }

    @Test(arguments: calls, [true, false])
    func `a provider that hangs or trickles is waited for so long and no longer`(
        call: (OpenIDError.Call, String), isSilent: Bool
    ) async throws {
        try await withProvider(limits: ProviderCalls.Limits(patience: .milliseconds(500))) { fixture in
            fixture.stub.answer("/me") { _ in .answer(200, #"{"sub": "anna-1"}"#) }
            fixture.stub.answer(call.1) { _ in isSilent ? .silence : .trickle }
            // Where the machine is busy, calls before that one may be too late as well.
            let isTooLate = await eventually {
                do throws(OpenIDError) {
                    try await signIn(fixture)
                    return false
                } catch {
                    return error == .unavailable(call.0, .tooLate)
                }
            }
            #expect(isTooLate)
        }
        #expect(ProviderCalls.Limits().patience == .seconds(5))
    }

    @Test(arguments: calls, [302, 307, 404, 500])
    func `no redirection is followed, and what is no success is none`(
        call: (OpenIDError.Call, String), status: Int
    ) async throws {
        try await withProvider { fixture in
            let elsewhere = fixture.stub.address + "/elsewhere"
            fixture.stub.answer(call.1) { _ in .answer(status, "{}", ["Location": elsewhere]) }
            await #expect(throws: OpenIDError.unavailable(call.0, .unexpectedStatus(status))) {
                try await signIn(fixture)
            }
            #expect(fixture.stub.count("/elsewhere") == 0)
        }
    }

    @Test(arguments: calls, ["", "{", "[]", "7", "{\"keys\": 7}", "<html>"])
    func `an answer that makes no sense is one`(call: (OpenIDError.Call, String), text: String) async throws {
        try await withProvider { fixture in
            fixture.stub.answer(call.1) { _ in .answer(200, text) }
            let error = try #require(await #expect(throws: OpenIDError.self) { try await signIn(fixture) })
            #expect([.unavailable(call.0, .malformed), .untrusted(.subject)].contains(error))
        }
    }

    @Test(arguments: [
        ("issuer", #""https://login.example""#, OpenIDError.Trouble.otherIssuer),
        ("issuer", "null", .malformed), ("token_endpoint", "null", .malformed),
        ("code_challenge_methods_supported", #"["plain"]"#, .unsupported),
        ("token_endpoint", #""http://login.example/token""#, .insecureEndpoint),
        ("jwks_uri", #""file:///etc/passwd""#, .insecureEndpoint),
        ("userinfo_endpoint", #""/me""#, .insecureEndpoint),
        ("authorization_endpoint", #""javascript:alert(1)""#, .insecureEndpoint),
    ])
    func `metadata that nobody could safely sign in by are refused`(
        member: String, json: String, trouble: OpenIDError.Trouble
    ) async throws {
        try await withProvider { fixture in
            fixture.stub.say(member, json)
            await #expect(throws: OpenIDError.unavailable(.metadata, trouble)) {
                try await fixture.provider.beginSignIn()
            }
        }
    }

    @Test func `a provider that is reached by TLS has no endpoint without, not even on this machine`() throws {
        let metadata = [
            "issuer": "https://login.example", "authorization_endpoint": "https://login.example/authorize",
            "token_endpoint": "http://localhost/token", "jwks_uri": "https://login.example/keys",
        ]
        let answer = try JSONEncoder().encode(metadata)
        #expect(throws: OpenIDError.unavailable(.metadata, .insecureEndpoint)) {
            try ProviderMetadata.read(answer, of: "https://login.example")
        }
    }

    @Test func `a certificate must be of the provider, and vouched for`() async throws {
        let certificate = try await Certificate(host: "localhost")
        try await withProvider(certificate: certificate) { fixture in _ = try await fixture.signIn() }
        try await withProvider(certificate: certificate, trusts: false) { fixture in
            await #expect(throws: OpenIDError.unavailable(.metadata, .unreachable)) { try await fixture.signIn() }
        }
        try await withProvider(certificate: try await Certificate(host: "login.example")) { fixture in
            await #expect(throws: OpenIDError.unavailable(.metadata, .unreachable)) { try await fixture.signIn() }
            #expect(fixture.stub.requests.isEmpty)
        }
    }

    @Test func `a provider that is not there is said not to be, and found when it is back`() async throws {
        let configuration = try OpenIDConfiguration(
            issuer: "http://localhost:1", clientID: "x", clientSecret: nil, redirectURL: StubProvider.redirectURL)
        let provider = OpenIDProvider(configuration)
        await #expect(throws: OpenIDError.unavailable(.metadata, .unreachable)) { try await provider.beginSignIn() }
        await provider.shutDown()
        try await withProvider { fixture in
            fixture.stub.answer("/.well-known/openid-configuration") { _ in .answer(503, "") }
            await #expect(throws: OpenIDError.unavailable(.metadata, .unexpectedStatus(503))) {
                try await fixture.signIn()
            }
            fixture.stub.forget("/.well-known/openid-configuration")
            _ = try await fixture.signIn()
        }
    }
}
