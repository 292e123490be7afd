import Credentials
import HTTPTypes
import JSON
import LeadStore
import Leads
import OpenID

/// `/session`, `/sessions`, `/me`: signing in and out, and who one is.
struct SessionHandlers: Sendable {
    let store: LeadStore
    let authentication: Authentication
    /// The company's, by which people sign in without a password of ours.
    let provider: OpenIDProvider?
    /// Whether browsers come by TLS.
    let isSecure: Bool

    /// Signs in with a login and a password. Takes as long whoever it is, and whether there is somebody.
    @Sendable func signIn(_ call: Call) async throws(Problem) -> Reply {
        let request = try call.body { PasswordSignIn(&$0) }
        let loginHash = SecretDigest(of: request.login).bytes
        let attempt = try await asking { () throws(StoreError) in
            try await store.attemptSignIn(login: request.login, loginHash: loginHash, address: call.address)
        }
        switch attempt {
        case .refused(let seconds): throw .tooManyAttempts(seconds: seconds)
        case .permitted(let person, let hash):
            let matches = await Password(request.password).matches(hash.map { PasswordHash(encoded: $0) })
            guard matches, let person else { throw .signInFailed }
            return try await welcome(person, call, forgetting: loginHash)
        }
    }

    /// Begins a session in the browser that asks, and ends the one it had.
    /// - Parameter loginHash: of failures that are forgotten, because this one knew the password.
    func startSession(
        of person: Person, _ call: Call, forgetting loginHash: [UInt8]? = nil
    ) async throws(Problem) -> (Secret, Session) {
        let token = Secret()
        let session = try await asking { () throws(StoreError) in
            try await store.startSession(
                ofPerson: person.id, tokenHash: token.digest.bytes, agent: call.agent,
                insteadOf: call.caller.sessionID, forgetting: loginHash)
        }
        await refresh()
        return (token, session)
    }

    private func welcome(_ person: Person, _ call: Call, forgetting loginHash: [UInt8]) async throws(Problem) -> Reply {
        let (token, session) = try await startSession(of: person, call, forgetting: loginHash)
        let caller = Caller(kind: .person(person, sessionID: session.id))
        return Reply(headers: [.setCookie: authentication.cookie(token)]) {
            $0.me(caller, isOpen: false, isAboutToClose: false)
        }
    }

    @Sendable func signOut(_ call: Call) async throws(Problem) -> Reply {
        if case .person(let person, let sessionID) = call.caller.kind {
            try await asking { () throws(StoreError) in
                try await store.endSessions(ofPerson: person.id, sessionID, by: call.actor)
            }
            await refresh()
        }
        var reply = Reply.message("Signed out")
        reply.headers[.setCookie] = authentication.cookie(nil)
        return reply
    }

    /// Whom a link was given to, so that the page can greet them. Uses nothing up.
    @Sendable func showLink(_ call: Call) async throws(Problem) -> Reply {
        let token = try call.body { LinkToken(&$0) }.token
        let person = try await asking { () throws(StoreError) in
            try await store.person(linkedBy: SecretDigest(of: token).bytes)
        }
        return Reply { json in
            json.object {
                $0.field("login", person.login)
                $0.field("name", person.name)
            }
        }
    }

    /// Chooses a password by a link, and signs in.
    @Sendable func acceptLink(_ call: Call) async throws(Problem) -> Reply {
        let request = try call.body { LinkAcceptance(&$0) }
        let tokenHash = SecretDigest(of: request.token).bytes
        let person = try await asking { () throws(StoreError) in try await store.person(linkedBy: tokenHash) }
        let password = await (try chosen(request.password, by: person)).hashed().encoded
        let signedUp = try await asking { () throws(StoreError) in
            try await store.setPassword(password, linkedBy: tokenHash)
        }
        return try await welcome(signedUp, call, forgetting: SecretDigest(of: signedUp.login).bytes)
    }

    private func chosen(_ text: String, by person: Person) throws(Problem) -> Password {
        do throws(Password.Weakness) {
            return try Password(chosen: text, login: person.login, name: person.name)
        } catch {
            // What was typed is not sent back.
            throw .invalid([.refused(error.rawValue, at: "password", input: .null)])
        }
    }

    @Sendable func me(_ call: Call) async throws(Problem) -> Reply {
        let (caller, isOpen, isAboutToClose) = (call.caller, authentication.isOpen, authentication.isAboutToClose)
        return Reply { $0.me(caller, isOpen: isOpen, isAboutToClose: isAboutToClose) }
    }

