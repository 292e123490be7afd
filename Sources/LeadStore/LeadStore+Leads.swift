public import Leads
public import Postgres

extension LeadStore {
    /// A lead by id with its latest contacts; of one that was merged, the lead it was merged into.
    /// - Throws: `StoreError.leadNotFound`, also for one of whom the viewer sees no contact, and others.
    public func lead(id: Int, for viewer: Viewer) async throws(StoreError) -> LeadWithContacts {
        guard let lead = try await singleLeads.value(of: id, for: viewer) else { throw .leadNotFound }
        return viewer.shown(lead)
    }

    /// A lead by one of its keys, in the form in which two are compared, with its latest contacts.
    /// - Throws: `StoreError.leadNotFound`, `.notAllowed` for whoever would find out what is masked, and others.
    public func lead(_ identity: LeadIdentity, for viewer: Viewer) async throws(StoreError) -> LeadWithContacts {
        guard !viewer.isMasked else { throw .notAllowed }
        let isAsked: Statement = "kind = \(identity.kind.rawValue)::identity_kind and value = \(identity.value)"
        let found = try await read(
            """
            select lead_id from lead_identities
            where \(isAsked.and(viewer.leads(withID: "lead_identities.lead_id")))
            """)
        guard let row = found.first else { throw .leadNotFound }
        return try await lead(id: try reading { () throws(PostgresError) in try row.decode(Int.self) }, for: viewer)
    }

    /// Moves the names of new leads to their places in the index that search uses.
    /// - Throws: `StoreError`.
    public func flushNames() async throws(StoreError) {
        _ = try await transaction { (transaction) throws(StoreError) in
            try await transaction.finish(with: ["select flush_lead_names()"])
        }
    }

    /// Leads in order of id, those merged into others excepted, each with its latest contacts.
    /// - Throws: `StoreError`.
    public func leads(_ page: Page, for viewer: Viewer) async throws(StoreError) -> Listing<LeadWithContacts> {
        guard viewer.seesAllContacts else { return try await leads(LeadSearch.ids(page, for: viewer), page, viewer) }
        let leads: Statement = """
            select \(LeadReading.columns(of: "leads", for: viewer)) from leads \(page.rows(where: "merged_into is null"))
            """
        let results = try await readPage([
            leads, LeadReading.contacts(ofLeads: leads, latest: LeadWithContacts.contactsInList, for: viewer),
        ])
        let found = try LeadReading.leads(results[0], contacts: results[1])
        return Listing(
            elements: found.prefix(page.limit).map(viewer.shown),
            nextCursor: found.count > page.limit ? found[page.limit - 1].lead.id : nil)
    }

    /// Leads that a query finds, likewise.
    /// - Throws: `StoreError.notAllowed` for whoever searches what is masked, and others.
    public func leads(
        matching query: LeadQuery, _ page: Page, for viewer: Viewer
    ) async throws(StoreError) -> Listing<LeadWithContacts> {
        guard !viewer.isMasked else { throw .notAllowed }
        return try await leads(LeadSearch.ids(query, page, for: viewer), page, viewer)
    }

    /// A page of leads whose ids, and one more, a query finds.
    private func leads(
        _ ids: Statement, _ page: Page, _ viewer: Viewer
    ) async throws(StoreError) -> Listing<LeadWithContacts> {
        let found = try await readPage([ids])[0]
        let ids = try reading { () throws(PostgresError) in
            try found.map { (row) throws(PostgresError) in try row.decode(Int.self) }
        }
        let shown = Array(ids.prefix(page.limit))
        let isShown: Statement = "id = any(\(shown)) and merged_into is null"
        let leads: Statement = """
            select \(LeadReading.columns(of: "leads", for: viewer)) from leads
            where \(isShown.and(viewer.leads(withID: "leads.id")))
            order by id \(unsafe: page.order.rawValue)
            """
        let results = try await readPage([
            leads, LeadReading.contacts(ofLeads: leads, latest: LeadWithContacts.contactsInList, for: viewer),
        ])
        return Listing(
            elements: try LeadReading.leads(results[0], contacts: results[1]).map(viewer.shown),
            nextCursor: ids.count > page.limit ? shown.last : nil)
    }

    /// A lead's contacts in order of id.
    /// - Throws: `StoreError.leadNotFound` and others.
    public func contacts(ofLead id: Int, _ page: Page, for viewer: Viewer) async throws(StoreError) -> Listing<Contact>
    {
        var filter = ContactFilter()
        filter.leadID = id
        let isAsked: Statement = "id = \(id)"
        let results = try await readPage([
            "select from leads where \(isAsked.and(viewer.leads(withID: "coalesce(leads.merged_into, leads.id)")))",
            ContactReading.contacts(filter, page, for: viewer),
        ])
        guard !results[0].isEmpty else { throw .leadNotFound }
        return try page.listing(results[1], id: \.id, ContactReading.contact).map(viewer.shown)
    }

