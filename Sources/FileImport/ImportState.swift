import Foundation
import Glibc

/// How far an import has come, and what became of the lines until there.
struct ImportState: Codable, Equatable {
    var stamp: ImportFile.Stamp
    var fingerprint: String
    /// Of lines that name no source.
    var sourceID: Int?
    /// Where the next line begins.
    var offset: Int
    var line: Int
    var counts = ImportCounts()
    /// Of the file with the lines that failed.
    var rejected = RejectedLines.Written()
    /// The last contact stored: by it a database shows that it is the one imported into.
    var lastEvent: Event?
    var isFinished = false

    struct Event: Codable, Equatable {
        let sourceID: Int
        let id: String
    }
}

/// What became of the lines of a file.
public struct ImportCounts: Codable, Equatable, Sendable {
    /// Contacts made by this import: of those, how many got an operator at once.
    public internal(set) var registered = 0
    public internal(set) var placed = 0
    /// Lines whose contact was there already.
    public internal(set) var repeated = 0
    public internal(set) var failed = 0
    /// Lines that came without an event id of their source.
    public internal(set) var unnumbered = 0

    public var lines: Int { registered + repeated + failed }
}

/// The file beside the imported one that tells where to go on. Locked while an import runs.
final class StateFile {
    static let suffix = ".progress"
    let path: String
    private let descriptor: Int32
    /// One page, so that a write is done whole or not at all, whenever the process is killed.
    private static let length = 4096

    /// - Throws: `inUse` while another process has it.
    init(for path: String) throws(ImportError) {
        self.path = path + Self.suffix
        descriptor = open(self.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .cannotWrite(path: self.path, reason: lastError) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw .inUse(path: path)
        }
    }

    deinit {
        close(descriptor)
    }

    /// What was stored last; nil when that is nothing, or nothing that can be read.
    func load() -> ImportState? {
        var bytes = [UInt8](repeating: 0, count: Self.length)
        let count = pread(descriptor, &bytes, Self.length, 0)
        guard count == Self.length else { return nil }
        return try? JSONDecoder().decode(ImportState.self, from: Data(bytes))
    }

    func store(_ state: ImportState) throws(ImportError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard var bytes = try? Array(encoder.encode(state)), bytes.count < Self.length else {
            throw .cannotWrite(path: path, reason: "it would be too long")
        }
        bytes += [UInt8](repeating: UInt8(ascii: " "), count: Self.length - bytes.count - 1) + [UInt8(ascii: "\n")]
        guard pwrite(descriptor, bytes, bytes.count, 0) == bytes.count else {
            throw .cannotWrite(path: path, reason: lastError)
        }
    }
}
