import JSON

/// A JSON value as the database keeps it, written without being read: PostgreSQL has checked it.
struct StoredJSON: JSONWritable {
    let text: String

    func write(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: text.utf8)
    }
}
