import Leads
import Postgres
import TestSupport
import Testing

@testable import LeadStore

/// What somebody may not see is not there: in every answer, and for every change.
struct RightsTests {
    /// Two operators, each with a source of its own, whose contacts are registered by a key each; both know one lead.
    struct Office {
        let database: TestDatabase
        let sources: [Source]
        let operators: [Int]
        /// Of the lead that both know, one in each source.
        let shared: [Contact]
        /// Of a lead that only one source knows.
        let alone: [Contact]

        var store: LeadStore { database.store }
        var viewers: [Viewer] { operators.map { Viewer(reach: .ownContacts(ofOperator: $0)) } }
        var keys: [Actor] { Office.keys }
        var intakes: [Viewer] {
            zip(keys, sources).map { Viewer(reach: .registered(byKey: $0.id ?? ""), sourceIDs: [$1.id]) }
        }
        var supervisors: [Viewer] { sources.map { Viewer(reach: .everything, sourceIDs: [$0.id]) } }

        static let keys = ["a", "b"].map { Actor(kind: .key, id: $0, name: "bot") }
        static let phone = LeadIdentity(kind: .phone, value: "+79001234567")

        init(_ database: TestDatabase) async throws {
            self.database = database
            let store = database.store
            var (sources, operators): ([Source], [Int]) = ([], [])
            for name in ["first", "second"] {
                let source = try await store.createSource(NewSource(name: name), for: .everything, by: .api)
                let person = try await store.createOperator(
                    NewOperator(name: "of \(name)", maxLoad: 1000), for: .everything, by: .api)
                try await store.setWeights(
                    sourceID: source.id, [NewWeight(operatorID: person.id)], replacing: true, for: .everything, by: .api
                )
                sources.append(source)
                operators.append(person.id)
            }
            self.sources = sources
            self.operators = operators
            func register(_ index: Int, _ keys: [LeadIdentity], name: String) async throws -> Contact {
                let contact = NewContact(
                    sourceID: sources[index].id, leadPhone: keys.contains(Self.phone) ? Self.phone.value : nil,
                    leadName: name, message: "hello \(name)",
                    sourceEventID: "\(name) \(index)")
                let request = Intake.Request(contact: contact, keys: keys, for: .everything, by: Office.keys[index])
                return try await database.intake.register([request])[0].get().contact
            }
            shared = [
                try await register(0, [Self.phone], name: "Shared"),
                try await register(1, [Self.phone], name: "Shared"),
            ]
            alone = [
                try await register(0, [LeadIdentity(kind: .externalID, value: "alone 0")], name: "Alone"),
                try await register(1, [LeadIdentity(kind: .externalID, value: "alone 1")], name: "Alone"),
            ]
        }

        static func with(_ body: (Office) async throws -> Void) async throws {
            try await TestDatabase.with { try await body(try await Office($0)) }
        }
    }

    /// What came of it, in words that can be compared.
    private func outcome<Value>(_ body: () async throws -> Value) async -> String {
        do { return "\(try await body())" } catch { return "refused: \(error)" }
    }

    private func isNothing(_ outcome: String, _ expected: StoreError) -> Bool { outcome == "refused: \(expected)" }

    // MARK: reading

    private typealias Reading = (name: String, @Sendable (LeadStore, Int, Viewer) async throws -> String)

    private static let contactReadings: [Reading] = [
        ("contact", { "\(try await $0.contact(id: $1, for: $2).id)" }),
        ("explanation", { "\(try await $0.explanation(contactID: $1, for: $2).contactID)" }),
        ("history", { "\(try await $0.history(ofContact: $1, LogPage(), for: $2).elements.count > 0)" }),
    ]

    private static let leadReadings: [Reading] = [
        ("lead", { "\(try await $0.lead(id: $1, for: $2).lead.id)" }),
        ("contacts of a lead", { "\(try await $0.contacts(ofLead: $1, Page(), for: $2).elements.count)" }),
    ]

    @Test func `a contact is seen by its operator and those of its source, and is not there for the others`()
        async throws
    {
        try await Office.with { office in
            for (index, contact) in (office.alone + office.shared).enumerated() {
                let own = index % 2
                for (name, read) in Self.contactReadings {
                    for viewers in [office.viewers, office.supervisors, office.intakes] {
                        let seen = await outcome { try await read(office.store, contact.id, viewers[own]) }
                        #expect(!seen.hasPrefix("refused"), "\(name): \(seen)")
                        let foreign = await outcome { try await read(office.store, contact.id, viewers[1 - own]) }
                        let missing = await outcome { try await read(office.store, 999_999, viewers[1 - own]) }
                        #expect(foreign == missing && isNothing(foreign, .contactNotFound), "\(name)")
                    }
                }
            }
        }
    }

