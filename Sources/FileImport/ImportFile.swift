import Glibc
import StableHash

/// The file to import, as it was when it was opened: what is appended later is not seen.
final class ImportFile: Sendable {
    enum Format: String {
        case csv, jsonl
    }

    /// What tells without reading that a file is the same.
    struct Stamp: Codable, Equatable {
        let size: Int
        let inode: UInt64
        /// In nanoseconds.
        let modified: Int
    }

    let path: String
    let format: Format
    let stamp: Stamp
    var size: Int { stamp.size }
    private let descriptor: Int32
    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    init(path: String) throws(ImportError) {
        guard let format = Format(rawValue: path.fileExtension.lowercased()) else { throw .unknownFormat(path: path) }
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .cannotRead(path: path, reason: lastError) }
        self.path = path
        self.format = format
        guard let stamp = Self.stamp(of: descriptor) else {
            close(descriptor)
            throw .cannotRead(path: path, reason: "it is no regular file")
        }
        self.stamp = stamp
    }

    deinit {
        close(descriptor)
    }

    /// Nil for what is no regular file.
    static func stamp(of descriptor: Int32) -> Stamp? {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? Stamp(status) : nil
    }

    static func stamp(of path: String) -> Stamp? {
        var status = stat()
        return stat(path, &status) == 0 ? Stamp(status) : nil
    }

    /// Whether nobody has written to it since it was opened.
    var isUnchanged: Bool { Self.stamp(of: descriptor) == stamp }

    /// Appends up to `count` bytes from `offset` on; fewer only at the end of the file.
    func read(at offset: Int, _ count: Int, into bytes: inout [UInt8]) throws(ImportError) {
        let end = min(offset + count, size)
        var offset = offset
        while offset < end {
            let left = end - offset
            let began = bytes.count
            bytes.append(contentsOf: repeatElement(0, count: left))
            let read = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress! + began, left, off_t(offset))
            }
            bytes.removeLast(left - max(read, 0))
            guard read > 0 else {
                if read < 0 && errno == EINTR { continue }
                throw .cannotRead(path: path, reason: read < 0 ? lastError : "it has become shorter")
            }
            offset += read
        }
    }

    /// Where its text begins: after a byte order mark.
    func start() throws(ImportError) -> Int {
        var first: [UInt8] = []
        try read(at: 0, 3, into: &first)
        guard !first.starts(with: [0xFF, 0xFE]), !first.starts(with: [0xFE, 0xFF]) else { throw .notUTF8(path: path) }
        return first == Self.byteOrderMark ? 3 : 0
    }

    /// That of the whole content, unless there is no more time for it.
    func fingerprint(unless isCancelled: () -> Bool) throws(ImportError) -> String {
        var fingerprint = FNV1a<UInt128>()
        var offset = 0
        var bytes: [UInt8] = []
        while offset < size && !isCancelled() {
            bytes.removeAll(keepingCapacity: true)
            try read(at: offset, 1 << 20, into: &bytes)
            fingerprint.add(bytes)
            offset += bytes.count
        }
        return fingerprint.value.digits
    }
}

extension ImportFile.Stamp {
    fileprivate init?(_ status: stat) {
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        self.init(
            size: Int(status.st_size), inode: UInt64(status.st_ino),
            modified: status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec)
    }
}

/// What the last failed system call said.
var lastError: String { String(cString: strerror(errno)) }

extension String {
    /// What follows the last point of the last component; empty when there is none.
    var fileExtension: Substring {
        let name = self[(lastIndex(of: "/").map(index(after:)) ?? startIndex)...]
        guard let point = name.lastIndex(of: "."), point > name.startIndex else { return "" }
        return name[name.index(after: point)...]
    }

    /// The path with `word` before its extension.
    func inserting(_ word: String) -> String {
        String(dropLast(fileExtension.count)) + word + "." + fileExtension
    }
}
