import HTTPTypes
import NIOCore

/// By which names this server goes, and whose pages may have browsers call it.
///
/// A page of anybody can have its reader's browser send requests to whatever that browser reaches, a server on the
/// reader's own machine among others. A server that listens on loopback only is no exception: so this holds in every
/// mode, before anything else is looked at.
public struct Origins: Sendable {
    /// What is wrong with the settings.
    public struct InvalidURL: Error {}

    /// A scheme, a host and a port as browsers compare them (RFC 6454, 4).
    struct Origin: Hashable {
        let isSecure: Bool
        let host: String
        let port: Int

        /// An origin as it is written: a scheme and an authority, nothing behind them.
        init?(_ text: some StringProtocol) {
            let scheme: String
            if text.hasPrefix("https://") {
                scheme = "https://"
            } else if text.hasPrefix("http://") {
                scheme = "http://"
            } else {
                return nil
            }
            guard let authority = Authority(text.dropFirst(scheme.count)) else { return nil }
            isSecure = scheme == "https://"
            host = authority.host
            port = authority.port ?? (isSecure ? 443 : 80)
        }
    }

    /// A host and, where it is not the scheme's own, a port (RFC 3986, 3.2).
    struct Authority: Equatable {
        /// In lower case, without the dot at the end that a full name may have; an IPv6 address without its brackets.
        let host: String
        let port: Int?

        init?(_ text: some StringProtocol) {
            var name = text[...]
            var digits: Substring?
            if text.first == "[" {
                guard let end = text.firstIndex(of: "]") else { return nil }
                name = text[text.index(after: text.startIndex)..<end]
                let rest = text[text.index(after: end)...]
                guard rest.isEmpty || rest.first == ":" else { return nil }
                if !rest.isEmpty { digits = Substring(rest.dropFirst()) }
                guard name.utf8.allSatisfy({ $0 == 0x3A || $0 == 0x2E || Self.isHexDigit($0) }) else { return nil }
            } else {
                if let colon = text.firstIndex(of: ":") {
                    name = text[..<colon]
                    digits = Substring(text[text.index(after: colon)...])
                }
                guard name.utf8.allSatisfy(Self.isNameByte) else { return nil }
            }
            if name.last == "." { name = name.dropLast() }
            guard !name.isEmpty else { return nil }
            host = name.lowercased()
            guard let digits, !digits.isEmpty else {
                port = nil
                return
            }
            guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
                (1...65535).contains(number)
            else { return nil }
            port = number
        }

        private static func isHexDigit(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
        }

