import Crypto
import Foundation
import TestSupport
import Testing

@testable import OpenID

struct HostileTokenTests {
    /// One thing that is wrong with a token that is honest otherwise.
    struct Lie: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let fault: OpenIDError.TokenFault
        let claims: @Sendable (StubProvider) -> [String: Any]

        init(
            _ description: String, _ fault: OpenIDError.TokenFault,
            _ claims: @escaping @Sendable (StubProvider) -> [String: Any]
        ) {
            testDescription = description
            self.fault = fault
            self.claims = claims
        }
    }

    private static func secondsFromNow(_ seconds: Int) -> Int { Int(Date.now.timeIntervalSince1970) + seconds }

    static let lies = [
        Lie("of another issuer", .issuer) { _ in ["iss": "https://login.example"] },
        Lie("of an issuer with a slash more", .issuer) { ["iss": $0.address + "/"] },
        Lie("of no issuer", .issuer) { _ in ["iss": NSNull()] },
        Lie("for another client", .audience) { _ in ["aud": "other"] },
        Lie("for no client", .audience) { _ in ["aud": [String]()] },
        Lie("for others, too, and nobody asked for it", .audience) { _ in ["aud": [StubProvider.clientID, "other"]] },
        Lie("for us, but another asked for it", .audience) { _ in
            ["aud": [StubProvider.clientID, "other"], "azp": "other"]
        },
        Lie("for us alone, but another asked for it", .audience) { _ in ["azp": "other"] },
        Lie("expired", .expired) { _ in ["exp": secondsFromNow(-61)] },
        Lie("without an end", .malformed) { _ in ["exp": NSNull()] },
        Lie("with an end that is a text", .malformed) { _ in ["exp": "9999999999"] },
        Lie("from the future", .notYetValid) { _ in ["iat": secondsFromNow(90), "exp": secondsFromNow(300)] },
        Lie("that begins in the future", .notYetValid) { _ in ["nbf": secondsFromNow(90)] },
        Lie("of no time", .malformed) { _ in ["iat": NSNull()] },
        Lie("of another sign-in", .otherSignIn) { _ in ["nonce": SignIn.Secrets().nonce] },
        Lie("of no sign-in", .otherSignIn) { _ in ["nonce": NSNull()] },
        Lie("of nobody", .malformed) { _ in ["sub": ""] },
        Lie("of somebody with too long a name", .malformed) { _ in ["sub": String(repeating: "a", count: 256)] },
        Lie("of a number", .malformed) { _ in ["sub": 7] },
    ]

    @Test(arguments: lies)
    func `a token that is signed well and says something else is refused`(lie: Lie) async throws {
        try await withProvider { fixture in
            await #expect(throws: OpenIDError.untrusted(lie.fault)) {
                try await fixture.signIn { nonce, provider in
                    let claims = provider.claims(nonce: nonce).merging(lie.claims(provider)) { $1 }
                    return try provider.key.token(claims: claims.filter { !($0.value is NSNull) })
                }
            }
        }
    }

    @Test func `clocks may differ by a minute`() async throws {
        try await withProvider { fixture in
            for (claim, seconds) in [("exp", -30), ("iat", 50), ("nbf", 50)] {
                _ = try await fixture.signIn { nonce, provider in
                    let moment = [claim: Self.secondsFromNow(seconds)]
                    return try provider.key.token(claims: provider.claims(nonce: nonce).merging(moment) { $1 })
                }
            }
        }
    }

    @Test func `of several audiences this program may have asked for the token`() async throws {
        try await withProvider { fixture in
            _ = try await fixture.signIn { nonce, provider in
                let more: [String: Any] = ["aud": ["other", StubProvider.clientID], "azp": StubProvider.clientID]
                return try provider.key.token(claims: provider.claims(nonce: nonce).merging(more) { $1 })
            }
        }
    }

    /// One way to forge what vouches for a token.
    struct Forgery: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let fault: OpenIDError.TokenFault
        let make: StubProvider.TokenMaker

        init(_ description: String, _ fault: OpenIDError.TokenFault, _ make: @escaping StubProvider.TokenMaker) {
            testDescription = description
            self.fault = fault
            self.make = make
        }
    }

    static let forgeries = [
        Forgery("signed with nothing", .algorithm) { nonce, provider in
            try provider.key.token(header: ["alg": "none"], claims: provider.claims(nonce: nonce)) { _ in Data() }
        },
        Forgery("signed with nothing, in capitals", .algorithm) { nonce, provider in
            try provider.key.token(header: ["alg": "NONE"], claims: provider.claims(nonce: nonce)) { _ in Data() }
        },
        Forgery("signed with the public key as a shared secret", .algorithm) { nonce, provider in
            let secret = SymmetricKey(data: Data(provider.key.publicText.utf8))
            return try provider.key.token(header: ["alg": "HS256"], claims: provider.claims(nonce: nonce)) {
                Data(HMAC<SHA256>.authenticationCode(for: $0, using: secret))
            }
        },
        Forgery("signed with the client's secret", .algorithm) { nonce, provider in
            let secret = SymmetricKey(data: Data(StubProvider.clientSecret.utf8))
            return try provider.key.token(header: ["alg": "HS256"], claims: provider.claims(nonce: nonce)) {
                Data(HMAC<SHA256>.authenticationCode(for: $0, using: secret))
            }
        },
        Forgery("of an algorithm that is not taken", .algorithm) { nonce, provider in
            try provider.key.token(header: ["alg": "RS512"], claims: provider.claims(nonce: nonce))
        },
        Forgery("of another algorithm of the same key", .unknownKey) { nonce, provider in
            try provider.key.token(header: ["alg": "PS256"], claims: provider.claims(nonce: nonce))
        },
        Forgery("of an algorithm of another kind of key", .unknownKey) { nonce, provider in
            try provider.key.token(header: ["alg": "ES256"], claims: provider.claims(nonce: nonce))
        },
        Forgery("signed by nobody", .signature) { nonce, provider in
            try provider.key.token(claims: provider.claims(nonce: nonce)) { _ in Data() }
        },
        Forgery("signed with a key of somebody else under the name of the provider's", .signature) { nonce, provider in
            try provider.stranger.token(claims: provider.claims(nonce: nonce))
        },
        Forgery("that brings its own key", .signature) { nonce, provider in
            try provider.stranger.token(
                header: ["jwk": provider.stranger.published], claims: provider.claims(nonce: nonce))
        },
        Forgery("that wants something understood", .malformed) { nonce, provider in
            try provider.key.token(header: ["crit": ["b64"], "b64": false], claims: provider.claims(nonce: nonce))
        },
        Forgery("that was changed on its way", .signature) { nonce, provider in
            let honest = try provider.key.token(claims: provider.claims(nonce: nonce)).split(separator: ".")
            let claims = provider.claims(nonce: nonce).merging(["sub": "boris-2"]) { $1 }
            let others = try provider.key.token(claims: claims).split(separator: ".")
            return [honest[0], others[1], honest[2]].joined(separator: ".")
        },
    ]

    @Test(arguments: forgeries)
    func `a token that nobody vouches for is refused`(forgery: Forgery) async throws {
        try await withProvider { fixture in
            await #expect(throws: OpenIDError.untrusted(forgery.fault)) {
                try await fixture.signIn(token: forgery.make)
            }
        }
    }

    @Test(arguments: [
        "", "..", "a.b", "a.b.c.d", "e30.e30.e30", "e30=.e30.", "%%.%%.%%", "eyJhbGciOiJSUzI1NiJ9.e30",
        Base64URL.encode(Data(#"{"alg":"RS256","kid":7}"#.utf8)) + ".e30.AA",
        Base64URL.encode(Data(#"{"alg":["RS256"]}"#.utf8)) + ".e30.AA",
        Base64URL.encode(Data(repeating: UInt8(ascii: "["), count: 100_000)) + ".e30.AA",
    ])
    func `what is no token is refused`(text: String) async throws {
        try await withProvider { fixture in
            await #expect(throws: OpenIDError.untrusted(.malformed)) {
                try await fixture.signIn { _, _ in text }
            }
        }
    }

    @Test func `numbers without measure and nests without end harm nobody`() async throws {
        try await withProvider { fixture in
            let identity = try await fixture.signIn { nonce, provider in
                try provider.key.token(
                    header: ["x": 1e300, "y": -1e300],
                    claims: provider.claims(nonce: nonce).merging(["z": 1e300, "list": [[[["deep"]]]]]) { $1 })
            }
            #expect(identity.subject.id == "anna-1")
            let nest = String(repeating: #"{"a":"#, count: 50_000)
            for claims in [#"{"sub":"a","exp":1e400,"iat":1}"#, nest, "[]", "7", ""] {
                await #expect(throws: OpenIDError.untrusted(.malformed)) {
                    try await fixture.signIn { _, provider in
                        try provider.key.token(payload: claims)
                    }
                }
            }
        }
    }

    @Test func `tokens that name unknown keys have the keys asked for once`() async throws {
        try await withProvider(limits: .patient(keysPause: .seconds(3600))) { fixture in
            _ = try await fixture.signIn()
            for number in 0..<30 {
                await #expect(throws: OpenIDError.untrusted(.unknownKey)) {
                    try await fixture.signIn { nonce, provider in
                        try provider.key.token(
                            header: ["kid": "unknown-\(number)"], claims: provider.claims(nonce: nonce))
                    }
                }
            }
            #expect(fixture.stub.count("/keys") == 1, "they were asked for a moment before")
        }
        try await withProvider(limits: .patient(keysPause: .milliseconds(500))) { fixture in
            let began = ContinuousClock.now
            for number in 0..<30 {
                await #expect(throws: OpenIDError.untrusted(.unknownKey)) {
                    try await fixture.signIn { nonce, provider in
                        try provider.key.token(
                            header: ["kid": "unknown-\(number)"], claims: provider.claims(nonce: nonce))
                    }
                }
            }
            let pauses = Int((ContinuousClock.now - began) / .milliseconds(500))
            #expect((1...pauses + 1).contains(fixture.stub.count("/keys")))
        }
    }

    @Test func `a key that is new is found, and one that is gone vouches for nothing`() async throws {
        let fresh = try await SigningKey(.es256, id: "2")
        try await withProvider(limits: .patient(keysPause: .zero)) { fixture in
            _ = try await fixture.signIn()
            fixture.stub.publish([fresh.published])
            _ = try await fixture.signIn { nonce, provider in try fresh.token(claims: provider.claims(nonce: nonce)) }
            #expect(fixture.stub.count("/keys") == 2)
            await #expect(throws: OpenIDError.untrusted(.unknownKey)) {
                try await fixture.signIn { nonce, provider in
                    try provider.key.token(claims: provider.claims(nonce: nonce))
                }
            }
        }
    }

    @Test func `those who come at once with a key that is new all find it`() async throws {
        let fresh = try await SigningKey(.es256, id: "2")
        let pause = Duration.milliseconds(300)
        try await withProvider(limits: .patient(keysPause: pause)) { fixture in
            _ = try await fixture.signIn()
            let learnt = ContinuousClock.now
            fixture.stub.publish([fresh.published])
            fixture.stub.issue { nonce, provider in try fresh.token(claims: provider.claims(nonce: nonce)) }
            #expect(await eventually { ContinuousClock.now - learnt > pause })
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<20 { group.addTask { _ = try await fixture.signIn() } }
                try await group.waitForAll()
            }
            // One question for all, or as many as fit into the time it took on a machine that has other work.
            let most = 2 + Int((ContinuousClock.now - learnt) / pause) - 1
            #expect((2...most).contains(fixture.stub.count("/keys")))
        }
    }

    @Test func `keys of kinds that are not known, and those to encrypt with, are passed over`() async throws {
        let others = [
            ["kty": "oct", "k": "AAAA", "kid": "1", "alg": "HS256"], ["kty": "AKP", "kid": "x", "alg": "ML-DSA-65"],
            ["kty": "RSA", "kid": "1", "use": "enc", "n": "AQAB", "e": "AQAB"], ["kid": "1"],
            ["kty": "RSA", "kid": "1", "alg": "RSA-OAEP-256", "use": "sig", "n": "AQAB", "e": "AQAB"],
        ]
        try await withProvider { fixture in
            fixture.stub.publish(others + [fixture.stub.key.published])
            _ = try await fixture.signIn()
        }
    }

    @Test func `without a name the key must be the only one of its kind`() async throws {
        let second = try await SigningKey(.es256, id: "2")
        let third = try await SigningKey(.es256, id: "3")
        try await withProvider(limits: .patient(keysPause: .zero)) { fixture in
            let unnamed: StubProvider.TokenMaker = { nonce, provider in
                try second.token(header: ["kid": NSNull()], claims: provider.claims(nonce: nonce))
            }
            fixture.stub.publish([fixture.stub.key.published, second.published])
            _ = try await fixture.signIn(token: unnamed)
        }
        try await withProvider { fixture in
            fixture.stub.publish([second.published, third.published])
            await #expect(throws: OpenIDError.untrusted(.unknownKey)) {
                try await fixture.signIn { nonce, provider in
                    try second.token(header: ["kid": NSNull()], claims: provider.claims(nonce: nonce))
                }
            }
        }
    }

    @Test func `a key that is too short vouches for nothing`() async throws {
        try await withProvider { fixture in
            var published = fixture.stub.key.published
            published["n"] = Base64URL.encode(Data([0xC0] + [UInt8](repeating: 1, count: 127)))
            fixture.stub.publish([published])
            await #expect(throws: OpenIDError.untrusted(.signature)) { try await fixture.signIn() }
        }
    }
}
