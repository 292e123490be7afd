public import Leads
import Postgres

extension LeadStore {
    /// A lead by id with its latest contacts.
    /// - Throws: `StoreError.leadNotFound` and others.
    public func lead(id: Int) async throws(StoreError) -> LeadWithContacts {
        try await lead(where: "id = \(id)")
    }

    /// A lead by one of its keys, in the form in which two are compared, with its latest contacts.
    /// - Throws: `StoreError.leadNotFound` and others.
    public func lead(_ identity: LeadIdentity) async throws(StoreError) -> LeadWithContacts {
        try await lead(
            where: """
                id = (
                    select lead_id from lead_identities
                    where kind = \(identity.kind.rawValue)::identity_kind and value = \(identity.value))
                """)
    }

    private func lead(where condition: Statement) async throws(StoreError) -> LeadWithContacts {
        let lead: Statement = "select \(LeadReading.columns) from leads where \(condition)"
        let results = try await readPage([
            lead, LeadReading.contacts(ofLeads: lead, latest: LeadWithContacts.contactsById),
        ])
        let leads = try LeadReading.leads(results[0], contacts: results[1])
        guard let lead = leads.first else { throw .leadNotFound }
        return lead
    }

    /// Leads in order of id, those merged into others excepted, each with its latest contacts.
    /// - Throws: `StoreError`.
    public func leads(_ page: Page) async throws(StoreError) -> Listing<LeadWithContacts> {
        let leads: Statement = "select \(LeadReading.columns) from leads \(page.rows(where: "merged_into is null"))"
        let results = try await readPage([
            leads, LeadReading.contacts(ofLeads: leads, latest: LeadWithContacts.contactsInList),
        ])
        let found = try LeadReading.leads(results[0], contacts: results[1])
        return Listing(
            elements: Array(found.prefix(page.limit)),
            nextCursor: found.count > page.limit ? found[page.limit - 1].lead.id : nil)
    }

    /// A lead's contacts in order of id.
    /// - Throws: `StoreError.leadNotFound` and others.
    public func contacts(ofLead id: Int, _ page: Page) async throws(StoreError) -> Listing<Contact> {
        var filter = ContactFilter()
        filter.leadID = id
        let results = try await readPage([
            "select from leads where id = \(id)", ContactReading.contacts(filter, page),
        ])
        guard !results[0].isEmpty else { throw .leadNotFound }
        return try page.listing(results[1], id: \.id, ContactReading.contact)
    }
}

private enum LeadReading {
    static let columns: Statement = "id, external_id, phone, email, name, created_at, updated_at, contact_count"

    /// The latest contacts of each of the leads that a query finds.
    static func contacts(ofLeads leads: Statement, latest limit: Int) -> Statement {
        ContactReading.contacts(
            ids: """
                select c.id
                from (\(leads)) l
                cross join lateral (
                    select c.id from contacts c where c.lead_id = l.id order by c.id desc limit \(limit)
                ) c
                """)
    }

    static func leads(
        _ leads: QueryResult, contacts: QueryResult
    ) throws(StoreError) -> [LeadWithContacts] {
        try reading { () throws(PostgresError) in
            var contactsByLead: [Int: [Contact]] = [:]
            for row in contacts {
                let contact = try ContactReading.contact(row)
                contactsByLead[contact.lead.id, default: []].append(contact)
            }
            return try leads.map { (row) throws(PostgresError) in
                var column = row.reader
                let lead = try ContactReading.lead(&column)
                return LeadWithContacts(lead: lead, contacts: contactsByLead[lead.id] ?? [])
            }
        }
    }
}
