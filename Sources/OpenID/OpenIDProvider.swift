import Crypto
import FoundationEssentials
import JWTKit
import NIOSSL

/// The company's OpenID provider, as one who relies on it: the authorization code flow with PKCE (OpenID Connect
/// Core 1.0, RFC 7636, RFC 9700).
///
/// To be shut down before it is let go.
public final class OpenIDProvider: Sendable {
    private let configuration: OpenIDConfiguration
    private let calls: ProviderCalls
    private let metadata: Learnt<ProviderMetadata>
    private let keys: Learnt<KeySet>

    /// Nothing is asked of the provider before somebody signs in.
    public convenience init(_ configuration: OpenIDConfiguration) {
        self.init(configuration, limits: ProviderCalls.Limits())
    }

    init(
        _ configuration: OpenIDConfiguration, limits: ProviderCalls.Limits,
        tls: TLSConfiguration = .makeClientConfiguration()
    ) {
        self.configuration = configuration
        let calls = ProviderCalls(limits: limits, tls: tls)
        self.calls = calls
        let issuer = configuration.issuer
        let metadata = Learnt<ProviderMetadata>(lifetime: limits.lifetime) {
            await Result { () async throws(OpenIDError) in
                let address = issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer
                let answer = try await calls.get("\(address)/.well-known/openid-configuration", as: .metadata)
                return try ProviderMetadata.read(answer, of: issuer)
            }
        }
        self.metadata = metadata
        keys = Learnt<KeySet>(lifetime: limits.lifetime) {
            await Result { () async throws(OpenIDError) in
                try KeySet.read(try await calls.get(try await metadata.value.keysURL, as: .keys))
            }
        }
    }

    /// Ends what is under way.
    public func shutDown() async {
        await calls.shutDown()
    }

    /// Begins a sign-in: the browser is sent to its URL and given its secrets to keep.
    public func beginSignIn() async throws(OpenIDError) -> SignIn {
        let endpoint = try await metadata.value.authorizationEndpoint
        let secrets = SignIn.Secrets()
        let query = Form.encode([
            ("response_type", "code"),
            ("client_id", configuration.clientID),
            ("redirect_uri", configuration.redirectURL),
            ("scope", configuration.scopes.joined(separator: " ")),
            ("state", secrets.state),
            ("nonce", secrets.nonce),
            ("code_challenge", Base64URL.encode(SHA256.hash(data: Data(secrets.codeVerifier.utf8)))),
            ("code_challenge_method", "S256"),
        ])
        return SignIn(url: endpoint + (endpoint.contains("?") ? "&" : "?") + query, secrets: secrets)
    }

    /// Ends a sign-in: what the browser brings back, with the secrets it was given, says who is there.
    ///
    /// The provider takes each code once, so that an answer is good for one sign-in alone.
    /// - Parameter query: of the URL that the provider sent the browser to, decoded.
    public func completeSignIn(
        query: [(String, String)], secrets: SignIn.Secrets
    ) async throws(OpenIDError) -> OpenIDIdentity {
        let answer = try Self.members(of: query)
        guard answer["state"]?.isSameSecret(as: secrets.state) == true else { throw .foreignAnswer(.otherState) }
        let metadata = try await metadata.value
        // Somebody who uses two providers is not to be told one's answer as the other's (RFC 9207).
        guard answer["iss"] ?? (metadata.namesItself == true ? "" : configuration.issuer) == configuration.issuer else {
            throw .foreignAnswer(.otherIssuer)
        }
        if let refusal = answer["error"] { throw .refused(OpenIDError.Refusal(rawValue: refusal) ?? .other) }
        guard let code = answer["code"], !code.isEmpty else { throw .foreignAnswer(.malformed) }

        let tokens = try await exchange(code, secrets, metadata)
        let token = try IDToken(tokens.idToken)
        let expected = IDToken.Expectations(
            issuer: configuration.issuer, audience: configuration.clientID, nonce: secrets.nonce,
            leeway: calls.limits.leeway)
        let claims = try await token.claims(signedBy: try await key(of: token), expected)
        return identity(try await completed(claims, tokens, metadata))
    }