    /// Pairs of leads that may be the same, in the order in which they were found; a merged lead is in none.
    /// - Throws: `StoreError.notAllowed` for whoever does not see all contacts, and others.
    public func possibleDuplicates(_ page: Page, for viewer: Viewer) async throws(StoreError) -> Listing<
        PossibleDuplicate
    > {
        try viewer.requireAllContacts()
        let found = try await readPage([
            """
            select d.id, d.kind::text, d.found_at, \(LeadReading.columns(of: "l", for: viewer)),
                \(LeadReading.columns(of: "o", for: viewer))
            from possible_duplicates d
            join leads l on l.id = d.lead_id
            join leads o on o.id = d.other_lead_id
            \(page.rows(where: "l.merged_into is null and o.merged_into is null", by: "d.id"))
            """
        ])[0]
        return try page.listing(found, id: \.id, LeadReading.possibleDuplicate).map(viewer.shown)
    }
}

/// Leads as the API shows them.
enum LeadReading {
    private static let columnNames = [
        "id", "external_id", "phone", "email", "name", "created_at", "updated_at",
    ]

    static func columns(of table: String, for viewer: Viewer) -> Statement {
        let columns: Statement = "\(unsafe: columnNames.map { "\(table).\($0)" }.joined(separator: ", "))"
        return "\(columns), \(viewer.contactCount(ofLead: "\(table).id") ?? "\(unsafe: table).contact_count")"
    }

    /// The id of a lead, or of the one it was merged into, as an expression; null for an unknown one.
    static func survivor(of id: Int) -> Statement {
        "(select coalesce(survivor.merged_into, survivor.id) from leads survivor where survivor.id = \(id))"
    }

    /// What shows a lead with its latest contacts, for ``only(_:contacts:)``.
    static func lead(where condition: Statement, for viewer: Viewer) -> [Statement] {
        let lead: Statement = "select \(columns(of: "leads", for: viewer)) from leads where \(condition)"
        return [lead, contacts(ofLeads: lead, latest: LeadWithContacts.contactsById, for: viewer)]
    }

    /// Leads by id, each named once, with their latest contacts, for ``leadsByID(_:)``: one statement, so that a lead and
    /// its contacts are of one moment. The offsets keep the look-ups in this order, whatever the tables' sizes were when
    /// its plan was made.
    static func leads(ids: [Int], for viewer: Viewer) -> Statement {
        let isSurvivor: Statement = "leads.id = survivor.id"
        let isOfLead: Statement = "lead_id = l.id"
        return """
            select wanted.id, \(columns(of: "l", for: viewer)), latest.id is not null, found.*
            from unnest(\(ids)) as wanted (id)
            cross join lateral (
                select coalesce(merged_into, id) as id from leads where leads.id = wanted.id offset 0
            ) survivor
            cross join lateral (
                select * from leads where \(isSurvivor.and(viewer.leads(withID: "leads.id"))) offset 0
            ) l
            left join lateral (
                select id from contacts
                where \(isOfLead.and(viewer.contacts(in: "contacts")))
                order by id desc
                limit \(LeadWithContacts.contactsById)
            ) latest on true
            left join lateral (
                \(ContactReading.contact(where: "contact_objects.id = latest.id", shownTo: .everything)) offset 0
            ) found on true
            order by wanted.id, latest.id
            """
    }

    /// By the ids that were asked for. The contacts' lead is the one they come with, which counts no more than is seen.
    static func leadsByID(_ found: QueryResult) throws(StoreError) -> [Int: LeadWithContacts] {
        try reading { () throws(PostgresError) in
            var leads: [Int: (lead: Lead, contacts: [Contact])] = [:]
            for row in found {
                var column = row.reader
                let id: Int = try column.next()
                let lead = try ContactReading.lead(&column)
                let hasContact: Bool = try column.next()
                var contacts = hasContact ? [try ContactReading.contact(&column)] : []
                for index in contacts.indices { contacts[index].lead = lead }
                leads[id, default: (lead, [])].contacts += contacts
            }
            return leads.mapValues { LeadWithContacts(lead: $0.lead, contacts: $0.contacts) }
        }
    }

    static func only(_ leads: QueryResult, contacts: QueryResult) throws(StoreError) -> LeadWithContacts {
        guard let lead = try Self.leads(leads, contacts: contacts).first else { throw .leadNotFound }
        return lead
    }

    static func possibleDuplicate(_ row: Row) throws(PostgresError) -> PossibleDuplicate {
        var column = row.reader
        return PossibleDuplicate(
            id: try column.next(), kind: try column.next(), foundAt: try column.next(),
            lead: try ContactReading.lead(&column), otherLead: try ContactReading.lead(&column))
    }

    /// The latest contacts of each of the leads that a query finds, for ``leads(_:contacts:)``.
    static func contacts(ofLeads leads: Statement, latest limit: Int, for viewer: Viewer) -> Statement {
        let isOfLead: Statement = "c.lead_id = l.id"
        return ContactReading.contacts(
            ids: """
                select c.id
                from (\(leads)) l
                cross join lateral (
                    select c.id from contacts c where \(isOfLead.and(viewer.contacts(in: "c")))
                    order by c.id desc
                    limit \(limit)
                ) c
                """)
    }

    /// The contacts' lead is the one they come with, which counts no more than is seen.
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
                var contacts = contactsByLead[lead.id] ?? []
                for index in contacts.indices { contacts[index].lead = lead }
                return LeadWithContacts(lead: lead, contacts: contacts)
            }
        }
    }
}

extension IdentityKind: ColumnDecodable {
    public init?(_ field: UnsafeRawBufferPointer?, of dataType: DataType) {
        guard let text = String(field, of: dataType) else { return nil }
        self.init(rawValue: text)
    }
}
