import Foundation
import Testing

@testable import OpenID

struct SignInTests {
    @Test(arguments: SigningKey.Kind.allCases)
    func `whoever the provider signs for is who signs in`(kind: SigningKey.Kind) async throws {
        try await withProvider(kind) { fixture in
            let identity = try await fixture.signIn()
            #expect(identity.subject == .init(issuer: fixture.stub.address, id: "anna-1"))
            #expect(identity.name == "Anna Demo" && identity.email == "anna@example.com" && identity.isEmailVerified)
            #expect(identity.roleValues.isEmpty && identity.roles.isEmpty)
        }
    }

    @Test func `a sign-in has secrets of its own, and only their shadows are in its address`() async throws {
        try await withProvider { fixture in
            let (one, other) = (try await fixture.provider.beginSignIn(), try await fixture.provider.beginSignIn())
            #expect(one.secrets != other.secrets)
            #expect(one.url.contains("state=\(one.secrets.state)&") && one.url.contains("nonce=\(one.secrets.nonce)&"))
            #expect(!one.url.contains(one.secrets.codeVerifier) && one.url.contains("&code_challenge_method=S256"))
            #expect(one.url.contains("client_id=leads%20%26%20crm&"))
            #expect(one.url.contains("scope=openid%20profile%20email&"))
            for secret in [one.secrets.state, one.secrets.nonce, one.secrets.codeVerifier] {
                #expect(secret.utf8.count == 43)
            }
        }
    }

    @Test func `secrets come out of a cookie as they went in, and nothing else does`() throws {
        let secrets = SignIn.Secrets()
        let encoded = secrets.encoded
        #expect(SignIn.Secrets(encoded: encoded) == secrets && encoded.utf8.count == 131)
        for text in ["", "..", encoded + ".", String(encoded.dropLast()), encoded + "A", "é" + encoded.dropFirst(2)] {
            #expect(SignIn.Secrets(encoded: text) == nil)
        }
    }

