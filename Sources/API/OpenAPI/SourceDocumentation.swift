import JSON
import LeadStore
import Leads

extension Component {
    private static let sourceProperties: [JSONSchema.Property] = [
        .init("id", .id, "Number of the source."),
        .init("name", .string(length: Source.nameLength), "Name, unique among sources."),
        .init("description", .string(length: Source.descriptionLength).orNull, "What the source is, for people."),
        .init("strategy", .choice(Strategy.self), strategyWords),
        .init("sticky_days", .integer(Source.stickyDaysRange), stickyDaysWords),
        .init("created_at", .timestamp, "When the source was added."),
        .init("updated_at", .timestamp.orNull, "When the source was last changed; null if never."),
    ]

    private static let strategyWords =
        "How an operator is chosen among those who are free: at random in proportion to weight (`weighted_random`) or to "
        + "weight × free places (`weighted_capacity`); in turn, so that shares by weight are exact and never come in bursts "
        + "(`smooth_weighted`); whose last turn is longest ago (`round_robin`); who carries least (`least_loaded`); who has "
        + "the largest share of places free (`most_free`)."
    private static let stickyDaysWords =
        "For how many days a returning lead goes to the operator of its latest contact, if that one is free; 0 for never."

    static let source = answer(
        "Source", "A channel contacts come from: a bot, a form, a messenger account.", sourceProperties,
        example: { $0.object { $0.source(.sample) } })

    static let sourceWithWeights = answer(
        "SourceWithWeights", "A source with the operators who share it.",
        sourceProperties + [
            .init(
                "operator_weights", .array(of: .reference(.weightedOperator)),
                "The operators of the source and their weights, in order of the operators' numbers.")
        ],
        example: { $0.sourceWithWeights(.sample, [WeightedOperator(weight: .sample, operator: .sample)]) })

