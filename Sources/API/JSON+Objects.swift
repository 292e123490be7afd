import HTTPTypes
import JSON
import LeadStore
import Leads

/// How the product's objects look on the wire. The order of the fields is part of the contract.
extension JSONWriter {
    mutating func `operator`(_ value: Operator) {
        object { $0.operatorFields(value) }
    }

    private mutating func operatorFields(_ value: Operator) {
        field("id", value.id)
        field("name", value.name)
        field("is_active", value.isActive)
        field("max_load", value.maxLoad)
        field("current_load", value.currentLoad)
        field("created_at", value.createdAt)
        field("updated_at", value.updatedAt)
    }

    mutating func colleague(_ value: Colleague) {
        if let itself = value.itself { return `operator`(itself) }
        object {
            $0.field("id", value.id)
            $0.field("name", value.name)
        }
    }

    /// The fields of a source, without the braces, so that more can follow.
    mutating func source(_ value: Source) {
        field("id", value.id)
        field("name", value.name)
        field("description", value.description)
        field("strategy", value.strategy.rawValue)
        field("sticky_days", value.stickyDays)
        field("created_at", value.createdAt)
        field("updated_at", value.updatedAt)
    }

    mutating func sourceWithWeights(_ value: Source, _ weights: [WeightedOperator]) {
        object {
            $0.source(value)
            $0.array("operator_weights", weights) { $0.weightedOperator($1) }
        }
    }

    mutating func weightedOperator(_ value: WeightedOperator) {
        object {
            $0.field("id", value.weight.id)
            $0.field("source_id", value.weight.sourceID)
            $0.field("operator_id", value.weight.operatorID)
            $0.field("weight", value.weight.weight)
            $0.field("created_at", value.weight.createdAt)
            $0.object("operator") { $0.operatorFields(value.operator) }
        }
    }

    mutating func distributionRow(_ value: Weight) {
        object {
            $0.field("id", value.id)
            $0.field("operator_id", value.operatorID)
            $0.field("source_id", value.sourceID)
            $0.field("weight", value.weight)
            $0.field("created_at", value.createdAt)
        }
    }

    mutating func bareWeight(_ value: Weight) {
        object {
            $0.field("id", value.id)
            $0.field("source_id", value.sourceID)
            $0.field("operator_id", value.operatorID)
            $0.field("weight", value.weight)
        }
    }

    mutating func sourceShare(_ value: SourceShare) {
        object {
            $0.field("operator_id", value.operatorID)
            $0.field("name", value.name)
            $0.field("weight", value.weight)
            $0.field("target_share", value.target)
            $0.field("actual_share", value.actual)
            $0.field("contacts", value.contacts)
            $0.field("low", value.expected.lowerBound)
            $0.field("high", value.expected.upperBound)
        }
    }

    mutating func contact(_ value: Contact) {
        object { $0.contactFields(value) }
    }

    private mutating func contactFields(_ value: Contact) {
        field("id", value.id)
        field("lead_id", value.lead.id)
        field("source_id", value.source.id)
        field("operator_id", value.operator?.id)
        field("status", value.status.rawValue)
        field("is_active", value.status != .closed)
        field("message", value.message)
        field("priority", value.priority)
        field("source_event_id", value.sourceEventID)
        field("waiting_reason", value.waitingReason?.rawValue)
        field("version", value.version)
        field("created_at", value.createdAt)
        field("assigned_at", value.assignedAt)
        field("closed_at", value.closedAt)
        field("updated_at", value.updatedAt)
        field("lead_external_id", value.lead.externalID)
        field("lead_email", value.lead.email)
        field("lead_phone", value.lead.phone)
        object("lead") { $0.leadFields(value.lead) }
        if let person = value.operator {
            object("operator") { $0.operatorFields(person) }
        } else {
            null("operator")
        }
        object("source") { $0.sourceSummaryFields(value.source) }
    }

    /// A lead with its contacts.
    mutating func lead(_ value: LeadWithContacts) {
        object {
            $0.leadFields(value.lead)
            $0.array("contacts", value.contacts) { $0.contact($1) }
        }
    }

    mutating func sourceSummary(_ value: SourceSummary) {
        object { $0.sourceSummaryFields(value) }
    }

    private mutating func sourceSummaryFields(_ value: SourceSummary) {
        field("id", value.id)
        field("name", value.name)
        field("description", value.description)
        field("created_at", value.createdAt)
    }

