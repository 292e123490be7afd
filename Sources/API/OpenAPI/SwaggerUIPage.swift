/// The page that shows the document in Swagger UI, with the files it needs.
struct SwaggerUIPage: Sendable {
    let page: StaticResource
    /// By their names below `/docs/`.
    let files: [String: StaticResource]

    private static let initializer = "initializer.js"

    // Swagger UI sets styles in the page and draws its icons from data: URLs.
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        + "connect-src 'self'"

    init(_ swaggerUI: SwaggerUI) {
        let script = """
            const darkness = matchMedia("(prefers-color-scheme: dark)");
            const follow = () => document.documentElement.classList.toggle("dark-mode", darkness.matches);
            darkness.addEventListener("change", follow);
            follow();
            window.addEventListener("load", () => {
              window.ui = SwaggerUIBundle({
                url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, displayRequestDuration: true,
                defaultModelsExpandDepth: 0, tryItOutEnabled: true, validatorUrl: null,
              });
            });

            """
        let files = swaggerUI.files.merging([
            Self.initializer: StaticResource("text/javascript; charset=utf-8", Array(script.utf8), .eternal)
        ]) { $1 }
        /// The address of a file, with its hash so that it may be kept for ever.
        func address(_ name: String) -> String {
            "/docs/\(name)?v=\((files[name]?.entityTag ?? "").filter { $0 != "\"" })"
        }
        let head = """
            <link rel="icon" type="image/png" href="\(address(SwaggerUI.icon))">
            <link rel="stylesheet" href="\(address(SwaggerUI.styleSheet))">
            """
        let body = """
            <div id="swagger-ui"></div>
            <noscript><p>This page needs JavaScript; programs read /openapi.json.</p></noscript>
            <script src="\(address(SwaggerUI.script))"></script>
            <script src="\(address(Self.initializer))"></script>
            """
        self.files = files
        page = .documentation(head: head, body: body, policy: Self.policy)
    }
}