    /// Chooses another password; the present one proves that it is not somebody at an abandoned desk.
    @Sendable func changePassword(_ call: Call) async throws(Problem) -> Reply {
        let request = try call.body { PasswordChange(&$0) }
        guard case .person(let person, let sessionID) = call.caller.kind else { throw .forbidden }
        // Before it is an attempt: whoever tries weak ones knows the present one all the same.
        let password = try chosen(request.password, by: person)
        let loginHash = SecretDigest(of: person.login).bytes
        let attempt = try await asking { () throws(StoreError) in
            try await store.attemptSignIn(login: person.login, loginHash: loginHash, address: call.address)
        }
        guard case .permitted(_, let hash) = attempt else {
            if case .refused(let seconds) = attempt { throw .tooManyAttempts(seconds: seconds) }
            throw .signInFailed
        }
        guard await Password(request.current).matches(hash.map { PasswordHash(encoded: $0) }) else {
            throw .signInFailed
        }
        let hashed = await password.hashed().encoded
        try await asking { () throws(StoreError) in
            try await store.setPassword(
                hashed, of: person.id, keeping: sessionID, forgetting: loginHash, by: call.actor)
        }
        await refresh()
        return .message("Password changed")
    }

    @Sendable func list(_ call: Call) async throws(Problem) -> Reply {
        let asked = try call.query { SessionFilter(&$0) }.personID
        let (own, current): (Int?, Int?) =
            if case .person(let person, let id) = call.caller.kind { (person.id, id) } else { (nil, nil) }
        guard let personID = asked ?? own else { throw .personNotFound }
        guard personID == own || call.caller.role == .admin else { throw .personNotFound }
        let sessions = try await asking { () throws(StoreError) in try await store.sessions(ofPerson: personID) }
        return Reply { json in json.array(sessions) { $0.session($1, current: current) } }
    }

    /// Ends one session: one's own, or as an admin anybody's.
    @Sendable func end(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.id("session_id")
        let own: Int? = if case .person(let person, _) = call.caller.kind { person.id } else { nil }
        guard call.caller.role == .admin || own != nil else { throw .sessionNotFound }
        let owner = call.caller.role == .admin ? nil : own
        let ended = try await asking { () throws(StoreError) in
            try await store.endSessions(ofPerson: owner, id, by: call.actor)
        }
        guard ended > 0 else { throw .sessionNotFound }
        await refresh()
        return .message("Session ended")
    }

    /// Ends all sessions of oneself but the present one, or as an admin all of somebody's.
    @Sendable func endAll(_ call: Call) async throws(Problem) -> Reply {
        let asked = try call.query { SessionFilter(&$0) }.personID
        let (own, current): (Int?, Int?) =
            if case .person(let person, let id) = call.caller.kind { (person.id, id) } else { (nil, nil) }
        guard let personID = asked ?? own, personID == own || call.caller.role == .admin else { throw .personNotFound }
        try await asking { () throws(StoreError) in
            try await store.endSessions(ofPerson: personID, nil, except: current, by: call.actor)
        }
        await refresh()
        return .message("Sessions ended")
    }

    /// This instance knows at once, others within a second.
    func refresh() async {
        try? await authentication.refresh()
    }
}

/// A login and a password.
struct PasswordSignIn {
    let login: String
    let password: String

    init(_ fields: inout Fields) {
        login = fields.string("login", length: Person.loginLength, trimmed: true).lowercased()
        password = fields.string("password", length: 1...Password.length.upperBound, trimmed: false)
    }
}

/// What a link carries.
struct LinkToken {
    let token: String

    init(_ fields: inout Fields) {
        token = fields.string("token", length: Secret.length...Secret.length, trimmed: false)
    }
}

/// The same, with the password that is chosen by it.
struct LinkAcceptance {
    let token: String
    let password: String

    init(_ fields: inout Fields) {
        token = fields.string("token", length: Secret.length...Secret.length, trimmed: false)
        password = fields.string("password", length: 1...1000, trimmed: false)
    }
}

struct PasswordChange {
    let current: String
    let password: String

    init(_ fields: inout Fields) {
        current = fields.string("current_password", length: 1...Password.length.upperBound, trimmed: false)
        password = fields.string("password", length: 1...1000, trimmed: false)
    }
}

/// Whose sessions.
struct SessionFilter {
    /// Nil for one's own.
    let personID: Int?

    init(_ fields: inout Fields) {
        personID = fields.optionalInteger("person_id", in: 1...Int.max)
    }
}

extension HTTPField.Name {
    static let setCookie = HTTPField.Name("Set-Cookie")!
}
