import Leads

extension Component {
    static let contact = answer(
        "Contact", "One ask by one lead through one source.",
        [
            .init("id", .id, "Number of the contact."),
            .init("lead_id", .id, "Number of the lead."),
            .init("source_id", .id, "Number of the source."),
            .init("operator_id", .id.orNull, "Number of the operator; null when nobody has the contact."),
            .init("status", .choice(ContactStatus.self), "`new`: it waits. `active`: an operator has it. `closed`."),
            .init("is_active", .boolean, "Whether it is not closed; true also while it waits."),
            .init("message", .string.orNull, "What the lead said."),
            .init("priority", .integer(Contact.priorityRange), "The higher, the sooner it leaves the queue."),
            .init("source_event_id", .string.orNull, "The source's own number for this ask."),
            .init("waiting_reason", .choice(WaitingReason.self).orNull, waitingReasonWords),
            .init("version", .integer(1...Int.max), "Grows with each change of the contact."),
            .init("created_at", .timestamp, "When it was registered."),
            .init("assigned_at", .timestamp.orNull, "When its operator got it; null when nobody has it."),
            .init("closed_at", .timestamp.orNull, "When it was closed; null when it is not."),
            .init("updated_at", .timestamp.orNull, "When it was last changed; null if never."),
            .init("lead_external_id", .string.orNull, "The lead's `external_id`."),
            .init("lead_email", .string.orNull, "The lead's `email`."),
            .init("lead_phone", .string.orNull, "The lead's `phone`."),
            .init("lead", .reference(.lead), "The lead."),
            .init("operator", .reference(.operator).orNull, "The operator, with the present load; null for nobody."),
            .init("source", .reference(.sourceSummary), "The source."),
        ],
        examples: [("placed", { $0.contact(.sample) }), ("waiting", { $0.contact(.waitingSample) })])

    private static let waitingReasonWords =
        "Why it waits; null when it does not. The source has no operators (`no_operators`), none is active "
        + "(`all_inactive`), all who are active are at their limit (`all_at_limit`), only those who released it have "
        + "places free (`excluded`), or it is being placed (`behind_queue`)."

    static let lead = answer(
        "Lead", "A person or company that asked.", leadProperties, example: { $0.lead(Lead.sample) })

    static let leadProperties: [JSONSchema.Property] = [
        .init("id", .id, "Number of the lead."),
        .init("external_id", .string.orNull, "The lead's id in another system."),
        .init("phone", .string.orNull, "Phone number, as it was first given."),
        .init("email", .string.orNull, "E-mail address, as it was first given."),
        .init("name", .string.orNull, "Name."),
        .init("created_at", .timestamp, "When the lead first asked."),
        .init("updated_at", .timestamp.orNull, "When the lead was last changed; null if never."),
        .init("contact_count", .count, "How many contacts the lead has had."),
    ]

    static let sourceSummary = answer(
        "SourceSummary", "A source as it stands in a contact.",
        [
            .init("id", .id, "Number of the source."),
            .init("name", .string(length: Source.nameLength), "Name, unique among sources."),
            .init("description", .string(length: Source.descriptionLength).orNull, "What the source is, for people."),
            .init("created_at", .timestamp, "When the source was added."),
        ],
        example: { $0.sourceSummary(.sample) })

    static let contactCreate = request(
        "ContactCreate",
        "Who asked for what. The lead is recognised by `lead_external_id`, then `lead_phone`, then `lead_email`, and "
            + "made if there is none; without any of these it is a new one.",
        { NewContact(&$0) },
        [
            "source_id": "Number of the source.",
            "lead_external_id": "The lead's id in another system.",
            "lead_phone":
                "Phone number in any usual notation. What is no number is kept and shown, but identifies nobody.",
            "lead_email": "E-mail address. What is none is kept and shown, but identifies nobody.",
            "lead_name": "Name.",
            "message": "What the lead said.",
            "priority": "The higher, the sooner it leaves the queue.",
            "source_event_id":
                "The source's own number for this ask, unique per source for ever: repeating it answers with the first "
                + "contact and registers nothing.",
        ],
        example: """
            {"source_id": 1, "lead_phone": "8 (900) 123-45-67", "lead_name": "Ivan", "message": "Call me back", \
            "source_event_id": "update-4711"}
            """)

