import Leads
import Postgres
import TestSupport
import Testing

@testable import LeadStore

/// What makes instances look again who may ask: a right that is given or taken away, and nothing else.
struct AccessVersionTests {
    private static let token = [UInt8](repeating: 7, count: 32)

    @Test func `a sweep that ends nothing has nobody look again, and whatever ends has all`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let link = try await store.invitePerson(
                NewPerson(login: "anna", name: "Anna", role: .admin), tokenHash: Self.token, by: .command)
            _ = try await store.createKey(
                id: "aaaaaaaa", secretHash: Self.token, NewAccessKey(name: "bot", role: .intake), by: .command)
            let session = try await store.startSession(ofPerson: link.person.id, tokenHash: Self.token, agent: nil)
            var version = try await store.accessVersion()
            for _ in 0..<3 { try await store.removeOldSessions() }
            _ = try await store.checkedSessions([Self.token])
            #expect(try await store.accessVersion() == version, "nothing has changed")

            func isNoted(_ change: () async throws -> Void) async throws -> Bool {
                try await change()
                defer { version += 1 }
                return try await store.accessVersion() == version + 1
            }
            #expect(try await isNoted { try await store.endSessions(ofPerson: nil, session.id, by: .command) })
            #expect(try await isNoted { _ = try await store.revokeKey(id: "aaaaaaaa", by: .command) })
            #expect(
                try await isNoted {
                    _ = try await store.changePerson(id: link.person.id, PersonChange(name: "Anna P."), by: .command)
                })
        }
    }

    @Test func `a session that has run out is removed, and one that has not stays`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let link = try await store.invitePerson(
                NewPerson(login: "anna", name: "Anna", role: .admin), tokenHash: Self.token, by: .command)
            for (number, age) in [(1, "11 hours"), (2, "13 hours")] {
                _ = try await store.startSession(
                    ofPerson: link.person.id, tokenHash: [UInt8](repeating: UInt8(number), count: 32), agent: nil)
                try await database.byHand(
                    "update sessions set used_at = used_at - interval '\(age)' where id = (select max(id) from sessions)"
                )
            }
            try await store.removeOldSessions()
            #expect(try await database.value("select count(*) from sessions", as: Int.self) == 1)
        }
    }
}
