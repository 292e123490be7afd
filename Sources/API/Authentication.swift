import Credentials
import HTTPTypes
public import LeadStore
import Leads
import Synchronization

/// Whether callers have to say who they are.
public enum AccessMode: Sendable, Equatable {
    /// Not until there is a key or a person.
    case untilClosed
    case open
    case closed
}

/// Tells who makes a request, by a key or by the cookie of a session.
///
/// It asks the database about what it does not know, and once a second whether what it knows still holds: so a check costs no
/// query, and what was taken away is refused by every instance within two seconds.
public final class Authentication: Sendable {
    /// What is shown with a request.
    enum Credential: Hashable, Sendable {
        case key(id: String, secret: SecretDigest)
        case session(SecretDigest)
    }

    /// What is known at once about who makes a request.
    enum Answer {
        case caller(Caller)
        /// The database has to be asked.
        case unknown(Credential)
        /// What was shown is not good, or nothing was.
        case refused
    }

    private struct KnownKey {
        let key: AccessKey
        let secret: SecretDigest
        let former: (secret: SecretDigest, end: ContinuousClock.Instant)?
        var bucket: TokenBucket?

        func isProved(by secret: SecretDigest, at now: ContinuousClock.Instant) -> Bool {
            let isPresent = self.secret.isSame(as: secret)
            let isFormer = former.map { $0.secret.isSame(as: secret) && now < $0.end } ?? false
            return isPresent || isFormer
        }
    }

    private struct KnownSession {
        let caller: Caller
        let askedAt: ContinuousClock.Instant
    }

    private struct State {
        var isOpen: Bool
        /// Of the database, when all below was read; nil before the first time. It is lower than before where a backup was
        /// brought back.
        var version: Int?
        /// How many readings have begun, and which of them is what is known.
        var readings = 0
        var reading = 0
        var keys: [String: KnownKey] = [:]
        var sessions: [SecretDigest: KnownSession] = [:]
    }

    private let store: LeadStore
    private let mode: AccessMode
    private let state: Mutex<State>
    /// One question at a time, and all who came before it was sent have its answer.
    private let keyQuestions: Questions<String>
    private let sessionQuestions: Questions<SecretDigest>
    private let cookieName: String
    private let mostSessions: Int

    /// For how long what is known of a session is taken for granted: in which it counts as used.
    private static let sessionFreshness: Duration = .seconds(60)
    /// How often the database is asked about a session while rights change.
    private static let mostAttempts = 10

    /// - Parameters:
    ///   - isSecure: whether browsers come by TLS, so that they send the cookie no other way.
    ///   - mostSessions: how many sessions are kept in mind; beyond that, all are forgotten and asked for again.
    public init(store: LeadStore, mode: AccessMode, isSecure: Bool = false, mostSessions: Int = 100_000) {
        self.store = store
        self.mode = mode
        self.mostSessions = mostSessions
        cookieName = isSecure ? "__Host-leads" : "leads"
        state = Mutex(State(isOpen: mode != .closed))
        keyQuestions = Questions()
        sessionQuestions = Questions()
    }

    /// Whether anybody may do anything.
    public var isOpen: Bool { state.withLock { $0.isOpen } }

    /// Whether access is open, and the first person or key closes it.
    var isAboutToClose: Bool { mode == .untilClosed && isOpen }

    /// Reads what is to be known; without it nobody is known.
    /// - Throws: `StoreError`.
    public func load() async throws(StoreError) {
        let reading = state.withLock { state in
            state.readings += 1
            return state.readings
        }
        let version = try await store.accessVersion()
        guard state.withLock({ $0.version != version }) else { return }
        let keys = try await store.checkedKeys()
        let isOpen: Bool
        switch mode {
        case .open: isOpen = true
        case .closed: isOpen = false
        case .untilClosed: isOpen = try await !store.hasPeopleOrKeys()
        }
        let now = ContinuousClock.now
        state.withLock { state in
            // One that began later may have been quicker.
            guard state.reading < reading else { return }
            state.reading = reading
            let buckets = state.keys.mapValues(\.bucket)
            state.keys = Dictionary(
                uniqueKeysWithValues: keys.map { checked in
                    let bucket = checked.key.rate.map { rate in
                        buckets[checked.key.id].flatMap(\.self).flatMap { $0.rate == rate ? $0 : nil }
                            ?? TokenBucket(rate: rate, now: now)
                    }
                    let former = checked.former.map {
                        (SecretDigest(bytes: $0.secretHash), now + .seconds($0.seconds))
                    }
                    return (
                        checked.key.id,
                        KnownKey(
                            key: checked.key, secret: SecretDigest(bytes: checked.secretHash), former: former,
                            bucket: bucket)
                    )
                })
            state.sessions.removeAll()
            state.isOpen = isOpen
            state.version = version
        }
    }

