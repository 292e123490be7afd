/// A request to change a lead; what is nil stays as it is, an empty text removes what there was.
public struct LeadChange: Sendable, Equatable {
    public var name: String?
    public var phone: String?
    public var email: String?
    public var externalID: String?

    public init(name: String? = nil, phone: String? = nil, email: String? = nil, externalID: String? = nil) {
        self.name = name
        self.phone = phone
        self.email = email
        self.externalID = externalID
    }

    /// The body of PATCH `/leads/{id}`, within the bounds of a registration.
    public init(_ fields: inout Fields) {
        name = fields.optionalString("name", length: 0...200)
        phone = fields.optionalString("phone", length: 0...255, bytes: 1024)
        email = fields.optionalString("email", length: 0...255, bytes: 1024)
        externalID = fields.optionalString("external_id", length: 0...255, bytes: 1024)
    }
}

/// A request to merge a lead into another, which stays.
public struct LeadMerge: Sendable, Equatable {
    /// The lead that stays.
    public var into: Int

    public init(into: Int) {
        self.into = into
    }

    /// The body of POST `/leads/{id}/merge`.
    public init(_ fields: inout Fields) {
        into = fields.integer("into")
    }
}

/// How a lead is to be erased.
public struct LeadErasure: Sendable, Equatable {
    /// Whether contacts that are open are closed along with it, whoever has them.
    public var force: Bool

    public init(force: Bool = false) {
        self.force = force
    }

    /// The query of DELETE `/leads/{id}`.
    public init(_ fields: inout Fields) {
        force = fields.optionalBool("force", default: false)
    }
}
