import Foundation

/// One setting: where it comes from, what it is without one, what it means.
struct Setting: Sendable {
    let name: String
    let fallback: String
    let isSecret: Bool
    let meaning: String

    private init(_ name: String, _ fallback: String = "", isSecret: Bool = false, _ meaning: String) {
        self.name = name
        self.fallback = fallback
        self.isSecret = isSecret
        self.meaning = meaning
    }

    static let databaseURL = Setting(
        "DATABASE_URL", isSecret: true,
        "PostgreSQL to use, as a URI or keyword=value pairs; without it the program starts one of its own")
    static let databaseDirectURL = Setting(
        "DATABASE_DIRECT_URL", isSecret: true,
        "the same database without a pooler in between, for migrations; DATABASE_URL if not given")
    static let databasePooled = Setting(
        "DATABASE_POOLED", "false", "true when DATABASE_URL leads through PgBouncer in transaction mode")
    static let dataDirectory = Setting(
        "LEADS_DATA_DIRECTORY", ".leads-crm", "where the PostgreSQL of our own keeps its data")
    static let host = Setting("LEADS_HOST", "127.0.0.1", "address to listen on")
    static let port = Setting("LEADS_PORT", "8000", "port to listen on")
    static let language = Setting("LEADS_LANGUAGE", "en", "en or ru: error texts for callers that ask for neither")
    static let phoneRegion = Setting(
        "LEADS_PHONE_REGION", "RU", "country of phone numbers written without a country code")
    static let poolSize = Setting("LEADS_POOL_SIZE", "6", "database connections for transactions and lists, 1…64")
    static let intakeLanes = Setting(
        "LEADS_INTAKE_LANES", "1", "transactions in which registrations that arrive together are stored at a time, 1…16"
    )
    static let intakeBatch = Setting("LEADS_INTAKE_BATCH", "512", "the most registrations that share one, 1…512")
    static let intakeQueue = Setting(
        "LEADS_INTAKE_QUEUE", "4096", "registrations that may wait for one; further ones are answered 503, 1…100000")
    static let idleSeconds = Setting(
        "LEADS_IDLE_SECONDS", "120",
        "how long a connection may stay open on which nothing is asked, longer than a balancer keeps its own, 1…86400")
    static let eventLoops = Setting("LEADS_EVENT_LOOPS", "1", "threads that read and write HTTP, 1…64")
    static let sweepSeconds = Setting(
        "LEADS_SWEEP_SECONDS", "5", "how often to look for contacts left waiting beside free capacity, 1…3600")
    static let decisionDays = Setting(
        "LEADS_DECISION_DAYS", "90",
        "how long to keep who was considered in each decision, 1…36500; who got it and by which rule stays for ever")
    static let personalDataDays = Setting(
        "LEADS_PERSONAL_DATA_DAYS", "0",
        "how many days after its last contact was closed a lead is erased, 1…36500; 0 for never")
    static let snapshotSeconds = Setting(
        "LEADS_SNAPSHOT_SECONDS", "60",
        "how long a transaction of leads_report may keep a snapshot, which bloats tables, before its session is ended, 1…86400"
    )
    static let drainSeconds = Setting(
        "LEADS_DRAIN_SECONDS", "0",
        "how long to go on serving, not ready, after SIGTERM: until a balancer has noticed, 0…300")
    static let logFormat = Setting(
        "LEADS_LOG_FORMAT", "auto", "text, json (an object a line), or auto: text on a terminal, otherwise json")
    static let swaggerUI = Setting(
        "LEADS_SWAGGER_UI", ".swagger-ui",
        "directory with Swagger UI (deploy/fetch-swagger-ui gets it) for /docs; without it /docs is a plain page")
    static let logLevel = Setting("LEADS_LOG_LEVEL", "info", "trace, debug, info, notice, warning, error or critical")

    static let all = [
        databaseURL, databaseDirectURL, databasePooled, dataDirectory, host, port, language, phoneRegion, poolSize,
        intakeLanes, intakeBatch, intakeQueue, idleSeconds, eventLoops, sweepSeconds, decisionDays,
        personalDataDays, snapshotSeconds, drainSeconds, swaggerUI, logFormat, logLevel,
    ]

    /// The value from the environment, or the default. An empty variable counts as none.
    var value: String {
        let value = ProcessInfo.processInfo.environment[name] ?? ""
        return value.isEmpty ? fallback : value
    }

    func integer(in range: ClosedRange<Int>) throws(SettingError) -> Int {
        guard let number = Int(value), range.contains(number) else {
            throw SettingError("\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func bool() throws(SettingError) -> Bool {
        switch value.lowercased() {
        case "true", "yes", "1", "on": return true
        case "false", "no", "0", "off": return false
        default: throw SettingError("\(name) must be true or false")
        }
    }
}

/// A setting that makes no sense. Says which, never its value: it may be a secret.
struct SettingError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
