public import API

/// The supervisor's pages: a client of the API like any other, which browsers are served with the program itself.
///
/// No build step stands between `assets/` and the browser: what is there is what runs.
public enum Dashboard {
    public static let site = Site(
        document: String(decoding: PackageResources.index_html, as: UTF8.self),
        files: [
            script("main.js", PackageResources.main_js),
            script("api.js", PackageResources.api_js),
            script("contacts.js", PackageResources.contacts_js),
            script("dom.js", PackageResources.dom_js),
            script("leads.js", PackageResources.leads_js),
            script("live.js", PackageResources.live_js),
            script("operators.js", PackageResources.operators_js),
            script("overview.js", PackageResources.overview_js),
            script("router.js", PackageResources.router_js),
            script("sources.js", PackageResources.sources_js),
            script("staff.js", PackageResources.staff_js),
            script("widgets.js", PackageResources.widgets_js),
            script("words.js", PackageResources.words_js),
            Site.File(name: "style.css", contentType: "text/css; charset=utf-8", content: PackageResources.style_css),
            Site.File(name: "icon.svg", contentType: "image/svg+xml", content: PackageResources.icon_svg),
        ],
        sections: [
            .init("contacts"), .init("leads", items: ["duplicates"]), .init("operators"), .init("sources"),
        ])

    private static func script(_ name: String, _ content: [UInt8]) -> Site.File {
        Site.File(name: name, contentType: "text/javascript; charset=utf-8", content: content)
    }
}
