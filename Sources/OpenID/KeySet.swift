import FoundationEssentials
import JWTKit

/// The keys that a provider signs with.
struct KeySet: Sendable {
    /// What tokens may be signed with. Neither `none` nor anything that a public key could forge.
    enum Algorithm: String, Sendable {
        case rs256 = "RS256"
        case ps256 = "PS256"
        case es256 = "ES256"
        case edDSA = "EdDSA"
    }

    /// One of the set; those of kinds that we do not know are passed over, as RFC 7517 wants it.
    private struct Member: Decodable {
        let key: JWK?
        let use: String?

        private enum CodingKeys: CodingKey {
            case use
        }

        init(from decoder: any Decoder) throws {
            use = try decoder.container(keyedBy: CodingKeys.self).decodeIfPresent(String.self, forKey: .use)
            key = try? JWK(from: decoder)
        }
    }

    private struct Members: Decodable {
        let keys: [Member]
    }

    private let keys: [JWK]

    static func read(_ answer: Data) throws(OpenIDError) -> KeySet {
        guard let members = try? JSONDecoder().decode(Members.self, from: answer) else {
            throw .unavailable(.keys, .malformed)
        }
        return KeySet(keys: members.keys.filter { $0.use ?? "sig" == "sig" }.compactMap(\.key))
    }

    /// The one key that a signature of the algorithm can be by; nil when there is none, or it is not clear which.
    func key(_ id: String?, for algorithm: Algorithm) -> JWK? {
        let candidates = keys.compactMap { key in
            id == nil || key.keyIdentifier?.string == id ? key.publicPart(for: algorithm) : nil
        }
        return candidates.count == 1 ? candidates[0] : nil
    }
}

extension JWK {
    /// The key bound to one algorithm, without what a provider should not have shown; nil when it is not for that one.
    fileprivate func publicPart(for algorithm: KeySet.Algorithm) -> JWK? {
        let named = JWK.Algorithm(rawValue: algorithm.rawValue)
        guard self.algorithm == nil || self.algorithm == named else { return nil }
        let id: JWKIdentifier = "key"
        switch (algorithm, keyType) {
        case (.rs256, .rsa), (.ps256, .rsa):
            return .rsa(named, identifier: id, modulus: modulus, exponent: exponent)
        case (.es256, .ecdsa) where curve == .ecdsa(.p256):
            return .ecdsa(named, identifier: id, x: x, y: y, curve: .p256)
        case (.edDSA, .octetKeyPair) where curve == .eddsa(.ed25519):
            return .octetKeyPair(named, identifier: id, x: x, y: nil, curve: .ed25519)
        default:
            return nil
        }
    }
}
