import Leads

/// Why an import cannot begin or go on. Says nothing of what stands in the file.
public enum ImportError: Error, Equatable, CustomStringConvertible {
    /// The name tells neither CSV nor JSON lines.
    case unknownFormat(path: String)
    case cannotRead(path: String, reason: String)
    case cannotWrite(path: String, reason: String)
    case notUTF8(path: String)
    /// The header of a CSV file has no field of a contact.
    case unknownColumns(path: String)
    case repeatedColumn(path: String, name: String)
    /// Another process imports the same file.
    case inUse(path: String)
    /// Its lines have been imported, and the file is another one since.
    case changed(path: String, errors: String)
    case databaseAway(reason: String)
    /// The database could not store some lines, however often it was asked.
    case notStored(lines: ClosedRange<Int>, reason: String)

    /// Whether whoever called has to do something else, not again.
    public var isMisuse: Bool {
        switch self {
        case .unknownFormat, .notUTF8, .unknownColumns, .repeatedColumn, .changed: true
        case .cannotRead, .cannotWrite, .inUse, .databaseAway, .notStored: false
        }
    }

    public var description: String {
        switch self {
        case .unknownFormat(let path):
            "\(path) must be named .csv, or .jsonl for a JSON object a line"
        case .cannotRead(let path, let reason):
            "\(path) cannot be read: \(reason)"
        case .cannotWrite(let path, let reason):
            "\(path) cannot be written: \(reason)"
        case .notUTF8(let path):
            "\(path) is UTF-16: save it as UTF-8"
        case .unknownColumns(let path):
            "the first line of \(path) has to name the columns, with names out of: "
                + NewContact.fieldNames.joined(separator: ", ")
        case .repeatedColumn(let path, let name):
            "\(path) has two columns \(name)"
        case .inUse(let path):
            "\(path) is being imported by another process"
        case .changed(let path, let errors):
            """
            \(path) has been imported, and has changed since. Lines without source_event_id would be registered once more. \
            Lines that failed are in \(errors): mend and import that. To import all of the changed file, use --anew
            """
        case .databaseAway(let reason):
            "the database does not answer: \(reason)"
        case .notStored(let lines, let reason):
            "the lines \(lines.lowerBound) to \(lines.upperBound) could not be stored: \(reason)"
        }
    }
}
