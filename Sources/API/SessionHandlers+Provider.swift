import HTTPTypes
import LeadStore
import Leads
import OpenID

// Signing in by the company's OpenID provider, to which the browser is sent and from which it comes back.
extension SessionHandlers {
    @Sendable func beginAtProvider(_ call: Call) async throws(Problem) -> Reply {
        guard let provider else { throw .providerAbsent }
        let destination = try call.query { ProviderSignIn(&$0) }.destination
        do throws(OpenIDError) {
            let signIn = try await provider.beginSignIn()
            return Reply(
                .seeOther,
                headers: [.location: signIn.url, .setCookie: cookie(Memory(signIn.secrets, destination).encoded)])
        } catch {
            return try refusal(.providerUnavailable(cause: "\(error)"), call, destination)
        }
    }

    @Sendable func endAtProvider(_ call: Call) async throws(Problem) -> Reply {
        guard let provider else { throw .providerAbsent }
        guard let memory = call.cookie(Self.cookieName).flatMap({ Memory(encoded: $0) }) else {
            return try refusal(.signInFailed, call, .dashboard)
        }
        do throws(Problem) {
            let person = try await person(at: provider, call, memory.secrets)
            await refresh()
            let (token, _) = try await startSession(of: person, call)
            return Reply(
                .seeOther, headers: [.location: memory.destination.path, .setCookie: authentication.cookie(token)])
        } catch {
            return try refusal(error, call, memory.destination)
        }
    }

    private func person(
        at provider: OpenIDProvider, _ call: Call, _ secrets: SignIn.Secrets
    ) async throws(Problem) -> Person {
        let identity: OpenIDIdentity
        do throws(OpenIDError) {
            identity = try await provider.completeSignIn(
                query: call.query.map { ($0.name, $0.value) }, secrets: secrets)
        } catch {
            if case .unavailable = error { throw .providerUnavailable(cause: "\(error)") }
            throw .signInFailed
        }
        // Who has several roles has the one that may do most.
        let roles = identity.roles.compactMap { Role(rawValue: $0) }
        return try await asking { () throws(StoreError) in
            try await store.person(
                subject: "\(identity.subject.issuer) \(identity.subject.id)",
                email: identity.isEmailVerified ? identity.email : nil, name: identity.name,
                role: Role.ofPeople.last { roles.contains($0) })
        }
    }

    /// Somebody in front of a browser is told on the sign-in page.
    private func refusal(_ problem: Problem, _ call: Call, _ destination: Destination) throws(Problem) -> Reply {
        guard call.headers.askForPage else { throw problem }
        return Reply(
            .seeOther,
            headers: [
                .location: "\(Site.signInAddress)?refused=\(problem.code ?? "")&to=\(Call.escaped(destination.path))"
            ], cause: problem.cause)
    }

    private static let cookieName = "leads-provider"

    /// What the browser keeps until it comes back, ten minutes at most.
    private func cookie(_ value: String) -> String {
        "\(Self.cookieName)=\(value); Max-Age=600; Path=\(Route.provider); HttpOnly; SameSite=Lax"
            + (isSecure ? "; Secure" : "")
    }
}

/// What is asked of a sign-in at the provider.
struct ProviderSignIn {
    let destination: Destination

    init(_ fields: inout Fields) {
        destination = Destination(fields.optionalString("to", length: 0...2000, trimmed: false))
    }
}

/// What a browser keeps while it is at the provider.
private struct Memory {
    let secrets: SignIn.Secrets
    let destination: Destination

    init(_ secrets: SignIn.Secrets, _ destination: Destination) {
        (self.secrets, self.destination) = (secrets, destination)
    }

    var encoded: String { secrets.encoded + destination.path }

    init?(encoded: String) {
        let end = encoded.firstIndex(of: "/") ?? encoded.endIndex
        guard let secrets = SignIn.Secrets(encoded: String(encoded[..<end])) else { return nil }
        self.init(secrets, Destination(String(encoded[end...])))
    }
}

/// The page of this server that somebody who has signed in goes on to.
struct Destination {
    let path: String

    static let dashboard = Destination(nil)

    /// Whatever is no page of this server, or has no place in a cookie, becomes the dashboard.
    init(_ wanted: String?) {
        path = wanted.flatMap { Self.isPage($0) ? $0 : nil } ?? Site.address
    }

    private static func isPage(_ path: String) -> Bool {
        let pages = [Site.address, "/docs"]
        return path.utf8.allSatisfy { isPlain($0) }
            && pages.contains { page in
                path.hasPrefix(page) && [nil, "/", "?"].contains(path.dropFirst(page.count).first)
            }
    }

    /// Whether a byte may stand in an address as well as in the value of a cookie.
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~/?&=%:+".utf8.contains(byte)
        }
    }
}
