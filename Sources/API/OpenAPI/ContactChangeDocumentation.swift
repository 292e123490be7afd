import Leads

extension Component {
    fileprivate static let contactUpdate = request(
        "ContactUpdate",
        "What is to be different about a contact. What is left out stays; an empty object changes nothing.",
        { ContactChange(&$0) },
        [
            "status":
                "`closed` closes the contact, `active` opens a closed one again. Not together with `operator_id`.",
            "operator_id": "Who is to have it. Sent as null, the contact is released.",
            "priority": "The higher, the sooner it leaves the queue.",
            "message": "What the lead said; an empty text removes it.",
        ],
        rules: [
            .init(
                "not",
                ["required": ["status", "operator_id"], "properties": ["status": ["type": "string"]]])
        ],
        example: #"{"priority": 5}"#)

    fileprivate static let assignment = request(
        "ContactAssign", "Who is to have the contact.", { ContactChange(assignment: &$0) }, assignmentWords,
        example: #"{"operator_id": 1, "reason": "speaks Spanish"}"#)

    fileprivate static let transfer = request(
        "ContactTransfer", "Who is to have the contact from now on.", { ContactChange(transfer: &$0) }, assignmentWords,
        example: #"{"operator_id": 1, "force": true}"#)

    private static let assignmentWords = [
        "operator_id": "Number of the operator; a weight on the source is not needed.",
        "force": "Whether to do so although the operator is inactive or at the limit.",
        "reason": "Why, for the contact's history.",
    ]

    fileprivate static let release = request(
        "ContactRelease", "Why the contact is given back.", { ContactChange(release: &$0) },
        ["reason": "Why, for the contact's history."], example: #"{"reason": "on holiday from tomorrow"}"#)

    fileprivate static let bulkChange = request(
        "ContactBulk", "The same change to many contacts.", { BulkChange(&$0) },
        [
            "action": "What to do to each.",
            "ids": "Numbers of the contacts.",
            "operator_id": "Required by `assign` and `transfer`: who is to have them.",
            "force": "Of `assign` and `transfer`: although the operator is inactive or at the limit.",
            "reason": "Of `assign`, `transfer` and `release`: why, for the contacts' history.",
            "priority": "Required by `priority`: the new one.",
        ],
        rules: [
            .init(
                "allOf",
                [
                    whenever(action: ["assign", "transfer"], requires: "operator_id"),
                    whenever(action: ["priority"], requires: "priority"),
                ])
        ],
        example: #"{"action": "transfer", "ids": [1, 2], "operator_id": 3}"#)

    private static func whenever(action: [JSONValue], requires field: String) -> JSONValue {
        [
            "if": ["properties": ["action": ["enum": .array(action)]]],
            "then": [
                "required": [.string(field)],
                "properties": .object([.init(field, ["type": "integer"])]),
            ],
        ]
    }

    fileprivate static let bulkOutcome = answer(
        "ContactBulkResult", "What became of one contact of many.",
        [
            .init("id", .integer(Int.min...Int.max), "Number of the contact, as it was sent."),
            .init("status", .integer(200...599), "The status that the call for this contact alone would have had."),
            .init("contact", .reference(.contact).orNull, "The contact after the change; null when it was refused."),
            .init("detail", .string, "Why it was refused, for people.", isRequired: false),
            .init("code", .string.orNull, "Why it was refused, for programs.", isRequired: false),
        ],
        examples: [
            ("changed", { $0.bulkOutcome(of: 1, .success(.sample), in: .english) }),
            ("refused", { $0.bulkOutcome(of: 2, .failure(.contactClosed), in: .english) }),
        ])

    fileprivate static let explanation = answer(
        "ContactExplanation", "The last attempt to place a contact, made again from its record.",
        [
            .init("contact_id", .id, "Number of the contact."),
            .init("decided_at", .timestamp, "When it was decided."),
            .init("strategy", .choice(Strategy.self), "The source's strategy at that time."),
            .init(
                "rule", .choice(DecisionRule.self),
                "What decided: the `strategy`; the lead's last operator (`sticky`); its own operator, on reopening "
                    + "(`returned`); others who waited longer (`queue`); a person (`manual`), also beyond the limit or "
                    + "to someone inactive (`forced`)."),
            .init("outcome", .choice(["placed", "waiting"]), "What came out."),
            .init("operator_id", .id.orNull, "Who got it; null for nobody."),
            .init("reason", .choice(WaitingReason.self).orNull, "Why nobody got it; null when somebody did."),
            .init(
                "draw", .count.orNull,
                "The number drawn: for the weighted strategies below the sum of all shares, laid end to end in order of "
                    + "operators; for `least_loaded` and `most_free` what decides between equals. Null when nothing was."
            ),
            .init(
                "candidates", .array(of: .reference(.candidate)),
                "The source's operators, or the one whose place had become free, or of a source with many those that were "
                    + "drawn, as they were at that moment; empty when the details are no longer kept."),
            .init(
                "reproduced", .boolean.orNull,
                "Whether making the decision again gave the same outcome; null for choices by hand and when the details "
                    + "are no longer kept."),
            .init("sentence", .string, "All of it in a sentence, in the language of `Accept-Language`."),
        ],
        example: { $0.explanation(.sample, in: .english) })

    private static let candidate = answer(
        "ContactCandidate", "An operator who was considered, as of that moment.",
        [
            .init("operator_id", .id, "Number of the operator."),
            .init("name", .string, "Name of the operator."),
            .init("weight", .count, "Weight on the source; 0 for none, which only a choice by hand allows."),
            .init("load", .count, "How many contacts the operator carried."),
            .init("max_load", .integer(Operator.maxLoadRange), "How many the operator might carry at most."),
            .init("eligible", .boolean, "Whether the operator could be chosen."),
            .init("excluded", .choice(Exclusion.self).orNull, "Why not; null when so."),
            .init(
                "probability", .number.orNull,
                "The chance of being chosen, among all of the source, 0…1; null where chance had no part."),
        ],
        example: { $0.candidate(Explanation.sample.candidates[0]) })
}

extension Operation {
    static let changeContact = Operation(
        "update_contact", .contacts, "Change a contact",
        "All of it or nothing, in one step of the version. Giving it to an operator is subject to the same rules as "
            + "`assign`.",
        body: .one(.contactUpdate), isConditional: true, answers: .ok(.one(.contact), after),
        problems: [.contactNotFound, .operatorNotFound, .contactClosed, .operatorInactive, .operatorAtLimit])

    static let changeContactStatus = Operation(
        "update_contact_status", .contacts, "Close a contact or open it again", body: .one(.statusChange),
        isConditional: true, answers: .ok(.message("Contact status updated to inactive"), "What was done."),
        problems: [.contactNotFound])

    static let closeContact = Operation(
        "close_contact", .contacts, "Close a contact",
        "The place that becomes free goes to whoever waits first. Closing a closed contact changes nothing.",
        isConditional: true, answers: .ok(.one(.contact), after), problems: [.contactNotFound])

    static let reopenContact = Operation(
        "reopen_contact", .contacts, "Open a closed contact again",
        "It goes back to its operator if that one is free, else to another by the source's strategy, else to the end "
            + "of the queue. Opening an open contact changes nothing.",
        isConditional: true, answers: .ok(.one(.contact), after), problems: [.contactNotFound])

    static let assignContact = Operation(
        "assign_contact", .contacts, "Give a contact to an operator",
        "Whether it waits or somebody has it. Giving it to the one who has it changes nothing.",
        body: .one(.assignment), isConditional: true, answers: .ok(.one(.contact), after), problems: assignmentProblems)

    static let transferContact = Operation(
        "transfer_contact", .contacts, "Transfer a contact to another operator",
        "The place that becomes free goes to whoever waits first.",
        body: .one(.transfer), isConditional: true, answers: .ok(.one(.contact), after),
        problems: assignmentProblems + [.contactUnassigned])

    static let releaseContact = Operation(
        "release_contact", .contacts, "Give a contact back",
        "It goes back where it stood in the queue, and at once to somebody else who is free. Its operator is not chosen "
            + "for it again, unless everybody the source has gave it back. Releasing a contact that waits changes nothing.",
        body: .one(.release), isBodyOptional: true, isConditional: true, answers: .ok(.one(.contact), after),
        problems: [.contactNotFound, .contactClosed])

    static let changeContacts = Operation(
        "bulk_contacts", .contacts, "Change many contacts",
        "One after the other, each by itself: one that is refused stops none of the others. When the database goes away in "
            + "between, what could not be tried any more answers 503.",
        body: .one(.bulkChange), answers: .ok(.list(of: .bulkOutcome), "What became of each, in the order sent."))

    static let explainContact = Operation(
        "explain_contact", .contacts, "Explain why a contact went where it went",
        "The last attempt to place it: who was considered, with which numbers, what was drawn.",
        answers: .ok(.one(.explanation), "The decision."), problems: [.contactNotFound, .decisionNotFound])

    private static let after = "The contact after the change."
    private static let assignmentProblems: [Problem] = [
        .contactNotFound, .operatorNotFound, .contactClosed, .operatorInactive, .operatorAtLimit,
    ]
}

extension Explanation {
    fileprivate static let sample = Explanation(
        contactID: 1, decidedAt: .sample, strategy: .weightedRandom, rule: .strategy,
        outcome: .placed(operatorID: 1, name: "Anna"), draw: 7,
        candidates: [
            Candidate(
                operatorID: 1, name: "Anna", weight: 10, load: 2, maxLoad: 10, exclusion: nil, probability: 0.25),
            Candidate(
                operatorID: 2, name: "Boris", weight: 30, load: 3, maxLoad: 10, exclusion: nil, probability: 0.75),
            Candidate(
                operatorID: 3, name: "Vera", weight: 5, load: 5, maxLoad: 5, exclusion: .atLimit, probability: 0),
        ],
        isReproduced: true)
}
