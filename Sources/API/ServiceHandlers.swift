import HTTPTypes
import LeadStore

/// What the service says about itself.
struct ServiceHandlers: Sendable {
    let store: LeadStore
    let version: String
    let schemaVersion: Int

    @Sendable func welcome(_ call: Call) async throws(Problem) -> Reply {
        Reply { json in
            json.object {
                $0.field("message", "Leads CRM API")
                $0.field("version", version)
                $0.field("docs", "/docs")
            }
        }
    }

    /// The process runs; says nothing of the database.
    @Sendable func alive(_ call: Call) async throws(Problem) -> Reply {
        Reply { json in json.object { $0.field("status", "ok") } }
    }

    /// The database answers and its schema is new enough: requests may be sent here.
    @Sendable func ready(_ call: Call) async throws(Problem) -> Reply {
        let isReady = try await asking { () throws(StoreError) in
            try await store.isReady(schemaVersion: schemaVersion)
        }
        guard isReady else { throw .unavailable(cause: "the schema is older than this program") }
        return Reply { json in json.object { $0.field("status", "ready") } }
    }
}
