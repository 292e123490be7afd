import JSON
import Leads

/// The document as one page that needs nothing else, JavaScript included.
struct PlainDocumentationPage {
    static let contentSecurityPolicy =
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    let html: String

    init(_ document: OpenAPIDocument) {
        let json = document.json
        let operations = Self.operations(in: json)
        let tags = json["tags"].items
        func ofTag(_ tag: JSONValue) -> [Operation] {
            operations.filter { $0.json["tags"].items.contains(tag["name"]) }
        }
        let contents = tags.map { tag in
            "<h2>\(tag["name"].escaped)</h2><ul>"
                + ofTag(tag).map { "<li><a href=\"#\($0.id)\">\($0.json["summary"].escaped)</a></li>" }.joined()
                + "</ul>"
        }
        let sections = tags.map { tag in
            "<h2>\(tag["name"].escaped)</h2><p>\(tag["description"].prose)</p>"
                + ofTag(tag).map { Self.section($0, in: json) }.joined(separator: "\n")
        }
        let schemas = json["components"]["schemas"].members.map { schema in
            "<section id=\"schema-\(schema.name)\"><h3>\(schema.name)</h3><p>\(schema.value["description"].prose)</p>"
                + Self.table(of: schema.value) + "</section>"
        }
        html = """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Leads CRM API</title>
            <style>\(Self.style)</style>
            </head>
            <body>
            <nav><h1>Leads CRM API</h1><p>Version \(json["info"]["version"].escaped)<br>
            <a href="/openapi.json">openapi.json</a></p>\(contents.joined(separator: "\n"))
            <h2><a href="#schemas">Schemas</a></h2></nav>
            <main>
            \(json["info"]["description"].paragraphs)
            \(sections.joined(separator: "\n"))
            <h2 id="schemas">Schemas</h2>
            \(schemas.joined(separator: "\n"))
            </main>
            </body>
            </html>

            """
    }

    private struct Operation {
        let method: String
        let path: String
        let json: JSONValue

        var id: String { json["operationId"].escaped }
    }

    private static func operations(in json: JSONValue) -> [Operation] {
        json["paths"].members.flatMap { path in
            path.value.members.map { Operation(method: $0.name.uppercased(), path: path.name, json: $0.value) }
        }
    }

    private static func section(_ operation: Operation, in document: JSONValue) -> String {
        var parts = [
            """
            <section id="\(operation.id)"><h3><span class="method \(operation.method)">\(operation.method)</span> \
            <code>\(operation.path.escapedForHTML)</code></h3><p>\(operation.json["summary"].escaped). \
            \(operation.json["description"].prose)</p>
            """
        ]
        let parameters = operation.json["parameters"].items.map { document.resolving($0) }
        if !parameters.isEmpty {
            parts.append(
                "<h4>Parameters</h4>"
                    + table(
                        parameters.map { parameter in
                            row(
                                parameter["name"].escaped, "in \(parameter["in"].escaped)", parameter["schema"],
                                isRequired: parameter["required"] == true, parameter["description"])
                        }))
        }
        let body = operation.json["requestBody"]
        if body != .null {
            let content = body["content"]["application/json"]
            let schema = document.resolving(content["schema"])
            let item = schema["items"] == .null ? schema : document.resolving(schema["items"])
            parts.append(
                "<h4>Body: \(kind(of: content["schema"]))</h4><p>\(item["description"].prose) "
                    + "\(body["description"].prose)</p>\(table(of: item))\(examples(of: content))")
        }
        parts.append("<h4>Answers</h4>")
        for response in operation.json["responses"].members {
            let answer = document.resolving(response.value)
            let content = answer["content"]["application/json"]
            parts.append(
                "<details><summary><b>\(response.name)</b> \(answer["description"].prose)</summary>"
                    + "<p>\(kind(of: content["schema"]))</p>\(examples(of: content))</details>")
        }
        return parts.joined(separator: "\n") + "</section>"
    }

    private static func table(of schema: JSONValue) -> String {
        let required = schema["required"].items
        return table(
            schema["properties"].members.map { field in
                row(
                    field.name.escapedForHTML, nil, field.value,
                    isRequired: required.contains(.string(field.name)), field.value["description"])
            })
    }

    private static func table(_ rows: [String]) -> String {
        rows.isEmpty ? "" : "<table>\(rows.joined(separator: "\n"))</table>"
    }

    private static func row(
        _ name: String, _ place: String?, _ schema: JSONValue, isRequired: Bool, _ words: JSONValue
    ) -> String {
        var notes = [kind(of: schema)]
        if let place { notes.append(place) }
        if isRequired { notes.append("required") }
        if schema["default"] != .null { notes.append("default <code>\(schema["default"].line)</code>") }
        return "<tr><th><code>\(name)</code><br><small>\(notes.joined(separator: ", "))</small></th>"
            + "<td>\(words.prose)</td></tr>"
    }

