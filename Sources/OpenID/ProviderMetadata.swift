import FoundationEssentials

/// What a provider says of itself (OpenID Connect Discovery 1.0, 3).
struct ProviderMetadata: Decodable, Sendable {
    let issuer: String
    let authorizationEndpoint: String
    let tokenEndpoint: String
    let keysURL: String
    let userInfoEndpoint: String?
    let clientAuthentications: [String]?
    let challengeMethods: [String]?
    /// Whether it names itself in the answers that browsers bring back (RFC 9207).
    let namesItself: Bool?

    private enum CodingKeys: String, CodingKey {
        case issuer
        case authorizationEndpoint = "authorization_endpoint"
        case tokenEndpoint = "token_endpoint"
        case keysURL = "jwks_uri"
        case userInfoEndpoint = "userinfo_endpoint"
        case clientAuthentications = "token_endpoint_auth_methods_supported"
        case challengeMethods = "code_challenge_methods_supported"
        case namesItself = "authorization_response_iss_parameter_supported"
    }

    /// - Throws: when these are not the metadata of that issuer, or nobody could safely sign in by them.
    static func read(_ answer: Data, of issuer: String) throws(OpenIDError) -> ProviderMetadata {
        guard let metadata = try? JSONDecoder().decode(ProviderMetadata.self, from: answer) else {
            throw .unavailable(.metadata, .malformed)
        }
        guard metadata.issuer == issuer else { throw .unavailable(.metadata, .otherIssuer) }
        let mustBeSecure = ProviderURL(issuer)?.isSecure ?? true
        let endpoints = [metadata.authorizationEndpoint, metadata.tokenEndpoint, metadata.keysURL]
        for endpoint in endpoints + [metadata.userInfoEndpoint].compactMap({ $0 }) {
            guard let url = ProviderURL(endpoint), url.isSecure || !mustBeSecure else {
                throw .unavailable(.metadata, .insecureEndpoint)
            }
        }
        // Without a word about it, PKCE may still be there; nothing is lost by trying.
        guard metadata.challengeMethods?.contains("S256") ?? true else { throw .unavailable(.metadata, .unsupported) }
        return metadata
    }
}
