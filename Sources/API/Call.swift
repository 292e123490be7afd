import HTTPTypes
import JSON
import Leads
import NIOCore

/// One request as a handler sees it: what the route matched and what was sent.
struct Call: Sendable {
    /// As it was sent, without the query.
    let path: String
    let pathValues: PathValues
    let query: [(name: String, value: String)]
    let headers: RequestHeaders
    let body: ByteBuffer
    /// How many values a document in the body may hold.
    let valueLimit: Int
    /// Of texts in the answer.
    let language: Language
    /// Who made it.
    let caller: Caller
    /// The other end of the connection, and whose word is taken for who is behind it.
    private let peer: SocketAddress?
    private let trustedProxies: TrustedProxies
    /// What whoever made it may see and change.
    var viewer: Viewer { caller.viewer }
    /// What whoever made it is called in the log of events.
    var actor: Actor { caller.actor }

    init(
        path: String, pathValues: PathValues, query: [(name: String, value: String)], headers: RequestHeaders,
        body: ByteBuffer, valueLimit: Int = .max, language: Language, caller: Caller, peer: SocketAddress?,
        trustedProxies: TrustedProxies
    ) {
        self.path = path
        self.pathValues = pathValues
        self.query = query
        self.headers = headers
        self.body = body
        self.valueLimit = valueLimit
        self.language = language
        self.caller = caller
        self.peer = peer
        self.trustedProxies = trustedProxies
    }

    /// An id from the path.
    /// - Throws: a 422 when it is no whole number.
    func id(_ name: String) throws(Problem) -> Int {
        // As ids are written; how else a whole number may be, and what is wrong with one, `Fields` knows.
        if let id = pathValues[name].flatMap({ Int($0) }) { return id }
        var fields = pathFields(name)
        let id = fields.integer(name)
        guard fields.faults.isEmpty else { throw .invalid(fields.faults) }
        return id
    }

    /// A text from the path.
    /// - Throws: a 422 when it holds U+0000.
    func text(_ name: String) throws(Problem) -> String {
        var fields = pathFields(name)
        let text = fields.string(name)
        guard fields.faults.isEmpty else { throw .invalid(fields.faults) }
        return text
    }

    private func pathFields(_ name: String) -> Fields {
        Fields(path: [(name, pathValues[name] ?? "")])
    }

    /// Which versions the request is meant for, by `If-Match` (RFC 9110, 13.1.1). What is no version holds for none.
    var versionCondition: VersionCondition {
        guard let header = headers[.ifMatch] else { return .any }
        let tags = header.split(separator: ",").map { $0.filter { $0 != " " && $0 != "\t" } }
        guard tags != ["*"] else { return .any }
        return .oneOf(
            Set(
                tags.compactMap { tag in
                    // A balancer that compresses answers makes their tags weak; the version is the same.
                    let strong = tag.hasPrefix("W/") ? tag.dropFirst(2) : tag[...]
                    return Int(
                        strong.count > 2 && strong.first == "\"" && strong.last == "\""
                            ? strong.dropFirst().dropLast() : strong)
                }))
    }

    /// What the caller says makes this request the same as another: 1 to 255 printable ASCII characters.
    /// - Throws: a 400 when it is something else.
    var idempotencyKey: String? {
        get throws(Problem) {
            guard let key = headers[.idempotencyKey] else { return nil }
            // Repeated, it is no key: in another order, or where a proxy keeps one of them, it would be another.
            guard headers.count(of: .idempotencyKey) == 1, (1...255).contains(key.utf8.count),
                key.utf8.allSatisfy({ (0x20...0x7e).contains($0) })
            else {
                throw .idempotencyKeyInvalid
            }
            return key
        }
    }

    /// The last event that a stream's reader has seen before it came back: browsers send it by themselves.
    /// - Throws: a 422 when it is none.
    var lastEventID: Int? {
        get throws(Problem) {
            guard let text = headers[.lastEventID], !text.isEmpty else { return nil }
            var fields = Fields(headers: [("last-event-id", text)])
            let id = fields.optionalInteger("last-event-id", in: 0...Int.max)
            guard fields.faults.isEmpty else { throw .invalid(fields.faults) }
            return id
        }
    }

    /// The query's parameters.
    /// - Throws: a 422 with all faults.
    func query<Value>(_ read: (inout Fields) -> Value) throws(Problem) -> Value {
        do throws(ValidationFailure) {
            var fields = Fields(query: query)
            let value = read(&fields)
            try fields.check()
            return value
        } catch { throw .invalid(error.faults) }
    }

    /// An id from the path and the query's parameters.
    /// - Throws: a 422 with the faults of both.
    func idAndQuery<Value>(_ name: String, _ read: (inout Fields) -> Value) throws(Problem) -> (Int, Value) {
        var path = pathFields(name)
        let id = path.integer(name)
        var fields = Fields(query: query)
        let value = read(&fields)
        let faults = path.faults + fields.faults
        guard faults.isEmpty else { throw .invalid(faults) }
        return (id, value)
    }

