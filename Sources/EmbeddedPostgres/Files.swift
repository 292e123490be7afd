import FoundationEssentials
import Glibc
import SystemPackage

extension FileDescriptor {
    /// The last bytes of a file, as text.
    func tail(_ limit: Int) -> String {
        guard let end = try? seek(offset: 0, from: .end) else { return "" }
        let start = max(0, end - Int64(limit))
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(end - start)) { buffer, count in
            count = (try? read(fromAbsoluteOffset: start, into: UnsafeMutableRawBufferPointer(buffer))) ?? 0
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The last bytes of the file at a path, or nil when there is none.
///
/// As root we read inside a directory that belongs to someone else, so links are not followed.
func textFile(_ path: String, last limit: Int = 64 << 10) -> String? {
    let options: FileDescriptor.OpenOptions = [.noFollow, .nonBlocking, .closeOnExec]
    guard let file = try? FileDescriptor.open(FilePath(path), .readOnly, options: options) else { return nil }
    defer { try? file.close() }
    return file.tail(limit)
}

/// Whether there is anything at a path.
func exists(_ path: String) -> Bool { status(path) != nil }

/// The owner, kind and mode of whatever is at a path, links not followed.
func status(_ path: String) -> stat? {
    var found = stat()
    return lstat(path, &found) == 0 ? found : nil
}

func isEmptyDirectory(_ path: String) -> Bool {
    (try? FileManager.default.contentsOfDirectory(atPath: path).isEmpty) ?? false
}

/// The absolute path without links in its existing part.
func resolved(_ path: String) -> String {
    let directory = FileManager.default.currentDirectoryPath
    let absolute = FilePath(directory).pushing(FilePath(path)).lexicallyNormalized()
    var existing = absolute
    var missing: [FilePath.Component] = []
    while true {
        if let real = realpath(existing.string, nil) {
            defer { free(real) }
            return missing.reversed().reduce(into: FilePath(String(cString: real))) { $0.append($1) }.string
        }
        guard let last = existing.lastComponent else { return absolute.string }
        missing.append(last)
        existing.removeLastComponent()
    }
}

extension StringProtocol {
    var trimmed: String {
        let start = drop(while: \.isWhitespace)
        return String(start.reversed().drop(while: \.isWhitespace).reversed())
    }

    func lastLines(_ count: Int) -> String {
        trimmed.split(separator: "\n").suffix(count).joined(separator: "\n")
    }
}
