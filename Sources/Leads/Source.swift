/// A channel contacts come from: a bot, a form, a messenger account.
public struct Source: Sendable, Equatable {
    public let id: Int
    public let name: String
    public let description: String?
    public let strategy: Strategy
    /// For how many days a returning lead goes to the operator of its latest contact; 0 for never.
    public let stickyDays: Int
    public let createdAt: Timestamp
    public let updatedAt: Timestamp?

    public init(
        id: Int, name: String, description: String?, strategy: Strategy, stickyDays: Int, createdAt: Timestamp,
        updatedAt: Timestamp?
    ) {
        self.id = id
        self.name = name
        self.description = description
        self.strategy = strategy
        self.stickyDays = stickyDays
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    public static let nameLength = 1...200
    public static let descriptionLength = 0...2000
    public static let stickyDaysRange = 0...3650
}

/// How a source's operator is chosen among the eligible ones.
public enum Strategy: String, Sendable, CaseIterable {
    /// At random, in proportion to weight.
    case weightedRandom = "weighted_random"
    /// At random, in proportion to weight × capacity.
    case weightedCapacity = "weighted_capacity"
    /// In turns whose numbers are in proportion to weight, spread evenly.
    case smoothWeighted = "smooth_weighted"
    /// The one whose last automatic assignment on the source is longest ago.
    case roundRobin = "round_robin"
    /// The one with the smallest load.
    case leastLoaded = "least_loaded"
    /// The one with the largest part of its limit free.
    case mostFree = "most_free"
}

/// A request to add a source.
public struct NewSource: Sendable, Equatable {
    public var name: String
    public var description: String?
    public var strategy: Strategy
    public var stickyDays: Int

    public init(
        name: String, description: String? = nil, strategy: Strategy = .weightedRandom, stickyDays: Int = 0
    ) {
        self.name = name
        self.description = description
        self.strategy = strategy
        self.stickyDays = stickyDays
    }

    public init(_ fields: inout Fields) {
        name = fields.string("name", length: Source.nameLength, trimmed: true)
        let description = fields.optionalString("description", length: Source.descriptionLength)
        self.description = description == "" ? nil : description
        strategy = fields.optionalChoice("strategy", of: Strategy.allCases, default: .weightedRandom)
        stickyDays = fields.optionalInteger("sticky_days", default: 0, in: Source.stickyDaysRange)
    }
}

/// A request to change a source; what is nil stays as it is, an empty description removes it.
public struct SourceChange: Sendable, Equatable {
    public var name: String?
    public var description: String?
    public var strategy: Strategy?
    public var stickyDays: Int?

    public init(
        name: String? = nil, description: String? = nil, strategy: Strategy? = nil, stickyDays: Int? = nil
    ) {
        self.name = name
        self.description = description
        self.strategy = strategy
        self.stickyDays = stickyDays
    }

    public init(_ fields: inout Fields) {
        name = fields.optionalString("name", length: Source.nameLength, trimmed: true)
        description = fields.optionalString("description", length: Source.descriptionLength)
        strategy = fields.optionalChoice("strategy", of: Strategy.allCases)
        stickyDays = fields.optionalInteger("sticky_days", in: Source.stickyDaysRange)
    }
}
