import HTTPTypes
import Leads

/// One request as a handler sees it: what the route matched and what was sent.
struct Call: Sendable {
    let pathValues: [String: String]
    let query: [(name: String, value: String)]
    let headers: HTTPFields
    let body: [UInt8]

    /// An id from the path.
    /// - Throws: a 422 when it is no whole number.
    func id(_ name: String) throws(Problem) -> Int {
        var fields = pathFields(name)
        let id = fields.integer(name)
        guard fields.faults.isEmpty else { throw .invalid(fields.faults) }
        return id
    }

    private func pathFields(_ name: String) -> Fields {
        Fields(path: [(name, pathValues[name] ?? "")])
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

    /// The body's fields.
    /// - Throws: a 422 with all faults, a 400 when the body is not UTF-8.
    func body<Value>(_ read: (inout Fields) -> Value) throws(Problem) -> Value {
        let json = try json()
        do throws(ValidationFailure) {
            return try Fields.decode(json, read)
        } catch { throw .invalid(error.faults) }
    }

    /// An id from the path and the body's fields.
    /// - Throws: a 422 with the faults of both, a 400 when the body is not UTF-8.
    func idAndBody<Value>(_ name: String, _ read: (inout Fields) -> Value) throws(Problem) -> (Int, Value) {
        try idAndBody(name) { (json, faults) throws(ValidationFailure) in
            try Fields.decode(json, after: faults, read)
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
        guard !body.isEmpty else { return nil }
        guard isDeclaredJSON else { return .string(String(decoding: body, as: UTF8.self)) }
        do throws(JSONParser.Failure) {
            return try JSONParser.parse(body)
        } catch {
            guard error.reason != .invalidUTF8 else { throw .notUTF8 }
            throw .invalid([error.fault])
        }
    }

    /// A body without a declared type is read as JSON; one declared to be something else is not.
    private var isDeclaredJSON: Bool {
        guard let declared = headers[.contentType] else { return true }
        let type = declared.prefix { $0 != ";" }.filter { $0 != " " }.lowercased()
        return type == "application/json" || (type.hasPrefix("application/") && type.hasSuffix("+json"))
    }
}

/// What a handler answers.
struct Reply: Sendable {
    var status: HTTPResponse.Status
    var headers: HTTPFields
    var body: [UInt8]

    init(_ status: HTTPResponse.Status = .ok, headers: HTTPFields = [:], _ write: (inout JSONWriter) -> Void) {
        var json = JSONWriter()
        write(&json)
        self.status = status
        self.headers = headers
        self.headers[.contentType] = "application/json"
        body = json.bytes
    }

    init(_ status: HTTPResponse.Status, headers: HTTPFields = [:]) {
        self.status = status
        self.headers = headers
        body = []
    }

    /// `{"message": …}`, as both references answer to commands.
    static func message(_ text: String) -> Reply {
        Reply { json in json.object { $0.field("message", text) } }
    }
}
