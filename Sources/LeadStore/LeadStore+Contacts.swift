public import Leads
import Postgres

extension LeadStore {
    /// - Throws: `StoreError.contactNotFound` and others.
    public func contact(id: Int) async throws(StoreError) -> Contact {
        guard let contact = try await singleContacts.value(of: id) else { throw .contactNotFound }
        return contact
    }

    /// Contacts in order of id, those alone that `query` finds where there is one: by the lead, or by words of the message.
    /// - Throws: `StoreError`.
    public func contacts(
        _ filter: ContactFilter, matching query: LeadQuery? = nil, _ page: Page
    ) async throws(StoreError) -> Listing<Contact> {
        let contacts = ContactReading.contacts(filter, matching: query, page)
        let found = try await readPage(query == nil ? [contacts] : [ContactSearch.planning, contacts])
        return try page.listing(found[found.count - 1], id: \.id, ContactReading.contact)
    }

    static func onlyContact(_ result: QueryResult) throws(StoreError) -> Contact {
        guard let row = result.first else { throw .contactNotFound }
        return try reading { () throws(PostgresError) in try ContactReading.contact(row) }
    }
}
