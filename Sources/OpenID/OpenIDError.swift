/// Why nobody can sign in by the provider, or this one did not. No description holds a secret or says who it was.
public enum OpenIDError: Error, Equatable {
    /// What of the configuration makes no sense.
    public enum Setting: String, Sendable {
        case issuer, clientID, redirectURL, scopes
    }

    /// What the provider was asked for.
    public enum Call: String, Sendable {
        case metadata, keys, token, userInfo
    }

    /// What was wrong with its answer.
    public enum Trouble: Equatable, Sendable {
        /// No connection, or one that broke; also one whose certificate nobody vouches for.
        case unreachable
        case tooLate
        case tooLong
        case unexpectedStatus(Int)
        case malformed
        /// Its metadata are those of somebody else.
        case otherIssuer
        /// It wants to be called without TLS.
        case insecureEndpoint
        /// It knows no way to do this that we know.
        case unsupported
    }

    /// What a provider says instead of signing somebody in (RFC 6749, OpenID Connect Core 1.0).
    public enum Refusal: String, Sendable {
        case accessDenied = "access_denied"
        case loginRequired = "login_required"
        case interactionRequired = "interaction_required"
        case consentRequired = "consent_required"
        case accountSelectionRequired = "account_selection_required"
        case temporarilyUnavailable = "temporarily_unavailable"
        case serverError = "server_error"
        case invalidRequest = "invalid_request"
        case invalidScope = "invalid_scope"
        case invalidClient = "invalid_client"
        /// The code was used before, has expired, or is another sign-in's.
        case invalidGrant = "invalid_grant"
        case unauthorizedClient = "unauthorized_client"
        case unsupportedResponseType = "unsupported_response_type"
        case other
    }

    /// What is wrong with what the browser brings back.
    public enum AnswerFault: String, Sendable {
        case malformed, otherState, otherIssuer
    }

    /// What is wrong with what the provider says of somebody.
    public enum TokenFault: String, Sendable {
        case malformed, algorithm, unknownKey, signature
        case issuer, audience, expired, notYetValid, otherSignIn, subject
    }

    case misconfigured(Setting)
    case unavailable(Call, Trouble)
    case refused(Refusal)
    /// It does not belong to this sign-in: somebody may have been led here with an answer of somebody else.
    case foreignAnswer(AnswerFault)
    case untrusted(TokenFault)
}

extension OpenIDError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .misconfigured(let setting): "the \(setting.rawValue) of the OpenID provider makes no sense"
        case .unavailable(let call, let trouble): "the OpenID provider, asked for \(call.rawValue): \(trouble)"
        case .refused(let refusal): "the OpenID provider refuses: \(refusal.rawValue)"
        case .foreignAnswer(let fault): "the answer belongs to no sign-in that was begun here: \(fault.rawValue)"
        case .untrusted(let fault): "the OpenID provider's token is not to be trusted: \(fault.rawValue)"
        }
    }
}
