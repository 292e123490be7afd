import API
import Glibc
import Leads

/// The file beside the imported one with the lines that failed, each with its number and the reason: in the same form,
/// so that it can be mended and imported itself. It is there once a line has failed.
final class RejectedLines {
    static let word = "errors"
    let path: String
    private let header: CSVHeader?
    private var descriptor: Int32 = -1
    private(set) var length: Int

    /// - Parameter length: how much of the file is to be kept.
    init(for path: String, header: CSVHeader?, keeping length: Int) throws(ImportError) {
        self.path = path.inserting(Self.word)
        self.header = header
        self.length = length
        if length > 0 { try openFile() } else { unlink(self.path) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    func append(_ rejected: [(record: Record, rejection: Rejection)]) throws(ImportError) {
        guard !rejected.isEmpty else { return }
        var bytes: [UInt8] = []
        if length == 0 {
            try openFile()
            if let header {
                bytes += CSVRecord.line(
                    CSVHeader.addedColumns + header.original(header.columns), delimiter: header.delimiter)
            }
        }
        for (record, rejection) in rejected {
            bytes += header.map { csv(record, rejection, $0) } ?? json(record, rejection)
        }
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress, $0.count, off_t(length + written))
            }
            guard count > 0 else { throw .cannotWrite(path: path, reason: lastError) }
            written += count
        }
        length += bytes.count
    }

    private func openFile() throws(ImportError) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0, ftruncate(descriptor, off_t(length)) == 0 else {
            throw .cannotWrite(path: path, reason: lastError)
        }
    }

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
            case .object(let members): members.filter { !CSVHeader.addedColumns.contains($0.name) }
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
