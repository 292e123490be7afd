import Credentials
import HTTPTypes
import JSON
import LeadStore
import Leads

/// `/keys`: what programs prove themselves by.
struct KeyHandlers: Sendable {
    let store: LeadStore
    let authentication: Authentication

    @Sendable func list(_ call: Call) async throws(Problem) -> Reply {
        let keys = try await asking { () throws(StoreError) in try await store.keys() }
        return Reply { json in json.array(keys) { $0.key($1) } }
    }

    @Sendable func show(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.text("key_id")
        let key = try await asking { () throws(StoreError) in try await store.key(id: id) }
        return Reply { $0.key(key) }
    }

    @Sendable func create(_ call: Call) async throws(Problem) -> Reply {
        let new = try call.body { NewAccessKey(&$0) }
        guard !authentication.isAboutToClose else { throw .adminFirst }
        let credential = KeyCredential()
        let key = try await asking { () throws(StoreError) in
            try await store.createKey(
                id: credential.id, secretHash: credential.secret.digest.bytes, new, by: call.actor)
        }
        try? await authentication.refresh()
        return Reply(.created) { $0.key(key, credential: credential.text) }
    }

    @Sendable func rotate(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.text("key_id")
        let rotation = try call.optionalBody { KeyRotation(&$0) }
        let credential = KeyCredential(id: id)
        let key = try await asking { () throws(StoreError) in
            try await store.rotateKey(
                id: id, secretHash: credential.secret.digest.bytes, rotation, by: call.actor)
        }
        try? await authentication.refresh()
        return Reply { $0.key(key, credential: credential.text) }
    }

    @Sendable func revoke(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.text("key_id")
        let key = try await asking { () throws(StoreError) in try await store.revokeKey(id: id, by: call.actor) }
        try? await authentication.refresh()
        return Reply { $0.key(key) }
    }
}
