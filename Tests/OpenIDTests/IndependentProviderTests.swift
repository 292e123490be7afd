import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Subprocess
import SystemPackage
import TestSupport
import Testing

@testable import OpenID

/// A provider that others have written: `oidc-provider-mock`, from the Python environment of the acceptance tests.
struct IndependentProviderTests {
    @Test func `somebody signs in at a provider that others have written`() async throws {
        let claims = #"{"sub": "anna", "name": "Anna", "email": "anna@example.com", "groups": ["crm-team", "cooks"]}"#
        try await withIndependentProvider(claims) { provider, browser in
            let begun = try await provider.beginSignIn()
            let answer = try await browser.visit(begun.url, as: "anna")
            let identity = try await provider.completeSignIn(query: answer, secrets: begun.secrets)
            #expect(identity.subject.id == "anna" && identity.name == "Anna" && identity.email == "anna@example.com")
            #expect(!identity.isEmailVerified && identity.roleValues == ["crm-team", "cooks"])
            #expect(identity.roles == ["supervisor"])
            await #expect(throws: OpenIDError.refused(.invalidGrant)) {
                try await provider.completeSignIn(query: answer, secrets: begun.secrets)
            }
        }
    }

    @Test func `a code for another client is refused by a provider that others have written`() async throws {
        try await withIndependentProvider(#"{"sub": "anna"}"#) { provider, browser in
            let begun = try await provider.beginSignIn()
            let url = begun.url.replacing("client_id=leads", with: "client_id=other")
            let answer = try await browser.visit(url, as: "anna")
            await #expect(throws: OpenIDError.refused(.invalidGrant)) {
                try await provider.completeSignIn(query: answer, secrets: begun.secrets)
            }
        }
    }
}

/// Goes where it is sent, and back.
private struct Browser {
    let http: HTTPClient

    func visit(_ url: String, as subject: String) async throws -> [(String, String)] {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers = ["Content-Type": "application/x-www-form-urlencoded"]
        request.body = .bytes(ByteBuffer(string: "sub=\(subject)"))
        let response = try await http.execute(request, timeout: .seconds(20))
        let location = try #require(response.headers.first(name: "Location"))
        try #require(response.status.code == 302 && location.hasPrefix(StubProvider.redirectURL))
        return (URLComponents(string: location)?.queryItems ?? []).map { ($0.name, $0.value ?? "") }
    }
}

private func withIndependentProvider(
    _ claims: String, _ body: (OpenIDProvider, Browser) async throws -> Void
) async throws {
    let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    let python = repository.appending(path: ".venv/bin/python").path
    try #require(FileManager.default.isExecutableFile(atPath: python), "make .venv/.ready makes it")
    let port = try await freePort()
    let provider = OpenIDProvider(
        try OpenIDConfiguration(
            issuer: "http://localhost:\(port)", clientID: "leads", clientSecret: "s3cret",
            redirectURL: StubProvider.redirectURL, roleClaim: "groups", roles: ["crm-team": "supervisor"]),
        limits: .patient())
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    let outcome: Result<Void, any Error> = await withTaskGroup(of: Void.self) { group in
        // It is killed when its task is cancelled.
        group.addTask {
            _ = try? await Subprocess.run(
                .path(FilePath(python)),
                arguments: ["-W", "ignore", "-m", "oidc_provider_mock", "--port", "\(port)", "--user-claims", claims],
                output: .discarded, error: .discarded)
        }
        defer { group.cancelAll() }
        do {
            try #require(await eventually { (try? await provider.beginSignIn()) != nil })
            return .success(try await body(provider, Browser(http: http)))
        } catch {
            return .failure(error)
        }
    }
    await provider.shutDown()
    try await http.shutdown()
    try outcome.get()
}

private func freePort() async throws -> Int {
    let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(channel.localAddress?.port)
    try await channel.close()
    return port
}
