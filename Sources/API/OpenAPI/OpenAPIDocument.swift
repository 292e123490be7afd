import HTTPTypes
import Leads

/// The OpenAPI 3.1 document of a route table.
///
/// What routes of a kind have in common is derived here: the path's parameters, and the problems that follow from
/// having parameters, a body, or a need for the database.
struct OpenAPIDocument: Sendable {
    let json: JSONValue

    init(_ routes: [Route], version: String) {
        let documented = routes.compactMap { route in route.operation.map { (route, $0) } }
        let ids = documented.map { $1.id }
        precondition(Set(ids).count == ids.count, "two routes have one operationId: \(ids.sorted())")
        var paths: [JSONValue.Member] = []
        for path in documented.map(\.0.path).uniqued() {
            let operations = documented.filter { $0.0.path == path }
            paths.append(
                .init(
                    path,
                    .object(
                        operations.map { route, operation in
                            .init(route.method.rawValue.lowercased(), Self.operation(operation, of: route))
                        })))
        }
        json = [
            "openapi": "3.1.0",
            "info": ["title": "Leads CRM", "version": .string(version), "description": .string(Self.overview)],
            "tags": .array(
                Operation.Tag.allCases.map { ["name": .string($0.rawValue), "description": .string($0.words)] }),
            "paths": .object(paths),
            "components": Self.components(of: documented.map { $1 }),
        ]
    }

