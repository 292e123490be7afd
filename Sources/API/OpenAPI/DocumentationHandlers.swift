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
        let plain = StaticResource(
            "text/html; charset=utf-8", Array(PlainDocumentationPage(document).html.utf8), .checked,
            contentSecurityPolicy: PlainDocumentationPage.contentSecurityPolicy)
        var files = ["plain": plain]
        if let swaggerUI {
            let page = SwaggerUIPage(swaggerUI)
            main = page.page
            files.merge(page.files) { $1 }
        } else {
            main = plain
        }
        self.files = files
    }

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
