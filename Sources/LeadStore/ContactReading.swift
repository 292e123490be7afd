public import Leads
public import Postgres

/// Contacts as the API shows them, read through the view `contact_objects`.
enum ContactReading {
    private static let columns = columns(contactCount: "lead_contact_count")

    private static func columns(contactCount: String) -> String {
        """
        id, status::text, message, priority, source_event_id, waiting_reason, version, created_at, assigned_at, \
        closed_at, updated_at, \
        lead_id, lead_external_id, lead_phone, lead_email, lead_name, lead_created_at, lead_updated_at, \
        \(contactCount), \
        operator_id, operator_name, operator_is_active, operator_max_load, operator_load, operator_created_at, \
        operator_updated_at, \
        source_id, source_name, source_description, source_created_at
        """
    }

    /// The same of a contact `c` that a statement writes, which waits no more, with its lead `l`, source `s` and operator `o`
    /// whose load is `ol`: to read it again through the view would cost as much as the writing.
    /// - Parameter contactCount: an expression for how many contacts of the lead are shown.
    static func writtenColumns(contactCount: Statement = "l.contact_count") -> Statement {
        """
        c.id, c.status::text, c.message, c.priority, c.source_event_id, null::text, c.version, c.created_at,
        c.assigned_at, c.closed_at, c.updated_at,
        l.id, l.external_id, l.phone, l.email, l.name, l.created_at, l.updated_at, \(contactCount),
        o.id, o.name, ol.is_active, ol.max_load, ol.load, o.created_at, o.updated_at,
        s.id, s.name, s.description, s.created_at
        """
    }

    /// Contacts by id, each named once.
    ///
    /// The offset has each of them looked up as one by itself would be. Given the choice, a plan made for small tables
    /// reads all sources and then each one's contacts, at ten times the price.
    static func contacts(ids: [Int], for viewer: Viewer) -> Statement {
        let isWanted: Statement = "contact_objects.id = wanted.id"
        return """
            select found.*
            from unnest(\(ids)) as wanted (id)
            cross join lateral (
                \(contact(where: isWanted.and(viewer.contacts(in: "contact_objects")), shownTo: viewer)) offset 0
            ) found
            """
    }

    /// A contact that whoever wants to know has just changed, wherever it is by now.
    static func contact(id: Int, shownTo viewer: Viewer) -> Statement {
        contact(where: "id = \(id)", shownTo: viewer)
    }

    /// - Parameter viewer: who is told of no more contacts of the lead than it sees; which ones are found is another matter.
    static func contact(where condition: Statement, shownTo viewer: Viewer) -> Statement {
        "\(selection(shownTo: viewer)) where \(condition)"
    }

    private static func selection(shownTo viewer: Viewer) -> Statement {
        guard let count = viewer.contactCount(ofLead: "contact_objects.lead_id") else {
            return "select \(unsafe: columns) from contact_objects"
        }
        // With the offset it stays a row source of its own, whose result the executor remembers by lead.
        return """
            select \(unsafe: columns(contactCount: "seen.contacts"))
            from contact_objects
            cross join lateral (select \(count) as contacts offset 0) seen
            """
    }

    /// The contacts whose ids a query finds, in order of id.
    static func contacts(ids: Statement) -> Statement {
        "select \(unsafe: columns) from contact_objects where id in (\(ids)) order by id"
    }

    /// A page of contacts, those of a lead or a message that `query` finds where there is one.
    static func contacts(
        _ filter: ContactFilter, matching query: LeadQuery? = nil, _ page: Page, for viewer: Viewer
    ) -> Statement {
        let ids: Statement
        if let query {
            ids = ContactSearch.ids(query, of: condition(of: filter, for: viewer), page)
        } else if filter.sourceID == nil, let sourceIDs = viewer.sourceIDs, sourceIDs.count > 1 {
            ids = Self.ids(filter, page, for: viewer, ofSources: sourceIDs)
        } else {
            ids = "select id from contacts \(page.rows(where: condition(of: filter, for: viewer)))"
        }
        // The page is cut from the bare table first, so that skipped rows cost no joins.
        return """
            \(selection(shownTo: viewer))
            where id in (\(ids))
            order by id \(unsafe: page.order.rawValue)
            """
    }

    /// The page's ids, where they are those of several sources: of each as many as a page has, along its own index. As one
    /// condition they would be found by walking through all contacts.
    private static func ids(
        _ filter: ContactFilter, _ page: Page, for viewer: Viewer, ofSources sourceIDs: [Int]
    ) -> Statement {
        var unlimited = viewer
        unlimited.sourceIDs = nil
        var part = page
        part.skip = 0
        part.limit = min(page.skip, 1 << 32) + page.limit
        let ofOne: Statement = "contacts.source_id = wanted.source_id"
        return """
            select theirs.id
            from unnest(\(sourceIDs)) as wanted (source_id)
            cross join lateral (
                select id from contacts \(part.rows(where: ofOne.and(condition(of: filter, for: unlimited))))
            ) theirs
            order by theirs.id \(unsafe: page.order.rawValue) offset \(page.skip) limit \(page.limit + 1)
            """
    }

