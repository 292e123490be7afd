import Leads
import Postgres

/// Finds or makes the lead of each contact in a batch, under the rules of one person, one lead.
///
/// Pure: it is given what the database holds under the locks, and tells what to write. A match by a weaker key is not
/// believed when both sides have an external id and they differ (two people sharing a phone): that makes a new lead and
/// a possible duplicate. Keys that match different leads: the strongest wins and the pair is flagged. Nothing is merged.
struct LeadMatching {
    struct KnownLead {
        /// As it will be when the batch is stored.
        fileprivate(set) var lead: Lead
        var externalIDs: Set<String> = []
        fileprivate var state = State.known

        fileprivate enum State {
            case known
            case filled
            case new
        }

        init(_ lead: Lead) {
            self.lead = lead
        }
    }

    /// Two leads that may be one person.
    struct Pair: Hashable {
        let leadID: Int
        let otherLeadID: Int
    }

    private var owners: [LeadIdentity: Int]
    private var leads: [Int: KnownLead]
    private(set) var newIdentities: [(identity: LeadIdentity, leadID: Int)] = []
    /// With the key each pair was first found to share.
    private(set) var possibleDuplicates: [Pair: IdentityKind] = [:]

    init(owners: [LeadIdentity: Int], leads: [Int: KnownLead]) {
        self.owners = owners
        self.leads = leads
    }

    /// The known leads whose external ids `note(externalID:of:)` must be told before contacts with these keys are matched.
    ///
    /// All of them as soon as an external id that nobody has comes with a weaker key: an earlier contact may give that key to
    /// any of them.
    func leadsInQuestion(by keys: [[LeadIdentity]]) -> Set<Int> {
        let isUnknown = keys.contains { keys in
            keys.count > 1 && keys.contains { $0.kind == .externalID && owners[$0] == nil }
        }
        return isUnknown ? Set(leads.keys) : []
    }

    mutating func note(externalID: String, of leadID: Int) {
        leads[leadID]?.externalIDs.insert(externalID)
    }

    /// Returns the id of the contact's lead.
    /// - Parameters:
    ///   - freshID: the id to use if a lead has to be made.
    ///   - time: when the contact is registered.
    mutating func lead(of contact: NewContact, keys: [LeadIdentity], freshID: Int, at time: Timestamp) -> Int {
        let externalID = keys.first { $0.kind == .externalID }?.value
        var chosen: Int?
        var others: [(leadID: Int, kind: IdentityKind)] = []
        for key in keys {
            guard let owner = owners[key] else { continue }
            if chosen == nil && !contradicts(key, owner: owner, externalID: externalID) {
                chosen = owner
            } else if owner != chosen {
                others.append((owner, key.kind))
            }
        }
        let id = chosen ?? freshID
        if chosen == nil { leads[id] = KnownLead(new: id, at: time) }
        leads[id]?.take(contact, at: time)
        for key in keys where owners[key] == nil {
            owners[key] = id
            newIdentities.append((key, id))
            if key.kind == .externalID { leads[id]?.externalIDs.insert(key.value) }
        }
        for other in others where other.leadID != id {
            let pair = Pair(leadID: min(id, other.leadID), otherLeadID: max(id, other.leadID))
            possibleDuplicates[pair] = possibleDuplicates[pair] ?? other.kind
        }
        return id
    }

    private func contradicts(_ key: LeadIdentity, owner: Int, externalID: String?) -> Bool {
        guard key.kind != .externalID, let externalID, let known = leads[owner]?.externalIDs, !known.isEmpty else {
            return false
        }
        return !known.contains(externalID)
    }

    /// A lead as it will be when the batch is stored.
    func lead(_ id: Int) -> Lead? { leads[id]?.lead }

    /// The leads that have to be made, in order of id.
    var newLeads: [Lead] { leads(.new) }

    /// The known leads that were given something they had not, in order of id.
    var filledLeads: [Lead] { leads(.filled) }

    private func leads(_ state: KnownLead.State) -> [Lead] {
        leads.values.lazy.filter { $0.state == state }.map(\.lead).sorted { $0.id < $1.id }
    }

    /// What stores the leads that are new or were given something, and the new identities.
    var leadStatements: [Statement] {
        var statements: [Statement] = []
        let new = newLeads
        let filled = filledLeads
        if !new.isEmpty {
            statements.append(
                """
                insert into leads (id, external_id, phone, email, name, created_at)
                overriding system value
                select * from unnest(
                    \(new.map(\.id)), \(new.map(\.externalID)), \(new.map(\.phone)), \(new.map(\.email)),
                    \(new.map(\.name)), \(new.map(\.createdAt)))
                """)
        }
        if !filled.isEmpty {
            statements.append(
                """
                update leads l
                set external_id = f.external_id, phone = f.phone, email = f.email, name = f.name,
                    updated_at = f.updated_at
                from unnest(
                    \(filled.map(\.id)), \(filled.map(\.externalID)), \(filled.map(\.phone)),
                    \(filled.map(\.email)), \(filled.map(\.name)), \(filled.map(\.updatedAt)))
                    as f (id, external_id, phone, email, name, updated_at)
                where l.id = f.id
                """)
        }
        if !newIdentities.isEmpty {
            statements.append(
                """
                insert into lead_identities (kind, value, lead_id)
                select i.kind::identity_kind, i.value, i.lead_id
                from unnest(
                    \(newIdentities.map(\.identity.kind.rawValue)), \(newIdentities.map(\.identity.value)),
                    \(newIdentities.map(\.leadID))) as i (kind, value, lead_id)
                """)
        }
        return statements
    }

    /// What stores the pairs to look at. Last of all, because a merge locks their table after the contacts it moves.
    var duplicateStatements: [Statement] {
        guard !possibleDuplicates.isEmpty else { return [] }
        let pairs = possibleDuplicates.map { (leadID: $0.leadID, otherLeadID: $0.otherLeadID, kind: $1) }
            .sorted { ($0.leadID, $0.otherLeadID) < ($1.leadID, $1.otherLeadID) }
        return [
            """
            insert into possible_duplicates (lead_id, other_lead_id, kind)
            select d.lead_id, d.other_lead_id, d.kind::identity_kind
            from unnest(\(pairs.map(\.leadID)), \(pairs.map(\.otherLeadID)), \(pairs.map(\.kind.rawValue)))
                as d (lead_id, other_lead_id, kind)
            on conflict do nothing
            """
        ]
    }
}

extension LeadMatching.KnownLead {
    fileprivate init(new id: Int, at time: Timestamp) {
        self.init(
            Lead(
                id: id, externalID: nil, phone: nil, email: nil, name: nil, createdAt: time, updatedAt: nil,
                contactCount: 0))
        state = .new
    }

    /// Counts a contact of the lead, and fills what was empty with what the contact says.
    fileprivate mutating func take(_ contact: NewContact, at time: Timestamp) {
        let old = lead
        let isFilled =
            (old.externalID == nil && contact.leadExternalID != nil) || (old.phone == nil && contact.leadPhone != nil)
            || (old.email == nil && contact.leadEmail != nil) || (old.name == nil && contact.leadName != nil)
        if isFilled && state == .known { state = .filled }
        lead = Lead(
            id: old.id, externalID: old.externalID ?? contact.leadExternalID, phone: old.phone ?? contact.leadPhone,
            email: old.email ?? contact.leadEmail, name: old.name ?? contact.leadName, createdAt: old.createdAt,
            updatedAt: isFilled && state == .filled ? time : old.updatedAt, contactCount: old.contactCount + 1)
    }
}
