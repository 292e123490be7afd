/// Somebody of the staff who signs in.
public struct Person: Sendable, Equatable {
    public let id: Int
    /// What the person signs in with: in lower case, unique.
    public let login: String
    public let name: String
    public let role: Role
    /// Whom of the operators the person is; that of a person whose role is `operator` at least.
    public let operatorID: Int?
    /// Whether the person may not sign in.
    public let isDisabled: Bool
    /// Whether the person has chosen a password, or has signed in through the company's provider.
    public let hasSignedUp: Bool
    public let createdAt: Timestamp
    public let updatedAt: Timestamp?

    public init(
        id: Int, login: String, name: String, role: Role, operatorID: Int?, isDisabled: Bool, hasSignedUp: Bool,
        createdAt: Timestamp, updatedAt: Timestamp?
    ) {
        self.id = id
        self.login = login
        self.name = name
        self.role = role
        self.operatorID = operatorID
        self.isDisabled = isDisabled
        self.hasSignedUp = hasSignedUp
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    public static let loginLength = 1...200
    /// What is wrong with somebody of the role `operator` who is none of the operators.
    public static let operatorUnnamed = "a person whose role is operator needs an operator_id"
    public static let nameLength = 1...200

    /// What the person is called in the log.
    public var actor: Actor { Actor(kind: .person, id: String(id), name: name) }

    /// What the person sees.
    public var viewer: Viewer {
        let reach: Viewer.Reach =
            if role == .operator, let operatorID { .ownContacts(ofOperator: operatorID) } else { .everything }
        return Viewer(reach: reach, isMasked: role == .analyst, seesAccessEvents: role == .admin)
    }
}

/// A request to invite a person.
public struct NewPerson: Sendable, Equatable {
    public var login: String
    public var name: String
    public var role: Role
    public var operatorID: Int?

    public init(login: String, name: String, role: Role, operatorID: Int? = nil) {
        self.login = login.lowercased()
        self.name = name
        self.role = role
        self.operatorID = operatorID
    }

    public init(_ fields: inout Fields) {
        login = fields.string("login", length: Person.loginLength, trimmed: true).lowercased()
        name = fields.string("name", length: Person.nameLength, trimmed: true)
        role = fields.choice("role", of: Role.ofPeople)
        operatorID = fields.optionalInteger("operator_id", in: 1...Int.max)
        if role == .operator, operatorID == nil {
            fields.refuse(Person.operatorUnnamed)
        }
    }
}

/// A request to change a person; what is nil stays as it is.
public struct PersonChange: Sendable, Equatable {
    public var name: String?
    public var role: Role?
    public var operatorID: Int?
    public var isDisabled: Bool?

    public init(name: String? = nil, role: Role? = nil, operatorID: Int? = nil, isDisabled: Bool? = nil) {
        self.name = name
        self.role = role
        self.operatorID = operatorID
        self.isDisabled = isDisabled
    }

    public init(_ fields: inout Fields) {
        name = fields.optionalString("name", length: Person.nameLength, trimmed: true)
        role = fields.optionalChoice("role", of: Role.ofPeople)
        operatorID = fields.optionalInteger("operator_id", in: 1...Int.max)
        isDisabled = fields.optionalBool("is_disabled")
    }
}

/// A way in that is good for one use: an invitation, or a new password for who has forgotten theirs.
public struct PersonLink: Sendable, Equatable {
    public let person: Person
    public let expiresAt: Timestamp

    public init(person: Person, expiresAt: Timestamp) {
        self.person = person
        self.expiresAt = expiresAt
    }

    /// How long a link is good for, in hours.
    public static let hours = 24
}

/// What a person has who has signed in, for as long as the browser is used.
public struct Session: Sendable, Equatable {
    public let id: Int
    public let personID: Int
    /// What the browser calls itself.
    public let agent: String?
    public let createdAt: Timestamp
    /// When it was used last, to the minute.
    public let usedAt: Timestamp

    public init(id: Int, personID: Int, agent: String?, createdAt: Timestamp, usedAt: Timestamp) {
        self.id = id
        self.personID = personID
        self.agent = agent
        self.createdAt = createdAt
        self.usedAt = usedAt
    }

    /// How long one may be unused, in hours.
    public static let idleHours = 12
    /// How long one may last, in days.
    public static let days = 7
}
