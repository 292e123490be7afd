/// The provider that people sign in with, and what this program is to it.
public struct OpenIDConfiguration: Sendable {
    /// What the provider calls itself; its metadata and tokens must do so exactly.
    public let issuer: String
    public let clientID: String
    /// Nil for a client that has none, which PKCE alone protects.
    public let clientSecret: String?
    /// Where the provider sends people back to, as it was registered there.
    public let redirectURL: String
    /// The claim that says what somebody may do: its name, or the names on the way to it with dots between them. Its
    /// value is a text or a list of them.
    public let roleClaim: String?
    /// Which value of that claim gives which role.
    public let roles: [String: String]
    public let scopes: [String]

    /// - Throws: `OpenIDError.misconfigured`. URLs are of HTTPS, or of this machine's loopback addresses.
    public init(
        issuer: String, clientID: String, clientSecret: String?, redirectURL: String, roleClaim: String? = nil,
        roles: [String: String] = [:], scopes: [String] = ["openid", "profile", "email"]
    ) throws(OpenIDError) {
        guard let address = ProviderURL(issuer), address.isBare else { throw .misconfigured(.issuer) }
        guard ProviderURL(redirectURL) != nil else { throw .misconfigured(.redirectURL) }
        guard !clientID.isEmpty else { throw .misconfigured(.clientID) }
        guard scopes.contains("openid"), scopes.allSatisfy({ !$0.isEmpty && !$0.contains(" ") }) else {
            throw .misconfigured(.scopes)
        }
        self.issuer = issuer
        self.clientID = clientID
        self.clientSecret = clientSecret
        self.redirectURL = redirectURL
        self.roleClaim = roleClaim
        self.roles = roles
        self.scopes = scopes
    }
}

extension OpenIDConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "the OpenID provider \(issuer)" }
    public var debugDescription: String { description }
    /// Without the secret.
    public var customMirror: Mirror { Mirror(self, children: ["issuer": issuer, "clientID": clientID]) }
}
