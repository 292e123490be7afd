import HTTPTypes
import Leads
import Testing

@testable import API

/// The parts the OpenAPI document is made of; the whole is compared with the server's answers in test_openapi.py.
struct OpenAPITests {
    @Test func `a property carries its bounds, for programs and in words`() {
        let name = JSONSchema.Property("name", .string(length: 1...200, bytes: 1024), "A name.")
        #expect(name.words == "A name. From 1 to 200 characters. At most 1 024 bytes in UTF-8.")
        #expect(name.schema.json == ["type": "string", "minLength": 1, "maxLength": 200])
        let limit = JSONSchema.Property("limit", .integer(1...1_000_000), "How many.")
        #expect(limit.words == "How many. From 1 to 1 000 000.")
        #expect(JSONSchema.integer(0...Int.max).json == ["type": "integer", "format": "int64", "minimum": 0])
    }

    @Test func `what may be null says so in its type, its choices, or beside its reference`() {
        #expect(JSONSchema.timestamp.orNull.json == ["type": ["string", "null"], "format": "date-time"])
        #expect(JSONSchema.choice(["a"]).orNull.json == ["type": ["string", "null"], "enum": ["a", .null]])
        #expect(
            JSONSchema.reference(.operator).orNull.json == [
                "anyOf": [["$ref": "#/components/schemas/Operator"], ["type": "null"]]
            ])
    }

    @Test func `fields become properties that are required, or have a default, or may be null`() {
        let properties = JSONSchema.properties(
            Fields.describe { ($0.string("a", trimmed: true), $0.bool("b", default: true), $0.optionalBool("c")) },
            ["a": "A.", "b": "B.", "c": "C."], nulls: true)
        #expect(properties.map(\.isRequired) == [true, false, false])
        #expect(properties.map(\.words) == ["A. White space at both ends is removed.", "B.", "C."])
        #expect(properties[1].schema.json == ["type": "boolean", "default": true])
        #expect(properties[2].schema.json == ["type": ["boolean", "null"]])
    }

    @Test("what has no bound is written off the database's thread")
    func longReads() {
        func isLong(_ operation: Operation, _ method: HTTPRequest.Method = .get) -> Bool {
            Route(method, "/x", .everybody, { (_) throws(Problem) in Reply(.ok) }, operation).isLong
        }
        let long: [Operation] = [
            .listContacts, .listLeadContacts, .showDistribution, .showWeights, .showQueue, .showStatistics,
            .listSessions, .explainContact, .showContactHistory, .showShares,
        ]
        #expect(long.filter { !isLong($0) }.map(\.id) == [])
        #expect([Operation.showContact, .showOperator, .readyz].filter { isLong($0) }.map(\.id) == [])
        #expect(!isLong(.registerContact, .post))
    }

    @Test
    func `what a route may answer follows from its path, its body, who may call it and its need for the database`() {
        let handler: Route.Handler = { _ in Reply(.ok) }
        let answer = Operation.Answer.ok(.one(.health), "Fine.")
        let routes = [
            Route(.get, "/a", .everybody, handler, Operation("a", .service, "A", answers: answer, isStored: false)),
            Route(.get, "/b/{b_id}", .everybody, handler, Operation("b", .service, "B", answers: answer)),
            Route(
                .post, "/c", .everybody, bodyLimit: 7, handler,
                Operation("c", .service, "C", body: .one(.operatorCreate), answers: answer)),
            Route(.get, "/d", .reading, handler, Operation("d", .service, "D", answers: answer)),
            Route(.get, "/hidden", .everybody, handler, .undocumented),
        ]
        let paths = members(of: OpenAPIDocument(routes, version: "1").json, "paths")
        #expect(paths.map(\.name) == ["/a", "/b/{b_id}", "/c", "/d"])
        let statuses = paths.map { path in
            members(of: path.value, path.name == "/c" ? "post" : "get").last.map { members(of: $0.value).map(\.name) }
        }
        #expect(
            statuses == [
                ["200", "400", "421"], ["200", "400", "421", "422", "503"],
                ["200", "400", "403", "408", "413", "415", "421", "422", "503"],
                ["200", "400", "401", "403", "421", "429", "503"],
            ])
    }

    private func members(of value: JSONValue, _ path: String...) -> [JSONValue.Member] {
        guard case .object(let members) = value else { return [] }
        guard let first = path.first else { return members }
        return members.first { $0.name == first }.map { self.members(of: $0.value) } ?? []
    }
}