    mutating func lead(_ value: Lead) {
        object { $0.leadFields(value) }
    }

    mutating func possibleDuplicate(_ value: PossibleDuplicate) {
        object {
            $0.object("lead") { $0.leadFields(value.lead) }
            $0.object("other_lead") { $0.leadFields(value.otherLead) }
            $0.field("kind", value.kind.rawValue)
            $0.field("found_at", value.foundAt)
        }
    }

    private mutating func leadFields(_ value: Lead) {
        field("id", value.id)
        field("external_id", value.externalID)
        field("phone", value.phone)
        field("email", value.email)
        field("name", value.name)
        field("created_at", value.createdAt)
        field("updated_at", value.updatedAt)
        field("contact_count", value.contactCount)
    }

    mutating func event(_ value: Event) {
        object {
            $0.field("id", value.position)
            $0.field("contact_id", value.contactID)
            $0.field("kind", value.kind)
            $0.field("from_operator_id", value.fromOperatorID)
            $0.field("to_operator_id", value.toOperatorID)
            $0.field("reason", value.reason)
            $0.object("actor") { $0.actorFields(value.actor) }
            $0.field("at", value.at)
            $0.field("data", value.data.map(StoredJSON.init))
        }
    }

    mutating func actor(_ value: Event.Actor) {
        object { $0.actorFields(value) }
    }

    private mutating func actorFields(_ value: Event.Actor) {
        field("kind", value.kind)
        field("id", value.id)
        field("name", value.name)
    }

    mutating func statistics(_ value: DistributionStatistics) {
        object {
            $0.array("by_operator", value.byOperator) { $0.operatorStatistics($1) }
            $0.array("by_source", value.bySource) { $0.sourceStatistics($1) }
            $0.object("summary") { $0.summaryFields(value.summary) }
        }
    }

    mutating func statistics(_ value: OperatorStatistics) {
        object {
            $0.object("operator") { $0.operatorSummaryFields(value.operator) }
            $0.field("contacts_total", value.totalContacts)
            $0.field("contacts_active", value.operator.currentLoad)
            $0.array("by_source", value.bySource) { $0.sourceCount($1) }
        }
    }

    mutating func operatorSummary(_ value: Operator) {
        object { $0.operatorSummaryFields(value) }
    }

    private mutating func operatorSummaryFields(_ value: Operator) {
        field("id", value.id)
        field("name", value.name)
        field("is_active", value.isActive)
        field("max_load", value.maxLoad)
        field("current_load", value.currentLoad)
    }

    mutating func sourceCount(_ value: SourceStatistics) {
        object {
            $0.field("source_id", value.sourceID)
            $0.field("source_name", value.sourceName)
            $0.field("count", value.totalContacts)
        }
    }

    mutating func contactDistribution(_ value: ContactDistributionRow) {
        object {
            $0.field("source_id", value.sourceID)
            $0.field("source_name", value.sourceName)
            $0.field("operator_id", value.operatorID)
            $0.field("operator_name", value.operatorName)
            $0.field("contacts_count", value.contacts)
        }
    }

    mutating func operatorStatistics(_ value: DistributionStatistics.OperatorRow) {
        object {
            $0.field("operator_id", value.operatorID)
            $0.field("operator_name", value.operatorName)
            $0.field("total_contacts", value.totalContacts)
            $0.field("active_contacts", value.activeContacts)
            $0.field("load_percentage", value.loadPercentage)
            $0.field("max_load", value.maxLoad)
        }
    }

    mutating func sourceStatistics(_ value: SourceStatistics) {
        object {
            $0.field("source_id", value.sourceID)
            $0.field("source_name", value.sourceName)
            $0.field("total_contacts", value.totalContacts)
        }
    }

    mutating func statisticsSummary(_ value: DistributionStatistics.Summary) {
        object { $0.summaryFields(value) }
    }

    private mutating func summaryFields(_ value: DistributionStatistics.Summary) {
        field("total_leads", value.totalLeads)
        field("total_contacts", value.totalContacts)
        field("active_contacts", value.activeContacts)
        field("operators_online", value.operatorsOnline)
        field("operators_total", value.operatorsTotal)
    }

    mutating func overview(_ value: Overview) {
        object {
            $0.field("waiting", value.waiting)
            $0.field("oldest_waiting_seconds", value.oldestWait)
            $0.array("contacts_per_minute", value.contactsPerMinute) { $0.value($1) }
            $0.object("time_to_assign") { $0.timeToAssignFields(value) }
            $0.array("operators", value.operators) { $0.overviewOperator($1) }
            $0.array("sources", value.sources) { $0.overviewSource($1) }
        }
    }