    @Test func `a key sees the contacts that it registered, and of those only what is of its sources`() async throws {
        try await Office.with { office in
            let (own, foreign) = (office.shared[0].id, office.shared[1].id)
            let unlimited = Viewer(reach: .registered(byKey: "a"))
            #expect(try await office.store.contact(id: own, for: unlimited).id == own)
            var moved = unlimited
            moved.sourceIDs = [office.sources[1].id]
            for (id, viewer) in [(foreign, unlimited), (own, moved), (foreign, moved)] {
                #expect(
                    isNothing(await outcome { try await office.store.contact(id: id, for: viewer) }, .contactNotFound))
            }
            // A person with the key's number is somebody else.
            _ = await office.database.intake.register([
                Intake.Request(
                    contact: NewContact(sourceID: office.sources[0].id), keys: [], for: .everything,
                    by: Actor(kind: .person, id: "a"))
            ])
            let last = try #require(
                try await office.store.contacts(ContactFilter(), Page(order: .descending), for: .everything).elements
                    .first)
            #expect(
                isNothing(
                    await outcome { try await office.store.contact(id: last.id, for: unlimited) }, .contactNotFound))
        }
    }

    @Test func `a lead is seen by whoever sees a contact of it, with these alone`() async throws {
        try await Office.with { office in
            let lead = office.shared[0].lead.id
            #expect(office.shared[1].lead.id == lead)
            for viewers in [office.viewers, office.supervisors] {
                for index in 0...1 {
                    let contact = office.shared[index].id
                    let found = try await office.store.lead(id: lead, for: viewers[index])
                    #expect(found.contacts.map(\.id) == [contact] && found.lead.contactCount == 1)
                    #expect(found.contacts[0].lead.contactCount == 1)
                    #expect(try await office.store.lead(Office.phone, for: viewers[index]) == found)
                    let shown = try await office.store.contact(id: contact, for: viewers[index])
                    #expect(shown.lead.contactCount == 1)
                    let listed = try await office.store.contacts(ofLead: lead, Page(), for: viewers[index]).elements
                    #expect(listed == [shown])
                    let leads = try await office.store.leads(Page(), for: viewers[index]).elements
                    #expect(leads.map(\.lead.id) == [lead, office.alone[index].lead.id] && leads[0] == found)
                    let foreign = office.alone[1 - index].lead.id
                    for (name, read) in Self.leadReadings {
                        let refused = await outcome { try await read(office.store, foreign, viewers[index]) }
                        let missing = await outcome { try await read(office.store, 999_999, viewers[index]) }
                        #expect(refused == missing && isNothing(refused, .leadNotFound), "\(name)")
                    }
                    let key = LeadIdentity(kind: .externalID, value: "alone \(1 - index)")
                    #expect(
                        isNothing(
                            await outcome { try await office.store.lead(key, for: viewers[index]) }, .leadNotFound))
                }
            }
            #expect(try await office.store.lead(id: lead, for: .everything).lead.contactCount == 2)
        }
    }

    @Test func `after a transfer a contact and what is told of it are the other operator's`() async throws {
        try await Office.with { office in
            let id = office.alone[0].id
            let transfer = ContactChange(.transfer(Assignment(operatorID: office.operators[1], reason: "ill")))
            let answered = try await office.store.changeContact(
                id: id, transfer, for: office.viewers[0], by: Actor(kind: .person, id: "1"))
            #expect(answered.operator?.id == office.operators[1] && answered.lead.contactCount == 0)
            for (_, read) in Self.contactReadings {
                #expect(
                    isNothing(await outcome { try await read(office.store, id, office.viewers[0]) }, .contactNotFound))
                #expect(!(await outcome { try await read(office.store, id, office.viewers[1]) }).hasPrefix("refused"))
            }
            let told = try await office.store.events(LogPage(limit: 1000), for: office.viewers[0]).elements
            #expect(!told.contains { $0.contactID == id })
            // One that is closed keeps its operator, who still sees it.
            _ = try await office.store.changeContact(id: id, ContactChange(.close), for: office.viewers[1], by: .api)
            #expect(try await office.store.contact(id: id, for: office.viewers[1]).status == .closed)
            let released = office.shared[0].id
            let waiting = try await office.store.changeContact(
                id: released, ContactChange(.release(reason: nil)), for: office.viewers[0], by: .api)
            #expect(waiting.id == released)
        }
    }

    /// What a list shows, page by page, in both directions.
    private func pages<Element>(
        limit: Int, _ order: Page.Order, id: (Element) -> Int,
        _ list: (Page) async throws -> Listing<Element>
    ) async throws -> [Int] {
        var (found, page): ([Int], Page) = ([], Page(limit: limit, order: order))
        while true {
            let listing = try await list(page)
            #expect(listing.elements.count <= limit)
            found += listing.elements.map(id)
            guard let next = listing.nextCursor else { return found }
            #expect(listing.elements.count == limit && next == listing.elements.last.map(id))
            page.cursor = next
        }
    }

    @Test func `lists, searches and counts hold what is seen, page by page, and end where it ends`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            var generator = SeededGenerator()
            var (sources, operators): ([Int], [Int]) = ([], [])
            for number in 1...3 {
                let (source, ids) = try await database.team([1000, 1000])
                sources.append(source.id)
                operators += ids
                #expect(ids.count == 2, "\(number)")
            }
            for number in 0..<150 {
                let lead = Int.random(in: 0..<40, using: &generator)
                let contact = NewContact(
                    sourceID: sources.randomElement(using: &generator) ?? 0,
                    leadName: "Lead \(lead % 2 == 0 ? "even" : "odd")",
                    message: number % 3 == 0 ? "third" : "other")
                let registered = try await database.register(
                    contact, keys: [LeadIdentity(kind: .externalID, value: "\(lead)")])
                if number % 4 == 0 {
                    _ = try await store.changeContact(
                        id: registered.id, ContactChange(.close), for: .everything, by: .api)
                }
            }
            let all = try await store.contacts(ContactFilter(), Page(limit: 1000), for: .everything).elements
            let viewers = [
                Viewer(reach: .ownContacts(ofOperator: operators[0])),
                Viewer(reach: .ownContacts(ofOperator: operators[3])),
                Viewer(reach: .everything, sourceIDs: [sources[1]]),
                Viewer(reach: .everything, sourceIDs: [sources[2], sources[0]]),
                Viewer(reach: .everything, sourceIDs: []),
                Viewer(reach: .ownContacts(ofOperator: operators[0]), sourceIDs: [sources[1]]), .everything,
            ]
            var filters = [ContactFilter(), ContactFilter(), ContactFilter(), ContactFilter(), ContactFilter()]
            filters[1].sourceID = sources[0]
            filters[2].operatorID = operators[3]
            filters[3].isActive = true
            filters[4].status = .closed
            var compared = 0
            for viewer in viewers {
                func isSeen(_ contact: Contact) -> Bool {
                    if case .ownContacts(let id) = viewer.reach, contact.operator?.id != id { return false }
                    return viewer.sourceIDs?.contains(contact.source.id) ?? true
                }
                let seen = all.filter(isSeen)
                let counts = Dictionary(grouping: seen, by: \.lead.id).mapValues(\.count)
                for (number, filter) in filters.enumerated() {
                    let expected = seen.filter { contact in
                        switch number {
                        case 1: contact.source.id == sources[0]
                        case 2: contact.operator?.id == operators[3]
                        case 3: contact.status != .closed
                        case 4: contact.status == .closed
                        default: true
                        }
                    }
                    for (limit, order) in [(7, Page.Order.ascending), (31, .descending)] {
                        let found = try await pages(limit: limit, order, id: \Contact.id) {
                            try await store.contacts(filter, $0, for: viewer)
                        }
                        #expect(found == (order == .ascending ? expected.map(\.id) : expected.map(\.id).reversed()))
                        compared += 1
                    }
                    let skipping = try await store.contacts(filter, Page(skip: 5, limit: 10), for: viewer).elements
                    #expect(skipping.map(\.id) == expected.map(\.id).dropFirst(5).prefix(10).map { $0 })
                    for contact in skipping { #expect(contact.lead.contactCount == counts[contact.lead.id]) }
                }
                for (query, isFound) in [
                    (
                        LeadQuery(words: ["odd"], beginnings: []),
                        { (contact: Contact) in contact.lead.name == "Lead odd" }
                    ),
                    (LeadQuery(words: ["third"], beginnings: []), { $0.message == "third" }),
                ] {
                    let found = try await pages(limit: 9, .descending, id: \Contact.id) {
                        try await store.contacts(ContactFilter(), matching: query, $0, for: viewer)
                    }
                    #expect(found == seen.filter(isFound).map(\.id).reversed())
                }
                let leads = try await pages(limit: 6, .ascending, id: \LeadWithContacts.lead.id) {
                    try await store.leads($0, for: viewer)
                }
                #expect(leads == counts.keys.sorted())
                let odd = LeadQuery(words: ["odd"], beginnings: [])
                let found = try await pages(limit: 3, .descending, id: \LeadWithContacts.lead.id) {
                    try await store.leads(matching: odd, $0, for: viewer)
                }
                #expect(found == Set(seen.filter { $0.lead.name == "Lead odd" }.map(\.lead.id)).sorted(by: >))
                for lead in try await store.leads(Page(), for: viewer).elements {
                    #expect(lead.lead.contactCount == counts[lead.lead.id])
                    #expect(lead.contacts.map(\.id) == seen.filter { $0.lead.id == lead.lead.id }.map(\.id))
                    #expect(lead.contacts.allSatisfy { $0.lead == lead.lead })
                    #expect(try await store.lead(id: lead.lead.id, for: viewer) == lead)
                }
            }
            #expect(compared == 7 * 5 * 2)
        }
    }

    @Test func `events are those of contacts and sources that are seen, and of access for whoever may know`()
        async throws
    {
        try await Office.with { office in
            try await office.database.byHand(
                """
                insert into events (kind, actor_kind, data)
                select kind, 'person', '{"source_id": \(office.sources[0].id)}'
                from unnest(array['key_created', 'person_invited', 'session_ended', 'access_closed', 'settings_changed'])
                    as k (kind)
                """)
            try await office.database.byHand(
                "insert into events (kind, data) values ('keyboard', '{\"source_id\": \"x\"}')")
            let all = try await office.store.events(LogPage(limit: 1000), for: .everything).elements
            let access = all.filter { $0.kind.contains("_") && $0.actor.kind == "person" }
            #expect(access.count == 5)
            let plain = Viewer(reach: .everything)
            func told(_ viewer: Viewer) async throws -> [Int] {
                try await pages(ofLog: 2) { try await office.store.events($0, for: viewer) }
            }
            #expect(try await told(.everything) == all.map(\.position))
            #expect(try await told(plain) == all.filter { !access.contains($0) }.map(\.position))
            for index in 0...1 {
                let own = [office.shared[index].id, office.alone[index].id]
                let ofContacts = all.filter { $0.contactID.map(own.contains) ?? false }
                let marker = #""source_id": \#(office.sources[index].id)"#
                let ofSource = all.filter { $0.data?.contains(marker) ?? false }
                #expect(try await told(office.viewers[index]) == ofContacts.map(\.position))
                let seen = all.filter { (ofContacts + ofSource).contains($0) && !access.contains($0) }
                #expect(try await told(office.supervisors[index]) == seen.map(\.position))
                var admin = office.supervisors[index]
                admin.seesAccessEvents = true
                let more = all.filter { (ofContacts + ofSource).contains($0) }
                #expect(try await told(admin) == more.map(\.position) && (index == 1 || more.count == seen.count + 5))
                #expect(isNothing(await outcome { try await told(office.intakes[index]) }, .notAllowed))
            }
        }
    }

    private func pages(ofLog limit: Int, _ list: (LogPage) async throws -> Listing<Event>) async throws -> [Int] {
        var (found, page): ([Int], LogPage) = ([], LogPage(limit: limit))
        while true {
            let listing = try await list(page)
            found += listing.elements.map(\.position)
            guard let next = listing.nextCursor else { return found }
            page.after = next
        }
    }

    @Test func `what is read for all who follow the log is shown to whom it would be shown alone`() async throws {
        try await Office.with { office in
            let id = office.alone[0].id
            _ = try await office.store.changeContact(
                id: id, ContactChange(.assign(Assignment(operatorID: office.operators[1]))), for: .everything, by: .api)
            _ = try await office.store.changeSource(
                id: office.sources[1].id, SourceChange(stickyDays: 3), for: .everything, by: .api)
            try await office.database.byHand(
                """
                insert into events (kind, data) values
                    ('key_created', '{"source_id": \(office.sources[0].id)}'), ('strange', '{"source_id": 1e300}'),
                    ('strange', '{"source_id": "\(office.sources[0].id) "}'), ('strange', '[1]'), ('strange', null)
                """)
            let all = try await office.store.newEvents(after: 0, atMost: 1000)
            var viewers = office.viewers + office.supervisors + [.everything, Viewer(reach: .everything)]
            viewers.append(
                Viewer(reach: .ownContacts(ofOperator: office.operators[1]), sourceIDs: [office.sources[0].id]))
            viewers.append(Viewer(reach: .everything, sourceIDs: [office.sources[0].id], seesAccessEvents: true))
            for viewer in viewers {
                let alone = try await office.store.events(LogPage(limit: 1000), for: viewer).elements
                #expect(all.events(for: viewer) == alone && !alone.isEmpty)
                var (found, position): ([Event], Int) = ([], 0)
                while position < all.end {
                    let part = try await office.store.oldEvents(after: position, atMost: 3, for: viewer)
                    found += part.events(for: viewer)
                    #expect(part.reached > position && part.entries.count == part.events(for: viewer).count)
                    position = part.reached
                }
                #expect(found == alone)
            }
            for viewer in office.intakes {
                #expect(all.events(for: viewer).isEmpty)
                let refused = await outcome { try await office.store.oldEvents(after: 0, atMost: 3, for: viewer) }
                #expect(isNothing(refused, .notAllowed))
            }
        }
    }

    /// What an operator is told until it is over: of what is read for all, or for it alone.
    private func follow(
        _ office: Office, _ index: Int, readsAlone: Bool, until isOver: Shared<Bool>
    ) async throws -> [Event] {
        var (told, position, isLast): ([Event], Int, Bool) = ([], 0, false)
        let viewer = office.viewers[index]
        while !isLast {
            isLast = isOver.value
            let part =
                readsAlone
                ? try await office.store.oldEvents(after: position, atMost: 20, for: viewer)
                : try await office.store.newEvents(after: position, atMost: 20)
            told += part.events(for: viewer)
            position = part.reached
        }
        return told
    }

    private func handOver(_ ids: [Int], times: Int, in office: Office) async throws {
        for round in 0..<times {
            let target = office.operators[(round / ids.count) % 2]
            _ = try await office.store.changeContact(
                id: ids[round % ids.count], ContactChange(.assign(Assignment(operatorID: target))), for: .everything,
                by: .api)
        }
    }

    @Test func `who follows the log beside transfers is told of no contact that it does not have any more`()
        async throws
    {
        try await Office.with { office in
            let ids = [office.alone[0].id, office.alone[1].id, office.shared[0].id]
            let isOver = Shared(false)
            let followers = (0...1).map { index in
                Task { try await follow(office, index, readsAlone: index == 1, until: isOver) }
            }
            try await handOver(ids, times: 120, in: office)
            isOver.withLock { $0 = true }
            let told = [try await followers[0].value, try await followers[1].value]
            // Whoever is told of an event has the contact at it or later: only then may it have been read for it.
            var (checked, passedOver) = (0, 0)
            for id in ids {
                let history = try await office.store.history(ofContact: id, LogPage(limit: 1000), for: .everything)
                    .elements
                for (operatorID, events) in zip(office.operators, told) {
                    let own = events.filter { $0.contactID == id }
                    for event in own {
                        #expect(history.contains { $0.position >= event.position && $0.toOperatorID == operatorID })
                    }
                    checked += own.count
                    passedOver += history.count - own.count
                }
            }
            #expect(checked > 0 && passedOver > 0, "told \(checked), passed over \(passedOver)")
        }
    }

    // MARK: changing

    @Test func `what is not seen cannot be changed, and refuses like what is not there`() async throws {
        try await Office.with { office in
            let store = office.store
            let target = office.operators[0]
            _ = try await store.changeOperator(
                id: target, OperatorChange(isActive: false), for: .everything, by: .api)
            let changes = [
                ContactChange(.close), ContactChange(.reopen), ContactChange(.release(reason: nil)),
                ContactChange(.assign(Assignment(operatorID: target))),
                ContactChange(.transfer(Assignment(operatorID: target))),
                ContactChange(.transfer(Assignment(operatorID: 999_999))), ContactChange(priority: 4),
                ContactChange(message: "new"), ContactChange(.close, priority: 1), ContactChange(),
                ContactChange(.transfer(Assignment(operatorID: target, force: true))),
            ]
            let closed = office.shared[1].id
            _ = try await store.changeContact(id: closed, ContactChange(.close), for: .everything, by: .api)
            let before = try await office.store.contacts(ContactFilter(), Page(), for: .everything).elements
            let events = try await store.events(LogPage(limit: 1000), for: .everything).elements.count
            for viewer in [office.viewers[0], office.supervisors[0], office.intakes[0]] {
                for id in [closed, office.alone[1].id] {
                    for change in changes {
                        for condition in [VersionCondition.any, .oneOf([1]), .oneOf([77])] {
                            func attempt(_ id: Int) async -> String {
                                await outcome {
                                    try await store.changeContact(id: id, change, if: condition, for: viewer, by: .api)
                                }
                            }
                            let (foreign, missing) = (await attempt(id), await attempt(999_999))
                            #expect(foreign == missing)
                            #expect(isNothing(foreign, .contactNotFound) || isNothing(foreign, .notAllowed))
                        }
                    }
                }
            }
            #expect(try await store.contacts(ContactFilter(), Page(), for: .everything).elements == before)
            #expect(try await store.events(LogPage(limit: 1000), for: .everything).elements.count == events)
        }
    }

    @Test func `an operator does with its own contacts what it may, and forces nothing on colleagues`() async throws {
        try await Office.with { office in
            let (store, viewer, id) = (office.store, office.viewers[0], office.alone[0].id)
            let actor = Actor(kind: .person, id: "1", name: "Vera")
            func change(_ change: ContactChange, if condition: VersionCondition = .any) async throws -> Contact {
                try await store.changeContact(id: id, change, if: condition, for: viewer, by: actor)
            }
            #expect(try await change(ContactChange(priority: 3, message: "m")).priority == 3)
            #expect(
                isNothing(
                    await outcome { try await change(ContactChange(priority: 4), if: .oneOf([1])) }, .versionConflict))
            #expect(try await change(ContactChange(.close)).status == .closed)
            #expect(try await change(ContactChange(.close)).status == .closed)
            #expect(
                isNothing(
                    await outcome {
                        try await change(ContactChange(.transfer(Assignment(operatorID: office.operators[1]))))
                    },
                    .contactClosed))
            #expect(try await change(ContactChange(.reopen)).operator?.id == office.operators[0])
            let forced = Assignment(operatorID: office.operators[1], force: true)
            for move in [ContactChange.Move.transfer(forced), .assign(forced)] {
                #expect(isNothing(await outcome { try await change(ContactChange(move)) }, .notAllowed))
            }
            _ = try await store.changeOperator(
                id: office.operators[1], OperatorChange(isActive: false), for: .everything, by: .api)
            let transfer = ContactChange(.transfer(Assignment(operatorID: office.operators[1])))
            #expect(isNothing(await outcome { try await change(transfer) }, .operatorInactive))
            _ = try await store.changeOperator(
                id: office.operators[1], OperatorChange(isActive: true), for: .everything, by: .api)
            // PATCH asks for an assignment.
            let assigned = try await change(ContactChange(.assign(Assignment(operatorID: office.operators[1]))))
            #expect(assigned.operator?.id == office.operators[1])
            #expect(isNothing(await outcome { try await change(ContactChange(.close)) }, .contactNotFound))
        }
    }

    @Test func `closings of several viewers share a transaction, and each closes what it sees and counts what it sees`()
        async throws
    {
        try await Office.with { office in
            let both = office.shared.map(\.id)
            var closings: [Closing] = []
            for viewer in office.viewers + office.supervisors + [.everything] {
                for id in both {
                    closings.append(
                        Closing(id: id, change: ContactChange(.close), condition: .any, viewer: viewer, actor: .api))
                }
            }
            let seen = try await office.store.standings(ofContacts: closings.map { ($0.id, $0.viewer) })
            #expect(seen.map { $0 != nil } == [true, false, false, true, true, false, false, true, true, true])
            let edits = [0, 3].map {
                ContactEdit(
                    id: closings[$0].id, seen: seen[$0]!, ContactChange(.close), for: closings[$0].viewer, by: .api)
            }
            let third = try #require(
                try await office.store.standings(ofContacts: [(office.alone[0].id, .everything)])[0])
            let last = ContactEdit(
                id: office.alone[0].id, seen: third, ContactChange(.close), for: .everything, by: .api)
            let batch = ClosingBatch(edits + [last], .together)
            let plan = try await office.store.transaction { (transaction) throws(StoreError) in
                let plan = try batch.plan(try await transaction.run(batch.close(without: [])), without: [])
                _ = try await transaction.finish(with: plan.statements)
                return plan
            }
            #expect(both.map { plan.contacts[$0]?.lead.contactCount } == [1, 1])
            #expect(plan.contacts[last.id]?.lead.contactCount == 1 && plan.contacts.count == 3)
        }
    }

    @Test func `a contact that changes hands is changed by whoever has it at that moment alone`() async throws {
        try await Office.with { office in
            let (store, id) = (office.store, office.alone[0].id)
            let refusals = Shared(0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0...1 {
                    group.addTask {
                        for round in 0..<60 {
                            do throws(StoreError) {
                                let change =
                                    round % 3 == 0 ? ContactChange(.close) : ContactChange(priority: round % 10)
                                _ = try await store.changeContact(
                                    id: id, change, for: office.viewers[index],
                                    by: Actor(kind: .person, id: "\(office.operators[index])"))
                            } catch .contactNotFound {
                                refusals.withLock { $0 += 1 }
                            }
                        }
                    }
                }
                group.addTask {
                    for round in 0..<120 {
                        let change =
                            round % 2 == 0
                            ? ContactChange(.reopen)
                            : ContactChange(.assign(Assignment(operatorID: office.operators[round / 2 % 2])))
                        do throws(StoreError) {
                            _ = try await store.changeContact(id: id, change, for: .everything, by: .api)
                        } catch .contactClosed {}
                    }
                }
                try await group.waitForAll()
            }
            // Whose it was at each event: of one contact, their order is the one in which it was changed.
            var holder: Int? = office.operators[0]
            var changed = 0
            for event in try await store.history(ofContact: id, LogPage(limit: 1000), for: .everything).elements {
                if event.actor.kind == "person" {
                    changed += 1
                    #expect(event.actor.id == holder.map { String($0) })
                }
                if let operatorID = event.toOperatorID { holder = operatorID }
            }
            #expect(changed > 0 && refusals.value > 0, "changed \(changed) times, refused \(refusals.value) times")
        }
    }

    @Test func `a lead is changed and merged by whoever sees it, and nobody is told whose a foreign key is`()
        async throws
    {
        try await Office.with { office in
            let store = office.store
            let (own, foreign) = (office.alone[0].lead.id, office.alone[1].lead.id)
            func change(_ id: Int, _ viewer: Viewer, phone: String? = nil) async -> String {
                await outcome {
                    try await store.changeLead(
                        id: id, LeadChange(name: "New", phone: phone), for: viewer, by: .api
                    ) { _, phone, _ in phone.map { [LeadIdentity(kind: .phone, value: $0)] } ?? [] }.lead.name ?? ""
                }
            }
            func merge(_ id: Int, _ other: Int, _ viewer: Viewer) async -> String {
                await outcome {
                    try await store.mergeLead(id: id, into: other, for: viewer, by: .api).contacts.map(\.id)
                }
            }
            let supervisor = office.supervisors[0]
            #expect(await change(own, supervisor) == "New")
            let missing = await change(999_999, supervisor)
            #expect(await change(foreign, supervisor) == missing && isNothing(missing, .leadNotFound))
            for pair in [(own, foreign), (foreign, own), (own, 999_999), (foreign, 999_999)] {
                #expect(isNothing(await merge(pair.0, pair.1, supervisor), .leadNotFound))
            }
            for viewer in [office.viewers[0], office.intakes[0]] {
                for id in [own, foreign] { #expect(isNothing(await change(id, viewer), .notAllowed)) }
                #expect(isNothing(await merge(own, office.shared[0].lead.id, viewer), .notAllowed))
            }
            _ = try await store.changeLead(id: foreign, LeadChange(phone: "+79990000000"), for: .everything, by: .api) {
                _, phone, _ in phone.map { [LeadIdentity(kind: .phone, value: $0)] } ?? []
            }
            #expect(isNothing(await change(own, supervisor, phone: "+79990000000"), .notAllowed))
            let shared = office.shared[0].lead.id
            #expect(isNothing(await change(own, supervisor, phone: Office.phone.value), .leadKeyTaken(leadID: shared)))
            #expect(await merge(own, shared, supervisor) == "\([office.shared[0].id, office.alone[0].id])")
        }
    }

    // MARK: registering

    @Test
    func `a source that a key may not use is one that there is not, alone, in a batch and when it is asked again`()
        async throws
    {
        try await Office.with { office in
            let intake = office.database.intake
            func request(
                _ sourceID: Int, event: String? = nil, key: String? = nil, content: String = "", _ viewer: Viewer
            ) -> Intake.Request {
                Intake.Request(
                    contact: NewContact(sourceID: sourceID, sourceEventID: event), keys: [Office.phone], for: viewer,
                    by: Office.keys[0],
                    idempotency: key.map { key in
                        Intake.Idempotency(owner: "a", key: key, content: Array(content.utf8)) { registered in
                            Intake.StoredAnswer(status: 201, body: Array("\(registered.contact.id)".utf8))
                        }
                    })
            }
            func alone(_ request: Intake.Request) async -> String {
                await outcome { try await intake.register(request) }
            }
            let viewer = office.intakes[0]
            let (own, foreign) = (office.sources[0].id, office.sources[1].id)
            let before: Int = try await office.database.value("select count(*) from contacts")
            for event in [nil, "Shared 1", "new"] {
                let refused = await alone(request(foreign, event: event, viewer))
                let missing = await alone(request(999_999, event: event, viewer))
                #expect(refused == missing && isNothing(refused, .sourceNotFound))
            }
            let outcomes = await intake.register([
                request(foreign, event: "Shared 1", viewer), request(own, viewer), request(foreign, viewer),
                request(999_999, viewer),
            ])
            #expect(outcomes.map { if case .success = $0 { true } else { false } } == [false, true, false, false])
            for outcome in [outcomes[0], outcomes[2], outcomes[3]] {
                #expect(throws: StoreError.self) { try outcome.get() }
                if case .failure(let error) = outcome { #expect("\(error)" == "sourceNotFound") }
            }
            // An event that another key has sent is the same ask, within the source.
            let again = try await intake.register([request(own, event: "Shared 0", viewer)])[0].get()
            #expect(again.isRepetition && again.contact.id == office.shared[0].id)
            // An answer that was given before the key lost the source is not given again, and another request with its
            // key is told from it as for any source that there is not.
            let wide = Viewer(reach: .registered(byKey: "a"))
            let answered = await alone(request(foreign, key: "k", content: "one", wide))
            #expect(answered.contains("registered"))
            #expect((await alone(request(foreign, key: "k", content: "one", wide))).contains("replayed"))
            #expect(isNothing(await alone(request(foreign, key: "k", content: "one", viewer)), .sourceNotFound))
            for source in [foreign, 999_999] {
                #expect(
                    isNothing(await alone(request(source, key: "k", content: "two", viewer)), .idempotencyKeyReused))
            }
            let now: Int = try await office.database.value("select count(*) from contacts")
            #expect(now == before + 2)
            #expect(isNothing(await alone(request(own, office.viewers[0])), .notAllowed))
        }
    }

    @Test func `a source that somebody holds is no slower to refuse than one that there is not`() async throws {
        try await Office.with { office in
            let holder = try await Connection.open(office.database.connectionConfiguration)
            _ = try await holder.send([
                "begin", "select pg_advisory_xact_lock(7105, \(office.sources[1].id)::integer)",
                "select from sources where id = \(office.sources[1].id) for update",
                "select from operator_loads for update",
            ])
            let viewer = office.supervisors[0]
            let began = ContinuousClock.now
            let registered = await office.database.intake.register([
                Intake.Request(
                    contact: NewContact(sourceID: office.sources[1].id), keys: [], for: office.intakes[0],
                    by: Office.keys[0])
            ])
            #expect(throws: StoreError.self) { try registered[0].get() }
            let changed = await outcome {
                try await office.store.changeSource(
                    id: office.sources[1].id, SourceChange(stickyDays: 3), for: viewer, by: .api)
            }
            let weighted = await outcome {
                try await office.store.setWeights(
                    sourceID: office.sources[1].id, [], replacing: true, for: viewer, by: .api)
            }
            #expect(isNothing(changed, .sourceNotFound) && isNothing(weighted, .sourceNotFound))
            // Whoever waits for a lock does so for longer than that.
            #expect(ContinuousClock.now - began < .seconds(1))
            await holder.close()
        }
    }

    // MARK: operators, sources and figures

    @Test
    func `an operator knows colleagues by name and itself as it is, and changes nothing but whether it is active`()
        async throws
    {
        try await Office.with { office in
            let (store, viewer) = (office.store, office.viewers[0])
            let (own, colleague) = (office.operators[0], office.operators[1])
            let listed = try await store.colleagues(ofOperator: own, Page()).elements
            let whole = try await store.operator(id: own, for: .everything)
            #expect(
                listed == [
                    Colleague(id: own, name: "of first", itself: whole), Colleague(id: colleague, name: "of second"),
                ])
            let first = try await store.colleagues(ofOperator: own, Page(limit: 1))
            #expect(first.elements.map(\.id) == [own] && first.nextCursor == own)
            #expect(try await store.operator(id: own, for: viewer) == whole)
            #expect(try await store.operatorStatistics(id: own, for: viewer).totalContacts == 2)
            for id in [colleague, 999_999] {
                #expect(isNothing(await outcome { try await store.operator(id: id, for: viewer) }, .operatorNotFound))
                #expect(
                    isNothing(
                        await outcome { try await store.operatorStatistics(id: id, for: viewer) }, .operatorNotFound))
                let change = OperatorChange(isActive: false)
                #expect(
                    isNothing(
                        await outcome { try await store.changeOperator(id: id, change, for: viewer, by: .api) },
                        .operatorNotFound))
            }
            #expect(
                isNothing(await outcome { try await store.operators(isActive: nil, Page(), for: viewer) }, .notAllowed))
            let changed = try await store.changeOperator(
                id: own, OperatorChange(isActive: false), for: viewer, by: .api)
            #expect(!changed.isActive)
            for change in [
                OperatorChange(name: "x"), OperatorChange(maxLoad: 1), OperatorChange(isActive: true, maxLoad: 1),
            ] {
                let refused = await outcome { try await store.changeOperator(id: own, change, for: viewer, by: .api) }
                #expect(isNothing(refused, .notAllowed))
            }
            #expect(try await store.operator(id: colleague, for: .everything).isActive)
        }
    }

    @Test func `whoever is limited to sources sees and sets these alone`() async throws {
        try await Office.with { office in
            let (store, viewer) = (office.store, office.supervisors[0])
            let (own, foreign) = (office.sources[0].id, office.sources[1].id)
            #expect(try await store.sources(Page(), for: viewer).elements.map(\.id) == [own])
            let listed = try await store.sources(Page(limit: 1), for: viewer)
            #expect(listed.elements.map(\.id) == [own] && listed.nextCursor == nil)
            let weight = NewWeight(operatorID: office.operators[0], weight: 5)
            let doors: [(String, (Int) async throws -> Any)] = [
                ("source", { try await store.source(id: $0, for: viewer) }),
                ("weights", { try await store.weights(sourceID: $0, for: viewer) }),
                ("shares", { try await store.shares(ofSource: $0, SharesRequest(), for: viewer) }),
                (
                    "change",
                    { try await store.changeSource(id: $0, SourceChange(name: "first"), for: viewer, by: .api) }
                ),
                (
                    "set",
                    { try await store.setWeights(sourceID: $0, [weight], replacing: false, for: viewer, by: .api) }
                ),
            ]
            let before = "\(try await store.weights(sourceID: foreign, for: .everything))"
            for (name, open) in doors {
                #expect(!(await outcome { try await open(own) }).hasPrefix("refused"), "\(name)")
                let (refused, missing) = (
                    await outcome { try await open(foreign) }, await outcome { try await open(999_999) }
                )
                #expect(refused == missing && isNothing(refused, .sourceNotFound), "\(name)")
            }
            #expect("\(try await store.weights(sourceID: foreign, for: .everything))" == before)
            _ = try await store.changeOperator(
                id: office.operators[0], OperatorChange(isActive: false), for: .everything, by: .api)
            _ = try await store.changeOperator(
                id: office.operators[1], OperatorChange(isActive: false), for: .everything, by: .api)
            _ = try await office.database.register(own)
            _ = try await office.database.register(foreign)
            #expect(try await store.waitingGroups(for: viewer).map(\.sourceID) == [own])
            #expect(try await store.waitingGroups(for: .everything).map(\.sourceID) == [own, foreign])
        }
    }

    @Test func `what cannot be told of a part is told to nobody who sees a part`() async throws {
        try await Office.with { office in
            let store = office.store
            let own = office.operators[0]
            let doors: [(String, (Viewer) async throws -> Any)] = [
                ("statistics", { try await store.distributionStatistics(for: $0) }),
                ("distribution", { try await store.contactDistribution(for: $0) }),
                ("overview", { try await store.overview(OverviewRequest(), for: $0) }),
                ("duplicates", { try await store.possibleDuplicates(Page(), for: $0) }),
                ("a new operator", { try await store.createOperator(NewOperator(name: "x"), for: $0, by: .api) }),
                ("a new source", { try await store.createSource(NewSource(name: "x"), for: $0, by: .api) }),
                ("an operator's end", { try await store.archiveOperator(id: own, for: $0, by: .api) }),
            ]
            for viewer in [
                office.viewers[0], office.supervisors[0], office.intakes[0], Viewer(reach: .everything, sourceIDs: []),
            ] {
                for (name, open) in doors {
                    #expect(isNothing(await outcome { try await open(viewer) }, .notAllowed), "\(name)")
                }
            }
            for viewer in [office.viewers[0], office.intakes[0]] {
                for (name, refused) in [
                    ("sources", await outcome { try await store.sources(Page(), for: viewer) }),
                    ("source", await outcome { try await store.source(id: office.sources[0].id, for: viewer) }),
                    ("weights", await outcome { try await store.weights(sourceID: office.sources[0].id, for: viewer) }),
                    ("queue", await outcome { try await store.waitingGroups(for: viewer) }),
                ] {
                    #expect(isNothing(refused, .notAllowed), "\(name)")
                }
            }
            let limited = office.supervisors[0]
            #expect(isNothing(await outcome { try await store.operatorStatistics(id: own, for: limited) }, .notAllowed))
            let change = OperatorChange(isActive: false)
            #expect(
                isNothing(
                    await outcome { try await store.changeOperator(id: own, change, for: limited, by: .api) },
                    .notAllowed))
            for (_, open) in doors.prefix(4) {
                #expect(!(await outcome { try await open(.everything) }).hasPrefix("refused"))
            }
        }
    }

    @Test func `whoever is shown masked data does not search what it is not shown`() async throws {
        try await Office.with { office in
            let (store, analyst) = (office.store, Viewer(reach: .everything, isMasked: true))
            let query = LeadQuery(words: ["Shared"], beginnings: [])
            for refused in [
                await outcome { try await store.contacts(ContactFilter(), matching: query, Page(), for: analyst) },
                await outcome { try await store.leads(matching: query, Page(), for: analyst) },
                await outcome { try await store.lead(Office.phone, for: analyst) },
                await outcome { try await store.lead(LeadIdentity(kind: .phone, value: "x"), for: analyst) },
            ] {
                #expect(isNothing(refused, .notAllowed))
            }
            let contacts = try await store.contacts(ContactFilter(), Page(), for: analyst).elements
            let leads = try await store.leads(Page(), for: analyst).elements
            #expect(contacts.count == 4 && leads.count == 3)
        }
    }
}
