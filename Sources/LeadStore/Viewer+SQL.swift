import Leads
import Postgres

/// Rights are conditions of the statements that read: what somebody may not see is not found.
extension Viewer {
    /// Which contacts it sees, as a condition on a table of contacts; nil for all of them.
    func contacts(in table: String) -> Statement? {
        var conditions: [Statement] = []
        switch reach {
        case .everything: break
        case .ownContacts(let operatorID): conditions.append("\(unsafe: table).operator_id = \(operatorID)")
        case .registered(let key):
            conditions.append(
                """
                exists (
                    select from events made
                    where made.contact_id = \(unsafe: table).id and made.kind = 'registered'
                        and made.actor_kind = 'key' and made.actor_id = \(key))
                """)
        }
        if let sourceIDs { conditions.append("\(unsafe: table).source_id = any(\(sourceIDs))") }
        guard let first = conditions.first else { return nil }
        return conditions.dropFirst().reduce(first) { "\($0) and \($1)" }
    }

    /// Which leads it sees, those with a contact that it sees, as a condition on an expression for a lead's id; nil for all.
    ///
    /// With the offset it is looked at lead by lead: made a join, it would begin with all contacts that the viewer sees.
    func leads(withID id: String) -> Statement? {
        contacts(in: "theirs").map {
            "exists (select from contacts theirs where theirs.lead_id = \(unsafe: id) and \($0) offset 0)"
        }
    }

    /// How many contacts of a lead it sees, as an expression; nil where that is how many there are.
    func contactCount(ofLead id: String) -> Statement? {
        contacts(in: "counted").map {
            "(select count(*) from contacts counted where counted.lead_id = \(unsafe: id) and \($0))"
        }
    }

    /// Which sources it sees, as a condition on an expression for a source's id; nil for all.
    func sources(withID id: String) -> Statement? {
        sourceIDs.map { "\(unsafe: id) = any(\($0))" }
    }

    /// What to ask for instead of a source: itself, or for one that it does not see, one that there never is. So nothing
    /// tells the two apart, neither a lock that somebody holds on it nor the time it takes.
    func known(sourceID: Int) -> Int { isAllowed(sourceID: sourceID) ? sourceID : 0 }

    /// - Throws: `StoreError.notAllowed` unless it sees all contacts: what cannot be told of a part of them.
    func requireAllContacts() throws(StoreError) {
        guard seesAllContacts else { throw .notAllowed }
    }

    /// - Throws: `StoreError.notAllowed` for whoever sees no more than contacts of its own.
    func requireMoreThanOwn() throws(StoreError) {
        guard reach == .everything else { throw .notAllowed }
    }
}

extension Statement {
    /// The condition with another one, where there is one.
    func and(_ condition: Statement?) -> Statement {
        condition.map { "\(self) and \($0)" } ?? self
    }
}

/// Viewers of the members of one transaction, as columns beside what they ask for.
struct ViewerColumns: Sendable {
    /// The operator whose contacts alone are seen.
    let operatorIDs: [Int?]
    /// As PostgreSQL writes an array; lists of lists of different lengths cannot be bound.
    let sourceIDs: [String?]
    /// Whether all of them see all contacts: then there is nothing to look at.
    let seeAllContacts: Bool

    /// - Parameter viewers: none that sees by who registered a contact.
    init(_ viewers: [Viewer]) {
        operatorIDs = viewers.map { if case .ownContacts(let id) = $0.reach { id } else { nil } }
        sourceIDs = viewers.map { $0.sourceIDs.map { "{\($0.map(String.init).joined(separator: ","))}" } }
        seeAllContacts = viewers.allSatisfy(\.seesAllContacts)
    }

    /// Which contacts each sees, as a condition on a table of contacts and one with these as `viewer_operator_id` and
    /// `viewer_source_ids`.
    static func contacts(in table: String, seenBy viewers: String) -> Statement {
        """
        (\(unsafe: viewers).viewer_operator_id is null
            or \(unsafe: table).operator_id = \(unsafe: viewers).viewer_operator_id)
        and (\(unsafe: viewers).viewer_source_ids is null
            or \(unsafe: table).source_id = any(\(unsafe: viewers).viewer_source_ids::bigint[]))
        """
    }
}
