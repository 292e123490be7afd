import Leads

extension Component {
    static let distributionStatistics = answer(
        "DistributionStatistics", "How contacts are spread over operators and sources at one moment.",
        [
            .init("by_operator", .array(of: .reference(.operatorStatistics)), "Every operator, by number."),
            .init("by_source", .array(of: .reference(.sourceStatistics)), "Every source, by number."),
            .init("summary", .reference(.statisticsSummary), "All together."),
        ],
        example: { $0.statistics(DistributionStatistics.sample) })

    private static let operatorStatistics = answer(
        "OperatorStatistics", "How much one operator has.",
        [
            .init("operator_id", .id, "Number of the operator."),
            .init("operator_name", .string, "Name of the operator."),
            .init("total_contacts", .count, "Contacts of the operator, closed ones among them."),
            .init("active_contacts", .count, "Contacts the operator carries now."),
            .init(
                "load_percentage", .number,
                "`active_contacts` in percent of `max_load`, with two decimals; more than 100 after a limit was lowered."
            ),
            .init("max_load", .integer(Operator.maxLoadRange), "The most contacts the operator may carry at once."),
        ],
        example: { $0.operatorStatistics(DistributionStatistics.sample.byOperator[0]) })

    private static let sourceStatistics = answer(
        "SourceStatistics", "How much came through one source.",
        [
            .init("source_id", .id, "Number of the source."),
            .init("source_name", .string, "Name of the source."),
            .init("total_contacts", .count, "Contacts of the source, closed ones among them."),
        ],
        example: { $0.sourceStatistics(DistributionStatistics.sample.bySource[0]) })

    private static let statisticsSummary = answer(
        "StatisticsSummary", "All operators and sources together.",
        [
            .init("total_leads", .count, "Leads."),
            .init("total_contacts", .count, "Contacts, closed ones among them."),
            .init("active_contacts", .count, "Contacts that are not closed, those that wait among them."),
            .init("operators_online", .count, "Operators who are active."),
            .init("operators_total", .count, "Operators."),
        ],
        example: { $0.statisticsSummary(DistributionStatistics.sample.summary) })
}

extension Component {
    fileprivate static let waitingGroup = answer(
        "QueueGroup", "The contacts of one source that wait for one reason.",
        [
            .init("source_id", .id, "Number of the source."),
            .init("source_name", .string, "Name of the source."),
            .init("reason", .choice(WaitingReason.self), "Why they wait; see `waiting_reason` of a contact."),
            .init("count", .count, "How many."),
            .init("oldest_at", .timestamp, "Since when the one waits that has waited longest."),
            .init("oldest_age_seconds", .number, "How long that is."),
            .init("unblock", .string, "What would let them go, for people, in the language of `Accept-Language`."),
        ],
        example: { $0.waitingGroup(.sample, in: .english) })
}

extension Component {
    fileprivate static let overview = answer(
        "Overview", "How things are at one moment, and how the last hour went.",
        [
            .init("waiting", .count, "Contacts that wait."),
            .init(
                "oldest_waiting_seconds", .number.orNull,
                "For how long the one waits that has waited longest; null when nobody waits."),
            .init(
                "contacts_per_minute", .array(of: .count, atLeast: Overview.minutes, atMost: Overview.minutes),
                "How many contacts were registered in each of the last sixty minutes; the last is the one under way."),
            .init("time_to_assign", .reference(.timeToAssign), "How long contacts waited for their first operator."),
            .init("operators", .array(of: .reference(.overviewOperator)), "Every operator, by number."),
            .init("sources", .array(of: .reference(.overviewSource)), "Every source, by number."),
        ],
        example: { $0.overview(.sample) })

    private static let timeToAssign = answer(
        "TimeToAssign",
        "How many seconds passed until a contact had its first operator, of the contacts registered in the last hour, the "
            + "latest \(Overview.latestContacts) of them, that have had one; null when there are none.",
        [
            .init("p50", .number.orNull, "Half of them had one within this time."),
            .init("p95", .number.orNull, "95 in 100 of them had one within this time."),
        ],
        example: { $0.timeToAssign(.sample) })

