import Glibc
import JSON
import Leads
import StableHash

/// The file beside the imported one with the lines that failed, each with its number and the reason: in the same form,
/// so that it can be mended and imported itself. It is there once a line has failed.
///
/// People are asked to edit it, so nothing that stands there is ever removed or written over. A file that says what
/// this import writes anyway is gone on with; one that says something else gets another name first.
final class RejectedLines {
    static let word = "errors"

    /// What the import has written to it so far.
    struct Written: Codable, Equatable {
        /// In bytes.
        var length = 0
        var fingerprint = FNV1a<UInt128>().value.digits
    }

    let path: String
    private let header: CSVHeader?
    private(set) var written: Written
    private var fingerprint = FNV1a<UInt128>()
    private var descriptor: Int32 = -1
    /// Of the file, when it was last written to.
    private var stamp: ImportFile.Stamp?
    /// The names that what somebody else wrote has been given.
    private(set) var setAside: [String] = []

    /// - Parameter written: by earlier runs of the same import.
    init(for path: String, header: CSVHeader?, after written: Written) {
        self.path = path.inserting(Self.word)
        self.header = header
        self.written = written
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Returns when the lines would survive a loss of power: whoever goes on later relies on them.
    func append(_ rejected: [(record: Record, rejection: Rejection)]) throws(ImportError) {
        guard !rejected.isEmpty else { return }
        if try !isMine() { try begin() }
        var bytes: [UInt8] = []
        if written.length == 0, let header {
            bytes += CSVRecord.line(
                CSVHeader.addedColumns + header.original(header.columns), delimiter: header.delimiter)
        }
        for (record, rejection) in rejected {
            bytes += header.map { csv(record, rejection, $0) } ?? json(record, rejection)
        }
        // Whoever was killed before it could note what it had written left just that behind.
        if try !bytes.starts(with: read(at: written.length, bytes.count)) { try setAsideKeepingMine() }
        try write(bytes, at: written.length)
        guard fdatasync(descriptor) == 0 else { throw failure }
        fingerprint.add(bytes)
        written = Written(length: written.length + bytes.count, fingerprint: fingerprint.value.digits)
        stamp = ImportFile.stamp(of: descriptor)
    }

    /// Called when no line is left: what follows the last one that failed is not of this import.
    func finish() throws(ImportError) {
        guard written.length > 0, try isMine(), let size = ImportFile.stamp(of: descriptor)?.size else { return }
        if size > written.length { try setAsideKeepingMine() }
    }

    /// Whether the file begins with what this import has written; opens it.
    private func isMine() throws(ImportError) -> Bool {
        if let stamp, ImportFile.stamp(of: path) == stamp { return true }
        if descriptor >= 0 { close(descriptor) }
        descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno == ENOENT else { throw failure }
            return false
        }
        guard ImportFile.stamp(of: descriptor) != nil else {
            throw .cannotWrite(path: path, reason: "it is no regular file")
        }
        fingerprint = FNV1a<UInt128>()
        var offset = 0
        while offset < written.length {
            let bytes = try read(at: offset, min(1 << 20, written.length - offset))
            guard !bytes.isEmpty else { return false }
            fingerprint.add(bytes)
            offset += bytes.count
        }
        return fingerprint.value.digits == written.fingerprint
    }

    /// Begins anew, beside whatever has the name.
    private func begin() throws(ImportError) {
        if descriptor >= 0 {
            try giveAnotherName()
            close(descriptor)
        }
        descriptor = try create()
        written = Written()
        fingerprint = FNV1a<UInt128>()
    }

    /// Gives the file another name and goes on with a copy of what this import has written.
    private func setAsideKeepingMine() throws(ImportError) {
        try giveAnotherName()
        let other = descriptor
        defer { close(other) }
        descriptor = try create()
        var offset = 0
        while offset < written.length {
            let bytes = try read(at: offset, min(1 << 20, written.length - offset), from: other)
            guard !bytes.isEmpty else { throw .cannotRead(path: path, reason: "it has become shorter") }
            try write(bytes, at: offset)
            offset += bytes.count
        }
        stamp = nil
    }

    private func giveAnotherName() throws(ImportError) {
        var number = 1
        while access(path.inserting("\(number)"), F_OK) == 0 { number += 1 }
        let name = path.inserting("\(number)")
        guard rename(path, name) == 0 else { throw failure }
        setAside.append(name)
    }

    private func create() throws(ImportError) -> Int32 {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure }
        return descriptor
    }

    /// Up to `count` bytes; fewer at the end of the file.
    private func read(at offset: Int, _ count: Int, from other: Int32? = nil) throws(ImportError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let read = bytes.withUnsafeMutableBytes {
                pread(other ?? descriptor, $0.baseAddress! + filled, count - filled, off_t(offset + filled))
            }
            guard read > 0 else {
                if read == 0 { break }
                if errno == EINTR { continue }
                throw .cannotRead(path: path, reason: lastError)
            }
            filled += read
        }
        bytes.removeLast(count - filled)
        return bytes
    }

    private func write(_ bytes: [UInt8], at offset: Int) throws(ImportError) {
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress, $0.count, off_t(offset + written))
            }
            guard count > 0 else {
                if count < 0 && errno == EINTR { continue }
                throw failure
            }
            written += count
        }
    }

    private var failure: ImportError { .cannotWrite(path: path, reason: lastError) }

    private func csv(_ record: Record, _ rejection: Rejection, _ header: CSVHeader) -> [UInt8] {
        let original =
            switch record.original {
            case .fields(let fields): header.original(fields)
            case .text(let text): [text]
            case .object: [String]()
            }
        return CSVRecord.line(["\(record.line)", rejection.reason] + original, delimiter: header.delimiter)
    }

    private func json(_ record: Record, _ rejection: Rejection) -> [UInt8] {
        let original: [JSONValue.Member] =
            switch record.original {
            case .object(let members): CSVHeader.original(members)
            case .text(let text): [.init("text", .string(text))]
            case .fields: []
            }
        var json = JSONWriter()
        json.value(
            JSONValue.object(
                [.init("line", .integer(record.line)), .init("error", .string(rejection.reason))] + original))
        return json.bytes + [UInt8(ascii: "\n")]
    }
}
