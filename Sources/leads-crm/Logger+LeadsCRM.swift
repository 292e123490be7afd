import Logging

extension Logger {
    /// The program's log, to standard error, at the level the settings ask for.
    static func leadsCRM() throws(SettingError) -> Logger {
        guard let level = Logger.Level(rawValue: Setting.logLevel.value.lowercased()) else {
            throw SettingError("\(Setting.logLevel.name) is none of \(Logger.Level.allCases.map(\.rawValue))")
        }
        var logger = Logger(label: "leads-crm") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level
        return logger
    }
}
