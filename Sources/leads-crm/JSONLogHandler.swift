import Foundation
import Logging

/// Writes each record as one line with one JSON object.
struct JSONLogHandler: LogHandler {
    let stream: LogStream
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(stream: LogStream, metadataProvider: Logger.MetadataProvider?) {
        self.stream = stream
        self.metadataProvider = metadataProvider
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var record = metadata
        for more in [metadataProvider?.get(), event.metadata] {
            record.merge(more ?? [:]) { _, later in later }
        }
        if let error = event.error {
            // The names StreamLogHandler has for them.
            record["error.message"] = "\(error)"
            record["error.type"] = "\(String(reflecting: type(of: error)))"
        }
        stream.write(Self.line(event.level, "\(event.message)", record))
    }

    /// A record with the line's end.
    static func line(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) -> String {
        var record = metadata.mapValues { "\($0)" }
        record["at"] = Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        record["level"] = level.rawValue
        record["message"] = message
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings can always be encoded.
        return String(decoding: (try? encoder.encode(record)) ?? Data(), as: UTF8.self) + "\n"
    }
}
