import Leads

/// A record of a CSV file, cut out of the bytes in front.
///
/// As RFC 4180 has it: fields in quotes may hold delimiters, line ends and doubled quotes. A quote within a field that
/// does not begin with one stands for itself; lines may end in LF alone. None of the Swift packages at hand reads CSV.
enum CSVRecord {
    /// The bytes it takes with the line's end, and its fields; nil when these are not UTF-8.
    case fields([String]?, length: Int)
    case malformed(Rejection)
    /// Its end is not among the bytes.
    case incomplete

    private static let quote = UInt8(ascii: "\"")
    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")

    /// - Parameter isLast: whether nothing follows the bytes.
    init(_ bytes: UnsafeBufferPointer<UInt8>, delimiter: UInt8, isLast: Bool) {
        var fields: [String]? = []
        var index = 0
        while true {
            let field: String?
            if index < bytes.count && bytes[index] == Self.quote {
                guard let (content, end) = Self.quoted(bytes, from: index + 1, isLast: isLast) else {
                    self = isLast ? .malformed(.openQuote) : .incomplete
                    return
                }
                field = String(validating: content, as: UTF8.self)
                index = end
            } else {
                var end = index
                while end < bytes.count && bytes[end] != delimiter && bytes[end] != Self.lineFeed { end += 1 }
                guard end < bytes.count || isLast else {
                    self = .incomplete
                    return
                }
                let isEndOfLine = end == bytes.count || bytes[end] == Self.lineFeed
                let hasReturn = isEndOfLine && end > index && bytes[end - 1] == Self.carriageReturn
                let content = UnsafeBufferPointer(rebasing: bytes[index..<(hasReturn ? end - 1 : end)])
                field = String(validating: content, as: UTF8.self)
                index = end
            }
            if let field { fields?.append(field) } else { fields = nil }
            if index < bytes.count && bytes[index] == delimiter {
                index += 1
                continue
            }
            if index < bytes.count && bytes[index] == Self.carriageReturn { index += 1 }
            if index == bytes.count {
                self = isLast ? .fields(fields, length: index) : .incomplete
            } else if bytes[index] == Self.lineFeed {
                self = .fields(fields, length: index + 1)
            } else {
                self = .malformed(.textAfterQuote)
            }
            return
        }
    }

    /// The content of a field in quotes that begins at `start`, and where what follows its closing quote begins.
    private static func quoted(
        _ bytes: UnsafeBufferPointer<UInt8>, from start: Int, isLast: Bool
    ) -> (content: [UInt8], end: Int)? {
        var content: [UInt8] = []
        var start = start
        while true {
            guard let end = bytes[start...].firstIndex(of: quote) else { return nil }
            content.append(contentsOf: bytes[start..<end])
            guard end + 1 < bytes.count else { return isLast ? (content, end + 1) : nil }
            guard bytes[end + 1] == quote else { return (content, end + 1) }
            content.append(quote)
            start = end + 2
        }
    }

    /// One line of a file, with its end.
    static func line(_ fields: [String], delimiter: UInt8) -> [UInt8] {
        var line: [UInt8] = []
        for (index, field) in fields.enumerated() {
            if index > 0 { line.append(delimiter) }
            let needsQuotes = field.utf8.contains {
                $0 == quote || $0 == delimiter || $0 == lineFeed || $0 == carriageReturn
            }
            guard needsQuotes else {
                line.append(contentsOf: field.utf8)
                continue
            }
            line.append(quote)
            for byte in field.utf8 {
                if byte == quote { line.append(quote) }
                line.append(byte)
            }
            line.append(quote)
        }
        line.append(lineFeed)
        return line
    }
}

/// The first line of a CSV file.
struct CSVHeader: Equatable {
    let delimiter: UInt8
    /// Of all columns, as the file spells them.
    let columns: [String]
    /// The field of a contact that each column holds; nil for a column that is not used.
    let fields: [String?]

    /// The first of files with the lines that failed. Elsewhere columns of these names are like any others.
    static let addedColumns = ["line", "error"]

    /// Finds the delimiter by which the line has most fields of a contact.
    /// - Parameter bytes: the beginning of the file, without byte order mark.
    init(_ bytes: [UInt8], isLast: Bool, path: String) throws(ImportError) {
        var best: CSVHeader?
        for delimiter in [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")] {
            let record = bytes.withUnsafeBufferPointer { CSVRecord($0, delimiter: delimiter, isLast: isLast) }
            guard case .fields(let columns?, _) = record else { continue }
            let header = CSVHeader(delimiter: delimiter, columns: columns)
            if header.known.count > best?.known.count ?? 0 { best = header }
        }
        guard let best else { throw .unknownColumns(path: path) }
        for name in best.known where best.known.count(where: { $0 == name }) > 1 {
            throw .repeatedColumn(path: path, name: name)
        }
        self = best
    }

    private init(delimiter: UInt8, columns: [String]) {
        self.delimiter = delimiter
        self.columns = columns
        fields = columns.map { column in
            let name = column.trimmingBlanks.lowercased()
            return NewContact.fieldNames.contains(name) ? name : nil
        }
    }

    private var known: [String] { fields.compactMap(\.self) }

    private var added: Int { columns.starts(with: Self.addedColumns) ? Self.addedColumns.count : 0 }

    /// Columns whose content is not imported.
    var unused: [String] {
        zip(columns, fields).dropFirst(added).filter { $1 == nil }.map(\.0)
    }

    /// The fields of a record without those that were added when it failed before.
    func original(_ record: [String]) -> [String] {
        Array(record.dropFirst(added))
    }

    /// The members of a line of JSON without those that were added when it failed before.
    static func original(_ members: [JSONValue.Member]) -> [JSONValue.Member] {
        Array(members.dropFirst(members.map(\.name).starts(with: addedColumns) ? addedColumns.count : 0))
    }
}

extension String {
    fileprivate var trimmingBlanks: String {
        var text = self[...]
        while text.first?.isWhitespace ?? false { text.removeFirst() }
        while text.last?.isWhitespace ?? false { text.removeLast() }
        return String(text)
    }
}
