/// A person who handles contacts.
public struct Operator: Sendable, Equatable {
    public let id: Int
    public let name: String
    public let isActive: Bool
    /// The most active contacts the operator may carry, 1…1 000 000.
    public let maxLoad: Int
    /// How many active contacts the operator carries.
    public let currentLoad: Int
    public let createdAt: Timestamp
    public let updatedAt: Timestamp?

    public init(
        id: Int, name: String, isActive: Bool, maxLoad: Int, currentLoad: Int, createdAt: Timestamp,
        updatedAt: Timestamp?
    ) {
        self.id = id
        self.name = name
        self.isActive = isActive
        self.maxLoad = maxLoad
        self.currentLoad = currentLoad
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    public static let nameLength = 1...200
    public static let maxLoadRange = 1...1_000_000
}

/// An operator as another one sees it.
public struct Colleague: Sendable, Equatable {
    public let id: Int
    public let name: String
    /// The whole of it, for the one who asked.
    public let itself: Operator?

    public init(id: Int, name: String, itself: Operator? = nil) {
        self.id = id
        self.name = name
        self.itself = itself
    }
}

/// A request to add an operator.
public struct NewOperator: Sendable, Equatable {
    public var name: String
    public var isActive: Bool
    public var maxLoad: Int

    public init(name: String, isActive: Bool = true, maxLoad: Int = 10) {
        self.name = name
        self.isActive = isActive
        self.maxLoad = maxLoad
    }

    public init(_ fields: inout Fields) {
        name = fields.string("name", length: Operator.nameLength, trimmed: true)
        isActive = fields.bool("is_active", default: true)
        maxLoad = fields.integer("max_load", default: 10, in: Operator.maxLoadRange)
    }
}

/// A request to change an operator; what is nil stays as it is.
public struct OperatorChange: Sendable, Equatable {
    public var name: String?
    public var isActive: Bool?
    public var maxLoad: Int?
    /// Whether the contacts of an operator who is inactive afterwards go back to the queue.
    public var requeues: Bool

    public init(name: String? = nil, isActive: Bool? = nil, maxLoad: Int? = nil, requeues: Bool = false) {
        self.name = name
        self.isActive = isActive
        self.maxLoad = maxLoad
        self.requeues = requeues
    }

    public init(_ fields: inout Fields) {
        name = fields.optionalString("name", length: Operator.nameLength, trimmed: true)
        isActive = fields.optionalBool("is_active")
        maxLoad = fields.optionalInteger("max_load", in: Operator.maxLoadRange)
        requeues = fields.optionalBool("requeue", default: false)
    }

    /// The body of PATCH `/operators/{id}/activate`.
    public init(activation fields: inout Fields) {
        self.init(isActive: fields.bool("active"))
    }

    /// The body of PATCH `/operators/{id}/load-limit`.
    public init(loadLimit fields: inout Fields) {
        self.init(maxLoad: fields.integer("max_load", in: Operator.maxLoadRange))
    }
}

/// Which operators to list.
public struct OperatorFilter: Sendable, Equatable {
    public var isActive: Bool?

    public init(isActive: Bool? = nil) {
        self.isActive = isActive
    }

    public init(_ fields: inout Fields) {
        isActive = fields.optionalBool("is_active")
    }
}