    mutating func timeToAssign(_ value: Overview) {
        object { $0.timeToAssignFields(value) }
    }

    private mutating func timeToAssignFields(_ value: Overview) {
        field("p50", value.medianTimeToAssign)
        field("p95", value.longTimeToAssign)
    }

    mutating func overviewOperator(_ value: Overview.OperatorRow) {
        object {
            $0.field("id", value.id)
            $0.field("name", value.name)
            $0.field("is_active", value.isActive)
            $0.field("max_load", value.maxLoad)
            $0.field("current_load", value.currentLoad)
            $0.field("today", value.today)
        }
    }

    mutating func overviewSource(_ value: Overview.SourceRow) {
        object {
            $0.field("id", value.id)
            $0.field("name", value.name)
            $0.field("today", value.today)
            $0.field("waiting", value.waiting)
        }
    }

    mutating func waitingGroup(_ value: WaitingGroup, in language: Language) {
        object {
            $0.field("source_id", value.sourceID)
            $0.field("source_name", value.sourceName)
            $0.field("reason", value.reason.rawValue)
            $0.field("count", value.contacts)
            $0.field("oldest_at", value.oldestSince)
            $0.field("oldest_age_seconds", value.oldestAge)
            $0.field("unblock", value.reason.unblocking(in: language))
        }
    }

    mutating func explanation(_ value: Explanation, in language: Language) {
        object {
            $0.field("contact_id", value.contactID)
            $0.field("decided_at", value.decidedAt)
            $0.field("strategy", value.strategy.rawValue)
            $0.field("rule", value.rule.rawValue)
            switch value.outcome {
            case .placed(let operatorID, _):
                $0.field("outcome", "placed")
                $0.field("operator_id", operatorID)
                $0.null("reason")
            case .waiting(let reason):
                $0.field("outcome", "waiting")
                $0.null("operator_id")
                $0.field("reason", reason.rawValue)
            }
            $0.field("draw", value.draw)
            $0.array("candidates", value.candidates) { $0.candidate($1) }
            $0.field("reproduced", value.isReproduced)
            $0.field("sentence", value.sentence(in: language))
        }
    }

    mutating func candidate(_ value: Explanation.Candidate) {
        object {
            $0.field("operator_id", value.operatorID)
            $0.field("name", value.name)
            $0.field("weight", value.weight)
            $0.field("load", value.load)
            $0.field("max_load", value.maxLoad)
            $0.field("eligible", value.exclusion == nil)
            $0.field("excluded", value.exclusion?.rawValue)
            $0.field("probability", value.probability)
        }
    }

    /// What became of one registration of many, in the words of the call for it alone.
    mutating func registrationOutcome(
        _ outcome: Result<Contact, Problem>, isRepetition: Bool = false, in language: Language
    ) {
        object {
            switch outcome {
            case .success(let contact):
                $0.field("status", isRepetition ? 200 : 201)
                $0.object("contact") { $0.contactFields(contact) }
            case .failure(let problem) where !problem.faults.isEmpty:
                $0.field("status", problem.status.code)
                $0.detailField(problem.faults)
            case .failure(let problem):
                $0.field("status", problem.status.code)
                $0.field("detail", problem.text(in: language))
                $0.field("code", problem.code)
            }
        }
    }

    mutating func bulkOutcome(of id: Int, _ outcome: Result<Contact, Problem>, in language: Language) {
        object {
            $0.field("id", id)
            switch outcome {
            case .success(let contact):
                $0.field("status", 200)
                $0.object("contact") { $0.contactFields(contact) }
            case .failure(let problem):
                $0.field("status", problem.status.code)
                $0.null("contact")
                $0.field("detail", problem.text(in: language))
                $0.field("code", problem.code)
            }
        }
    }

    mutating func welcome(version: String) {
        object {
            $0.field("message", "Leads CRM API")
            $0.field("version", version)
            $0.field("docs", "/docs")
        }
    }

    mutating func status(_ word: String) {
        object { $0.field("status", word) }
    }

    mutating func readiness(isOpen: Bool) {
        object {
            $0.field("status", "ready")
            $0.field("access", isOpen ? "open" : "closed")
        }
    }
}
