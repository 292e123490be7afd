import HTTPTypes
import StableHash

/// Something that stays the same for as long as the program runs.
struct StaticResource: Sendable {
    /// How long callers may keep it.
    enum Freshness: String {
        /// They ask each time whether it is still the same.
        case checked = "no-cache"
        /// For ever: another version has another address.
        case eternal = "public, max-age=31536000, immutable"
    }

    /// One form of it: as it is, or compressed.
    private struct Form {
        let body: [UInt8]
        let headers: ReplyHeaders
        let entityTag: String
    }

    /// The quoted hash of the body.
    let entityTag: String
    private let contentType: String
    private let plain: Form
    /// Nil where it would save nothing.
    private let compressed: Form?

    init(_ contentType: String, _ body: [UInt8], _ freshness: Freshness, contentSecurityPolicy: String? = nil) {
        self.contentType = contentType
        let hash = FNV1a<UInt64>(body).value.digits
        entityTag = "\"\(hash)\""
        var headers: ReplyHeaders = [
            .cacheControl: freshness.rawValue, .eTag: entityTag, .vary: "Accept-Encoding",
        ]
        if let contentSecurityPolicy {
            headers[.contentSecurityPolicy] = contentSecurityPolicy
            headers[.referrerPolicy] = "no-referrer"
        }
        plain = Form(body: body, headers: headers, entityTag: entityTag)
        compressed = gzipped(body).flatMap { smaller in
            guard smaller.count < body.count * 9 / 10 else { return nil }
            // RFC 9110, 8.8.3.3: another form is another representation and has a tag of its own.
            let entityTag = "\"\(hash)-gzip\""
            headers[.eTag] = entityTag
            headers[.contentEncoding] = "gzip"
            return Form(body: smaller, headers: headers, entityTag: entityTag)
        }
    }

    /// The body, or a 304 for a caller who has it already.
    func reply(to call: Call, _ status: HTTPResponse.Status = .ok) -> Reply {
        let form = call.takesGzip ? compressed ?? plain : plain
        let known = (call.headers[.ifNoneMatch] ?? "").split(separator: ",").map { $0.filter { $0 != " " } }
        guard
            status != .ok
                || !known.contains(where: { $0 == form.entityTag || $0 == "W/" + form.entityTag || $0 == "*" })
        else {
            return Reply(.notModified, headers: form.headers)
        }
        return Reply(status, headers: form.headers, contentType: contentType, form.body)
    }
}

extension HTTPField.Name {
    fileprivate static let referrerPolicy = HTTPField.Name("Referrer-Policy")!
}

extension Call {
    /// Whether the caller takes gzip (RFC 9110, 12.5.3): named, and not with a weight of nothing.
    fileprivate var takesGzip: Bool {
        (headers[.acceptEncoding] ?? "").lowercased().split(separator: ",").contains { coding in
            let parts = coding.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
            guard parts.first == "gzip" || parts.first == "x-gzip" else { return false }
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }?.dropFirst(2)
            return weight.flatMap { Double($0) } != 0
        }
    }
}
