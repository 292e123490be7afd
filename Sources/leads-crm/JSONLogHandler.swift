import Foundation
import Logging

/// Writes each record as one line with one JSON object to standard error.
struct JSONLogHandler: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var record: [String: String] = [:]
        for (name, value) in metadata { record[name] = "\(value)" }
        for (name, value) in event.metadata ?? [:] { record[name] = "\(value)" }
        record["at"] = Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        record["level"] = event.level.rawValue
        record["message"] = "\(event.message)"
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard var line = try? encoder.encode(record) else { return }
        line.append(UInt8(ascii: "\n"))
        try? FileHandle.standardError.write(contentsOf: line)
    }
}
