import Foundation

/// A certificate authority, and a certificate for one host that it has signed: made by `openssl` for a test, and
/// removed with it.
public struct TestAuthority: Sendable {
    private let directory: URL
    /// The authority's own certificate, for `sslrootcert`.
    public var root: String { file("root.pem") }
    /// The host's certificate.
    public var certificate: String { file("host.pem") }
    /// The key of the host's certificate.
    public var key: String { file("host.key") }

    /// - Throws: what keeps `openssl` from running; `Failure` when it refuses.
    public init(for host: String = "localhost") throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "leads-crm-authority-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "2"]
        try request(newKey + ["-keyout", file("root.key"), "-out", root, "-subj", "/CN=Tests of Leads CRM"])
        try request(
            newKey + [
                "-keyout", key, "-out", certificate, "-subj", "/CN=\(host)", "-addext", "subjectAltName=DNS:\(host)",
                "-CA", root, "-CAkey", file("root.key"),
            ])
    }

    /// Removes the files.
    public func remove() {
        try? FileManager.default.removeItem(at: directory)
    }

    /// What `openssl` said when it made no certificate.
    public struct Failure: Error {
        public let output: String
    }

    private func file(_ name: String) -> String { directory.appending(path: name).path() }

    private func request(_ arguments: [String]) throws {
        let openssl = Process()
        let output = Pipe()
        openssl.executableURL = URL(filePath: "/usr/bin/env")
        openssl.arguments = ["openssl", "req", "-x509"] + arguments
        openssl.standardError = output
        try openssl.run()
        let said = try output.fileHandleForReading.readToEnd() ?? Data()
        openssl.waitUntilExit()
        guard openssl.terminationStatus == 0 else { throw Failure(output: String(decoding: said, as: UTF8.self)) }
    }
}
