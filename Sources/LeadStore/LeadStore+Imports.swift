import Leads
import Postgres

/// What an import of a file has to know of the database.
extension LeadStore {
    /// The number of the source with this name.
    /// - Throws: `sourceNotFound`.
    public func sourceID(named name: String) async throws(StoreError) -> Int {
        let rows = try await read("select id from sources where name = \(name)")
        guard !rows.isEmpty else { throw .sourceNotFound }
        return try reading { () throws(PostgresError) in try rows[0].decode(Int.self) }
    }

    /// Whether a contact was registered with this event of a source.
    public func hasContact(sourceID: Int, eventID: String) async throws(StoreError) -> Bool {
        let rows = try await read(
            "select from contacts where source_id = \(sourceID) and source_event_id = \(eventID)")
        return !rows.isEmpty
    }
}
