/// Who somebody is, as the provider says.
public struct OpenIDIdentity: Sendable, Equatable {
    /// What tells one person from all others, for ever; an e-mail address does not.
    public struct Subject: Sendable, Hashable {
        public let issuer: String
        /// 1…255 characters, the provider's own.
        public let id: String
    }

    public let subject: Subject
    public let name: String?
    public let email: String?
    /// Whether the provider has made sure that the address is this person's.
    public let isEmailVerified: Bool
    /// The values of the role claim, as they came.
    public let roleValues: [String]
    /// The roles that these give by the configuration, each once, in the order of the values.
    public let roles: [String]
}

extension OpenIDIdentity: CustomStringConvertible, CustomReflectable {
    public var description: String { "somebody of \(subject.issuer)" }
    public var customMirror: Mirror { Mirror(self, children: ["issuer": subject.issuer]) }
}
