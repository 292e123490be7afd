import Credentials
import LeadStore
import Leads
import TestSupport
import Testing

@testable import API

/// What an instance remembers of those who ask.
struct AuthenticationTests {
    @Test func `beyond so many sessions all are forgotten, and asked for again`() async throws {
        try await TestDatabase.with { database in
            let link = try await database.store.invitePerson(
                NewPerson(login: "anna", name: "Anna", role: .admin), tokenHash: Secret().digest.bytes, by: .command)
            let authentication = Authentication(store: database.store, mode: .closed, mostSessions: 2)
            try await authentication.load()
            var shown: [(credential: Authentication.Credential, viewer: Viewer)] = []
            for _ in 0..<4 {
                let token = Secret().digest
                _ = try await database.store.startSession(
                    ofPerson: link.person.id, tokenHash: token.bytes, agent: nil)
                let caller = try #require(try await authentication.ask(.session(token)))
                shown.append((.session(token), caller.viewer))
            }
            let isKnown = { shown.map { authentication.holds($0.credential, seeing: $0.viewer) } }
            #expect(isKnown() == [nil, nil, nil, true])
            #expect(try await authentication.ask(shown[0].credential) != nil)
            #expect(isKnown() == [true, nil, nil, true])
        }
    }
}
