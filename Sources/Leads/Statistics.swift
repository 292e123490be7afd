/// How contacts are spread over operators and sources at one moment.
public struct DistributionStatistics: Sendable, Equatable {
    public struct OperatorRow: Sendable, Equatable {
        public let operatorID: Int
        public let operatorName: String
        public let totalContacts: Int
        /// Contacts the operator has now.
        public let activeContacts: Int
        public let maxLoad: Int
        /// Active contacts as a percentage of the limit, rounded to 2 decimals.
        public let loadPercentage: Double

        public init(
            operatorID: Int, operatorName: String, totalContacts: Int, activeContacts: Int, maxLoad: Int,
            loadPercentage: Double
        ) {
            self.operatorID = operatorID
            self.operatorName = operatorName
            self.totalContacts = totalContacts
            self.activeContacts = activeContacts
            self.maxLoad = maxLoad
            self.loadPercentage = loadPercentage
        }
    }

    public struct Summary: Sendable, Equatable {
        public let totalLeads: Int
        public let totalContacts: Int
        /// Contacts that are not closed, those that wait among them.
        public let activeContacts: Int
        public let operatorsOnline: Int
        public let operatorsTotal: Int

        public init(
            totalLeads: Int, totalContacts: Int, activeContacts: Int, operatorsOnline: Int, operatorsTotal: Int
        ) {
            self.totalLeads = totalLeads
            self.totalContacts = totalContacts
            self.activeContacts = activeContacts
            self.operatorsOnline = operatorsOnline
            self.operatorsTotal = operatorsTotal
        }
    }

    public let byOperator: [OperatorRow]
    public let bySource: [SourceStatistics]
    public let summary: Summary

    public init(byOperator: [OperatorRow], bySource: [SourceStatistics], summary: Summary) {
        self.byOperator = byOperator
        self.bySource = bySource
        self.summary = summary
    }
}

/// How many contacts came from one source.
public struct SourceStatistics: Sendable, Equatable {
    public let sourceID: Int
    public let sourceName: String
    public let totalContacts: Int

    public init(sourceID: Int, sourceName: String, totalContacts: Int) {
        self.sourceID = sourceID
        self.sourceName = sourceName
        self.totalContacts = totalContacts
    }
}

/// One operator's contacts by source.
public struct OperatorStatistics: Sendable, Equatable {
    public let `operator`: Operator
    /// The sources the operator has or had contacts from.
    public let bySource: [SourceStatistics]

    public var totalContacts: Int { bySource.reduce(0) { $0 + $1.totalContacts } }

    public init(operator: Operator, bySource: [SourceStatistics]) {
        self.operator = `operator`
        self.bySource = bySource
    }
}

/// How many of a source's contacts one operator has or had last.
public struct ContactDistributionRow: Sendable, Equatable {
    public let sourceID: Int
    public let sourceName: String
    /// Nil for contacts that wait, or were closed while waiting.
    public let operatorID: Int?
    public let operatorName: String?
    public let contacts: Int

    public init(sourceID: Int, sourceName: String, operatorID: Int?, operatorName: String?, contacts: Int) {
        self.sourceID = sourceID
        self.sourceName = sourceName
        self.operatorID = operatorID
        self.operatorName = operatorName
        self.contacts = contacts
    }
}
