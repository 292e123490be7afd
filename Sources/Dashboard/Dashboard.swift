public import API

/// The staff's pages: a client of the API like any other, which browsers are served with the program itself.
///
/// No build step stands between `assets/` and the browser: what is there is what runs.
public enum Dashboard {
    public static let site = Site(
        dashboard: String(decoding: PackageResources.index_html, as: UTF8.self),
        files: shared + [
            script("main.js", PackageResources.main_js),
            script("access.js", PackageResources.access_js),
            script("account.js", PackageResources.account_js),
            script("audit.js", PackageResources.audit_js),
            script("contacts.js", PackageResources.contacts_js),
            script("events.js", PackageResources.events_js),
            script("keys.js", PackageResources.keys_js),
            script("leads.js", PackageResources.leads_js),
            script("live.js", PackageResources.live_js),
            script("operators.js", PackageResources.operators_js),
            script("overview.js", PackageResources.overview_js),
            script("people.js", PackageResources.people_js),
            script("router.js", PackageResources.router_js),
            script("sources.js", PackageResources.sources_js),
            script("staff.js", PackageResources.staff_js),
            script("viewer.js", PackageResources.viewer_js),
        ],
        sections: [
            .init("audit"), .init("contacts"), .init("keys"), .init("leads", items: ["duplicates"]),
            .init("operators"), .init("people"), .init("sessions"), .init("sources"),
        ],
        signIn: String(decoding: PackageResources.sign_in_html, as: UTF8.self),
        signInFiles: shared + [script("sign-in.js", PackageResources.sign_in_js)])

    /// What both documents load.
    private static let shared = [
        script("api.js", PackageResources.api_js),
        script("dom.js", PackageResources.dom_js),
        script("memory.js", PackageResources.memory_js),
        script("passwords.js", PackageResources.passwords_js),
        script("widgets.js", PackageResources.widgets_js),
        script("words.js", PackageResources.words_js),
        Site.File(name: "style.css", contentType: "text/css; charset=utf-8", content: PackageResources.style_css),
        Site.File(name: "icon.svg", contentType: "image/svg+xml", content: PackageResources.icon_svg),
    ]

    private static func script(_ name: String, _ content: [UInt8]) -> Site.File {
        Site.File(name: name, contentType: "text/javascript; charset=utf-8", content: content)
    }
}
