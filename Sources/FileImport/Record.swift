import JSON
import Leads

/// One line of a file, or several where a field in quotes spans them.
struct Record {
    /// What stood there, as far as it could be read, to be repeated beside the reason why it failed.
    enum Original {
        case fields([String])
        case object([JSONValue.Member])
        case text(String)
    }

    /// Of its first line, counted from 1.
    let line: Int
    let original: Original
    let content: Result<[JSONValue.Member], Rejection>
}

/// Why a line is not imported: in words that repeat nothing of it.
struct Rejection: Error, Equatable {
    let reason: String

    static let openQuote = Rejection(reason: "a quote is opened and not closed")
    static let textAfterQuote = Rejection(reason: "text follows a closing quote")
    static let tooLong = Rejection(reason: "it is longer than 1 MiB")
    static let tooLongInQuotes = Rejection(reason: "it is longer than 1 MiB: is a quote opened and not closed?")
    static let notUTF8 = Rejection(reason: "it is not UTF-8")
    static let notAnObject = Rejection(reason: "it is no JSON object")
    static let unknownSource = Rejection(reason: "source_id: there is no such source")

    static func columns(_ found: Int, of expected: Int) -> Rejection {
        Rejection(reason: "it has \(found) column\(found == 1 ? "" : "s") and the header \(expected)")
    }

    static func notJSON(_ failure: JSONParser.Failure) -> Rejection {
        Rejection(reason: "it is no JSON: \(failure.reason.rawValue), at character \(failure.position + 1)")
    }

    static func faults(_ failure: ValidationFailure) -> Rejection {
        let reasons = failure.faults.map { fault in
            let steps = fault.location.dropFirst().map { step in
                switch step {
                case .field(let name): name
                case .index(let index): "\(index)"
                }
            }
            return "\(steps.joined(separator: ".")): \(fault.message)"
        }
        return Rejection(reason: reasons.joined(separator: "; "))
    }
}

extension NewContact {
    /// What a line of a file may say of a contact.
    static let fieldNames = Fields.describe { NewContact(&$0) }.map(\.name)
}
