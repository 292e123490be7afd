import Foundation
import Schema
import Testing

struct SchemaTests {
    /// The folder of SQL files beside the tests.
    private var folder: URL {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../sql").standardized
    }

    @Test func `every SQL file is embedded, word for word`() throws {
        let embedded = Schema.migrations + Schema.repeatables + [Schema.ownership, Schema.roles]
        let found = try #require(FileManager.default.enumerator(atPath: folder.path))
            .compactMap { $0 as? String }.filter { $0.hasSuffix(".sql") }
        #expect(Set(embedded.map(\.name)) == Set(found))
        for file in embedded {
            let text = try String(contentsOf: folder.appending(path: file.name), encoding: .utf8)
            #expect(file.sql == text, "\(file.name)")
        }
    }

    @Test func `migrations are numbered from 1 without gaps`() {
        for (index, file) in Schema.migrations.enumerated() {
            let number = "0000\(index + 1)".suffix(4)
            #expect(file.name.hasPrefix("migrations/\(number)_"))
        }
    }
}