    /// Looks whether what is known still holds. Called once a second. Where everybody may do everything nothing is to be known.
    /// - Throws: `StoreError`.
    public func refresh() async throws(StoreError) {
        guard mode != .open else { return }
        try await load()
    }
}

// Who asks.
extension Authentication {
    /// Who makes a request with these header fields.
    /// - Parameter isInvited: whether a page of another origin sent it, whose cookies are none of ours.
    func caller(_ headers: RequestHeaders, isInvited: Bool) -> Answer {
        if isOpen { return .caller(Caller(kind: .anybody)) }
        guard let credential = credential(headers, isInvited: isInvited) else { return .refused }
        return caller(credential) ?? .unknown(credential)
    }

    /// What is shown; nil for nothing, and for what has not the form of anything.
    private func credential(_ headers: RequestHeaders, isInvited: Bool) -> Credential? {
        if let authorization = headers[.authorization] {
            // Whoever shows a key wants to be judged by it.
            guard headers.count(of: .authorization) == 1, authorization.prefix(7).lowercased() == "bearer " else {
                return nil
            }
            let text = authorization.dropFirst(7).drop { $0 == " " }
            return KeyCredential(text).map { .key(id: $0.id, secret: $0.secret.digest) }
        }
        guard !isInvited else { return nil }
        return sessionToken(headers).map { .session($0.digest) }
    }

    /// What the cookie of a session holds.
    func sessionToken(_ headers: RequestHeaders) -> Secret? {
        guard let cookies = headers[.cookie] else { return nil }
        for cookie in cookies.split(whereSeparator: { $0 == ";" || $0 == "," }) {
            let pair = cookie.drop { $0 == " " }
            guard pair.hasPrefix(cookieName), pair.dropFirst(cookieName.count).first == "=" else { continue }
            return Secret(pair.dropFirst(cookieName.count + 1))
        }
        return nil
    }

    /// The `Set-Cookie` of a session; of none, what makes the browser forget it.
    func cookie(_ token: Secret?) -> String {
        let security = cookieName.hasPrefix("__Host-") ? "; Secure" : ""
        let value = token.map { "\($0.text); Max-Age=\(Session.days * 86_400)" } ?? "; Max-Age=0"
        return "\(cookieName)=\(value); Path=/; HttpOnly; SameSite=Lax\(security)"
    }

    /// What is known of a credential; nil for what has to be asked for.
    private func caller(_ credential: Credential) -> Answer? {
        let now = ContinuousClock.now
        return state.withLock { state in
            switch credential {
            case .key(let id, let secret):
                guard let known = state.keys[id] else { return nil }
                // Somebody may have given it another secret a moment ago.
                guard known.isProved(by: secret, at: now) else { return nil }
                return .caller(Caller(kind: .key(known.key)))
            case .session(let token):
                guard let known = state.sessions[token], now - known.askedAt < Self.sessionFreshness else { return nil }
                return .caller(known.caller)
            }
        }
    }

    /// Asks the database about what was shown.
    /// - Returns: nil for what is not good.
    /// - Throws: `StoreError`.
    func ask(_ credential: Credential) async throws(StoreError) -> Caller? {
        switch credential {
        case .key(let id, _):
            try await keyQuestions.ask(about: id) { (_) throws(StoreError) in try await self.load() }
            if case .caller(let caller)? = caller(credential) { return caller }
            return nil
        case .session(let token):
            while true {
                let version = state.withLock { $0.version }
                try await sessionQuestions.ask(about: token) { (tokens) throws(StoreError) in
                    try await self.loadSessions(tokens)
                }
                if case .caller(let caller)? = caller(credential) { return caller }
                // What was learnt may have been forgotten again, because rights changed meanwhile.
                if state.withLock({ $0.version }) == version { return nil }
            }
        }
    }

    /// What a caller hears whose request was let in a while ago, and who is not the same to us any more; nil for one who is.
    func refusal(of caller: Caller, _ headers: RequestHeaders, isInvited: Bool) async -> Problem? {
        switch await present(headers, isInvited: isInvited) {
        case .success(let present): Self.refusal(of: present, whoWas: caller)
        case .failure(let error): Problem(error)
        }
    }

    private static func refusal(of present: Caller, whoWas former: Caller) -> Problem? {
        guard let role = present.role else { return former.role == nil ? nil : .unauthenticated }
        return role == former.role && present.viewer == former.viewer ? nil : .forbidden
    }

    /// Who somebody is now.
    private func present(_ headers: RequestHeaders, isInvited: Bool) async -> Result<Caller, StoreError> {
        switch caller(headers, isInvited: isInvited) {
        case .caller(let known): return .success(known)
        case .refused: return .success(Caller(kind: .nobody))
        case .unknown(let credential):
            do throws(StoreError) {
                return .success(try await ask(credential) ?? Caller(kind: .nobody))
            } catch { return .failure(error) }
        }
    }

