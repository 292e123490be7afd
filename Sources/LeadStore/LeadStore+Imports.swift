import Leads
import Postgres

/// What an import of a file has to know of the database.
extension LeadStore {
    /// The number of a source that is told by its number or by its name; one with this number comes first.
    /// - Throws: `StoreError.sourceNotFound` and others.
    public func sourceID(of text: String) async throws(StoreError) -> Int {
        let number = Int(text)
        let rows = try await read(
            """
            select id from sources where id = \(number) or name = \(text) order by id = \(number) desc nulls last limit 1
            """)
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
