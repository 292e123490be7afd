import HTTPTypes
import JSON

/// `/openapi.json`, `/docs` and what belongs to them.
struct DocumentationHandlers: Sendable {
    private let openAPI: StaticResource
    private let main: StaticResource
    private let files: [String: StaticResource]

    init(_ document: OpenAPIDocument, _ swaggerUI: SwaggerUI?) {
        var bytes: [UInt8] = []
        document.json.write(to: &bytes)
        openAPI = StaticResource("application/json", bytes, .checked)
        if let swaggerUI {
            let page = SwaggerUIPage(swaggerUI)
            main = page.page
            files = page.files
        } else {
            main = .documentation(body: Self.withoutSwaggerUI, policy: "default-src 'none'")
            files = [:]
        }
    }

    private static let withoutSwaggerUI = """
        <h1>Leads CRM API</h1>
        <p>The documentation is at <a href="/openapi.json">/openapi.json</a>, for any program that reads OpenAPI 3.1.</p>
        <p>To read it here, and to try requests, get Swagger UI: <code>deploy/fetch-swagger-ui .swagger-ui</code>, then start
        the server again. <code>LEADS_SWAGGER_UI</code> says where it is.</p>
        """

    @Sendable func document(_ call: Call) async throws(Problem) -> Reply {
        openAPI.reply(to: call)
    }

    @Sendable func page(_ call: Call) async throws(Problem) -> Reply {
        main.reply(to: call)
    }

    @Sendable func file(_ call: Call) async throws(Problem) -> Reply {
        guard let file = call.pathValues["file"].flatMap({ files[$0] }) else { throw .unknownPath }
        return file.reply(to: call)
    }

    @Sendable func redoc(_ call: Call) async throws(Problem) -> Reply {
        Reply(.temporaryRedirect, headers: [.location: "/docs"])
    }
}

extension StaticResource {
    /// The page at `/docs`.
    /// - Parameters:
    ///   - head: what it loads, as HTML.
    ///   - policy: where it may load from; to be framed or based elsewhere, and to send forms, it never may.
    static func documentation(head: String = "", body: String, policy: String) -> StaticResource {
        let html = """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Leads CRM API</title>
            \(head)
            </head>
            <body>
            \(body)
            </body>
            </html>

            """
        return StaticResource(
            "text/html; charset=utf-8", Array(html.utf8), .checked,
            contentSecurityPolicy: "\(policy); base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    }
}
