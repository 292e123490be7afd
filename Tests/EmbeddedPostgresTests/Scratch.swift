import FoundationEssentials
import Glibc
import Synchronization
import Testing

@testable import EmbeddedPostgres

/// A temporary directory everyone can reach, and the servers a test started in it.
final class Scratch: Sendable {
    let path: String
    private let clusters = Mutex<[Cluster]>([])
    private let lines = Mutex<[String]>([])

    /// What the clusters reported so far.
    var progress: [String] { lines.withLock { $0 } }

    private init() {
        path = "/tmp/embedded-\(UInt32.random(in: 0 ... .max))"
        mkdir(path, 0o755)
        chmod(path, 0o755)
    }

    static func with(_ test: (Scratch) async throws -> Void) async throws {
        let scratch = Scratch()
        let result: Result<Void, any Error>
        do { result = .success(try await test(scratch)) } catch { result = .failure(error) }
        for cluster in scratch.clusters.withLock({ $0 }) {
            try await cluster.crash()
            await cluster.abandon()
            if !cluster.socketDirectory.hasPrefix(scratch.path) {
                try FileManager.default.removeItem(atPath: cluster.socketDirectory)
            }
        }
        try FileManager.default.removeItem(atPath: scratch.path)
        try result.get()
    }

    func configuration(
        _ name: String = "cluster",
        _ change: (inout Cluster.Configuration) -> Void = { _ in }
    ) -> Cluster.Configuration {
        var configuration = Cluster.Configuration(directory: "\(path)/\(name)")
        configuration.durability = .throwaway
        configuration.progress = { line in self.lines.withLock { $0.append(line) } }
        change(&configuration)
        return configuration
    }

    func start(_ configuration: Cluster.Configuration) async throws -> Cluster {
        let cluster = try await Cluster.start(configuration)
        clusters.withLock { $0.append(cluster) }
        return cluster
    }

    /// A directory prepared for a cluster, with whatever a script run by its owner puts there.
    func directory(_ name: String = "cluster", containing script: String) async throws -> ClusterDirectory {
        let directory = try await ClusterDirectory.prepare(configuration(name))
        try await Command(script: #"cd -- "$1" && \#(script)"#, [directory.path], as: directory.owner).succeed()
        return directory
    }
}

extension Cluster {
    @discardableResult
    nonisolated func query(_ sql: String) async throws -> String {
        try await shell(#"exec "$1" -XAtqw -c "$2" "$3""#, binaries.tool("psql"), sql, connectionString)
    }

    @discardableResult
    nonisolated func shell(_ script: String, _ arguments: String...) async throws -> String {
        let owner = try ServerUser.choose(owner: status(directory)?.st_uid)
        return try await Command(script: script, arguments, as: owner).succeed()
    }

    nonisolated var postmasterFile: PostmasterFile? { PostmasterFile(data: directory + "/data") }
}

/// The error a start ends with.
func failure(of start: () async throws -> Cluster) async throws -> EmbeddedPostgresError {
    try #require(await #expect(throws: EmbeddedPostgresError.self) { _ = try await start() })
}