    private static func condition(of filter: ContactFilter, for viewer: Viewer) -> Statement {
        var conditions: [Statement] = []
        if let condition = viewer.contacts(in: "contacts") { conditions.append(condition) }
        if let id = filter.sourceID { conditions.append("source_id = \(id)") }
        if let id = filter.operatorID { conditions.append("operator_id = \(id)") }
        if let id = filter.leadID { conditions.append("lead_id = coalesce(\(LeadReading.survivor(of: id)), \(id))") }
        // A literal, not a parameter: only then can the planner tell that `contacts_open` serves.
        if let status = filter.status { conditions.append("status = '\(unsafe: status.rawValue)'") }
        if let isActive = filter.isActive {
            // Whoever has an operator does not wait, and contacts_active leaves out those who do.
            let isOfOperator = filter.operatorID != nil || viewer.reach.isOfOperator
            let open: Statement = isOfOperator ? "status = 'active'" : "status <> 'closed'"
            conditions.append(isActive ? open : "status = 'closed'")
        }
        conditions += Self.created(from: filter.createdFrom, to: filter.createdTo)
        return conditions.reduce("true" as Statement) { "\($0) and \($1)" }
    }

    /// Contacts created in a certain time, found along their ids.
    ///
    /// `contact_spans` tells between which ids they are. What is added to `created_at` keeps the planner from its index: it
    /// would sort all contacts of that time to show one page.
    private static func created(from: Timestamp?, to: Timestamp?) -> [Statement] {
        var conditions: [Statement] = []
        if let from {
            conditions.append(
                """
                created_at + interval '0' >= \(from) and id >= 4096 * coalesce(
                    (select min(part) from contact_spans where last_created_at >= \(from)), 2251799813685247)
                """)
        }
        if let to {
            conditions.append(
                """
                created_at + interval '0' <= \(to) and id < 4096 * coalesce(
                    (select max(part) + 1 from contact_spans where first_created_at <= \(to)), 0)
                """)
        }
        return conditions
    }

    static func contact(_ row: Row) throws(PostgresError) -> Contact {
        var column = row.reader
        return try contact(&column)
    }

    static func contact(_ column: inout RowReader) throws(PostgresError) -> Contact {
        let id: Int = try column.next()
        let status: ContactStatus = try column.next()
        let message: String? = try column.next()
        let priority: Int = try column.next()
        let sourceEventID: String? = try column.next()
        let waitingReason: WaitingReason? = try column.next()
        let version: Int = try column.next()
        let createdAt: Timestamp = try column.next()
        let assignedAt: Timestamp? = try column.next()
        let closedAt: Timestamp? = try column.next()
        let updatedAt: Timestamp? = try column.next()
        return Contact(
            id: id, status: status, message: message, priority: priority, sourceEventID: sourceEventID,
            waitingReason: waitingReason, version: version, createdAt: createdAt, assignedAt: assignedAt,
            closedAt: closedAt, updatedAt: updatedAt, lead: try lead(&column), operator: try `operator`(&column),
            source: try source(&column))
    }

    static func contactsByID(_ found: QueryResult) throws(StoreError) -> [Int: Contact] {
        try reading { () throws(PostgresError) in
            var contacts: [Int: Contact] = Dictionary(minimumCapacity: found.count)
            for row in found {
                let contact = try contact(row)
                contacts[contact.id] = contact
            }
            return contacts
        }
    }

    static func lead(_ column: inout RowReader) throws(PostgresError) -> Lead {
        Lead(
            id: try column.next(), externalID: try column.next(), phone: try column.next(),
            email: try column.next(), name: try column.next(), createdAt: try column.next(),
            updatedAt: try column.next(), contactCount: try column.next())
    }

    private static func `operator`(_ column: inout RowReader) throws(PostgresError) -> Operator? {
        let id: Int? = try column.next()
        let name: String? = try column.next()
        let isActive: Bool? = try column.next()
        let maxLoad: Int? = try column.next()
        let load: Int? = try column.next()
        let createdAt: Timestamp? = try column.next()
        let updatedAt: Timestamp? = try column.next()
        guard let id, let name, let isActive, let maxLoad, let load, let createdAt else { return nil }
        return Operator(
            id: id, name: name, isActive: isActive, maxLoad: maxLoad, currentLoad: load, createdAt: createdAt,
            updatedAt: updatedAt)
    }

    private static func source(_ column: inout RowReader) throws(PostgresError) -> SourceSummary {
        SourceSummary(
            id: try column.next(), name: try column.next(), description: try column.next(),
            createdAt: try column.next())
    }
}

extension Viewer.Reach {
    fileprivate var isOfOperator: Bool {
        if case .ownContacts = self { true } else { false }
    }
}

extension ContactStatus: ColumnDecodable {
    public init?(_ field: UnsafeRawBufferPointer?, of dataType: DataType) {
        guard let text = String(field, of: dataType) else { return nil }
        self.init(rawValue: text)
    }
}

extension WaitingReason: ColumnDecodable {
    public init?(_ field: UnsafeRawBufferPointer?, of dataType: DataType) {
        guard let text = String(field, of: dataType) else { return nil }
        self.init(rawValue: text)
    }
}
