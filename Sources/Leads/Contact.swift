/// One ask by one lead through one source.
public struct Contact: Sendable, Equatable {
    public let id: Int
    public let status: ContactStatus
    public var message: String?
    /// 0…9; a higher one is served first.
    public let priority: Int
    public var sourceEventID: String?
    public let waitingReason: WaitingReason?
    public let version: Int
    public let createdAt: Timestamp
    public let assignedAt: Timestamp?
    public let closedAt: Timestamp?
    public let updatedAt: Timestamp?
    public var lead: Lead
    public var `operator`: Operator?
    public let source: SourceSummary

    public static let priorityRange = 0...9

    public init(
        id: Int, status: ContactStatus, message: String?, priority: Int, sourceEventID: String?,
        waitingReason: WaitingReason?, version: Int, createdAt: Timestamp, assignedAt: Timestamp?,
        closedAt: Timestamp?, updatedAt: Timestamp?, lead: Lead, operator: Operator?, source: SourceSummary
    ) {
        self.id = id
        self.status = status
        self.message = message
        self.priority = priority
        self.sourceEventID = sourceEventID
        self.waitingReason = waitingReason
        self.version = version
        self.createdAt = createdAt
        self.assignedAt = assignedAt
        self.closedAt = closedAt
        self.updatedAt = updatedAt
        self.lead = lead
        self.operator = `operator`
        self.source = source
    }
}

/// A source as it appears inside a contact.
public struct SourceSummary: Sendable, Equatable {
    public let id: Int
    public let name: String
    public let description: String?
    public let createdAt: Timestamp

    public init(id: Int, name: String, description: String?, createdAt: Timestamp) {
        self.id = id
        self.name = name
        self.description = description
        self.createdAt = createdAt
    }
}

/// Where a contact stands.
public enum ContactStatus: String, Sendable, CaseIterable {
    /// It waits and has no operator.
    case new
    /// An operator has it.
    case active
    case closed
}

/// Why nobody has a contact yet.
public enum WaitingReason: String, Sendable, CaseIterable {
    /// The source has no operators.
    case noOperators = "no_operators"
    /// Every operator of the source is inactive.
    case allInactive = "all_inactive"
    /// Every active operator of the source is at its limit.
    case allAtLimit = "all_at_limit"
    /// Every operator of the source who has a place free has released this contact.
    case excluded
    /// Contacts that came earlier are served first.
    case behindQueue = "behind_queue"
}

/// A request to register a contact.
public struct NewContact: Sendable, Equatable {
    public var sourceID: Int
    public var leadExternalID: String?
    public var leadPhone: String?
    public var leadEmail: String?
    public var leadName: String?
    public var message: String?
    public var priority: Int
    public var sourceEventID: String?

    public init(
        sourceID: Int, leadExternalID: String? = nil, leadPhone: String? = nil, leadEmail: String? = nil,
        leadName: String? = nil, message: String? = nil, priority: Int = 0, sourceEventID: String? = nil
    ) {
        self.sourceID = sourceID
        self.leadExternalID = leadExternalID
        self.leadPhone = leadPhone
        self.leadEmail = leadEmail
        self.leadName = leadName
        self.message = message
        self.priority = priority
        self.sourceEventID = sourceEventID
    }

    /// How many registrations one request may hold.
    public static let batchLimit = 1000

    public init(_ fields: inout Fields) {
        sourceID = fields.integer("source_id")
        leadExternalID = fields.optionalString("lead_external_id", length: 0...255, bytes: 1024)
        leadPhone = fields.optionalString("lead_phone", length: 0...255, bytes: 1024)
        leadEmail = fields.optionalString("lead_email", length: 0...255, bytes: 1024)
        leadName = fields.optionalString("lead_name", length: 0...200)
        message = fields.optionalString("message", length: 0...16384, bytes: 16384)
        priority = fields.optionalInteger("priority", default: 0, in: Contact.priorityRange)
        sourceEventID = fields.optionalString("source_event_id", length: 1...200, bytes: 1024)
    }
}

/// Which contacts to list.
public struct ContactFilter: Sendable, Equatable {
    public var sourceID: Int?
    public var operatorID: Int?
    public var leadID: Int?
    public var status: ContactStatus?
    /// Whether the contact is not closed.
    public var isActive: Bool?
    public var createdFrom: Timestamp?
    public var createdTo: Timestamp?
    /// What somebody typed to find contacts by; nil or blank for all.
    public var text: String?

    /// How many contacts' messages are searched: the latest that the rest of the filter leaves.
    public static let searchedMessages = 5_000

    public init() {}

    public init(_ fields: inout Fields) {
        sourceID = fields.optionalInteger("source_id")
        operatorID = fields.optionalInteger("operator_id")
        leadID = fields.optionalInteger("lead_id")
        status = fields.optionalChoice("status", of: ContactStatus.allCases)
        isActive = fields.optionalBool("is_active")
        createdFrom = fields.optionalTimestamp("created_from")
        createdTo = fields.optionalTimestamp("created_to")
        text = fields.optionalString("q", length: 0...255, bytes: 1024)
    }
}