    private static func operation(_ operation: Operation, of route: Route) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("tags", [.string(operation.tag.rawValue)]),
            .init("summary", .string(operation.summary)),
            .init("operationId", .string(operation.id)),
            .init(
                "description",
                .string(([operation.words].compactMap(\.self) + [route.access.words]).joined(separator: "\n\n"))),
            .init("security", route.access.isPublic ? [] : [["key": []], ["session": []]]),
        ]
        let path = pathParameters(of: route.path)
        var parameters = path.map { parameter($0, in: "path") }
        parameters += operation.query.parameters.map { parameter($0, in: "query") }
        let problems = problems(of: operation, route)
        let isFallible = !path.isEmpty || !operation.query.parameters.isEmpty || operation.body != nil
        if operation.isRepeatable { parameters.append(["$ref": "#/components/parameters/IdempotencyKey"]) }
        if operation.isResumable { parameters.append(["$ref": "#/components/parameters/LastEventID"]) }
        if operation.isConditional { parameters.append(["$ref": "#/components/parameters/IfMatch"]) }
        if !problems.isEmpty { parameters.append(["$ref": "#/components/parameters/AcceptLanguage"]) }
        if !parameters.isEmpty { members.append(.init("parameters", .array(parameters))) }
        if let body = operation.body {
            members.append(
                .init(
                    "requestBody",
                    [
                        "required": .bool(!operation.isBodyOptional),
                        "description": .string("At most \(route.bodyLimit) bytes."),
                        "content": content(body),
                    ]))
        }
        var responses = operation.answers.map { answer -> (code: Int, JSONValue) in
            var response: [JSONValue.Member] = [.init("description", .string(answer.words))]
            if answer.isPaged {
                response.append(.init("headers", ["Link": ["$ref": "#/components/headers/Link"]]))
            }
            if let body = answer.content { response.append(.init("content", content(body))) }
            return (answer.status.code, .object(response))
        }
        responses += Dictionary(grouping: problems, by: \.status.code).map { ($0, Self.response($1)) }
        if isFallible, operation.isRepeatable {
            responses.append((422, ["$ref": "#/components/responses/RefusedRegistration"]))
        } else if isFallible {
            responses.append((422, ["$ref": "#/components/responses/HTTPValidationError"]))
        }
        responses.sort { $0.code < $1.code }
        members.append(.init("responses", .object(responses.map { .init(String($0), $1) })))
        return .object(members)
    }

    private static func problems(of operation: Operation, _ route: Route) -> [Problem] {
        var problems = operation.problems
        if operation.isConditional { problems.append(.versionConflict) }
        if operation.isRepeatable { problems += [.idempotencyKeyInvalid, .idempotencyKeyInUse, .intakeFull] }
        if operation.body != nil { problems.append(.notUTF8) }
        if !route.access.isPublic {
            problems += [.unauthenticated, .forbidden, .rateExceeded(seconds: 1)]
        }
        if route.method != .get {
            problems += [.crossSite, .bodiesFull, .jsonUndeclared, .tooManyValues(limit: route.valueLimit)]
        }
        problems += [.hostMissing, .hostUnknown]
        if route.method != .get { problems += [.bodyTooLarge(limit: route.bodyLimit), .bodyTooSlow] }
        if operation.isStored {
            problems.append(.unavailable(cause: nil))
            if route.method != .get { problems.append(.outcomeUnknown) }
        }
        return problems
    }

    /// The response for problems of one status.
    private static func response(_ problems: [Problem]) -> JSONValue {
        let examples = problems.map { problem in
            Component.Example(name: problem.code ?? "example", value: .parsed(problem.reply(in: .english).body))
        }
        var members: [JSONValue.Member] = [
            .init("description", .string(problems.map { $0.text(in: .english) + "." }.joined(separator: " ")))
        ]
        if problems.contains(where: {
            $0.status == .serviceUnavailable || $0.status == .tooManyRequests || $0.code == "idempotency_key_in_use"
        }) {
            members.append(.init("headers", ["Retry-After": ["$ref": "#/components/headers/RetryAfter"]]))
        }
        members.append(.init("content", content(Operation.Content(schema: .reference(.problem), examples: examples))))
        return .object(members)
    }

    private static func content(_ content: Operation.Content) -> JSONValue {
        var members: [JSONValue.Member] = [.init("schema", content.schema.json)]
        if content.examples.count == 1 {
            members.append(.init("example", content.examples[0].value))
        } else {
            members.append(
                .init("examples", .object(content.examples.map { .init($0.name, ["value": $0.value]) })))
        }
        return .object([.init(content.mediaType, .object(members))])
    }

    private static func parameter(_ property: JSONSchema.Property, in place: String) -> JSONValue {
        [
            "name": .string(property.name), "in": .string(place), "required": .bool(property.isRequired),
            "description": .string(property.words), "schema": property.schema.json,
        ]
    }

    /// Every `{…_id}` of a path is a number, but for the one that other systems give.
    private static func pathParameters(of path: String) -> [JSONSchema.Property] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { segment in
            let name = segment.dropFirst().dropLast()
            guard name != "external_id" else {
                return JSONSchema.Property(
                    String(name), .sentString(length: 1...Int.max), "The lead's id in another system.")
            }
            guard name != "key_id" else {
                return JSONSchema.Property(String(name), .sentString(length: 1...Int.max), "Id of the key.")
            }
            let thing = name.hasSuffix("_id") ? name.dropLast(3) : name
            return JSONSchema.Property(String(name), .id, "Number of the \(thing).")
        }
    }

    private static func components(of operations: [Operation]) -> JSONValue {
        var schemas: [String: Component] = [:]
        func collect(_ schema: JSONSchema) {
            for component in schema.components where schemas.updateValue(component, forKey: component.name) == nil {
                collect(component.schema)
            }
        }
        for operation in operations {
            for content in (operation.answers.map(\.content) + [operation.body]).compactMap(\.self) {
                collect(content.schema)
            }
        }
        for component in [Component.problem, .validationFailure] { collect(.reference(component)) }
        return [
            "schemas": .object(
                schemas.values.sorted { $0.name < $1.name }.map { .init($0.name, $0.schema.json) }),
            "responses": [
                "HTTPValidationError": [
                    "description": "Everything that is wrong with the request, in English, as FastAPI has it.",
                    "content": content(.one(.validationFailure)),
                ],
                "RefusedRegistration": [
                    "description": .string(
                        "Everything that is wrong with the request, in English, as FastAPI has it. Or: "
                            + Problem.idempotencyKeyReused.text(in: .english) + "."),
                    "content": content(
                        Operation.Content(
                            schema: .anyOf(.reference(.validationFailure), .reference(.problem)),
                            examples: Component.validationFailure.examples + [
                                .init(
                                    name: "idempotency_key_reused",
                                    value: .parsed(Problem.idempotencyKeyReused.reply(in: .english).body))
                            ])),
                ],
                "MethodNotAllowed": [
                    "description": "The path answers to other methods, which `Allow` names.",
                    "headers": ["Allow": ["$ref": "#/components/headers/Allow"]],
                    "content": [
                        "application/json": [
                            "schema": JSONSchema.object([.init("detail", .string, "Always the same text.")]).json,
                            "example": .parsed(Problem.methodNotAllowed(allowed: []).reply(in: .english).body),
                        ]
                    ],
                ],
            ],
            "securitySchemes": [
                "key": [
                    "type": "http", "scheme": "bearer",
                    "description":
                        "A key, `crm_…`, as an admin makes it at /api/v1/keys. Not asked for while access is open.",
                ],
                "session": [
                    "type": "apiKey", "in": "cookie", "name": "leads",
                    "description":
                        "Of a person who has signed in; `__Host-leads` where the server is reached by https.",
                ],
            ],
            "parameters": [
                "AcceptLanguage": [
                    "name": "Accept-Language", "in": "header", "required": false,
                    "description": "The language of error texts, `en` or `ru`; without a wish, the server's.",
                    "schema": ["type": "string"], "example": "en",
                ],
                "IdempotencyKey": [
                    "name": "Idempotency-Key", "in": "header", "required": false,
                    "description": """
                    Requests with the same key are made once: whoever repeats it within 72 hours gets the first answer \
                    again, with `Idempotent-Replayed: true`. 1 to 255 printable ASCII characters, for instance a UUID.
                    """,
                    "schema": ["type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"],
                ],
                "LastEventID": [
                    "name": "Last-Event-ID", "in": "header", "required": false,
                    "description": """
                    The `id` of the last event that was seen, to go on behind it; goes before `after`. Browsers send it \
                    by themselves when they come back.
                    """,
                    "schema": ["type": "integer", "format": "int64", "minimum": 0],
                ],
                "IfMatch": [
                    "name": "If-Match", "in": "header", "required": false,
                    "description": """
                    The `version` of the contact that the request is meant for, in quotes; if it has another by now, \
                    nothing is changed.
                    """,
                    "schema": ["type": "string"], "example": "\"1\"",
                ],
            ],
            "headers": [
                "Link": [
                    "description": """
                    Where the next part of the list is, `<…>; rel="next"`; absent on the last part. Follow it to \
                    read a long list.
                    """,
                    "schema": ["type": "string"],
                ],
                "RetryAfter": [
                    "description": "After how many seconds to try again.", "required": true,
                    "schema": ["type": "integer", "minimum": 1],
                ],
                "Allow": [
                    "description": "The methods the path answers to, separated by commas.", "required": true,
                    "schema": ["type": "string"],
                ],
            ],
        ]
    }
}

extension Sequence where Element: Hashable {
    /// Each element once, in the order of first appearance.
    fileprivate func uniqued() -> [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
