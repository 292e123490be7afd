import Leads

extension Component {
    static let leadWithContacts = answer(
        "LeadWithContacts", "A person or company that asked, and what was asked.",
        leadProperties + [.init("contacts", .array(of: .reference(.contact)), "The latest contacts, in order of id.")],
        example: { $0.lead(LeadWithContacts(lead: .sample, contacts: [.sample])) })

    fileprivate static let leadUpdate = request(
        "LeadUpdate",
        "What is to be different about a lead. What is left out stays; an empty object changes nothing.",
        { LeadChange(&$0) },
        [
            "name": "Name; an empty text removes it.",
            "phone":
                "Phone number, in any notation; an empty text removes it. What is no phone number is shown as it is.",
            "email": "E-mail address; an empty text removes it. What is none is shown as it is.",
            "external_id": "The lead's id in another system; an empty text removes it.",
        ],
        example: #"{"name": "Ivan Petrov", "phone": "8 (900) 765-43-21"}"#)

    fileprivate static let leadMerge = request(
        "LeadMerge", "Which lead stays.", { LeadMerge(&$0) }, ["into": "Number of the lead that stays."],
        example: #"{"into": 1117}"#)

    fileprivate static let possibleDuplicate = answer(
        "PossibleDuplicate", "Two leads that may be the same person or company.",
        [
            .init("lead", .reference(.lead), "The one that is known for longer."),
            .init("other_lead", .reference(.lead), "The other one."),
            .init("kind", .choice(IdentityKind.self), "What they have in common."),
            .init("found_at", .timestamp, "When that was noticed first."),
        ],
        example: { $0.possibleDuplicate(.sample) })
}

extension PossibleDuplicate {
    fileprivate static let sample = PossibleDuplicate(
        id: 1, kind: .phone, foundAt: .sample, lead: .sample,
        otherLead: Lead(
            id: 2, externalID: "crm-78", phone: "8 900 123 45 67", email: nil, name: "I. Petrov", createdAt: .sample,
            updatedAt: nil, contactCount: 1))
}

extension Operation {
    static let listLeads = Operation(
        "list_leads", .leads, "List leads", "Those merged into others are not among them.",
        query: .fields(
            Query.pageWords.merging([
                "q":
                    "Only leads that are found by this: words of the name or how they begin, in any order, or how a phone "
                    + "number in any notation, an e-mail address or an external id begins."
            ]) { $1 }
        ) { (LeadFilter(&$0), Page(&$0)) },
        answers: .page(
            of: .leadWithContacts,
            "Leads, in order of their numbers, each with its latest \(LeadWithContacts.contactsInList) contacts."))

    static let showLead = Operation(
        "show_lead", .leads, "Show a lead",
        "Of one that was merged into another, that other is shown: its number differs from the one asked for.",
        answers: .ok(
            .one(.leadWithContacts), "The lead with its latest \(LeadWithContacts.contactsById) contacts."),
        problems: [.leadNotFound])

    static let showLeadByExternalID = Operation(
        "show_lead_by_external_id", .leads, "Show a lead by its id in another system",
        answers: .ok(
            .one(.leadWithContacts), "The lead with its latest \(LeadWithContacts.contactsById) contacts."),
        problems: [.leadNotFound])

    static let changeLead = Operation(
        "update_lead", .leads, "Change a lead",
        "A new phone number, e-mail address or external id is one more by which the lead is recognised, and the one that is "
            + "shown; the former stay. What is removed is forgotten.",
        body: .one(.leadUpdate), answers: .ok(.one(.leadWithContacts), "The lead after the change."),
        problems: [.leadNotFound, .leadKeyTaken(leadID: 2), .leadErased])

    static let eraseLead = Operation(
        "erase_lead", .leads, "Erase a lead",
        "For ever: its name and all by which it was recognised, the messages and source event ids of its contacts, stored "
            + "answers, and what people wrote in their history; also of leads that were merged into it. The contacts stay "
            + "closed, with their numbers, times and decisions, under a lead that shows nothing. The same person is a new "
            + "lead afterwards. Erasing again changes nothing.",
        query: .fields([
            "force": "Whether open contacts are closed along with it. Otherwise they are a reason to refuse."
        ]) {
            LeadErasure(&$0)
        },
        answers: .ok(.message("Lead erased"), "What was done."), problems: [.leadNotFound, .leadHasOpenContacts])

    static let mergeLead = Operation(
        "merge_lead", .leads, "Merge a lead into another",
        "The other one gets its contacts, what it is recognised by, and of name, phone number, e-mail address and external "
            + "id what it lacks itself. From then on whoever asks for the merged lead is shown the other. This cannot be "
            + "undone. Merging what has been merged already changes nothing.",
        body: .one(.leadMerge), answers: .ok(.one(.leadWithContacts), "The lead that stays."),
        problems: [.leadNotFound, .leadErased])

    static let listDuplicates = Operation(
        "list_duplicate_leads", .leads, "List leads that may be the same",
        "Pairs that have a phone number or an e-mail address in common and could not be told to be the same: because both "
            + "have an external id, or because something else told them apart. They are pairs until somebody merges them.",
        query: .fields(Query.pageWords) { Page(&$0) },
        answers: .page(of: .possibleDuplicate, "Pairs of leads, in the order in which they were found."))

    static let listLeadContacts = Operation(
        "list_lead_contacts", .leads, "List a lead's contacts", query: .fields(Query.pageWords) { Page(&$0) },
        answers: .page(of: .contact, "All contacts of the lead, in order of their numbers."),
        problems: [.leadNotFound])
}
