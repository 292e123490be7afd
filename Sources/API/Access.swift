import Leads

/// Who may call a route while access is closed. Each row of the route table says so.
struct Access: Sendable, Equatable {
    /// Whether one need not say who one is.
    let isPublic: Bool
    /// Those who may, in the order of ``Role``.
    let roles: [Role]

    private init(isPublic: Bool = false, _ roles: [Role]) {
        self.isPublic = isPublic
        self.roles = roles
    }

    /// Everybody, whoever that is.
    static let everybody = Access(isPublic: true, Role.allCases)
    /// Whoever says who that is.
    static let anyRole = Access(Role.allCases)
    /// Who registers contacts.
    static let registration = Access([.intake, .supervisor, .admin])
    /// Who reads contacts, be they only one's own.
    static let ownContacts = Access([.operator, .analyst, .supervisor, .admin])
    /// The same, and an intake which reads those it has registered.
    static let ownContact = Access(Role.allCases)
    /// Who works on contacts, be they only one's own.
    static let work = Access([.operator, .supervisor, .admin])
    /// Who reads what is there of everybody.
    static let reading = Access([.analyst, .supervisor, .admin])
    /// Who reads figures of the process: people who read, and any program.
    static let metrics = Access([.intake, .analyst, .supervisor, .admin])
    /// Who says how contacts are distributed, and changes what is everybody's.
    static let supervision = Access([.supervisor, .admin])
    /// Who says who may do what.
    static let administration = Access([.admin])

    func admits(_ role: Role) -> Bool { roles.contains(role) }
}

extension Access {
    /// Who may, in words, for the documentation.
    var words: String {
        guard !isPublic else { return "For everybody." }
        guard roles.count < Role.allCases.count else { return "For any role." }
        let names = roles.map { "`\($0.rawValue)`" }
        guard let last = names.last, names.count > 1 else { return "For the role \(names.joined())." }
        return "For the roles \(names.dropLast().joined(separator: ", ")) and \(last)."
    }
}