    /// What kind of value a schema takes: «integer or null», «list of Contact».
    private static func kind(of schema: JSONValue) -> String {
        if case .string(let reference) = schema["$ref"] {
            let name = (reference.split(separator: "/").last.map(String.init) ?? "").escapedForHTML
            return "<a href=\"#schema-\(name)\">\(name)</a>"
        }
        let alternatives = schema["anyOf"].items.map(kind)
        if !alternatives.isEmpty, schema["type"] == .null { return alternatives.joined(separator: " or ") }
        if schema["enum"] != .null {
            return schema["enum"].items.map { "<code>\($0.line)</code>" }.joined(separator: ", ")
        }
        let types = schema["type"].items.isEmpty ? [schema["type"]] : schema["type"].items
        return types.map { type in
            switch type {
            case "array": "list of " + kind(of: schema["items"])
            case "string" where schema["format"] == "date-time": "date and time"
            case .null: "any value"
            default: type.escaped
            }
        }.joined(separator: " or ")
    }

    private static func examples(of content: JSONValue) -> String {
        let named = content["examples"].members.map { "<p>\($0.name):</p><pre>\($0.value["value"].pretty)</pre>" }
        return named.isEmpty ? "<pre>\(content["example"].pretty)</pre>" : named.joined()
    }

    private static let style = """
        :root { color-scheme: light dark; --soft: light-dark(#f3f4f6, #23262b); --line: light-dark(#d8dbe0, #3b4048);
          --link: light-dark(#0b57d0, #8ab4f8); }
        body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: light-dark(#1c1e21, #e4e6ea);
          background: light-dark(#fff, #17191c); display: grid; grid-template-columns: 17rem minmax(0, 1fr); }
        a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
        nav { position: sticky; top: 0; height: 100vh; box-sizing: border-box; overflow-y: auto; padding: 1rem;
          background: var(--soft); font-size: .875rem; }
        nav h1 { font-size: 1.125rem; } nav h2 { font-size: .9375rem; margin: 1rem 0 .25rem; }
        nav ul { margin: 0; padding: 0; list-style: none; } nav li { padding: .125rem 0; }
        main { padding: 1rem 2rem 4rem; max-width: 60rem; }
        h2 { margin-top: 2.5rem; } h4 { margin: 1rem 0 .25rem; }
        section { border-top: 1px solid var(--line); padding: .25rem 0 1rem; }
        code, pre { font: .875em/1.45 ui-monospace, monospace; }
        pre { background: var(--soft); padding: .75rem; border-radius: 6px; overflow-x: auto; margin: .5rem 0; }
        table { border-collapse: collapse; width: 100%; }
        th, td { text-align: left; vertical-align: top; padding: .375rem .75rem .375rem 0;
          border-bottom: 1px solid var(--line); }
        th { font-weight: normal; width: 15rem; } th code { font-weight: 600; } small { opacity: .8; }
        details { padding: .125rem 0; } summary { cursor: pointer; }
        .method { font: 600 .8125rem/1 ui-monospace, monospace; padding: .25rem .5rem; border-radius: 4px;
          color: #fff; background: #57606a; }
        .GET { background: #0b6bcb; } .POST { background: #1a7f37; } .PATCH, .PUT { background: #9a5b00; }
        .DELETE { background: #c62828; }
        @media (max-width: 50rem) {
          body { display: block; } nav { position: static; height: auto; } main { padding: 1rem; } th { width: 9rem; }
        }
        """
}

extension JSONValue {
    fileprivate subscript(name: String) -> JSONValue {
        members.first { $0.name == name }?.value ?? .null
    }

    fileprivate var members: [Member] {
        if case .object(let members) = self { members } else { [] }
    }

    fileprivate var items: [JSONValue] {
        if case .array(let items) = self { items } else { [] }
    }

    private var text: String {
        if case .string(let text) = self { text } else { "" }
    }

    /// What a `$ref` into this document points to, or `value` itself when it is none.
    fileprivate func resolving(_ value: JSONValue) -> JSONValue {
        guard case .string(let reference) = value["$ref"] else { return value }
        return reference.split(separator: "/").dropFirst().reduce(self) { $0[String($1)] }
    }

    fileprivate var escaped: String { text.escapedForHTML }

    /// The text with the little Markdown that the document uses: code between backticks, bold between asterisks.
    fileprivate var prose: String {
        escaped.replacing(/`([^`]+)`/) { "<code>\($0.1)</code>" }.replacing(/\*\*([^*]+)\*\*/) { "<b>\($0.1)</b>" }
    }

    fileprivate var paragraphs: String {
        text.split(separator: "\n\n").map { "<p>\(JSONValue.string(String($0)).prose)</p>" }.joined()
    }

    /// The JSON on one line, escaped for HTML.
    fileprivate var line: String {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return String(decoding: bytes, as: UTF8.self).escapedForHTML
    }

    /// The JSON on several lines, escaped for HTML.
    fileprivate var pretty: String { pretty(indentation: "") }

    private func pretty(indentation: String) -> String {
        let inner = indentation + "  "
        return switch self {
        case .array(let items) where !items.isEmpty:
            "[\n" + items.map { inner + $0.pretty(indentation: inner) }.joined(separator: ",\n") + "\n\(indentation)]"
        case .object(let members) where !members.isEmpty:
            "{\n"
                + members.map { "\(inner)\(JSONValue.string($0.name).line): \($0.value.pretty(indentation: inner))" }
                .joined(separator: ",\n") + "\n\(indentation)}"
        default:
            line
        }
    }
}

extension String {
    fileprivate var escapedForHTML: String {
        replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
