public import Credentials
import HTTPTypes
import JSON
import LeadStore
public import Leads

/// `/people`: the staff who sign in.
struct PeopleHandlers: Sendable {
    let store: LeadStore
    let authentication: Authentication
    /// Where links lead: the address under which people reach the server, without a slash at its end.
    let publicURL: String

    @Sendable func list(_ call: Call) async throws(Problem) -> Reply {
        let page = try call.query { Page(&$0) }
        let people = try await asking { () throws(StoreError) in try await store.people(page) }
        return .listing(people, call) { $0.person($1) }
    }

    @Sendable func show(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.id("person_id")
        let person = try await asking { () throws(StoreError) in try await store.person(id: id) }
        return Reply { $0.person(person) }
    }

    @Sendable func invite(_ call: Call) async throws(Problem) -> Reply {
        let new = try call.body { NewPerson(&$0) }
        guard !authentication.isAboutToClose || new.role == .admin else { throw .adminFirst }
        let token = Secret()
        let link = try await asking { () throws(StoreError) in
            try await store.invitePerson(new, tokenHash: token.digest.bytes, by: call.actor)
        }
        try? await authentication.refresh()
        return reply(.created, link, token)
    }

    /// The first admin of a server that is open, on the spot: the link is for whoever asked.
    @Sendable func protect(_ call: Call) async throws(Problem) -> Reply {
        let new = try call.body { FirstAdmin(&$0) }
        guard authentication.isOpen else { throw .accessClosed }
        guard authentication.isAboutToClose else { throw .accessKeptOpen }
        let token = Secret()
        let link = try await asking { () throws(StoreError) in
            try await store.inviteFirstAdmin(
                login: new.login, name: new.name, tokenHash: token.digest.bytes, by: call.actor)
        }
        try? await authentication.refresh()
        return reply(.created, link, token)
    }

    @Sendable func change(_ call: Call) async throws(Problem) -> Reply {
        let (id, change) = try call.idAndBody("person_id") { PersonChange(&$0) }
        let person = try await asking { () throws(StoreError) in
            try await store.changePerson(id: id, change, by: call.actor)
        }
        try? await authentication.refresh()
        return Reply { $0.person(person) }
    }

    @Sendable func link(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.id("person_id")
        let token = Secret()
        let link = try await asking { () throws(StoreError) in
            try await store.linkPerson(id: id, tokenHash: token.digest.bytes, by: call.actor)
        }
        return reply(.created, link, token)
    }

    private func reply(_ status: HTTPResponse.Status, _ link: PersonLink, _ token: Secret) -> Reply {
        let url = PersonLink.url(publicURL, token)
        return Reply(status) { $0.link(link, url: url) }
    }
}

extension PersonLink {
    /// The address that lets its reader in: what proves it stands behind a `#`, which browsers send to nobody.
    public static func url(_ publicURL: String, _ token: Secret) -> String {
        "\(publicURL)/sign-in#\(token.text)"
    }
}

/// A request to close a server that is open.
struct FirstAdmin {
    let login: String
    let name: String

    init(_ fields: inout Fields) {
        login = fields.string("login", length: Person.loginLength, trimmed: true).lowercased()
        name = fields.string("name", length: Person.nameLength, trimmed: true)
    }
}
