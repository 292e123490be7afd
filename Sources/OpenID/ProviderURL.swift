import FoundationEssentials

/// A URL that may be called: over TLS anywhere, without it on this machine only.
struct ProviderURL {
    let text: String
    let isSecure: Bool
    /// Whether it has neither query nor fragment, as an issuer must (OpenID Connect Discovery 1.0, 2).
    let isBare: Bool

    init?(_ text: String) {
        guard let url = URL(string: text), let host = url.host(), !host.isEmpty, url.user() == nil,
            url.fragment() == nil
        else { return nil }
        switch url.scheme?.lowercased() {
        case "https": isSecure = true
        case "http" where ["localhost", "127.0.0.1", "::1"].contains(host.lowercased()): isSecure = false
        default: return nil
        }
        self.text = text
        isBare = url.query() == nil && !text.contains("?") && !text.contains("#")
    }
}
