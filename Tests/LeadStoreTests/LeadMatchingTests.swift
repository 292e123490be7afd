import Leads
import Testing

@testable import LeadStore

struct LeadMatchingTests {
    private let external = LeadIdentity(kind: .externalID, value: "x")
    private let otherExternal = LeadIdentity(kind: .externalID, value: "y")
    private let phone = LeadIdentity(kind: .phone, value: "+79001234567")
    private let email = LeadIdentity(kind: .email, value: "a@b.c")
    private let time = Timestamp(microseconds: 0)

    private func known(_ id: Int = 1, externalIDs: Set<String> = [], hasPhone: Bool = true) -> LeadMatching.KnownLead {
        var known = LeadMatching.KnownLead(
            Lead(
                id: id, externalID: externalIDs.first, phone: hasPhone ? "+79001234567" : nil, email: nil, name: nil,
                createdAt: time, updatedAt: nil, contactCount: 1))
        known.externalIDs = externalIDs
        return known
    }

    @Test func `no keys make a lead of its own each time`() {
        var matching = LeadMatching(owners: [:], leads: [:])
        #expect(matching.lead(of: NewContact(sourceID: 1), keys: [], freshID: 5, at: time) == 5)
        #expect(matching.lead(of: NewContact(sourceID: 1), keys: [], freshID: 6, at: time) == 6)
        #expect(matching.newLeads.map(\.id) == [5, 6])
    }

    @Test func `members of one batch find each other`() {
        var matching = LeadMatching(owners: [:], leads: [:])
        let contact = NewContact(sourceID: 1)
        #expect(matching.lead(of: contact, keys: [phone], freshID: 5, at: time) == 5)
        #expect(matching.lead(of: contact, keys: [phone, email], freshID: 6, at: time) == 5)
        #expect(matching.lead(of: contact, keys: [email], freshID: 7, at: time) == 5)
        #expect(matching.newLeads.map(\.contactCount) == [3])
        #expect(matching.newIdentities.map(\.identity) == [phone, email])
    }

    @Test func `a shared phone is not believed when both external ids are known and differ`() {
        var matching = LeadMatching(owners: [phone: 1, external: 1], leads: [1: known(externalIDs: ["x"])])
        #expect(
            matching.lead(of: NewContact(sourceID: 1), keys: [otherExternal, phone], freshID: 5, at: time) == 5)
        #expect(
            matching.possibleDuplicates == [.init(leadID: 1, otherLeadID: 5): .phone])
        // The phone stays with its first owner; the new lead is found by its own id.
        #expect(matching.newIdentities.map(\.identity) == [otherExternal])
        #expect(matching.lead(of: NewContact(sourceID: 1), keys: [otherExternal], freshID: 6, at: time) == 5)
    }

    @Test func `a phone brings an external id to a lead that had none`() {
        var matching = LeadMatching(owners: [phone: 1], leads: [1: known()])
        let contact = NewContact(sourceID: 1, leadExternalID: " x ", leadName: "Anna")
        #expect(matching.lead(of: contact, keys: [external, phone], freshID: 5, at: time) == 1)
        #expect(matching.filledLeads.map(\.externalID) == [" x "])
        #expect(matching.filledLeads.map(\.name) == ["Anna"])
        #expect(matching.newIdentities.map(\.identity) == [external])
        // From here on the lead has an external id, also for the rest of the batch.
        #expect(matching.lead(of: NewContact(sourceID: 1), keys: [otherExternal, phone], freshID: 6, at: time) == 6)
    }

    @Test func `keys of two leads: the stronger wins and the pair is flagged`() {
        var matching = LeadMatching(
            owners: [phone: 2, email: 1], leads: [1: known(), 2: known(2)])
        #expect(matching.lead(of: NewContact(sourceID: 1), keys: [phone, email], freshID: 5, at: time) == 2)
        #expect(matching.possibleDuplicates == [.init(leadID: 1, otherLeadID: 2): .email])
        #expect(matching.newLeads.isEmpty && matching.newIdentities.isEmpty)
    }

    @Test func `fields that were given already are never overwritten`() {
        var matching = LeadMatching(owners: [phone: 1], leads: [1: known(hasPhone: true)])
        _ = matching.lead(
            of: NewContact(sourceID: 1, leadPhone: "another"), keys: [phone], freshID: 5, at: time)
        #expect(matching.filledLeads.isEmpty)
        #expect(matching.lead(1)?.phone == "+79001234567" && matching.lead(1)?.contactCount == 2)
    }
}