    @Test func `an answer belongs to the sign-in whose state it has`() async throws {
        try await withProvider { fixture in
            let (one, other) = (try await fixture.provider.beginSignIn(), try await fixture.provider.beginSignIn())
            let answer = fixture.answer(to: other)
            await #expect(throws: OpenIDError.foreignAnswer(.otherState)) {
                try await fixture.provider.completeSignIn(query: answer, secrets: one.secrets)
            }
            for wrong in [[], [("state", "")], [("state", String(one.secrets.state.dropLast()))]] {
                await #expect(throws: OpenIDError.foreignAnswer(.otherState)) {
                    try await fixture.provider.completeSignIn(query: wrong + answer.dropFirst(), secrets: one.secrets)
                }
            }
            #expect(fixture.stub.count("/token") == 0)
        }
    }

    @Test func `an answer is good once`() async throws {
        try await withProvider { fixture in
            let begun = try await fixture.provider.beginSignIn()
            let answer = fixture.answer(to: begun)
            _ = try await fixture.provider.completeSignIn(query: answer, secrets: begun.secrets)
            await #expect(throws: OpenIDError.refused(.invalidGrant)) {
                try await fixture.provider.completeSignIn(query: answer, secrets: begun.secrets)
            }
        }
    }

    @Test func `a code that was slipped in from another sign-in is worth nothing without its verifier`() async throws {
        try await withProvider { fixture in
            let (mine, stolen) = (try await fixture.provider.beginSignIn(), try await fixture.provider.beginSignIn())
            let code = fixture.answer(to: stolen).first { $0.0 == "code" }?.1 ?? ""
            let answer = fixture.answer(to: mine).map { ($0.0, $0.0 == "code" ? code : $0.1) }
            await #expect(throws: OpenIDError.refused(.invalidGrant)) {
                try await fixture.provider.completeSignIn(query: answer, secrets: mine.secrets)
            }
        }
    }

    @Test func `members of an answer that come twice are refused`() async throws {
        try await withProvider { fixture in
            let begun = try await fixture.provider.beginSignIn()
            let answer = fixture.answer(to: begun)
            for member in answer {
                await #expect(throws: OpenIDError.foreignAnswer(.malformed)) {
                    try await fixture.provider.completeSignIn(query: answer + [member], secrets: begun.secrets)
                }
            }
            await #expect(throws: OpenIDError.foreignAnswer(.malformed)) {
                try await fixture.provider.completeSignIn(
                    query: answer.filter { $0.0 != "code" }, secrets: begun.secrets)
            }
            let noise = [("session_state", "x"), ("session_state", "y"), ("scope", "openid")]
            _ = try await fixture.provider.completeSignIn(query: noise + answer, secrets: begun.secrets)
        }
    }

    @Test func `an answer of another provider is refused, and so is none where one was promised`() async throws {
        try await withProvider { fixture in
            let begun = try await fixture.provider.beginSignIn()
            let answer = fixture.answer(to: begun).filter { $0.0 != "iss" }
            for named in [[], [("iss", "https://other.example")], [("iss", fixture.stub.address + "/")]] {
                await #expect(throws: OpenIDError.foreignAnswer(.otherIssuer)) {
                    try await fixture.provider.completeSignIn(query: answer + named, secrets: begun.secrets)
                }
            }
        }
        try await withProvider { fixture in
            fixture.stub.say("authorization_response_iss_parameter_supported", "null")
            let begun = try await fixture.provider.beginSignIn()
            let answer = fixture.answer(to: begun).filter { $0.0 != "iss" }
            await #expect(throws: OpenIDError.foreignAnswer(.otherIssuer)) {
                try await fixture.provider.completeSignIn(
                    query: answer + [("iss", "https://other.example")], secrets: begun.secrets)
            }
            _ = try await fixture.provider.completeSignIn(query: answer, secrets: begun.secrets)
        }
    }

    @Test(arguments: [
        ("access_denied", OpenIDError.Refusal.accessDenied), ("login_required", .loginRequired),
        ("anna@example.com", .other), ("", .other),
    ])
    func `a provider that says no is understood, and what it says beside it is not repeated`(
        error: String, refusal: OpenIDError.Refusal
    ) async throws {
        try await withProvider { fixture in
            let begun = try await fixture.provider.beginSignIn()
            var answer = [("error", error), ("error_description", "anna@example.com"), ("iss", fixture.stub.address)]
            await #expect(throws: OpenIDError.foreignAnswer(.otherState)) {
                try await fixture.provider.completeSignIn(query: answer, secrets: begun.secrets)
            }
            answer.append(("state", begun.secrets.state))
            let thrown = try #require(
                await #expect(throws: OpenIDError.refused(refusal)) {
                    try await fixture.provider.completeSignIn(query: answer, secrets: begun.secrets)
                })
            #expect(!"\(thrown)".contains("anna"))
        }
    }

    @Test(arguments: [
        (
            #"["crm-admins", "cooks", "crm-team", "crm-boss"]"#, "groups",
            ["crm-admins", "cooks", "crm-team", "crm-boss"]
        ),
        (#""crm-team""#, "groups", ["crm-team"]),
        (#"["crm-team", 7, null, ["crm-admins"]]"#, "groups", ["crm-team"]),
        (#"{"roles": ["crm-admins"]}"#, "groups.roles", ["crm-admins"]),
        (#"{"roles": {"x": {"y": "crm-team"}}}"#, "groups.roles.x.y", ["crm-team"]),
        (#"["crm-team"]"#, "groups.roles", []), ("7", "groups", []), ("null", "groups", []),
    ])
    func `roles are what the claim's values stand for`(json: String, path: String, values: [String]) async throws {
        let roles = ["crm-admins": "admin", "crm-boss": "admin", "crm-team": "supervisor"]
        try await withProvider(roleClaim: path, roles: roles) { fixture in
            fixture.stub.say("userinfo_endpoint", "null")
            let identity = try await fixture.signIn { nonce, provider in
                let value = try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
                return try provider.key.token(claims: provider.claims(nonce: nonce).merging(["groups": value]) { $1 })
            }
            #expect(identity.roleValues == values)
            #expect(identity.roles == (values.count == 4 ? ["admin", "supervisor"] : values.compactMap { roles[$0] }))
        }
    }

    @Test func `a claim may have dots in its own name`() async throws {
        try await withProvider(roleClaim: "https://crm.example/roles", roles: ["a": "admin"]) { fixture in
            let identity = try await fixture.signIn { nonce, provider in
                try provider.key.token(
                    claims: provider.claims(nonce: nonce).merging(["https://crm.example/roles": ["a"]]) { $1 })
            }
            #expect(identity.roles == ["admin"] && fixture.stub.count("/me") == 0)
        }
    }

    @Test func `what a token leaves out is asked for, and the token has the last word`() async throws {
        try await withProvider(roleClaim: "groups", roles: ["crm-team": "supervisor"]) { fixture in
            fixture.stub.answer("/me") { request in
                guard request.headers["authorization"] == "Bearer access-1" else { return .answer(401, "") }
                return .json([
                    "sub": "anna-1", "email": "anna@example.org", "email_verified": "true", "name": "Somebody else",
                    "groups": ["crm-team"],
                ])
            }
            let identity = try await fixture.signIn { nonce, provider in
                var claims = provider.claims(nonce: nonce)
                claims["email"] = nil
                claims["email_verified"] = nil
                return try provider.key.token(claims: claims)
            }
            #expect(identity.name == "Anna Demo" && identity.email == "anna@example.org")
            #expect(identity.isEmailVerified && identity.roles == ["supervisor"])
        }
    }

    @Test func `what is told of somebody else is refused`() async throws {
        try await withProvider(roleClaim: "groups", roles: ["crm-admins": "admin"]) { fixture in
            for json in [#"{"sub": "boris-2", "groups": ["crm-admins"]}"#, #"{"groups": ["crm-admins"]}"#] {
                fixture.stub.answer("/me") { _ in .answer(200, json) }
                await #expect(throws: OpenIDError.untrusted(.subject)) { try await fixture.signIn() }
            }
        }
    }

    @Test func `a client shows its secret as the provider wants it, or none`() async throws {
        try await withProvider { fixture in
            fixture.stub.say("token_endpoint_auth_methods_supported", #"["client_secret_post", "private_key_jwt"]"#)
            await #expect(throws: OpenIDError.refused(.invalidClient)) { try await fixture.signIn() }
            let request = try #require(fixture.stub.requests.last)
            #expect(request.form["client_id"] == StubProvider.clientID && request.headers["authorization"] == nil)
            #expect(request.form["client_secret"] == StubProvider.clientSecret)
        }
        try await withProvider(secret: nil) { fixture in
            await #expect(throws: OpenIDError.refused(.invalidClient)) { try await fixture.signIn() }
            let request = try #require(fixture.stub.requests.last)
            #expect(request.form["client_id"] == StubProvider.clientID && request.headers["authorization"] == nil)
            #expect(request.form["client_secret"] == nil && request.form["code_verifier"]?.utf8.count == 43)
        }
        try await withProvider { fixture in
            fixture.stub.say("token_endpoint_auth_methods_supported", #"["private_key_jwt"]"#)
            await #expect(throws: OpenIDError.unavailable(.metadata, .unsupported)) { try await fixture.signIn() }
        }
    }

    @Test func `those who sign in at once share what is asked of the provider first`() async throws {
        try await withProvider { fixture in
            try await withThrowingTaskGroup(of: OpenIDIdentity.self) { group in
                for _ in 0..<20 { group.addTask { try await fixture.signIn() } }
                for try await identity in group { #expect(identity.subject.id == "anna-1") }
            }
            #expect(fixture.stub.count("/.well-known/openid-configuration") == 1)
            #expect(fixture.stub.count("/keys") == 1 && fixture.stub.count("/token") == 20)
        }
    }

    @Test func `what was learnt is asked for again after a while`() async throws {
        try await withProvider(limits: .patient(lifetime: .milliseconds(1))) { fixture in
            _ = try await fixture.signIn()
            _ = try await fixture.signIn()
            #expect(fixture.stub.count("/keys") >= 2)
            #expect(fixture.stub.count("/.well-known/openid-configuration") >= 2)
        }
    }

    @Test(arguments: [
        ("http://crm.example", "x", "https://crm.example/in", OpenIDError.Setting.issuer),
        ("https://login.example?tenant=1", "x", "https://crm.example/in", .issuer),
        ("https://login.example#a", "x", "https://crm.example/in", .issuer),
        ("https://anna:pw@login.example", "x", "https://crm.example/in", .issuer),
        ("login.example", "x", "https://crm.example/in", .issuer), ("", "x", "https://crm.example/in", .issuer),
        ("https://", "x", "https://crm.example/in", .issuer),
        ("file:///etc/passwd", "x", "https://crm.example/in", .issuer),
        ("http://127.0.0.1.crm.example", "x", "https://crm.example/in", .issuer),
        ("https://login.example", "", "https://crm.example/in", .clientID),
        ("https://login.example", "x", "http://crm.example/in", .redirectURL),
        ("https://login.example", "x", "/in", .redirectURL),
    ])
    func `a configuration that makes no sense is named`(
        issuer: String, clientID: String, redirectURL: String, setting: OpenIDError.Setting
    ) {
        #expect(throws: OpenIDError.misconfigured(setting)) {
            try OpenIDConfiguration(issuer: issuer, clientID: clientID, clientSecret: nil, redirectURL: redirectURL)
        }
    }

    @Test(arguments: [[], ["profile"], ["openid", "a b"], ["openid", ""]])
    func `scopes that make no sense are named`(scopes: [String]) {
        #expect(throws: OpenIDError.misconfigured(.scopes)) {
            try OpenIDConfiguration(
                issuer: "https://login.example", clientID: "x", clientSecret: nil, redirectURL: "https://crm.example",
                scopes: scopes)
        }
    }

    @Test func `what is printed by mistake shows no secret and nobody`() async throws {
        let configuration = try OpenIDConfiguration(
            issuer: "http://[::1]:9000/realm", clientID: "x", clientSecret: "geheim",
            redirectURL: "http://localhost/in")
        let secrets = SignIn.Secrets()
        let identity = OpenIDIdentity(
            subject: .init(issuer: "https://login.example", id: "anna-1"), name: "Anna", email: "anna@example.com",
            isEmailVerified: true, roleValues: [], roles: [])
        let signIn = SignIn(url: "https://geheim", secrets: secrets)
        var printed = ""
        for each in [configuration, secrets, identity, signIn] as [Any] {
            printed += "\(each) \(String(reflecting: each))"
            dump(each, to: &printed)
        }
        for secret in ["geheim", secrets.state, secrets.nonce, secrets.codeVerifier, "anna", "Anna"] {
            #expect(!printed.contains(secret))
        }
    }
}
