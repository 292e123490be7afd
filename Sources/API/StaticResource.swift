import HTTPTypes

/// Something that stays the same for as long as the program runs.
struct StaticResource: Sendable {
    /// How long callers may keep it.
    enum Freshness: String {
        /// They ask each time whether it is still the same.
        case checked = "no-cache"
        /// For ever: another version has another address.
        case eternal = "public, max-age=31536000, immutable"
    }

    /// The quoted hash of the body.
    let entityTag: String
    private let contentType: String
    private let body: [UInt8]
    private let headers: ReplyHeaders

    init(_ contentType: String, _ body: [UInt8], _ freshness: Freshness, contentSecurityPolicy: String? = nil) {
        self.contentType = contentType
        self.body = body
        entityTag = "\"\(Self.hash(body))\""
        var headers: ReplyHeaders = [
            .cacheControl: freshness.rawValue, .eTag: entityTag, .xContentTypeOptions: "nosniff",
        ]
        headers[.contentSecurityPolicy] = contentSecurityPolicy
        self.headers = headers
    }

    /// The body, or a 304 for a caller who has it already.
    func reply(to call: Call) -> Reply {
        let known = (call.headers[.ifNoneMatch] ?? "").split(separator: ",").map { $0.filter { $0 != " " } }
        guard !known.contains(where: { $0 == entityTag || $0 == "W/" + entityTag || $0 == "*" }) else {
            return Reply(.notModified, headers: headers)
        }
        return Reply(headers: headers, contentType: contentType, body)
    }

    /// FNV-1a: not against forgery, only to tell versions apart.
    private static func hash(_ bytes: [UInt8]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        bytes.withUnsafeBufferPointer { bytes in
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        return String(hash, radix: 16)
    }
}
