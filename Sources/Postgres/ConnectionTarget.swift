internal import CLibPQ
import Glibc

/// How much TLS a connection wants, as libpq's `sslmode` says it, from the least to the most.
public enum SSLMode: String, Sendable, Comparable, CaseIterable {
    case disable
    case allow
    case prefer
    case require
    case verifyCA = "verify-ca"
    case verifyFull = "verify-full"

    public static func < (left: SSLMode, right: SSLMode) -> Bool {
        allCases.firstIndex(of: left)! < allCases.firstIndex(of: right)!
    }
}

/// Where a connection string leads, and how: as libpq reads it, with the `PG…` variables, service files and its defaults.
public struct ConnectionTarget: Sendable {
    /// Whether any of its hosts is neither a loopback address, nor `localhost`, nor a Unix socket.
    public let isBeyondThisHost: Bool
    /// The `sslmode` in force. It means nothing to a Unix socket.
    public let sslMode: SSLMode
    /// The start-up options of the session.
    let options: String
    /// The keywords whose values are not libpq's own.
    let given: Set<String>

    /// Reads a connection string, without connecting.
    /// - Throws: `PostgresError` with the code `invalidConnectionString`. What libpq says is not passed on: it repeats
    ///   the parts it could not read, and they may be parts of a password.
    public init(_ connectionString: String) throws(PostgresError) {
        try Self.requireReadable(connectionString)
        let (values, given) = try Self.resolve(connectionString)
        self.given = given
        guard let mode = values["sslmode"].flatMap(SSLMode.init) else {
            throw .invalidConnectionString("sslmode is none of libpq's")
        }
        guard values["gssencmode"] != "require" else {
            throw .invalidConnectionString("encryption is by TLS here, not by GSSAPI: remove gssencmode=require")
        }
        func list(_ keyword: String) -> [Substring] {
            (values[keyword] ?? "").split(separator: ",", omittingEmptySubsequences: false)
        }
        guard list("port").allSatisfy({ $0.isEmpty || (Int($0).map((1...65_535).contains) ?? false) }) else {
            throw .invalidConnectionString("a port is no number from 1 to 65535")
        }
        let hosts = list("host")
        let addresses = list("hostaddr")
        isBeyondThisHost = (0..<max(hosts.count, addresses.count)).contains { index in
            // libpq connects to the address, and only calls it by the host's name.
            let address = index < addresses.count ? addresses[index] : ""
            let host = index < hosts.count ? hosts[index] : ""
            return !Self.isOfThisHost(String(address.isEmpty ? host : address))
        }
        sslMode = mode
        options = values["options"] ?? ""
    }

    /// Whether a database beyond this host is reached with at least the given mode.
    /// - Parameter least: nil when the string alone decides.
    public func satisfies(_ least: SSLMode?) -> Bool {
        guard isBeyondThisHost, let least else { return true }
        return sslMode >= least
    }

    private static func requireReadable(_ connectionString: String) throws(PostgresError) {
        let scheme = ["postgresql://", "postgres://"].first { connectionString.hasPrefix($0) }
        let readable =
            scheme == nil
            ? "it is to be a postgresql:// URI or keyword=value pairs, with values that hold spaces in single quotes"
            : "in a URI, special characters of the user, the password and the database are to be percent-encoded"
        guard !connectionString.utf8.contains(0) else { throw .invalidConnectionString(readable) }
        if let scheme {
            // libpq takes what stands before the first `@` for the user and the password, unless a `/` comes first. With
            // another one behind it, the rest of a password would be taken for a host or a database, which errors name.
            let rest = connectionString.dropFirst(scheme.count)
            let end = rest.firstIndex { $0 == "@" || $0 == "/" } ?? rest.endIndex
            let others = rest[end...].dropFirst().prefix { $0 != "?" }
            guard !others.contains("@") else { throw .invalidConnectionString(readable) }
        }
        var message: UnsafeMutablePointer<CChar>?
        let options = PQconninfoParse(connectionString, &message)
        PQfreemem(message)
        guard let options else { throw .invalidConnectionString(readable) }
        PQconninfoFree(options)
    }

    /// What is in force once libpq has added variables, service files and defaults.
    ///
    /// It does so only when it connects. A `channel_binding` that cannot be ends that before a host is looked up.
    private static func resolve(
        _ connectionString: String
    ) throws(PostgresError) -> (values: [String: String], given: Set<String>) {
        let keywords = [("dbname", connectionString), ("channel_binding", "none")]
        let connection = withCStringArrays(keywords) { PQconnectStartParams($0, $1, 1) }
        defer { PQfinish(connection) }
        guard let connection, let options = PQconninfo(connection) else {
            throw PostgresError(.connectionFailed, note: "out of memory")
        }
        defer { PQconninfoFree(options) }
        var values: [String: String] = [:]
        var given: Set<String> = []
        var option = options
        while let keyword = option.pointee.keyword.map({ String(cString: $0) }) {
            if let value = option.pointee.val.map({ String(cString: $0) }) {
                values[keyword] = value
                if value != option.pointee.compiled.map({ String(cString: $0) }) { given.insert(keyword) }
            }
            option += 1
        }
        // libpq always has one, unless it gave up before.
        guard values["sslmode"] != nil else {
            throw .invalidConnectionString("its service is not in a service file that can be read")
        }
        return (values, given)
    }

    private static func isOfThisHost(_ host: String) -> Bool {
        if host.isEmpty || host.hasPrefix("/") || host.hasPrefix("@") || host.lowercased() == "localhost" {
            return true
        }
        var four = in_addr()
        if inet_pton(AF_INET, host, &four) == 1 { return UInt32(bigEndian: four.s_addr) >> 24 == 127 }
        var six = in6_addr()
        guard inet_pton(AF_INET6, host, &six) == 1 else { return false }
        let bytes = withUnsafeBytes(of: six) { Array($0) }
        let loopback = [UInt8](repeating: 0, count: 15) + [1]
        let mapped = [UInt8](repeating: 0, count: 10) + [255, 255, 127]
        return bytes == loopback || bytes.starts(with: mapped)
    }
}

extension PostgresError {
    fileprivate static func invalidConnectionString(_ note: String) -> PostgresError {
        PostgresError(.invalidConnectionString, note: note)
    }
}