        private static func isNameByte(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
            default: false
            }
        }
    }

    private let hosts: Set<String>
    private let published: Set<Origin>
    /// Whose pages may call the API.
    private let invited: Set<Origin>
    /// What every answer has.
    private let fields: [UInt8]
    /// What it has when no page of another origin is invited.
    private let closedFields: [UInt8]

    /// - Parameters:
    ///   - listening: the address that the server listens on. Whatever address of this machine a request came to is one of its
    ///     names, too.
    ///   - publicURLs: where it is to be had from elsewhere.
    ///   - invited: the origins whose pages may call the API, as browsers write them: `https://crm.example`.
    /// - Throws: ``InvalidURL`` for what is neither.
    public init(listening: String = "127.0.0.1", publicURLs: [String] = [], invited: [String] = []) throws(InvalidURL) {
        func origins(_ texts: [String]) throws(InvalidURL) -> Set<Origin> {
            var origins: Set<Origin> = []
            for text in texts {
                guard let origin = Origin(text.hasSuffix("/") ? text.dropLast() : text[...]) else { throw InvalidURL() }
                origins.insert(origin)
            }
            return origins
        }
        published = try origins(publicURLs)
        self.invited = try origins(invited)
        hosts = Set(published.map(\.host)).union(["localhost", "127.0.0.1", "::1", listening.lowercased()])
        var fields = "X-Content-Type-Options: nosniff\r\n"
        if published.contains(where: \.isSecure) { fields += "Strict-Transport-Security: max-age=31536000\r\n" }
        if !self.invited.isEmpty { fields += "Vary: Origin\r\n" }
        self.fields = Array(fields.utf8)
        closedFields = Array((fields + "Cross-Origin-Resource-Policy: same-origin\r\n").utf8)
    }

    /// Of a server that is to be had on this machine alone.
    public static let loopback: Origins = {
        do { return try Origins() } catch { preconditionFailure("loopback has a name") }
    }()

    /// Whether an address, with or without a port, is this machine's own and nobody else reaches it.
    public static func isLoopback(_ address: String) -> Bool {
        let isBareIPv6 = address.filter { $0 == ":" }.count > 1 && !address.hasPrefix("[")
        guard let host = isBareIPv6 ? address.lowercased() : Authority(address)?.host else { return false }
        return host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }

    /// The same of a URL.
    public static func isLoopback(url: String) -> Bool {
        guard let scheme = url.firstRange(of: "://") else { return false }
        return isLoopback(String(url[scheme.upperBound...].prefix { $0 != "/" }))
    }

    /// Whether the server is reached by TLS, so that cookies may insist on it.
    var isSecure: Bool { published.contains(where: \.isSecure) }

    /// What is known of where a request comes from.
    struct Sender {
        /// The origin of a page elsewhere that may call the API; it may read the answer.
        let invited: String?
        /// Whether a browser sent it.
        let isBrowser: Bool
    }

    /// Where a request comes from, or why it is refused.
    /// - Parameters:
    ///   - mayOmitHost: whether it is of HTTP/1.0, in which a request need not name a host.
    ///   - authority: of a target that names a server, which goes before `Host` (RFC 9112, 3.2.2).
    ///   - local: the address the connection was made to, asked for only where no name fits.
    func sender(
        of method: HTTPRequest.Method, _ headers: RequestHeaders, mayOmitHost: Bool, authority: Substring?,
        local: () -> String?
    ) throws(Problem) -> Sender {
        let own = try ownAuthority(headers, mayOmitHost: mayOmitHost, authority, local)
        let site = headers[.secFetchSite]
        let origin = headers[.origin]
        guard site != nil || origin != nil else {
            return Sender(invited: nil, isBrowser: headers[.secFetchMode] != nil || headers[.secFetchDest] != nil)
        }
        if let origin, let parsed = Origin(origin), invited.contains(parsed) {
            return Sender(invited: origin, isBrowser: true)
        }
        if let site {
            guard site == "same-origin" || site == "none" || isArrival(method, headers) else { throw .crossSite }
        } else if let origin, !Self.isSafe(method) {
            guard let parsed = Origin(origin), isOwn(parsed, own) else { throw .crossSite }
        }
        return Sender(invited: nil, isBrowser: true)
    }

    private func ownAuthority(
        _ headers: RequestHeaders, mayOmitHost: Bool, _ authority: Substring?, _ local: () -> String?
    ) throws(Problem) -> Authority? {
        switch headers.count(of: .host) {
        case 1: break
        case 0 where mayOmitHost: if authority == nil { return nil }
        default: throw .hostMissing
        }
        guard let own = Authority(authority ?? (headers[.host] ?? "")[...]) else { throw .hostUnknown }
        guard hosts.contains(own.host) || own.host == local()?.lowercased() else { throw .hostUnknown }
        return own
    }

    /// Whether somebody comes here by a link: a page that is opened, not read by another one.
    private func isArrival(_ method: HTTPRequest.Method, _ headers: RequestHeaders) -> Bool {
        Self.isSafe(method) && headers[.secFetchMode] == "navigate" && headers[.secFetchDest] == "document"
    }

    static func isSafe(_ method: HTTPRequest.Method) -> Bool {
        method == .get || method == .head || method == .options
    }

    /// Whether pages of this origin are our own: what they were fetched from is what they call, over TLS or not, which only
    /// the balancer knows.
    private func isOwn(_ origin: Origin, _ own: Authority?) -> Bool {
        if published.contains(origin) { return true }
        guard let own, origin.host == own.host else { return false }
        return origin.port == own.port ?? (origin.isSecure ? 443 : 80)
    }

    /// The answer to a browser's question whether a page elsewhere may send a request (WHATWG Fetch, CORS-preflight).
    func permission(_ allowed: [HTTPRequest.Method]) -> Reply {
        Reply(
            .noContent,
            headers: [
                .accessControlAllowMethods: allowed.map(\.rawValue).joined(separator: ", "),
                .accessControlAllowHeaders:
                    "Authorization, Content-Type, Accept-Language, Idempotency-Key, If-Match, Last-Event-ID, X-Request-ID",
                .accessControlMaxAge: "600",
            ])
    }

    /// The header fields, as they go over the wire, that answers have whatever they are.
    /// - Parameter invited: see ``Sender/invited``.
    func fields(for invited: String?) -> [UInt8] {
        guard let invited else { return closedFields }
        return fields
            + Array(
                """
                Access-Control-Allow-Origin: \(invited)\r
                Access-Control-Expose-Headers: ETag, Idempotent-Replayed, Link, RateLimit, RateLimit-Policy, Retry-After, X-Request-ID\r
                Cross-Origin-Resource-Policy: cross-origin\r\n
                """.utf8)
    }
}

extension HTTPField.Name {
    fileprivate static let host = HTTPField.Name("Host")!
    fileprivate static let secFetchSite = HTTPField.Name("Sec-Fetch-Site")!
    fileprivate static let secFetchMode = HTTPField.Name("Sec-Fetch-Mode")!
    fileprivate static let secFetchDest = HTTPField.Name("Sec-Fetch-Dest")!
}
