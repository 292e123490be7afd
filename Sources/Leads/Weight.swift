/// How much of a source's contacts one operator gets, relative to the others.
public struct Weight: Sendable, Equatable {
    public let id: Int
    public let sourceID: Int
    public let operatorID: Int
    public let weight: Int
    public let createdAt: Timestamp

    public init(id: Int, sourceID: Int, operatorID: Int, weight: Int, createdAt: Timestamp) {
        self.id = id
        self.sourceID = sourceID
        self.operatorID = operatorID
        self.weight = weight
        self.createdAt = createdAt
    }

    public static let range = 1...1_000_000
}

/// A wanted weight of one operator.
public struct NewWeight: Sendable, Equatable {
    public var operatorID: Int
    public var weight: Int
    /// The source the sender believes to be talking to, where the request repeats it.
    public var sourceID: Int?

    public init(operatorID: Int, weight: Int = 1, sourceID: Int? = nil) {
        self.operatorID = operatorID
        self.weight = weight
        self.sourceID = sourceID
    }

    /// An element of `operator_weights` in the body of `/sources/{id}/distribution`.
    public init(distribution fields: inout Fields) {
        operatorID = fields.integer("operator_id")
        sourceID = fields.integer("source_id")
        weight = fields.integer("weight", default: 1, in: Weight.range)
    }

    /// The body of `/sources/{id}/distribution`.
    public static func distribution(_ fields: inout Fields) -> [NewWeight] {
        fields.list("operator_weights") { NewWeight(distribution: &$0) }
    }

    /// An element of the body of `/sources/{id}/weights`.
    public init(bare fields: inout Fields) {
        operatorID = fields.integer("operator_id")
        weight = fields.integer("weight", default: 1, in: Weight.range)
        sourceID = nil
    }
}
