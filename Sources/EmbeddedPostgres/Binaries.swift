import FoundationEssentials

/// An installation of PostgreSQL's server programs.
public struct Binaries: Sendable, Equatable {
    /// The directory that holds `initdb`, `postgres`, `pg_ctl`, `pg_isready` and `psql`.
    public let directory: String
    /// The full version, for example `15.14`.
    public let version: String

    /// The major version, which decides whether a data directory can be read.
    public var majorVersion: String { String(version.prefix(while: \.isNumber)) }

    /// Looks in LEADS_POSTGRES_BIN alone if set, else in Debian's version directories, `pg_config` and PATH.
    ///
    /// Version directories come before PATH, where a stray link to one tool may hide; among them the one that
    /// made the existing data comes first, then the highest.
    static func find(
        preferring major: String?,
        as user: ServerUser,
        environment: [String: String] = ProcessInfo.processInfo.environment,
        versions: String = "/usr/lib/postgresql"
    ) async throws(EmbeddedPostgresError) -> Binaries {
        if let chosen = environment["LEADS_POSTGRES_BIN"], !chosen.isEmpty {
            guard let found = try await Binaries(resolved(chosen), as: user) else {
                throw .binariesNotFound(searched: ["LEADS_POSTGRES_BIN=\(chosen)"])
            }
            return found
        }
        let installed = ((try? FileManager.default.contentsOfDirectory(atPath: versions)) ?? [])
            .sorted { (Double($0) ?? 0) > (Double($1) ?? 0) }
        let preferred = installed.filter { $0 == major } + installed
        for version in preferred {
            if let found = try await Binaries("\(versions)/\(version)/bin", as: user) { return found }
        }
        let path = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        if let tool = path.map({ $0 + "/pg_config" }).first(where: FileManager.default.isExecutableFile(atPath:)) {
            let directory = try await Command(tool, ["--bindir"], as: user).run().output
            if let found = try await Binaries(directory, as: user) { return found }
        }
        for directory in path {
            if let found = try await Binaries(directory, as: user) { return found }
        }
        throw .binariesNotFound(searched: ["\(versions)/*/bin", "pg_config --bindir", "PATH"])
    }

    private init?(_ directory: String, as user: ServerUser) async throws(EmbeddedPostgresError) {
        let tools = ["initdb", "postgres", "pg_ctl", "pg_isready", "psql"]
        guard tools.allSatisfy({ FileManager.default.isExecutableFile(atPath: "\(directory)/\($0)") }) else {
            return nil
        }
        // For example: postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)
        let words = try await Command(directory + "/postgres", ["--version"], as: user).succeed().split(separator: " ")
        guard let version = words.first(where: { $0.first?.isNumber == true }) else { return nil }
        self.directory = directory
        self.version = String(version)
    }

    func tool(_ name: String) -> String { "\(directory)/\(name)" }
}
