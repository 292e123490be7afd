/// A person or company that asked.
public struct Lead: Sendable, Equatable {
    public let id: Int
    public let externalID: String?
    public let phone: String?
    public let email: String?
    public let name: String?
    public let createdAt: Timestamp
    public let updatedAt: Timestamp?
    public let contactCount: Int

    public init(
        id: Int, externalID: String?, phone: String?, email: String?, name: String?, createdAt: Timestamp,
        updatedAt: Timestamp?, contactCount: Int
    ) {
        self.id = id
        self.externalID = externalID
        self.phone = phone
        self.email = email
        self.name = name
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.contactCount = contactCount
    }
}

/// A lead with its latest contacts, in order of id.
public struct LeadWithContacts: Sendable, Equatable {
    public let lead: Lead
    public let contacts: [Contact]

    public init(lead: Lead, contacts: [Contact]) {
        self.lead = lead
        self.contacts = contacts
    }

    /// How many contacts each lead of a list comes with.
    public static let contactsInList = 20
    /// How many contacts a lead comes with when it is asked for by id.
    public static let contactsById = 1000
}

/// Two leads that share a key but could not be told to be the same: people decide whether to merge them.
public struct PossibleDuplicate: Sendable, Equatable {
    /// The place in the order in which pairs were found.
    public let id: Int
    /// The key the two share.
    public let kind: IdentityKind
    public let foundAt: Timestamp
    public let lead: Lead
    public let otherLead: Lead

    public init(id: Int, kind: IdentityKind, foundAt: Timestamp, lead: Lead, otherLead: Lead) {
        self.id = id
        self.kind = kind
        self.foundAt = foundAt
        self.lead = lead
        self.otherLead = otherLead
    }
}

/// What a lead can be recognised by, strongest first.
public enum IdentityKind: String, Sendable, CaseIterable, Comparable {
    case externalID = "external_id"
    case phone
    case email

    public static func < (left: Self, right: Self) -> Bool {
        allCases.firstIndex(of: left)! < allCases.firstIndex(of: right)!
    }
}

/// A key of a lead in the one form in which two are compared.
public struct LeadIdentity: Sendable, Hashable {
    public let kind: IdentityKind
    public let value: String

    public init(kind: IdentityKind, value: String) {
        self.kind = kind
        self.value = value
    }
}
