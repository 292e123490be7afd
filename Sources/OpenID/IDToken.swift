import FoundationEssentials
import JWTKit

/// A signed statement about somebody (OpenID Connect Core 1.0, 2), nothing of which is believed before it is checked.
struct IDToken: Sendable {
    /// What a token must say to be one for this sign-in.
    struct Expectations {
        let issuer: String
        let audience: String
        let nonce: String
        /// Seconds that clocks may differ.
        let leeway: Double
    }

    private struct Header: Decodable {
        let alg: String
        let kid: String?
        /// Extensions that must be understood; we understand none.
        let crit: [String]?
    }

    let algorithm: KeySet.Algorithm
    let keyID: String?
    private let signed: Data
    private let signature: Data
    private let payload: Data

    init(_ text: String) throws(OpenIDError) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Base64URL.decode(parts[0]), let payload = Base64URL.decode(parts[1]),
            let signature = Base64URL.decode(parts[2]),
            let header = try? JSONDecoder().decode(Header.self, from: header), header.crit == nil
        else { throw .untrusted(.malformed) }
        guard let algorithm = KeySet.Algorithm(rawValue: header.alg) else { throw .untrusted(.algorithm) }
        self.algorithm = algorithm
        keyID = header.kid
        signed = Data("\(parts[0]).\(parts[1])".utf8)
        self.signature = signature
        self.payload = payload
    }

    /// What it says, if the key has signed it and it is meant for this sign-in and this moment.
    func claims(signedBy key: JWK, _ expected: Expectations) async throws(OpenIDError) -> Claims {
        guard await isSigned(by: key) else { throw .untrusted(.signature) }
        guard let claims = try? JSONDecoder().decode(Claims.self, from: payload), let subject = claims.text("sub"),
            (1...255).contains(subject.unicodeScalars.count), let expiry = claims.moment("exp"),
            let issued = claims.moment("iat")
        else { throw .untrusted(.malformed) }
        guard claims.text("iss") == expected.issuer else { throw .untrusted(.issuer) }
        let audiences = claims.texts("aud")
        // Of several audiences one has asked for the token; where that one is named, it must be this program.
        guard audiences.contains(expected.audience),
            claims.has("azp") || audiences.count > 1 ? claims.text("azp") == expected.audience : true
        else { throw .untrusted(.audience) }
        let now = Date.now.timeIntervalSince1970
        guard now - expected.leeway < expiry else { throw .untrusted(.expired) }
        guard max(issued, claims.moment("nbf") ?? issued) <= now + expected.leeway else {
            throw .untrusted(.notYetValid)
        }
        guard claims.text("nonce")?.isSameSecret(as: expected.nonce) == true else { throw .untrusted(.otherSignIn) }
        return claims
    }

    private func isSigned(by key: JWK) async -> Bool {
        do {
            let verifier = try await JWTKeyCollection().add(jwk: key).getKey()
            return try verifier.verify(signature, signs: signed)
        } catch {
            return false
        }
    }
}
