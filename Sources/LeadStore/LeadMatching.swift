import Leads

/// Finds or makes the lead of each contact in a batch, under the rules of one person, one lead.
///
/// Pure: it is given what the database holds under the locks, and tells what to write. A match by a weaker key is not
/// believed when both sides have an external id and they differ (two people sharing a phone): that makes a new lead and
/// a possible duplicate. Keys that match different leads: the strongest wins and the pair is flagged. Nothing is merged.
struct LeadMatching {
    struct KnownLead {
        var externalIDs: Set<String>
        var hasExternalID: Bool
        var hasPhone: Bool
        var hasEmail: Bool
        var hasName: Bool
    }

    struct NewLead {
        let id: Int
        let externalID: String?
        let phone: String?
        let email: String?
        let name: String?
        let createdAt: Timestamp
    }

    /// Fields that were empty and were given this time.
    struct Filling {
        let leadID: Int
        let externalID: String?
        let phone: String?
        let email: String?
        let name: String?
    }

    struct PossibleDuplicate: Hashable {
        let leadID: Int
        let otherLeadID: Int
        let kind: IdentityKind
    }

    private var owners: [LeadIdentity: Int]
    private var leads: [Int: KnownLead]
    private(set) var newLeads: [NewLead] = []
    private(set) var fillings: [Filling] = []
    private(set) var newIdentities: [(identity: LeadIdentity, leadID: Int)] = []
    private(set) var possibleDuplicates: Set<PossibleDuplicate> = []

    init(owners: [LeadIdentity: Int], leads: [Int: KnownLead]) {
        self.owners = owners
        self.leads = leads
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
        if chosen == nil { make(contact, id: id, at: time) } else { fill(id, from: contact) }
        for key in keys where owners[key] == nil {
            owners[key] = id
            newIdentities.append((key, id))
            if key.kind == .externalID { leads[id]?.externalIDs.insert(key.value) }
        }
        for other in others where other.leadID != id {
            possibleDuplicates.insert(
                PossibleDuplicate(
                    leadID: min(id, other.leadID), otherLeadID: max(id, other.leadID), kind: other.kind))
        }
        return id
    }

    private func contradicts(_ key: LeadIdentity, owner: Int, externalID: String?) -> Bool {
        guard key.kind != .externalID, let externalID, let known = leads[owner]?.externalIDs, !known.isEmpty else {
            return false
        }
        return !known.contains(externalID)
    }

    private mutating func make(_ contact: NewContact, id: Int, at time: Timestamp) {
        newLeads.append(
            NewLead(
                id: id, externalID: contact.leadExternalID, phone: contact.leadPhone, email: contact.leadEmail,
                name: contact.leadName, createdAt: time))
        leads[id] = KnownLead(
            externalIDs: [], hasExternalID: contact.leadExternalID != nil, hasPhone: contact.leadPhone != nil,
            hasEmail: contact.leadEmail != nil, hasName: contact.leadName != nil)
    }

    private mutating func fill(_ id: Int, from contact: NewContact) {
        guard var lead = leads[id] else { return }
        let filling = Filling(
            leadID: id,
            externalID: lead.hasExternalID ? nil : contact.leadExternalID,
            phone: lead.hasPhone ? nil : contact.leadPhone,
            email: lead.hasEmail ? nil : contact.leadEmail,
            name: lead.hasName ? nil : contact.leadName)
        guard filling.externalID != nil || filling.phone != nil || filling.email != nil || filling.name != nil else {
            return
        }
        lead.hasExternalID = lead.hasExternalID || filling.externalID != nil
        lead.hasPhone = lead.hasPhone || filling.phone != nil
        lead.hasEmail = lead.hasEmail || filling.email != nil
        lead.hasName = lead.hasName || filling.name != nil
        leads[id] = lead
        fillings.append(filling)
    }
}
