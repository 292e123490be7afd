import Leads

extension Component {
    static let leadWithContacts = answer(
        "LeadWithContacts", "A person or company that asked, and what was asked.",
        leadProperties + [.init("contacts", .array(of: .reference(.contact)), "The latest contacts, in order of id.")],
        example: { $0.lead(LeadWithContacts(lead: .sample, contacts: [.sample])) })
}

extension Operation {
    static let listLeads = Operation(
        "list_leads", .leads, "List leads", query: .fields(Query.pageWords) { Page(&$0) },
        answers: .page(
            of: .leadWithContacts,
            "Leads, in order of their numbers, each with its latest \(LeadWithContacts.contactsInList) contacts."))

    static let showLead = Operation(
        "show_lead", .leads, "Show a lead",
        answers: .ok(
            .one(.leadWithContacts), "The lead with its latest \(LeadWithContacts.contactsById) contacts."),
        problems: [.leadNotFound])

    static let showLeadByExternalID = Operation(
        "show_lead_by_external_id", .leads, "Show a lead by its id in another system",
        answers: .ok(
            .one(.leadWithContacts), "The lead with its latest \(LeadWithContacts.contactsById) contacts."),
        problems: [.leadNotFound])

    static let listLeadContacts = Operation(
        "list_lead_contacts", .leads, "List a lead's contacts", query: .fields(Query.pageWords) { Page(&$0) },
        answers: .page(of: .contact, "All contacts of the lead, in order of their numbers."),
        problems: [.leadNotFound])
}
