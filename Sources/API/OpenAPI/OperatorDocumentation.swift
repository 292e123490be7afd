import Leads

extension Component {
    static let `operator` = answer(
        "Operator", "A person who handles contacts.",
        [
            .init("id", .id, "Number of the operator."),
            .init("name", .string(length: Operator.nameLength), "Name, which need not be unique."),
            .init("is_active", .boolean, "Whether the operator gets new contacts."),
            .init("max_load", .integer(Operator.maxLoadRange), "The most contacts the operator may carry at once."),
            .init(
                "current_load", .count,
                "How many contacts the operator carries now. It exceeds `max_load` only after that was lowered."),
            .init("created_at", .timestamp, "When the operator was added."),
            .init("updated_at", .timestamp.orNull, "When the operator was last changed; null if never."),
        ],
        example: { $0.operator(.sample) })

    static let operatorCreate = request(
        "OperatorCreate", "An operator to add.", { NewOperator(&$0) },
        [
            "name": "Name, which need not be unique.",
            "is_active": "Whether the operator gets new contacts.",
            "max_load": "The most contacts the operator may carry at once.",
        ],
        example: #"{"name": "Anna", "is_active": true, "max_load": 10}"#)

    static let operatorUpdate = request(
        "OperatorUpdate", "What to change about an operator. What is absent or null stays as it is.",
        { OperatorChange(&$0) },
        [
            "name": "Name, which need not be unique.",
            "is_active": "Whether the operator gets new contacts.",
            "max_load": "The most contacts the operator may carry at once. A lower limit takes no contact away.",
            "requeue":
                "Whether the contacts of an operator who is inactive afterwards go back to the queue; otherwise they stay.",
        ],
        example: #"{"is_active": false, "requeue": true}"#)

    static let operatorActivation = request(
        "OperatorActivation", "Whether an operator is to get new contacts.", { OperatorChange(activation: &$0) },
        ["active": "Whether the operator gets new contacts."],
        example: #"{"active": true}"#)

    static let operatorLoadLimit = request(
        "OperatorLoadLimit", "How many contacts an operator may carry.", { OperatorChange(loadLimit: &$0) },
        ["max_load": "The most contacts the operator may carry at once. A lower limit takes no contact away."],
        example: #"{"max_load": 7}"#)
}

extension Operation {
    static let createOperator = Operation(
        "create_operator", .operators, "Add an operator", body: .one(.operatorCreate),
        answers: .created(.one(.operator), "The operator as stored."))

    static let listOperators = Operation(
        "list_operators", .operators, "List operators",
        "An operator is shown colleagues by `id` and `name` alone, and itself as it is.",
        query: .fields(
            Query.pageWords.merging(["is_active": "Only operators who are active, or only those who are not."]) { $1 }
        ) { (OperatorFilter(&$0), Page(&$0)) },
        answers: .page(of: .operator, "Operators, in order of their numbers."))

    static let showOperator = Operation(
        "show_operator", .operators, "Show an operator",
        answers: .ok(.one(.operator), "The operator."), problems: [.operatorNotFound])

    static let changeOperator = changing("update_operator", "Change an operator")
    static let putOperator = changing("put_operator", "Change an operator, as PATCH does")

    private static func changing(_ id: String, _ summary: String) -> Operation {
        Operation(
            id, .operators, summary,
            "Capacity that appears goes to waiting contacts at once.", body: .one(.operatorUpdate),
            answers: .ok(.one(.operator), "The operator after the change."), problems: [.operatorNotFound])
    }

    static let activateOperator = Operation(
        "activate_operator", .operators, "Activate or deactivate an operator",
        "Deactivated operators keep their contacts.", body: .one(.operatorActivation),
        answers: .ok(.message("Operator activated"), "What was done."), problems: [.operatorNotFound])

    static let limitOperatorLoad = Operation(
        "limit_operator_load", .operators, "Set an operator's load limit", body: .one(.operatorLoadLimit),
        answers: .ok(.message("Load limit set to 7"), "What was done."), problems: [.operatorNotFound])
}

extension Operation {
    static let deleteOperator = Operation(
        "delete_operator", .operators, "Delete an operator",
        "Contacts go back to the queue and to whoever can take them, weights are removed. The operator stays in old "
            + "contacts and in reports, and answers 404 from now on.",
        answers: .ok(.message("Operator deleted successfully"), "What was done."), problems: [.operatorNotFound])

    static let showOperatorStatistics = Operation(
        "show_operator_statistics", .operators, "Show what an operator has and had",
        answers: .ok(.one(.operatorContacts), "The numbers of one moment."), problems: [.operatorNotFound])
}

extension Component {
    static let operatorContacts = answer(
        "OperatorContacts", "One operator's contacts by source.",
        [
            .init("operator", .reference(.operatorSummary), "The operator."),
            .init("contacts_total", .count, "Contacts the operator has or had last, closed ones among them."),
            .init("contacts_active", .count, "Contacts the operator carries now."),
            .init("by_source", .array(of: .reference(.sourceCount)), "The sources they came from, by number."),
        ],
        example: { $0.statistics(OperatorStatistics.sample) })

    private static let operatorSummary = answer(
        "OperatorSummary", "An operator as it stands in statistics.",
        [
            .init("id", .id, "Number of the operator."),
            .init("name", .string(length: Operator.nameLength), "Name, which need not be unique."),
            .init("is_active", .boolean, "Whether the operator gets new contacts."),
            .init("max_load", .integer(Operator.maxLoadRange), "The most contacts the operator may carry at once."),
            .init("current_load", .count, "How many contacts the operator carries now."),
        ],
        example: { $0.operatorSummary(.sample) })

    private static let sourceCount = answer(
        "SourceCount", "How many contacts came from one source.",
        [
            .init("source_id", .id, "Number of the source."),
            .init("source_name", .string, "Name of the source."),
            .init("count", .count, "Contacts, closed ones among them."),
        ],
        example: { $0.sourceCount(.sample) })
}

extension Operation.Query {
    /// What ``Leads/Page`` means.
    static let pageWords = [
        "skip": "How many to leave out at the beginning. Deep in a list, following `Link` is faster.",
        "limit": "How many to show.",
        "cursor": "Where to go on: the number of the last one shown. `Link` has it.",
        "order": "By number: `asc`, the oldest first, or `desc`, the newest first.",
    ]
}

extension Operator {
    static let sample = Operator(
        id: 1, name: "Anna", isActive: true, maxLoad: 10, currentLoad: 3, createdAt: .sample, updatedAt: nil)
}

extension OperatorStatistics {
    static let sample = OperatorStatistics(operator: .sample, bySource: [.sample])
}

extension Timestamp {
    static let sample = Timestamp(microseconds: 1_795_239_131_123_456)
}
