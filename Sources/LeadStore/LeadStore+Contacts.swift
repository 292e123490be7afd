public import Leads
import Postgres

extension LeadStore {
    /// - Throws: `StoreError.contactNotFound`, also for one that the viewer does not see, and others.
    public func contact(id: Int, for viewer: Viewer) async throws(StoreError) -> Contact {
        guard let contact = try await singleContacts.value(of: id, for: viewer) else { throw .contactNotFound }
        return viewer.shown(contact)
    }

    /// Contacts in order of id, those alone that `query` finds where there is one: by the lead, or by words of the message.
    /// - Throws: `StoreError.notAllowed` for whoever searches what is masked, and others.
    public func contacts(
        _ filter: ContactFilter, matching query: LeadQuery? = nil, _ page: Page, for viewer: Viewer
    ) async throws(StoreError) -> Listing<Contact> {
        if query != nil, viewer.isMasked { throw .notAllowed }
        let contacts = ContactReading.contacts(filter, matching: query, page, for: viewer)
        let found = try await readPage(query == nil ? [contacts] : [ContactSearch.planning, contacts])
        return try page.listing(found[found.count - 1], id: \.id, ContactReading.contact).map(viewer.shown)
    }

    static func onlyContact(_ result: QueryResult) throws(StoreError) -> Contact {
        guard let row = result.first else { throw .contactNotFound }
        return try reading { () throws(PostgresError) in try ContactReading.contact(row) }
    }
}
