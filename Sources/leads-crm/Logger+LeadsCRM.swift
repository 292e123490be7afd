import Glibc
import Logging

extension Logger {
    /// The program's log, to standard error, at the level and in the form the settings ask for. It begins with what looks
    /// like a setting and is none.
    static func leadsCRM() throws(SettingError) -> Logger {
        guard let level = Logger.Level(rawValue: Setting.logLevel.value.lowercased()) else {
            throw SettingError("\(Setting.logLevel.name) is none of \(Logger.Level.allCases.map(\.rawValue))")
        }
        let isJSON: Bool
        switch Setting.logFormat.value.lowercased() {
        case "json": isJSON = true
        case "text": isJSON = false
        case "auto": isJSON = isatty(STDERR_FILENO) == 0
        default: throw SettingError("\(Setting.logFormat.name) must be text, json or auto")
        }
        let label = "leads-crm"
        let stream = LogStream(descriptor: STDERR_FILENO) { dropped in
            let message = "records of the log were dropped: nobody read them in time"
            return isJSON
                ? JSONLogHandler.line(.warning, message, ["dropped": "\(dropped)"])
                : "\(label): \(dropped) \(message)\n"
        }
        stream.flushAtExit()
        var logger = Logger(label: label) { label, metadataProvider in
            if isJSON {
                JSONLogHandler(stream: stream, metadataProvider: metadataProvider)
            } else {
                StreamLogHandler(label: label, stream: stream, metadataProvider: metadataProvider)
            }
        }
        logger.logLevel = level
        for name in Setting.unknownNames { logger.warning("\(name) is in the environment and is no setting") }
        return logger
    }
}
