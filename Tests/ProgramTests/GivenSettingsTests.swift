import Foundation
import SystemPackage
import Testing

@testable import leads_crm

struct GivenSettingsTests {
    /// A directory of secrets for one test.
    private final class SecretsDirectory {
        let url = URL.temporaryDirectory.appending(path: UUID().uuidString)

        init() throws {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        }

        deinit {
            try? FileManager.default.removeItem(at: url)
        }

        @discardableResult
        func write(_ text: String, to name: String) throws -> String {
            let file = url.appending(path: name)
            try Data(text.utf8).write(to: file)
            return file.path
        }

        func given(_ environment: [String: String] = [:]) throws(SettingError) -> GivenSettings {
            try GivenSettings(
                environment: environment.merging(["LEADS_SECRETS_DIRECTORY": url.path]) { given, _ in given })
        }
    }

    @Test func `what is in the environment is taken as it stands, and an empty variable counts as none`() throws {
        let given = try GivenSettings(environment: ["LEADS_HOST": " a, b=c ", "LEADS_PORT": ""])
        let host = try #require(given.value(of: .host))
        #expect(host.text == " a, b=c " && host.origin == .environment)
        #expect(given.value(of: .port) == nil && given.value(of: .language) == nil)
    }

    @Test(arguments: ["PGPASSWORD", "pgpassword"])
    func `a secret is found in the directory under either name`(name: String) throws {
        let directory = try SecretsDirectory()
        let path = try directory.write(" päss word \n", to: name)
        let value = try #require(try directory.given().value(of: .databasePassword))
        #expect(value.text == " päss word " && value.origin == .file(FilePath(path)))
    }

    @Test(arguments: [
        ("secret", "secret"), ("secret\n", "secret"), ("secret\r\n", "secret"), ("secret\n\n", "secret\n"),
        ("secret\r", "secret\r"), ("a\nb\n", "a\nb"),
    ])
    func `the end of the last line of a file is left out`(text: String, secret: String) throws {
        let directory = try SecretsDirectory()
        let path = try directory.write(text, to: "anything")
        #expect(try directory.given(["LEADS_KEY_FILE": path]).value(of: .key)?.text == secret)
    }

    @Test func `a file that is linked to is read, as orchestrators lay them`() throws {
        let directory = try SecretsDirectory()
        try directory.write("secret", to: ".data")
        try FileManager.default.createSymbolicLink(
            atPath: directory.url.appending(path: "leads_key").path, withDestinationPath: ".data")
        #expect(try directory.given().value(of: .key)?.text == "secret")
    }

    @Test func `only secrets are read from files`() throws {
        let directory = try SecretsDirectory()
        let path = try directory.write("0.0.0.0", to: "LEADS_HOST")
        let given = try directory.given(["LEADS_HOST_FILE": path])
        #expect(given.value(of: .host) == nil && given.unknownNames == ["LEADS_HOST_FILE"])
    }

    @Test func `a secret that is given twice is refused, and it is said where, not what`() throws {
        let directory = try SecretsDirectory()
        let path = try directory.write("geheim", to: "other")
        let expect = { (environment: [String: String], places: Int) in
            let error = #expect(throws: SettingError.self) { _ = try directory.given(environment) }
            let description = try #require(error).description
            #expect(description.hasPrefix("PGPASSWORD is given more than once: "))
            #expect(description.split(separator: ", ").count == places && !description.contains("geheim"))
        }
        try expect(["PGPASSWORD": "geheim", "PGPASSWORD_FILE": path], 2)
        try directory.write("geheim", to: "PGPASSWORD")
        try expect(["PGPASSWORD": "geheim"], 2)
        try expect(["PGPASSWORD_FILE": path], 2)
        try directory.write("geheim", to: "pgpassword")
        try expect([:], 2)
        try expect(["PGPASSWORD": "geheim", "PGPASSWORD_FILE": path], 4)
    }

    @Test func `a file in the directory that is also named is one`() throws {
        let directory = try SecretsDirectory()
        let path = try directory.write("secret", to: "pgpassword")
        for path in [path, directory.url.path + "/./pgpassword", directory.url.path + "//pgpassword"] {
            #expect(try directory.given(["PGPASSWORD_FILE": path]).value(of: .databasePassword)?.text == "secret")
        }
    }

    @Test(arguments: ["", "\n", "a\0b", String(repeating: "x", count: GivenSettings.longestSecret + 1)])
    func `a file that holds no secret is refused`(text: String) throws {
        let directory = try SecretsDirectory()
        try directory.write(text, to: "leads_key")
        #expect(throws: SettingError.self) { _ = try directory.given() }
        try directory.write(String(repeating: "x", count: GivenSettings.longestSecret), to: "leads_key")
        #expect(try directory.given().value(of: .key)?.text.count == GivenSettings.longestSecret)
    }

    @Test(arguments: ["missing", "s3cret", "."])
    func `a file that cannot be read is refused, and what names it is not repeated`(name: String) throws {
        let directory = try SecretsDirectory()
        let error = #expect(throws: SettingError.self) {
            _ = try directory.given(["LEADS_KEY_FILE": directory.url.appending(path: name).path])
        }
        let description = try #require(error).description
        #expect(description.contains("LEADS_KEY_FILE") && !description.contains(directory.url.lastPathComponent))
    }

    @Test func `names that look like settings and are none are found`() throws {
        let given = try GivenSettings(environment: [
            "LEADS_PROT": "1", "LEADS_": "x", "LEADS_PORT": "8000", "LEADS_KEY": "k", "LEADS_POOLSIZE": "",
            "leads_port": "1", "PATH": "/",
        ])
        #expect(given.unknownNames == ["LEADS_", "LEADS_PROT"])
    }

    @Test func `descriptions of what is given show no secret`() throws {
        let directory = try SecretsDirectory()
        try directory.write("geheim-1", to: "leads_key")
        let given = try directory.given(["PGPASSWORD": "geheim-2"])
        #expect(!String(reflecting: given).contains("geheim") && !"\(given)".contains("geheim"))
    }
}
