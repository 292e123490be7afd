import Leads

/// Who makes a request.
struct Caller: Sendable {
    enum Kind: Sendable {
        /// Anybody, while access is open.
        case anybody
        /// Who has not said who that is, at a route that is for everybody.
        case nobody
        case key(AccessKey)
        case person(Person, sessionID: Int)
    }

    let kind: Kind

    /// What it may do; nil for nobody.
    var role: Role? {
        switch kind {
        case .anybody: .admin
        case .nobody: nil
        case .key(let key): key.role
        case .person(let person, _): person.role
        }
    }

    /// What it sees.
    var viewer: Viewer {
        switch kind {
        case .anybody: .everything
        case .nobody: Viewer(reach: .registered(byKey: ""), sourceIDs: [], isMasked: true)
        case .key(let key): key.viewer
        case .person(let person, _): person.viewer
        }
    }

    /// What it is called in the log of events.
    var actor: Actor {
        switch kind {
        case .anybody, .nobody: .api
        case .key(let key): key.actor
        case .person(let person, _): person.actor
        }
    }

    /// The session of a person's browser.
    var sessionID: Int? {
        if case .person(_, let id) = kind { id } else { nil }
    }

    /// Who shares its part of what there is only so much of: streams, long reads; nil where nobody is told from the others.
    var account: String? {
        switch kind {
        case .anybody, .nobody: nil
        case .key(let key): "key \(key.id)"
        case .person(let person, _): "person \(person.id)"
        }
    }
}
