import HTTPTypes
import NIOHTTP1

/// The header fields of a request, looked up in the list they came in: there are few, and fewer are asked for.
struct RequestHeaders: Sendable {
    private let fields: HTTPHeaders

    init(_ fields: HTTPHeaders) {
        self.fields = fields
    }

    /// The field's value, the values of a repeated one joined by commas (RFC 9110, 5.3), nil without one.
    subscript(name: HTTPField.Name) -> String? {
        var value: String?
        for field in fields where Self.isEqual(field.name, name.canonicalName) {
            let given = Self.trimmed(field.value)
            value = value.map { "\($0), \(given)" } ?? given
        }
        return value
    }

    /// Whether somebody in front of a browser wants to see a page.
    var askForPage: Bool { self[.accept]?.contains("text/html") == true }

    /// Whether a body is declared to be JSON. One without a declared type is read as JSON, one declared to be something
    /// else is not (as FastAPI has it).
    /// - Parameter orNothing: what holds of one without a declared type.
    func declareJSON(orNothing: Bool) -> Bool {
        guard let declared = self[.contentType], !declared.isEmpty else { return orNothing }
        guard declared != "application/json" else { return true }
        var type = declared.prefix { $0 != ";" }.lowercased()
        while type.last == " " || type.last == "\t" { type.removeLast() }
        let parts = type.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && parts[0] == "application" && (parts[1] == "json" || parts[1].hasSuffix("+json"))
    }

    /// White space around a value is no part of it (RFC 9110, 5.5); the decoder leaves what follows.
    private static func trimmed(_ value: String) -> String {
        guard let last = value.utf8.last, last == 0x20 || last == 0x09 else { return value }
        let end = value.utf8.lastIndex { $0 != 0x20 && $0 != 0x09 }
        return end.map { String(value[...$0]) } ?? ""
    }

    /// How often the field was sent.
    func count(of name: HTTPField.Name) -> Int {
        fields.count { Self.isEqual($0.name, name.canonicalName) }
    }

    /// Whether a field's name is `canonical`, which is in lower case, in whatever case it came.
    private static func isEqual(_ name: String, _ canonical: String) -> Bool {
        let (left, right) = (name.utf8, canonical.utf8)
        guard left.count == right.count else { return false }
        return zip(left, right).allSatisfy { $0 == $1 || (0x41...0x5A ~= $0 && $0 | 0x20 == $1) }
    }
}
