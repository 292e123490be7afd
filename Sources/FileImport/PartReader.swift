import Identity
import LeadStore
import Leads

/// Reads the contacts of a file in parts, apart from whoever stores them: one is read while another is being stored.
actor PartReader {
    /// Some lines that follow each other.
    struct Part: Sendable {
        struct Line: Sendable {
            let record: Record
            let outcome: Result<Intake.Request, Rejection>
        }

        var lines: [Line] = []
        /// How many came without an event id of their source.
        var unnumbered = 0
        /// Where the line after them begins.
        var end = 0
        var nextLine = 0
    }

    private var records: RecordReader
    /// The source of lines that name none.
    private let sourceID: Int?
    private let phoneRegion: PhoneRegion
    private let fingerprint: String
    private let actor: Actor

    init(_ records: RecordReader, sourceID: Int?, phoneRegion: PhoneRegion, fingerprint: String, actor: Actor) {
        self.records = records
        self.sourceID = sourceID
        self.phoneRegion = phoneRegion
        self.fingerprint = fingerprint
        self.actor = actor
    }

    /// How many bytes of lines are held at once, beside the last of them.
    private static let largestPart = 2 << 20

    /// The next lines, at most so many; none at the end of the file.
    func next(_ count: Int) throws(ImportError) -> Part {
        var part = Part()
        part.lines.reserveCapacity(count)
        let start = records.offset
        while part.lines.count < count, records.offset - start < Self.largestPart, let record = try records.next() {
            let outcome = request(record, &part)
            part.lines.append(Part.Line(record: record, outcome: outcome))
        }
        part.end = records.offset
        part.nextLine = records.line
        return part
    }

    private func request(_ record: Record, _ part: inout Part) -> Result<Intake.Request, Rejection> {
        do throws(Rejection) {
            var members = try record.content.get()
            if let sourceID, members.allSatisfy({ $0.name != "source_id" || $0.value == .null }) {
                members.append(.init("source_id", .integer(sourceID)))
            }
            var contact = try read(.object(members))
            if contact.sourceEventID == nil {
                part.unnumbered += 1
                contact.sourceEventID = "\(Intake.Request.importPrefix)\(fingerprint):\(record.line)"
            }
            let keys = LeadKeys(
                externalID: contact.leadExternalID, phone: contact.leadPhone, email: contact.leadEmail,
                region: phoneRegion)
            return .success(Intake.Request(contact: contact, keys: keys.identities, for: .everything, by: actor))
        } catch {
            return .failure(error)
        }
    }

    private func read(_ json: JSONValue) throws(Rejection) -> NewContact {
        do throws(ValidationFailure) { return try Fields.decode(json) { NewContact(&$0) } } catch {
            throw .faults(error)
        }
    }
}

extension Intake.Request {
    /// How event ids begin that are made of a file's content and the number of a line.
    fileprivate static let importPrefix = "import:"

    var isNumberedByImport: Bool { contact.sourceEventID?.hasPrefix(Self.importPrefix) ?? false }
}