    /// The members that mean something to us, each of which may be there once.
    private static func members(of query: [(String, String)]) throws(OpenIDError) -> [String: String] {
        var members: [String: String] = [:]
        for (name, value) in query where ["state", "code", "iss", "error"].contains(name) {
            guard members.updateValue(value, forKey: name) == nil else { throw .foreignAnswer(.malformed) }
        }
        return members
    }

    private struct Tokens: Decodable {
        let idToken: String
        let accessToken: String?

        private enum CodingKeys: String, CodingKey {
            case idToken = "id_token"
            case accessToken = "access_token"
        }
    }

    private func exchange(
        _ code: String, _ secrets: SignIn.Secrets, _ metadata: ProviderMetadata
    ) async throws(OpenIDError) -> Tokens {
        var fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", configuration.redirectURL),
            ("code_verifier", secrets.codeVerifier),
        ]
        var authorization: String?
        let methods = metadata.clientAuthentications ?? ["client_secret_basic"]
        if let secret = configuration.clientSecret {
            if methods.contains("client_secret_basic") {
                let pair = "\(Form.escape(configuration.clientID)):\(Form.escape(secret))"
                authorization = "Basic \(Data(pair.utf8).base64EncodedString())"
            } else if methods.contains("client_secret_post") {
                fields += [("client_id", configuration.clientID), ("client_secret", secret)]
            } else {
                throw .unavailable(.metadata, .unsupported)
            }
        } else {
            fields.append(("client_id", configuration.clientID))
        }
        let answer = try await calls.post(
            fields, to: metadata.tokenEndpoint, authorization: authorization, as: .token)
        guard answer.status == 200 else {
            struct Refused: Decodable { let error: String }
            guard (400..<500).contains(answer.status),
                let refused = try? JSONDecoder().decode(Refused.self, from: answer.body)
            else { throw .unavailable(.token, .unexpectedStatus(answer.status)) }
            throw .refused(OpenIDError.Refusal(rawValue: refused.error) ?? .other)
        }
        guard let tokens = try? JSONDecoder().decode(Tokens.self, from: answer.body) else {
            throw .unavailable(.token, .malformed)
        }
        return tokens
    }

    /// The key that a token names. One that is not known may be new: it is asked for once more, but not by every token.
    private func key(of token: IDToken) async throws(OpenIDError) -> JWK {
        if let key = try await keys.value.key(token.keyID, for: token.algorithm) { return key }
        let newer = try await keys.newer(atMostEvery: calls.limits.keysPause)
        guard let key = newer.key(token.keyID, for: token.algorithm) else { throw .untrusted(.unknownKey) }
        return key
    }

    /// With what the provider says elsewhere, where a token leaves out what is wanted: many do, as OpenID Connect
    /// Core 1.0, 5.4, has it.
    private func completed(
        _ claims: Claims, _ tokens: Tokens, _ metadata: ProviderMetadata
    ) async throws(OpenIDError) -> Claims {
        let isComplete =
            claims.has("name") && claims.has("email")
            && configuration.roleClaim.map { !claims.texts($0).isEmpty } ?? true
        guard !isComplete, let endpoint = metadata.userInfoEndpoint, let accessToken = tokens.accessToken else {
            return claims
        }
        let answer = try await calls.get(endpoint, bearer: accessToken, as: .userInfo)
        guard let more = try? JSONDecoder().decode(Claims.self, from: answer) else {
            throw .unavailable(.userInfo, .malformed)
        }
        guard more.text("sub") == claims.text("sub") else { throw .untrusted(.subject) }
        return claims.merging(more)
    }

    private func identity(_ claims: Claims) -> OpenIDIdentity {
        let values = configuration.roleClaim.map(claims.texts) ?? []
        var roles: [String] = []
        for role in values.compactMap({ configuration.roles[$0] }) where !roles.contains(role) { roles.append(role) }
        return OpenIDIdentity(
            subject: OpenIDIdentity.Subject(issuer: configuration.issuer, id: claims.text("sub") ?? ""),
            name: claims.text("name") ?? claims.text("preferred_username"), email: claims.text("email"),
            isEmailVerified: claims.flag("email_verified"), roleValues: values, roles: roles)
    }
}

extension Result where Failure == OpenIDError, Success: Sendable {
    fileprivate init(_ work: () async throws(OpenIDError) -> Success) async {
        do throws(OpenIDError) {
            self = .success(try await work())
        } catch {
            self = .failure(error)
        }
    }
}
