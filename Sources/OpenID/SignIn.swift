/// A sign-in that has begun: where to send the browser, and what is needed when it comes back.
public struct SignIn: Sendable {
    /// The provider's page.
    public let url: String
    public let secrets: Secrets

    /// What only this program and one browser know, to be kept in that browser's cookie until it comes back.
    public struct Secrets: Sendable, Equatable {
        let state: String
        let nonce: String
        let codeVerifier: String

        /// 256 random bits each.
        init() {
            state = Base64URL.random()
            nonce = Base64URL.random()
            codeVerifier = Base64URL.random()
        }

        /// One text for a cookie: letters, digits, `-`, `_` and `.`, 131 of them.
        public var encoded: String { "\(state).\(nonce).\(codeVerifier)" }

        /// Nil when the text is not what `encoded` makes.
        public init?(encoded: String) {
            let parts = encoded.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3,
                parts.allSatisfy({ $0.utf8.count == Base64URL.randomLength && Base64URL.isValid($0) })
            else { return nil }
            (state, nonce, codeVerifier) = (parts[0], parts[1], parts[2])
        }
    }
}

extension SignIn: CustomStringConvertible, CustomReflectable {
    public var description: String { "a sign-in" }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension SignIn.Secrets: CustomStringConvertible, CustomReflectable {
    public var description: String { "the secrets of a sign-in" }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
