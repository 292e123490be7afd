import HTTPTypes
import StableHash

/// Pages that are clients of the API, and what they load: the dashboard, and where one signs in.
///
/// All addresses of the dashboard are answered with the same document, whose script shows what the address names. What a
/// document loads is below an address with the hash of all of it, so that it may be kept for ever and files that belong
/// together come together.
public struct Site: Sendable {
    public struct File: Sendable {
        public let name: String
        public let contentType: String
        public let content: [UInt8]

        public init(name: String, contentType: String, content: [UInt8]) {
            self.name = name
            self.contentType = contentType
            self.content = content
        }
    }

    /// What the script knows to show below the dashboard's address: a list, or one thing of it by its number or name.
    public struct Section: Sendable {
        public let name: String
        /// Names beside numbers.
        public let items: Set<String>

        public init(_ name: String, items: Set<String> = []) {
            self.name = name
            self.items = items
        }
    }

    static let address = "/dashboard"
    static let signInAddress = "/sign-in"

    private let dashboard: Document
    private let signIn: (template: String, files: [File])
    private let sections: [String: Section]

    /// Documents are HTML in which `{assets}` stands for the address of their files, with a slash at its end,
    /// `{preloads}` for what has a browser fetch all scripts at once, and `{provider}` for the address by which one signs in
    /// at the company's provider, or nothing.
    /// - Parameters:
    ///   - signInFiles: what the page loads at which one signs in; nobody needs to be signed in to get it.
    public init(
        dashboard: String, files: [File], sections: [Section], signIn: String, signInFiles: [File]
    ) {
        self.dashboard = Document(dashboard, at: Self.address, files)
        self.signIn = (signIn, signInFiles)
        self.sections = Dictionary(uniqueKeysWithValues: sections.map { ($0.name, $0) })
    }

    /// - Parameter hasProvider: whether one may sign in at the company's provider.
    func routes(hasProvider: Bool) -> [Route] {
        let provider = hasProvider ? Route.provider : ""
        let signIn = Document(
            signIn.template.replacing("{provider}", with: provider), at: Self.signInAddress, signIn.files)
        return [
            Route(.get, Self.address, .anyRole, page, .undocumented),
            Route(.get, Self.address + "/{section}", .anyRole, page, .undocumented),
            Route(.get, Self.address + "/{section}/{item}", .anyRole, page, .undocumented),
            Route(.get, Self.address + Document.filePath, .anyRole, dashboard.file, .undocumented),
            Route(.get, Self.signInAddress, .everybody, signIn.page, .undocumented),
            Route(.get, Self.signInAddress + Document.filePath, .everybody, signIn.file, .undocumented),
        ]
    }

    @Sendable private func page(_ call: Call) async throws(Problem) -> Reply {
        dashboard.reply(to: call, isThere(call) ? .ok : .notFound)
    }

    private func isThere(_ call: Call) -> Bool {
        guard let name = call.pathValues["section"] else { return true }
        guard let section = sections[name] else { return false }
        guard let item = call.pathValues["item"] else { return true }
        return section.items.contains(item) || (Int(item) ?? 0) > 0
    }
}

/// A page with the files it loads.
private struct Document: Sendable {
    /// Behind the page's own address.
    static let filePath = "/assets/{version}/{file}"

    private let html: StaticResource
    private let version: String
    private let files: [String: StaticResource]

    // Nothing from elsewhere, nothing in the page itself, and no text that becomes markup.
    private static let contentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        + "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

    init(_ template: String, at address: String, _ files: [Site.File]) {
        version = FNV1a<UInt64>(files.lazy.flatMap { Array($0.name.utf8) + $0.content }).value.digits
        let assets = "\(address)/assets/\(version)/"
        let scripts = files.filter { $0.contentType.hasPrefix("text/javascript") }
        let preloads = scripts.map { "<link rel=\"modulepreload\" href=\"\(assets)\($0.name)\">\n" }.joined()
        let text = template.replacing("{assets}", with: assets).replacing("{preloads}", with: preloads)
        html = StaticResource(
            "text/html; charset=utf-8", Array(text.utf8), .checked, contentSecurityPolicy: Self.contentSecurityPolicy)
        self.files = Dictionary(
            uniqueKeysWithValues: files.map { ($0.name, StaticResource($0.contentType, $0.content, .eternal)) })
    }

    func reply(to call: Call, _ status: HTTPResponse.Status = .ok) -> Reply {
        html.reply(to: call, status)
    }

    @Sendable func page(_ call: Call) async throws(Problem) -> Reply { reply(to: call) }

    @Sendable func file(_ call: Call) async throws(Problem) -> Reply {
        guard let file = call.pathValues["file"].flatMap({ files[$0] }) else { throw .unknownPath }
        var reply = file.reply(to: call)
        // A page of another version asks for what it was made with, and gets what there is: another instance may serve
        // that while a new version is rolled out.
        if call.pathValues["version"] != version {
            reply.headers[.cacheControl] = StaticResource.Freshness.checked.rawValue
        }
        return reply
    }
}
