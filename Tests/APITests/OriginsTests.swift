import HTTPTypes
import NIOHTTP1
import Testing

@testable import API

/// Whose requests are answered: every combination of what programs, our own pages and pages of others send.
struct OriginsTests {
    private let origins: Origins

    init() throws {
        origins = try Origins(
            listening: "0.0.0.0", publicURLs: ["https://crm.example", "http://10.1.2.3:8080/"],
            invited: ["https://forms.example", "http://localhost:3000"])
    }

    /// Why a request is refused, nil for one that is not.
    private func refusal(
        _ method: HTTPRequest.Method, _ fields: [(String, String)], authority: Substring? = nil,
        mayOmitHost: Bool = false
    ) -> String? {
        do throws(Problem) {
            _ = try origins.sender(
                of: method, RequestHeaders(HTTPHeaders(fields)), mayOmitHost: mayOmitHost, authority: authority,
                local: { "192.168.1.5" })
            return nil
        } catch { return error.code }
    }

    private func refusal(
        _ fields: [(String, String)], authority: Substring? = nil, mayOmitHost: Bool = false
    ) -> String? {
        refusal(.get, fields, authority: authority, mayOmitHost: mayOmitHost)
    }

    @Test(arguments: [
        "localhost", "localhost:8000", "LOCALHOST:8000", "localhost.", "127.0.0.1", "127.0.0.1:1", "[::1]:8000",
        "[::1]",
        "0.0.0.0:8000", "crm.example", "CRM.example.:443", "10.1.2.3", "192.168.1.5:8000", "localhost:",
    ])
    func `the server answers to its own names`(host: String) {
        #expect(refusal([("Host", host)]) == nil)
        #expect(refusal([("host", "\(host) ")]) == nil)
    }

    @Test(arguments: [
        "evil.example", "localhost.evil.example", "evil.localhost", "crm.example.evil", "xcrm.example", "127.0.0.2",
        "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]", "192.168.1.6", "localhost:0", "localhost:65536",
        "localhost:80:80", "localhost:8a", "user@localhost", "localhost/", "localhost#", "локалхост", "[::1", "[::1]x",
        "", " ", ".", "..", "localhost..", "local host", "localhost,evil.example",
    ])
    func `the server answers to nobody else's names`(host: String) {
        #expect(refusal([("Host", host)]) == "host_unknown")
        #expect(refusal([("Host", "localhost")], authority: host[...]) == "host_unknown")
    }

    @Test func `a request names one host`() {
        #expect(refusal([]) == "host_missing")
        #expect(refusal([("Host", "localhost"), ("Host", "localhost")]) == "host_missing")
        #expect(refusal([("Host", "localhost"), ("hOST", "evil.example")]) == "host_missing")
        #expect(refusal([], mayOmitHost: true) == nil)
        #expect(refusal([], authority: "evil.example", mayOmitHost: true) == "host_unknown")
        #expect(refusal([("Host", "a"), ("Host", "b")], mayOmitHost: true) == "host_missing")
    }

    private static let unsafe: [HTTPRequest.Method] = [.post, .put, .patch, .delete, HTTPRequest.Method("PURGE")!]

    @Test(arguments: unsafe)
    func `a page elsewhere changes nothing`(method: HTTPRequest.Method) {
        for site in ["cross-site", "same-site", "", "same-origin, cross-site", "Same-Origin", "other"] {
            #expect(refusal(method, [("Host", "localhost"), ("Sec-Fetch-Site", site)]) == "cross_site", "\(site)")
            #expect(
                refusal(
                    method,
                    [
                        ("Host", "localhost"), ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "navigate"),
                        ("Sec-Fetch-Dest", "document"),
                    ]) == "cross_site", "a form, \(site)")
            #expect(
                refusal(
                    method, [("Host", "localhost:8000"), ("Sec-Fetch-Site", site), ("Origin", "http://localhost:8000")])
                    == "cross_site", "what the browser itself says goes before what can be made up")
        }
        for origin in [
            "http://evil.example", "null", "http://localhost:8001", "http://localhost", "https://localhost:8000/x",
            "ftp://localhost:8000", "", "http://localhost:8000, http://evil.example", "http://127.0.0.1:8000",
            "https://crm.example:444", "http://crm.example", "https://forms.example.evil", "http://forms.example",
        ] {
            #expect(
                refusal(method, [("Host", "localhost:8000"), ("Origin", origin)]) == "cross_site", "\(origin)")
        }
    }

    @Test(arguments: unsafe)
    func `our own pages, invited ones and programs may`(method: HTTPRequest.Method) {
        #expect(refusal(method, [("Host", "localhost")]) == nil)
        for site in ["same-origin", "none"] {
            #expect(refusal(method, [("Host", "localhost"), ("Sec-Fetch-Site", site), ("Origin", "null")]) == nil)
        }
        for (host, origin) in [
            ("localhost:8000", "http://localhost:8000"), ("localhost:8000", "https://localhost:8000"),
            ("crm.example", "https://crm.example"), ("127.0.0.1:8000", "https://crm.example"),
            ("localhost", "http://localhost"), ("[::1]:8000", "http://[::1]:8000"),
            ("localhost", "https://forms.example"), ("crm.example", "http://localhost:3000"),
        ] {
            #expect(refusal(method, [("Host", host), ("Origin", origin)]) == nil, "\(host) \(origin)")
        }
        #expect(
            refusal(
                method, [("Host", "localhost"), ("Sec-Fetch-Site", "cross-site"), ("Origin", "https://forms.example")])
                == nil)
    }

    @Test func `pages elsewhere lead here, and read nothing`() {
        let arrival = [("Host", "localhost"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")]
        #expect(refusal(arrival + [("Sec-Fetch-Dest", "document")]) == nil)
        for dest in ["iframe", "frame", "image", "empty", "script"] {
            #expect(refusal(arrival + [("Sec-Fetch-Dest", dest)]) == "cross_site", "\(dest)")
        }
        for mode in ["cors", "no-cors", "websocket"] {
            #expect(
                refusal([
                    ("Host", "localhost"), ("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", mode),
                    ("Sec-Fetch-Dest", "document"),
                ]) == "cross_site", "\(mode)")
        }
    }

    @Test(arguments: [
        "crm.example", "https://crm.example/path", "https://", "ftp://crm.example", "https://a b", "https://*.example",
        "null", "*", "https://user:word@crm.example",
    ])
    func `what is no origin is no setting`(text: String) {
        #expect(throws: Origins.InvalidURL.self) { _ = try Origins(publicURLs: [text]) }
        #expect(throws: Origins.InvalidURL.self) { _ = try Origins(invited: [text]) }
    }
}
