import Crypto
import CryptoExtras
import Foundation
import JWTKit

@testable import OpenID

/// A key of a provider: signs, and has a public part for its key set.
struct SigningKey: Sendable {
    enum Kind: String, CaseIterable, Sendable {
        case rs256 = "RS256"
        case ps256 = "PS256"
        case es256 = "ES256"
        case edDSA = "EdDSA"
    }

    let kind: Kind
    let id: String
    /// As it stands in the key set.
    let published: [String: String]
    /// What somebody may take for a shared secret: the public key in PEM.
    let publicText: String
    private let signer: any JWTAlgorithm

    init(_ kind: Kind = .rs256, id: String = "1") async throws {
        self.kind = kind
        self.id = id
        let keys = JWTKeyCollection()
        var published = ["kid": id, "use": "sig", "alg": kind.rawValue]
        switch kind {
        case .rs256, .ps256:
            let key = try Insecure.RSA.PrivateKey(backing: _RSA.Signing.PrivateKey(keySize: .bits2048))
            let parts = try key.publicKey.getKeyPrimitives()
            published["kty"] = "RSA"
            published["n"] = Base64URL.encode(parts.modulus)
            published["e"] = Base64URL.encode(parts.publicExponent)
            publicText = key.publicKey.pemRepresentation
            if kind == .rs256 {
                await keys.add(rsa: key, digestAlgorithm: .sha256)
            } else {
                await keys.add(pss: key, digestAlgorithm: .sha256)
            }
        case .es256:
            let key = P256.Signing.PrivateKey()
            let point = key.publicKey.rawRepresentation
            published["kty"] = "EC"
            published["crv"] = "P-256"
            published["x"] = Base64URL.encode(point.prefix(32))
            published["y"] = Base64URL.encode(point.suffix(32))
            publicText = key.publicKey.pemRepresentation
            await keys.add(ecdsa: try ES256PrivateKey(backing: key))
        case .edDSA:
            let key = Curve25519.Signing.PrivateKey()
            published["kty"] = "OKP"
            published["crv"] = "Ed25519"
            published["x"] = Base64URL.encode(key.publicKey.rawRepresentation)
            publicText = published["x"] ?? ""
            await keys.add(eddsa: EdDSA.PrivateKey(backing: key))
        }
        self.published = published
        signer = try await keys.getKey()
    }

    /// A token of a header and claims, signed by this key unless something else signs.
    func token(
        header: [String: Any] = [:], claims: [String: Any], signature: ((Data) throws -> Data)? = nil
    ) throws -> String {
        let payload = try JSONSerialization.data(withJSONObject: claims)
        return try token(header: header, payload: String(decoding: payload, as: UTF8.self), signature: signature)
    }

    func token(
        header: [String: Any] = [:], payload: String, signature: ((Data) throws -> Data)? = nil
    ) throws -> String {
        let header = ["alg": kind.rawValue, "kid": id].merging(header) { $1 }.filter { !($0.value is NSNull) }
        let parts = [try JSONSerialization.data(withJSONObject: header), Data(payload.utf8)]
        let signed = parts.map(Base64URL.encode).joined(separator: ".")
        let signature = try signature?(Data(signed.utf8)) ?? Data(try signer.sign(Data(signed.utf8)))
        return "\(signed).\(Base64URL.encode(signature))"
    }
}
