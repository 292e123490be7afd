/// What a program proves itself by: a bot, an integration, a report. Its secret is shown once and kept as a hash.
public struct AccessKey: Sendable, Equatable {
    /// 8 characters, which are no secret.
    public let id: String
    public let name: String
    public let role: Role
    /// The sources it is for, in order; nil for all.
    public let sourceIDs: [Int]?
    /// How many requests a second each instance answers on average; nil without a limit.
    public let rate: Int?
    public let createdAt: Timestamp
    public let rotatedAt: Timestamp?
    public let revokedAt: Timestamp?

    public init(
        id: String, name: String, role: Role, sourceIDs: [Int]?, rate: Int?, createdAt: Timestamp,
        rotatedAt: Timestamp?, revokedAt: Timestamp?
    ) {
        self.id = id
        self.name = name
        self.role = role
        self.sourceIDs = sourceIDs
        self.rate = rate
        self.createdAt = createdAt
        self.rotatedAt = rotatedAt
        self.revokedAt = revokedAt
    }

    public static let nameLength = 1...200
    public static let sourceLimit = 1000
    public static let rateRange = 1...100_000
    /// How long the former secret may go on, in seconds.
    public static let graceRange = 0...604_800

    /// What the key is called in the log.
    public var actor: Actor { Actor(kind: .key, id: id, name: name) }

    /// What whoever has the key sees.
    public var viewer: Viewer {
        let reach: Viewer.Reach = role == .intake ? .registered(byKey: id) : .everything
        return Viewer(
            reach: reach, sourceIDs: sourceIDs, isMasked: role == .analyst, seesAccessEvents: role == .admin)
    }
}

/// A request to make a key.
public struct NewAccessKey: Sendable, Equatable {
    public var name: String
    public var role: Role
    /// In order, each once; nil for all sources.
    public var sourceIDs: [Int]?
    public var rate: Int?

    public init(name: String, role: Role, sourceIDs: [Int]? = nil, rate: Int? = nil) {
        self.name = name
        self.role = role
        self.sourceIDs = sourceIDs.map { Set($0).sorted() }
        self.rate = rate
    }

    public init(_ fields: inout Fields) {
        name = fields.string("name", length: AccessKey.nameLength, trimmed: true)
        role = fields.choice("role", of: Role.ofKeys)
        sourceIDs = fields.optionalIntegers("source_ids", in: 1...Int.max, atMost: AccessKey.sourceLimit).map {
            Set($0).sorted()
        }
        rate = fields.optionalInteger("rate", in: AccessKey.rateRange)
        // It could make another key, without limits.
        if role == .admin, sourceIDs != nil { fields.refuse("a key of an admin cannot be limited to sources") }
    }
}

/// A request to give a key another secret.
public struct KeyRotation: Sendable, Equatable {
    /// For how many seconds the former secret goes on, so that whoever uses it can be changed over.
    public var graceSeconds: Int

    public init(graceSeconds: Int = 0) {
        self.graceSeconds = graceSeconds
    }

    public init(_ fields: inout Fields) {
        graceSeconds = fields.integer("grace_seconds", default: 0, in: AccessKey.graceRange)
    }
}