    private func loadSessions(_ tokens: [SecretDigest]) async throws(StoreError) {
        for _ in 0..<Self.mostAttempts {
            let asked = ContinuousClock.now
            let version = state.withLock { $0.version }
            let found = try await store.checkedSessions(tokens.map(\.bytes))
            let isCertain = state.withLock { state in
                // What was taken away meanwhile must not be remembered, and what was not must not be refused.
                guard state.version == version else { return false }
                if state.sessions.count > mostSessions { state.sessions.removeAll() }
                for token in tokens {
                    state.sessions[token] = found[token.bytes].map { session, person in
                        KnownSession(caller: Caller(kind: .person(person, sessionID: session.id)), askedAt: asked)
                    }
                }
                return true
            }
            if isCertain { return }
        }
        throw .tooManyLongReads
    }

    /// Whether whoever began a stream sees still what it saw then, as far as is known; nil when that has to be asked for.
    func holds(_ credential: Credential, seeing viewer: Viewer) -> Bool? {
        if case .caller(let caller)? = caller(credential) { return caller.viewer == viewer }
        if case .key = credential { return false }
        return nil
    }

    /// What a request came with, to look at again while its answer goes on.
    func lastingCredential(_ headers: RequestHeaders) -> Credential? {
        isOpen ? nil : credential(headers, isInvited: false)
    }
}

// How often a key may ask.
extension Authentication {
    /// Takes a turn of a key's, nil for a key without a limit.
    func takeTurn(of key: AccessKey) -> TokenBucket.Turn? {
        guard key.rate != nil else { return nil }
        let now = ContinuousClock.now
        return state.withLock { $0.keys[key.id]?.bucket?.take(at: now) }
    }
}

/// Lets so many requests a second through, and twice as many at once.
struct TokenBucket {
    /// What becomes of one request, as `RateLimit` fields tell it.
    struct Turn: Equatable {
        let isGranted: Bool
        let rate: Int
        /// How many more may follow at once.
        let left: Int
        /// In how many seconds the next may be made, when this one is not; otherwise in how many as many as ever may.
        let seconds: Int
    }

    let rate: Int
    private var tokens: Double
    private var filledAt: ContinuousClock.Instant
    private var capacity: Double { Double(rate) * 2 }

    init(rate: Int, now: ContinuousClock.Instant) {
        self.rate = rate
        tokens = Double(rate) * 2
        filledAt = now
    }

    mutating func take(at now: ContinuousClock.Instant) -> Turn {
        let (seconds, attoseconds) = filledAt.duration(to: now).components
        tokens = min(capacity, tokens + (Double(seconds) + Double(attoseconds) * 1e-18) * Double(rate))
        filledAt = now
        guard tokens >= 1 else {
            return Turn(
                isGranted: false, rate: rate, left: 0, seconds: max(1, Int(((1 - tokens) / Double(rate)).rounded(.up))))
        }
        tokens -= 1
        return Turn(
            isGranted: true, rate: rate, left: Int(tokens),
            seconds: Int(((capacity - tokens) / Double(rate)).rounded(.up)))
    }
}

/// Asks the same question for all who want to know, one at a time and at most ten times a second.
///
/// Whoever shows what nobody knows can so not make an instance do more than a few queries a second.
private final class Questions<Subject: Hashable & Sendable>: Sendable {
    private struct State {
        var subjects: Set<Subject> = []
        var waiting: [CheckedContinuation<Result<Void, StoreError>, Never>] = []
        var isUnderWay = false
    }

    private let state = Mutex(State())
    private static var pause: Duration { .milliseconds(100) }
    private static var limit: Int { 1000 }

    /// Returns when a question about the subject, sent after this call, was answered.
    func ask(
        about subject: Subject, _ answer: @escaping @Sendable ([Subject]) async throws(StoreError) -> Void
    ) async throws(StoreError) {
        let result = await withCheckedContinuation { continuation in
            let begins = state.withLock { state -> Bool? in
                guard state.waiting.count < Self.limit else { return nil }
                state.subjects.insert(subject)
                state.waiting.append(continuation)
                defer { state.isUnderWay = true }
                return !state.isUnderWay
            }
            switch begins {
            case true?: Task { await self.run(answer) }
            case false?: break
            case nil: continuation.resume(returning: .failure(.tooManyLongReads))
            }
        }
        try result.get()
    }

    private func run(_ answer: @Sendable ([Subject]) async throws(StoreError) -> Void) async {
        while let (subjects, waiting) = next() {
            let result: Result<Void, StoreError>
            do throws(StoreError) { result = .success(try await answer(subjects)) } catch { result = .failure(error) }
            for continuation in waiting { continuation.resume(returning: result) }
            try? await Task.sleep(for: Self.pause)
        }
    }

    private func next() -> ([Subject], [CheckedContinuation<Result<Void, StoreError>, Never>])? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.isUnderWay = false
                return nil
            }
            defer { (state.subjects, state.waiting) = ([], []) }
            return (Array(state.subjects), state.waiting)
        }
    }
}
