import Foundation
import Glibc
import Postgres

/// One setting: what it is called in the environment, what it is when not given, what it means.
struct Setting: Sendable {
    let name: String
    let fallback: String
    /// A secret is never shown, and may be given in a file.
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
    static let databasePassword = Setting(
        "PGPASSWORD", isSecret: true, "password of the database's account, where DATABASE_URL has none")
    static let databasePooled = Setting(
        "DATABASE_POOLED", "false", "true when DATABASE_URL leads through PgBouncer in transaction mode")
    static let databaseTLS = Setting(
        "LEADS_DATABASE_TLS", "verify-full",
        "what a database beyond this host must at least be reached with: verify-full, require (encrypted, but by whom is "
            + "not known), or off (what DATABASE_URL says)")
    static let dataDirectory = Setting(
        "LEADS_DATA_DIRECTORY", ".leads-crm", "where the PostgreSQL of our own keeps its data")
    static let host = Setting("LEADS_HOST", "127.0.0.1", "address to listen on")
    static let port = Setting("LEADS_PORT", "8000", "port to listen on")
    static let publicURL = Setting(
        "LEADS_PUBLIC_URL", "",
        "where people and programs reach it from elsewhere, https://crm.example; several are separated by commas")
    static let access = Setting(
        "LEADS_ACCESS", "auto",
        "open, closed, or auto: open on this machine alone until there is a key or a person, then closed for good")
    static let published = Setting(
        "LEADS_PUBLISHED", "",
        "where a container's port is published, 127.0.0.1:8000: for auto it counts instead of the address to listen on")
    static let metricsOpen = Setting(
        "LEADS_METRICS_OPEN", "false", "true when /metrics needs no key, for scrapers inside the house")
    static let trustedProxies = Setting(
        "LEADS_TRUSTED_PROXIES", "",
        "addresses or networks of balancers whose X-Forwarded-For is believed, 10.0.0.0/8, separated by commas")
    static let corsOrigins = Setting(
        "LEADS_CORS_ORIGINS", "",
        "origins whose pages may call the API, https://forms.example, separated by commas; without any, no page elsewhere"
    )
    static let connections = Setting(
        "LEADS_CONNECTIONS", "4096",
        "connections that may be open at a time; a further one takes that of a slow or idle one, or is closed, 1…100000"
    )
    static let bodyMemory = Setting(
        "LEADS_BODY_MEMORY", "64",
        "MiB that the large bodies under way share; further ones wait, then are answered 503, 32…4096")
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
        "directory with Swagger UI (deploy/fetch-swagger-ui gets it) for /docs; without it /docs says how to get it")
    static let logLevel = Setting("LEADS_LOG_LEVEL", "info", "trace, debug, info, notice, warning, error or critical")

    static let openIDIssuer = Setting(
        "LEADS_OIDC_ISSUER", "",
        "the OpenID provider that people sign in with, exactly as it calls itself: https://login.example; none without it"
    )
    static let openIDClientID = Setting("LEADS_OIDC_CLIENT_ID", "", "what that provider knows this program by")
    static let openIDClientSecret = Setting(
        "LEADS_OIDC_CLIENT_SECRET", isSecret: true, "the secret it gave it, where it did")
    static let openIDRoleClaim = Setting(
        "LEADS_OIDC_ROLE_CLAIM", "",
        "the claim that says what somebody may do, its steps separated by dots: groups, realm_access.roles")
    static let openIDRoles = Setting(
        "LEADS_OIDC_ROLES", "",
        "which of its values gives which role, separated by commas: crm-admins=admin, crm-team=supervisor")
    static let secretsDirectory = Setting(
        "LEADS_SECRETS_DIRECTORY", "/run/secrets",
        "where files hold secrets that are given neither by value nor by NAME_FILE; each is called as the setting, in "
            + "capital or small letters")
    static let key = Setting(
        "LEADS_KEY", isSecret: true, "the key of a supervisor that `demo` shows to an instance that is closed")

    static let all = [
        databaseURL, databaseDirectURL, databasePassword, databasePooled, databaseTLS, dataDirectory, host, port,
        publicURL, access, published, metricsOpen, trustedProxies, corsOrigins, openIDIssuer, openIDClientID,
        openIDClientSecret, openIDRoleClaim, openIDRoles, connections, bodyMemory, language, phoneRegion, poolSize,
        intakeLanes, intakeBatch, intakeQueue, idleSeconds, eventLoops, sweepSeconds, decisionDays, personalDataDays,
        snapshotSeconds, drainSeconds, swaggerUI, logFormat, logLevel, secretsDirectory, key,
    ]

    private static let given = Result { () throws(SettingError) in
        try GivenSettings(environment: ProcessInfo.processInfo.environment)
    }

    /// Reads what is given for all settings. To be called before anything asks for a value.
    /// - Throws: when a secret is given twice, or in a file that cannot be read or holds none.
    static func readAll() throws(SettingError) {
        _ = try given.get()
        // libpq looks for it in the environment alone.
        if !databasePassword.value.isEmpty { setenv(databasePassword.name, databasePassword.value, 1) }
    }

    /// Where people reach the server, without a slash at its end.
    static func home(host: String = Setting.host.value, port: String = Setting.port.value) -> String {
        var url = publicURL.list.first ?? "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        if url.hasSuffix("/") { url.removeLast() }
        return url
    }

    /// Variables of the environment that are named like settings and are none: mistakes in writing, mostly.
    static var unknownNames: [String] { (try? given.get().unknownNames) ?? [] }

    /// The variable that names a file with the value, of a secret.
    var nameOfFile: String { name + "_FILE" }

    /// What is given, or the default. An empty variable counts as none.
    var value: String { given?.text ?? fallback }

    /// Nil when it is given nowhere and has no default.
    var optional: String? { value.isEmpty ? nil : value }

    /// Where the value comes from; nil for the default.
    var origin: GivenSettings.Origin? { given?.origin }

    private var given: GivenSettings.Value? { try? Self.given.get().value(of: self) }

    func integer(in range: ClosedRange<Int>) throws(SettingError) -> Int {
        guard let number = Int(value), range.contains(number) else {
            throw SettingError("\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// Its parts between commas.
    var list: [String] {
        value.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    /// Its parts between commas, each a key and a value with `=` between them.
    func pairs() throws(SettingError) -> [String: String] {
        try pairs(of: list)
    }

    func pairs(of list: [String]) throws(SettingError) -> [String: String] {
        var pairs: [String: String] = [:]
        for part in list {
            // Names of groups in directories have that sign in them.
            guard let sign = part.lastIndex(of: "=") else { throw SettingError("\(name) must be like a=b, c=d") }
            let key = part[..<sign].trimmingCharacters(in: .whitespaces)
            let value = part[part.index(after: sign)...].trimmingCharacters(in: .whitespaces)
            guard !key.isEmpty, !value.isEmpty else { throw SettingError("\(name) must be like a=b, c=d") }
            guard pairs.updateValue(value, forKey: key) == nil else {
                throw SettingError("\(name) says two things of one")
            }
        }
        return pairs
    }

    /// - Returns: nil for off.
    func sslMode() throws(SettingError) -> SSLMode? {
        switch value.lowercased() {
        case "off": return nil
        case "require": return .require
        case "verify-full": return .verifyFull
        default: throw SettingError("\(name) must be verify-full, require or off")
        }
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