    private static let overviewOperator = answer(
        "OverviewOperator", "What one operator carries, and what came today.",
        [
            .init("id", .id, "Number of the operator."),
            .init("name", .string(length: Operator.nameLength), "Name."),
            .init("is_active", .boolean, "Whether the operator gets contacts."),
            .init("max_load", .integer(Operator.maxLoadRange), "The most contacts the operator may carry at once."),
            .init("current_load", .count, "Contacts the operator carries now."),
            .init(
                "today", .count,
                "Contacts given to the operator since `today_from`, but for those that went on to somebody else."),
        ],
        example: { $0.overviewOperator(Overview.sample.operators[0]) })

    private static let overviewSource = answer(
        "OverviewSource", "What came through one source today, and what waits.",
        [
            .init("id", .id, "Number of the source."),
            .init("name", .string(length: Source.nameLength), "Name, unique among sources."),
            .init("today", .count, "Contacts registered since `today_from`."),
            .init("waiting", .count, "Contacts that wait."),
        ],
        example: { $0.overviewSource(Overview.sample.sources[0]) })
}

extension Overview {
    fileprivate static let sample = Overview(
        oldestWait: 42.5, contactsPerMinute: Array(repeating: 2, count: minutes), medianTimeToAssign: 0.5,
        longTimeToAssign: 31.25,
        operators: [
            OperatorRow(id: 1, name: "Anna", isActive: true, maxLoad: 10, currentLoad: 3, today: 12)
        ],
        sources: [SourceRow(id: 1, name: "telegram_bot", today: 15, waiting: 3)])
}

extension WaitingGroup {
    fileprivate static let sample = WaitingGroup(
        sourceID: 1, sourceName: "telegram_bot", reason: .allAtLimit, contacts: 3, oldestSince: .sample, oldestAge: 42.5
    )
}

extension Operation {
    static let showQueue = Operation(
        "get_queue", .statistics, "Who waits, why, and what would help",
        answers: .ok(.list(of: .waitingGroup), "The waiting contacts by source and reason; empty when nobody waits."))

    static let showStatistics = Operation(
        "show_distribution_statistics", .statistics, "Show who has how much",
        answers: .ok(.one(.distributionStatistics), "The numbers of one moment."))

    static let showOverview = Operation(
        "show_overview", .statistics, "Show how things are, at a glance",
        "The numbers are at most a second old. Who is archived is left out.",
        query: .fields([
            "today_from":
                "When the day began: since when `today` counts. Whole quarters of an hour count, beginning with the one "
                + "this moment is in, \(Overview.longestDay) hours at most. Without it, since midnight UTC."
        ]) { OverviewRequest(&$0) },
        answers: .ok(.one(.overview), "The numbers of one moment."))

    static let showContactDistribution = Operation(
        "show_contact_distribution", .statistics, "Show how many contacts of each source each operator has",
        answers: .ok(.list(of: .contactDistribution), "A row for each pair with contacts, by numbers."))
}

extension Component {
    static let contactDistribution = answer(
        "ContactDistribution", "How many contacts of one source one operator has or had last.",
        [
            .init("source_id", .id, "Number of the source."),
            .init("source_name", .string, "Name of the source."),
            .init("operator_id", .id.orNull, "Number of the operator; null for contacts nobody got."),
            .init("operator_name", .string.orNull, "Name of the operator; null for nobody."),
            .init("contacts_count", .count, "Contacts, closed ones among them."),
        ],
        example: {
            $0.contactDistribution(
                ContactDistributionRow(
                    sourceID: 1, sourceName: "telegram_bot", operatorID: 1, operatorName: "Anna", contacts: 12))
        })
}

extension SourceStatistics {
    static let sample = SourceStatistics(sourceID: 1, sourceName: "telegram_bot", totalContacts: 12)
}

extension DistributionStatistics {
    static let sample = DistributionStatistics(
        byOperator: [
            OperatorRow(
                operatorID: 1, operatorName: "Anna", totalContacts: 12, activeContacts: 3, maxLoad: 10,
                loadPercentage: 30)
        ],
        bySource: [.sample],
        summary: Summary(totalLeads: 11, totalContacts: 12, activeContacts: 3, operatorsOnline: 1, operatorsTotal: 1))
}