    static let sourceCreate = request(
        "SourceCreate", "A source to add.", { NewSource(&$0) },
        [
            "name": "Name, unique among sources.",
            "description": "What the source is, for people.",
            "strategy": strategyWords,
            "sticky_days": stickyDaysWords,
        ],
        example: #"{"name": "telegram_bot", "description": "The bot on our site", "strategy": "weighted_random"}"#)

    static let sourceUpdate = request(
        "SourceUpdate", "What to change about a source. What is absent or null stays as it is.",
        { SourceChange(&$0) },
        [
            "name": "Name, unique among sources.",
            "description": "What the source is, for people; an empty text removes it.",
            "strategy": strategyWords,
            "sticky_days": stickyDaysWords,
        ],
        example: #"{"strategy": "weighted_capacity"}"#)

    static let weightedOperator = answer(
        "WeightedOperator", "An operator's weight on a source, with the operator.",
        distributionProperties(sourceFirst: true) + [.init("operator", .reference(.operator), "The operator.")],
        example: { $0.weightedOperator(WeightedOperator(weight: .sample, operator: .sample)) })

    static let distributionRow = answer(
        "DistributionRow", "An operator's weight on a source.", distributionProperties(sourceFirst: false),
        example: { $0.distributionRow(.sample) })

    fileprivate static let sourceShare = answer(
        "SourceShare", "What an operator is to get of a source, and what the operator got of it in some time.",
        [
            .init("operator_id", .id, "Number of the operator."),
            .init("name", .string(length: Operator.nameLength), "Name of the operator."),
            .init(
                "weight", .integer(0...Weight.range.upperBound),
                "The present weight; 0 for one who got contacts and has none any more."),
            .init(
                "target_share", .number,
                "The weight over the weights of all operators who are active, 0 to 1; 0 for one who is not."),
            .init(
                "actual_share", .number.orNull,
                "`contacts` over those of all operators, 0 to 1; null when nobody got any."),
            .init(
                "contacts", .count,
                "Contacts of the source that the operator got in that time, but for those that went on to somebody else."
            ),
            .init("low", .number, bandWords),
            .init("high", .number, "The other end of it, as `low`."),
        ],
        example: { $0.sourceShare(.sample) })

    private static let bandWords =
        "Where the band begins in which the actual share is 95 times in 100 when chance alone decides by the present "
        + "weights: Wilson's score interval, (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n) with p = `target_share`, "
        + "n = the contacts of all operators and z = 1.96; from 0 to 1 when n is 0."

    static let weight = answer(
        "Weight", "An operator's weight on a source, without its date.",
        distributionProperties(sourceFirst: true).filter { $0.name != "created_at" },
        example: { $0.bareWeight(.sample) })

    private static let weightWords =
        "The operator's part of the source's contacts, relative to the weights of the others."

    private static func distributionProperties(sourceFirst: Bool) -> [JSONSchema.Property] {
        let source = JSONSchema.Property("source_id", .id, "Number of the source.")
        let person = JSONSchema.Property("operator_id", .id, "Number of the operator.")
        return [.init("id", .id, "Number of the row.")] + (sourceFirst ? [source, person] : [person, source]) + [
            .init("weight", .integer(Weight.range), weightWords),
            .init("created_at", .timestamp, "When the operator first got a weight on the source."),
        ]
    }

    static let distributionUpdate = request(
        "DistributionUpdate", "Weights of operators on a source.", NewWeight.distribution,
        [
            "operator_weights":
                "The weights. Of an operator named twice, the last counts. None at all is allowed."
        ],
        nested: ["operator_weights": distributionWeight],
        example: """
            {"operator_weights": [
              {"operator_id": 1, "source_id": 1, "weight": 10}, {"operator_id": 2, "source_id": 1, "weight": 30}]}
            """)

    private static let distributionWeight = request(
        "DistributionWeight", "A wanted weight of one operator.", { NewWeight(distribution: &$0) },
        [
            "operator_id": "Number of the operator.",
            "source_id": "Number of the source, the same as in the path.",
            "weight": weightWords,
        ],
        example: #"{"operator_id": 1, "source_id": 1, "weight": 10}"#)

    static let weightUpdate = request(
        "WeightUpdate", "A wanted weight of one operator.", { NewWeight(bare: &$0) },
        ["operator_id": "Number of the operator.", "weight": weightWords],
        example: #"{"operator_id": 1, "weight": 10}"#)
}

extension Operation {
    static let createSource = Operation(
        "create_source", .sources, "Add a source", body: .one(.sourceCreate),
        answers: .created(.one(.source), "The source as stored."), problems: [.sourceNameTaken])

    static let listSources = Operation(
        "list_sources", .sources, "List sources", query: .fields(Query.pageWords) { Page(&$0) },
        answers: .page(of: .source, "Sources, in order of their numbers."))

    static let showSource = Operation(
        "show_source", .sources, "Show a source with its operators",
        answers: .ok(.one(.sourceWithWeights), "The source."), problems: [.sourceNotFound])

    static let changeSource = Operation(
        "update_source", .sources, "Change a source", body: .one(.sourceUpdate),
        answers: .ok(.one(.source), "The source after the change."), problems: [.sourceNotFound, .sourceNameTaken])

    static let showDistribution = Operation(
        "show_source_distribution", .sources, "List a source's weights",
        answers: .ok(.list(of: .distributionRow), "The weights, in order of the operators' numbers."),
        problems: [.sourceNotFound])

    static let addWeights = Operation(
        "add_source_distribution", .sources, "Set weights and keep the others",
        "Operators left out keep their weight. All is stored or nothing. Capacity that appears goes to waiting "
            + "contacts at once.",
        body: .one(.distributionUpdate),
        answers: .created(
            .list(of: .distributionRow), "The weights of the operators named, in the order they were named."),
        problems: weightProblems + [.weightOfAnotherSource])

    static let replaceWeights = Operation(
        "replace_source_distribution", .sources, "Replace all weights",
        "Operators left out lose their weight and keep their contacts. All is stored or nothing.",
        body: .one(.distributionUpdate),
        answers: .ok(.list(of: .distributionRow), "The weights of the operators named, in the order they were named."),
        problems: weightProblems + [.weightOfAnotherSource])

    static let showWeights = Operation(
        "show_source_weights", .sources, "List a source's weights, without dates",
        answers: .ok(.list(of: .weight), "The weights, in order of the operators' numbers."),
        problems: [.sourceNotFound])

    static let showShares = Operation(
        "show_source_shares", .sources, "Compare a source's weights with who got how much",
        "The operators who have a weight, and those who got contacts in that time. Contacts that were transferred are with "
            + "who has them; weights are those of now, also where they were others then.",
        query: .fields([
            "from":
                "Only contacts given to somebody at this moment or later; whole quarters of an hour count, beginning with "
                + "the one it is in. Without it, seven days before `to`.",
            "to":
                "Only contacts given to somebody before this moment, the quarter of an hour it is in included. Without it, "
                + "until now.",
        ]) { SharesRequest(&$0) },
        answers: .ok(.list(of: .sourceShare), "The operators, in order of their numbers."),
        problems: [.sourceNotFound])

    static let setWeights = Operation(
        "replace_source_weights", .sources, "Replace all weights, by a bare list",
        "Operators left out lose their weight and keep their contacts. All is stored or nothing; an empty list takes "
            + "all weights away.",
        body: .list(of: .weightUpdate),
        answers: .ok(.list(of: .weight), "The weights of the operators named, in the order they were named."),
        problems: weightProblems)

    private static let weightProblems: [Problem] = [.sourceNotFound, .weightedOperatorNotFound(id: 999)]
}

extension Source {
    static let sample = Source(
        id: 1, name: "telegram_bot", description: "The bot on our site", strategy: .weightedRandom, stickyDays: 0,
        createdAt: .sample, updatedAt: nil)
}

extension SourceShare {
    fileprivate static let sample = SourceShare(
        operatorID: 1, name: "Anna", weight: 10, target: 0.25, contacts: 24, allContacts: 100)
}

extension Weight {
    static let sample = Weight(id: 1, sourceID: 1, operatorID: 1, weight: 10, createdAt: .sample)
}
