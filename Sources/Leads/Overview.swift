/// What somebody who supervises wants to know at a glance: how things are at one moment, and how the last hour went.
public struct Overview: Sendable, Equatable {
    /// An operator, what the operator carries, and what came to the operator today.
    public struct OperatorRow: Sendable, Equatable {
        public let id: Int
        public let name: String
        public let isActive: Bool
        public let maxLoad: Int
        public let currentLoad: Int
        /// Contacts given to the operator since the day began, but for those that went on to somebody else.
        public let today: Int

        public init(id: Int, name: String, isActive: Bool, maxLoad: Int, currentLoad: Int, today: Int) {
            self.id = id
            self.name = name
            self.isActive = isActive
            self.maxLoad = maxLoad
            self.currentLoad = currentLoad
            self.today = today
        }
    }

    /// A source, what came through it today, and what waits.
    public struct SourceRow: Sendable, Equatable {
        public let id: Int
        public let name: String
        /// Contacts registered since the day began.
        public let today: Int
        public let waiting: Int

        public init(id: Int, name: String, today: Int, waiting: Int) {
            self.id = id
            self.name = name
            self.today = today
            self.waiting = waiting
        }
    }

    /// For how long the one waits that has waited longest, in seconds; nil when nobody waits.
    public let oldestWait: Double?
    /// How many contacts were registered in each of the last sixty minutes; the last is the minute under way.
    public let contactsPerMinute: [Int]
    /// How long it took until a contact had its first operator, in seconds, for the middle one of those of the last hour.
    public let medianTimeToAssign: Double?
    /// The same for the one that 95 in 100 of them were not slower than.
    public let longTimeToAssign: Double?
    public let operators: [OperatorRow]
    public let sources: [SourceRow]

    /// How many contacts wait.
    public var waiting: Int { sources.reduce(0) { $0 + $1.waiting } }

    public init(
        oldestWait: Double?, contactsPerMinute: [Int], medianTimeToAssign: Double?, longTimeToAssign: Double?,
        operators: [OperatorRow], sources: [SourceRow]
    ) {
        self.oldestWait = oldestWait
        self.contactsPerMinute = contactsPerMinute
        self.medianTimeToAssign = medianTimeToAssign
        self.longTimeToAssign = longTimeToAssign
        self.operators = operators
        self.sources = sources
    }

    /// How many minutes it looks back.
    public static let minutes = 60
    /// How many contacts the times to the first operator are taken from, at most.
    public static let latestContacts = 10_000
    /// The longest day, in hours: whoever asks for more is shown the last so many.
    public static let longestDay = 48
}

/// Which overview to show.
public struct OverviewRequest: Sendable, Hashable {
    /// When the day began; nil for midnight UTC.
    public var todayFrom: Timestamp?

    public init(todayFrom: Timestamp? = nil) {
        self.todayFrom = todayFrom
    }

    public init(_ fields: inout Fields) {
        todayFrom = fields.optionalTimestamp("today_from")
    }
}
