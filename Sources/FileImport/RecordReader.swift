import JSON
import Leads

/// Cuts a file into records, of which it never holds more than a piece.
struct RecordReader {
    /// How long a record may be.
    static let longestRecord = 1 << 20

    let header: CSVHeader?
    /// Where the next record begins.
    private(set) var offset: Int
    private(set) var line: Int
    private let file: ImportFile
    /// What has been read from `offset` on, beginning at `start`.
    private var bytes: [UInt8] = []
    private var start = 0
    static let pieceSize = 1 << 18
    private static let lineFeed = UInt8(ascii: "\n")

    /// Reads from the first record on.
    init(_ file: ImportFile) throws(ImportError) {
        self.file = file
        offset = try file.start()
        line = 1
        guard file.format == .csv else {
            header = nil
            return
        }
        var first: [UInt8] = []
        try file.read(at: offset, Self.longestRecord, into: &first)
        let header = try CSVHeader(first, isLast: offset + first.count == file.size, path: file.path)
        let isLast = offset + first.count == file.size
        let record = first.withUnsafeBufferPointer { CSVRecord($0, delimiter: header.delimiter, isLast: isLast) }
        self.header = header
        guard case .fields(_, let length) = record else { throw .unknownColumns(path: file.path) }
        line += first[..<length].count { $0 == Self.lineFeed }
        offset += length
    }

    /// How many bytes of the file are in memory.
    var held: Int { bytes.count }

    /// One that goes on where another of the same file had come to.
    func skipping(to offset: Int, line: Int) -> RecordReader {
        var reader = self
        reader.offset = offset
        reader.line = line
        reader.bytes = []
        reader.start = 0
        return reader
    }

    private enum Cut {
        case record(Record.Original, Result<[JSONValue.Member], Rejection>, length: Int)
        case blank(length: Int)
        case malformed(Rejection)
        case incomplete
    }

    /// The next record; nil at the end of the file.
    mutating func next() throws(ImportError) -> Record? {
        while offset < file.size {
            switch bytes.withUnsafeBufferPointer({ cut(UnsafeBufferPointer(rebasing: $0[start...])) }) {
            case .record(let original, let content, let length):
                defer { consume(length) }
                return Record(line: line, original: original, content: content)
            case .blank(let length):
                consume(length)
            case .malformed(let rejection):
                return try rejectLine(rejection)
            case .incomplete where bytes.count - start > Self.longestRecord:
                // A line of a table ends where it ends, but within quotes.
                let isInQuotes = header != nil && bytes[start...].contains(Self.lineFeed)
                return try rejectLine(isInQuotes ? .tooLongInQuotes : .tooLong)
            case .incomplete:
                try readOn()
            }
        }
        return nil
    }

    private var isLast: Bool { offset + bytes.count - start == file.size }

    private mutating func readOn() throws(ImportError) {
        bytes.removeFirst(start)
        start = 0
        try file.read(at: offset + bytes.count, Self.pieceSize, into: &bytes)
    }

    private mutating func consume(_ length: Int) {
        line += bytes[start..<start + length].count { $0 == Self.lineFeed }
        start += length
        offset += length
    }

    /// Gives up one line, so that a quote too many does not swallow those that follow.
    private mutating func rejectLine(_ rejection: Rejection) throws(ImportError) -> Record {
        let number = line
        var text: [UInt8]?
        while true {
            if let end = bytes[start...].firstIndex(of: Self.lineFeed) {
                text = text ?? Array(bytes[start..<end])
                consume(end + 1 - start)
                break
            }
            if isLast {
                text = text ?? Array(bytes[start...])
                consume(bytes.count - start)
                break
            }
            // A line that does not end is not kept.
            if bytes.count - start > Self.longestRecord {
                text = []
                consume(bytes.count - start)
            }
            try readOn()
        }
        return Record(
            line: number, original: .text(String(decoding: text ?? [], as: UTF8.self)), content: .failure(rejection))
    }

    private func cut(_ bytes: UnsafeBufferPointer<UInt8>) -> Cut {
        if let header { cutCSV(bytes, header) } else { cutJSON(bytes) }
    }

    private func cutCSV(_ bytes: UnsafeBufferPointer<UInt8>, _ header: CSVHeader) -> Cut {
        switch CSVRecord(bytes, delimiter: header.delimiter, isLast: isLast) {
        case .incomplete:
            return .incomplete
        case .malformed(let rejection):
            return .malformed(rejection)
        case .fields(nil, let length):
            let text = String(decoding: bytes[..<length], as: UTF8.self)
            return .record(.text(text), .failure(.notUTF8), length: length)
        case .fields([""]?, let length):
            return .blank(length: length)
        case .fields(let fields?, let length):
            guard fields.count == header.columns.count else {
                let rejection = Rejection.columns(fields.count, of: header.columns.count)
                return .record(.fields(fields), .failure(rejection), length: length)
            }
            var members: [JSONValue.Member] = []
            for (name, field) in zip(header.fields, fields) {
                // What is empty in a table is not there.
                if let name, !field.isEmpty { members.append(.init(name, .string(field))) }
            }
            return .record(.fields(fields), .success(members), length: length)
        }
    }

    private func cutJSON(_ bytes: UnsafeBufferPointer<UInt8>) -> Cut {
        let end = bytes.firstIndex(of: Self.lineFeed)
        guard end != nil || isLast else { return .incomplete }
        let line = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<(end ?? bytes.count)])
        let length = end.map { $0 + 1 } ?? bytes.count
        guard line.contains(where: { $0 > UInt8(ascii: " ") }) else { return .blank(length: length) }
        guard length <= Self.longestRecord else { return .malformed(.tooLong) }
        do throws(JSONParser.Failure) {
            guard case .object(let members) = try JSONParser.parse(line) else {
                return .record(
                    .text(String(decoding: line, as: UTF8.self)), .failure(.notAnObject), length: length)
            }
            return .record(.object(members), .success(members), length: length)
        } catch {
            let rejection = error.reason == .invalidUTF8 ? Rejection.notUTF8 : .notJSON(error)
            return .record(.text(String(decoding: line, as: UTF8.self)), .failure(rejection), length: length)
        }
    }
}
