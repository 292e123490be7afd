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

    mutating func contact(_ value: Contact) {
        object {
            $0.field("id", value.id)
            $0.field("lead_id", value.lead.id)
            $0.field("source_id", value.source.id)
            $0.field("operator_id", value.operator?.id)
            $0.field("status", value.status.rawValue)
            $0.field("is_active", value.status != .closed)
            $0.field("message", value.message)
            $0.field("priority", value.priority)
            $0.field("source_event_id", value.sourceEventID)
            $0.field("waiting_reason", value.waitingReason?.rawValue)
            $0.field("version", value.version)
            $0.field("created_at", value.createdAt)
            $0.field("assigned_at", value.assignedAt)
            $0.field("closed_at", value.closedAt)
            $0.field("updated_at", value.updatedAt)
            $0.field("lead_external_id", value.lead.externalID)
            $0.field("lead_email", value.lead.email)
            $0.field("lead_phone", value.lead.phone)
            $0.object("lead") { $0.leadFields(value.lead) }
            if let person = value.operator {
                $0.object("operator") { $0.operatorFields(person) }
            } else {
                $0.null("operator")
            }
            $0.object("source") { $0.sourceSummaryFields(value.source) }
        }
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
}