    /// What became of one registration of many.
    fileprivate static let batchOutcome = answer(
        "ContactBatchResult", "What became of one registration of many: the contact, or what is wrong.",
        [
            .init("status", .integer(200...599), "The status that the call for this contact alone would have had."),
            .init("contact", .reference(.contact), "The contact, when there is one.", isRequired: false),
            .init(
                "detail", .anyOf(.string, .array(of: .reference(.validationFault))),
                "Why it was refused: for people, or all faults of the item.", isRequired: false),
            .init("code", .string, "Why it was refused, for programs.", isRequired: false),
        ],
        examples: [
            ("registered", { $0.registrationOutcome(.success(.sample), in: .english) }),
            ("repeated", { $0.registrationOutcome(.success(.sample), isRepetition: true, in: .english) }),
            ("refused", { $0.registrationOutcome(.failure(.sourceNotFound), in: .english) }),
        ])

    static let statusChange = request(
        "ContactStatusUpdate", "Whether a contact is to be open. With both fields, `status` counts.",
        { ContactChange(status: &$0) },
        [
            "status": "`closed` closes the contact, `active` opens it again.",
            "is_active": "The same: false closes the contact, true opens it again.",
        ],
        example: #"{"is_active": false}"#)
}

extension Operation {
    static let registerContact = Operation(
        "register_contact", .contacts, "Register a contact",
        "Finds or makes the lead and gives the contact to one of the source's operators who is active and below the "
            + "limit. Where nobody can take it, it waits, which is no error: `operator` is null and `waiting_reason` says "
            + "why.",
        body: .one(.contactCreate), isRepeatable: true,
        answers: .created(.one(.contact), "The contact, placed or waiting."),
        .ok(.one(.contact), "The contact that was registered earlier with this `source_event_id`."),
        problems: [.sourceNotFound])

    static let registerContacts = Operation(
        "register_contacts", .contacts, "Register many contacts",
        "At most \(NewContact.batchLimit), placed in the order sent. Each is answered by itself: one that is refused "
            + "stops none of the others, also when it is not as the schema has it; only a body that is no list, or a "
            + "longer one, is refused as a whole. Give each a `source_event_id`: repeating the request then registers "
            + "what is missing and nothing twice; the header `Idempotency-Key` means nothing here. When the database goes "
            + "away in between, what was not registered answers 503.",
        body: .list(of: .contactCreate, atMost: NewContact.batchLimit),
        answers: .ok(.list(of: .batchOutcome), "What became of each, in the order sent."))

    static let listContacts = Operation(
        "list_contacts", .contacts, "List contacts",
        query: .fields(
            Query.pageWords.merging([
                "source_id": "Only contacts of this source.",
                "operator_id": "Only contacts this operator has.",
                "lead_id": "Only contacts of this lead.",
                "status": "Only contacts with this status.",
                "is_active": "Only contacts that are not closed, or only those that are.",
                "created_from": "Only contacts registered at this moment or later.",
                "created_to": "Only contacts registered at this moment or earlier.",
                "q":
                    "Only contacts of a lead who is found by this: words of the name or how they begin, in any order, or "
                    + "how a phone number in any notation, an e-mail address or an external id begins; and contacts that "
                    + "have all of these words, or how they begin, in their message, of the latest "
                    + "\(ContactFilter.searchedMessages) that the other filters leave.",
            ]) { $1 }
        ) { (ContactFilter(&$0), Page(&$0)) },
        answers: .page(of: .contact, "Contacts, in order of their numbers."))

    static let showContact = Operation(
        "show_contact", .contacts, "Show a contact",
        answers: .ok(.one(.contact), "The contact."), problems: [.contactNotFound])
}

extension Lead {
    static let sample = Lead(
        id: 1, externalID: nil, phone: "+79001234567", email: nil, name: "Ivan", createdAt: .sample, updatedAt: nil,
        contactCount: 1)
}

extension SourceSummary {
    static let sample = SourceSummary(
        id: 1, name: "telegram_bot", description: "The bot on our site", createdAt: .sample)
}

extension Contact {
    static let sample = Contact(
        id: 1, status: .active, message: "Call me back", priority: 0, sourceEventID: "update-4711",
        waitingReason: nil, version: 1, createdAt: .sample, assignedAt: .sample, closedAt: nil, updatedAt: nil,
        lead: .sample, operator: .sample, source: .sample)

    static let waitingSample = Contact(
        id: 2, status: .new, message: nil, priority: 5, sourceEventID: nil, waitingReason: .allAtLimit, version: 1,
        createdAt: .sample, assignedAt: nil, closedAt: nil, updatedAt: nil, lead: .sample, operator: nil,
        source: .sample)
}
