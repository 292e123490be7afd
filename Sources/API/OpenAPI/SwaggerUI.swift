import Foundation

/// The files of Swagger UI that are served, read once; `deploy/fetch-swagger-ui` gets them.
public struct SwaggerUI: Sendable {
    static let styleSheet = "swagger-ui.css"
    static let script = "swagger-ui-bundle.js"
    static let icon = "favicon-32x32.png"

    let files: [String: StaticResource]

    /// Reads the files in a directory, or answers nil when it does not have all of them.
    public init?(directory: String) {
        var files: [String: StaticResource] = [:]
        for (name, contentType) in [
            (Self.styleSheet, "text/css; charset=utf-8"), (Self.script, "text/javascript; charset=utf-8"),
            (Self.icon, "image/png"),
        ] {
            guard let data = FileManager.default.contents(atPath: directory + "/" + name) else { return nil }
            files[name] = StaticResource(contentType, Array(data), .eternal)
        }
        self.files = files
    }
}