    /// The body's fields.
    /// - Throws: a 422 with all faults, a 400 when the body is not UTF-8.
    func body<Value>(_ read: (inout Fields) -> Value) throws(Problem) -> Value {
        let json = try json()
        do throws(ValidationFailure) {
            return try Fields.decode(json, read)
        } catch { throw .invalid(error.faults) }
    }

    /// The elements of a body that is itself a list, each judged by itself.
    /// - Throws: a 422 when it is no list or one of more than `limit` elements, a 400 when the body is not UTF-8.
    func bodyElements<Value>(
        atMost limit: Int, _ read: (inout Fields) -> Value
    ) throws(Problem) -> [Result<Value, ValidationFailure>] {
        let json = try json()
        do throws(ValidationFailure) {
            return try Fields.decodeEach(json, atMost: limit, read)
        } catch { throw .invalid(error.faults) }
    }

    /// The body's fields, those of an empty object when there is no body or a null.
    /// - Throws: a 422 with all faults, a 400 when the body is not UTF-8.
    func optionalBody<Value>(_ read: (inout Fields) -> Value) throws(Problem) -> Value {
        let json = try json()
        do throws(ValidationFailure) {
            return try Fields.decode(json == .null ? .object([]) : json ?? .object([]), read)
        } catch { throw .invalid(error.faults) }
    }

    /// Where it comes from: an address of the network, as far as balancers' words can be trusted.
    var address: String { trustedProxies.origin(of: headers, peer: peer?.ipAddress ?? "local") }

    /// The value of a cookie.
    func cookie(_ name: String) -> String? {
        headers[.cookie]?.split(separator: ";").lazy.map { $0.drop { $0 == " " } }
            .first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
    }

    /// What a browser calls itself, as much of it as is kept.
    var agent: String? {
        headers[.userAgent].map {
            String(String.UnicodeScalarView($0.unicodeScalars.filter { $0.value >= 0x20 }.prefix(200)))
        }
    }

    /// An id from the path and the body's fields.
    /// - Throws: a 422 with the faults of both, a 400 when the body is not UTF-8.
    func idAndBody<Value>(_ name: String, _ read: (inout Fields) -> Value) throws(Problem) -> (Int, Value) {
        try idAndBody(name) { (json, faults) throws(ValidationFailure) in
            try Fields.decode(json, after: faults, read)
        }
    }

    /// An id from the path and the body's fields, those of an empty object when there is no body or a null.
    /// - Throws: a 422 with the faults of both, a 400 when the body is not UTF-8.
    func idAndOptionalBody<Value>(_ name: String, _ read: (inout Fields) -> Value) throws(Problem) -> (Int, Value) {
        try idAndBody(name) { (json, faults) throws(ValidationFailure) in
            try Fields.decode(json == .null ? .object([]) : json ?? .object([]), after: faults, read)
        }
    }

    /// An id from the path and the elements of a body that is itself a list.
    /// - Throws: a 422 with the faults of both, a 400 when the body is not UTF-8.
    func idAndBodyList<Value>(_ name: String, _ read: (inout Fields) -> Value) throws(Problem) -> (Int, [Value]) {
        try idAndBody(name) { (json, faults) throws(ValidationFailure) in
            try Fields.decodeList(json, after: faults, read)
        }
    }

    private func idAndBody<Value>(
        _ name: String, decode: (JSONValue?, [Fault]) throws(ValidationFailure) -> Value
    ) throws(Problem) -> (Int, Value) {
        let json = try json()
        var path = pathFields(name)
        let id = path.integer(name)
        do throws(ValidationFailure) {
            return (id, try decode(json, path.faults))
        } catch { throw .invalid(error.faults) }
    }

    /// The document in the body, nil when there is none. A body declared to be something else counts as a string.
    private func json() throws(Problem) -> JSONValue? {
        guard body.readableBytes > 0 else { return nil }
        guard headers.declareJSON(orNothing: true) else { return .string(String(buffer: body)) }
        do throws(JSONParser.Failure) {
            return try body.withUnsafeReadableBytes { bytes in
                Result { () throws(JSONParser.Failure) in try JSONParser.parse(bytes, valueLimit: valueLimit) }
            }.get()
        } catch {
            switch error.reason {
            case .invalidUTF8: throw .notUTF8
            case .tooManyValues: throw .tooManyValues(limit: valueLimit)
            default: throw .invalid([error.fault])
            }
        }
    }

    /// The same request for the page that follows an element, whose number the parameter `name` takes.
    func target(after number: Int, as name: StaticString) -> String {
        let kept = query.filter { $0.name != "skip" && $0.name != name.description }
        let parameters = kept.map { "\(Self.escaped($0.name))=\(Self.escaped($0.value))" } + ["\(name)=\(number)"]
        return "\(path)?\(parameters.joined(separator: "&"))"
    }

    /// Everything but RFC 3986's unreserved characters as `%XX`.
    static func escaped(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                escaped += byte < 16 ? "%0" : "%"
                escaped += String(byte, radix: 16, uppercase: true)
            }
        }
        return escaped
    }
}

extension HTTPField.Name {
    fileprivate static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
    fileprivate static let lastEventID = HTTPField.Name("Last-Event-ID")!
}
