import Glibc
import Logging

extension Logger {
    /// The program's log, to standard error, at the level and in the form the settings ask for.
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
        var logger = Logger(label: "leads-crm") { label -> any LogHandler in
            if isJSON { JSONLogHandler() } else { StreamLogHandler.standardError(label: label) }
        }
        logger.logLevel = level
        return logger
    }
}
