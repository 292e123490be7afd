import JSON
import Leads

extension JSONWriter {
    mutating func person(_ person: Person) {
        object { $0.personFields(person) }
    }

    private mutating func personFields(_ person: Person) {
        field("id", person.id)
        field("login", person.login)
        field("name", person.name)
        field("role", person.role.rawValue)
        field("operator_id", person.operatorID)
        field("is_disabled", person.isDisabled)
        field("has_signed_up", person.hasSignedUp)
        field("created_at", person.createdAt)
        field("updated_at", person.updatedAt)
    }

    mutating func link(_ link: PersonLink, url: String) {
        object {
            $0.object("person") { $0.personFields(link.person) }
            $0.field("url", url)
            $0.field("expires_at", link.expiresAt)
        }
    }

    /// - Parameter credential: shown once, when it was made.
    mutating func key(_ key: AccessKey, credential: String? = nil) {
        object {
            $0.field("id", key.id)
            $0.field("name", key.name)
            $0.field("role", key.role.rawValue)
            if let sourceIDs = key.sourceIDs {
                $0.array("source_ids", sourceIDs) { $0.value($1) }
            } else {
                $0.null("source_ids")
            }
            $0.field("rate", key.rate)
            $0.field("created_at", key.createdAt)
            $0.field("rotated_at", key.rotatedAt)
            $0.field("revoked_at", key.revokedAt)
            if let credential { $0.field("key", credential) }
        }
    }

    mutating func session(_ session: Session, current: Int?) {
        object {
            $0.field("id", session.id)
            $0.field("person_id", session.personID)
            $0.field("agent", session.agent)
            $0.field("is_current", session.id == current)
            $0.field("created_at", session.createdAt)
            $0.field("used_at", session.usedAt)
        }
    }

    /// - Parameter isAboutToClose: whether access is open until there is a person or a key.
    mutating func me(_ caller: Caller, isOpen: Bool, isAboutToClose: Bool) {
        object { json in
            json.field("access", isOpen ? "open" : "closed")
            json.field("is_about_to_close", isAboutToClose)
            json.field("kind", caller.actor.kind.rawValue)
            json.field("id", caller.actor.id)
            json.field("name", caller.actor.name)
            json.field("role", caller.role?.rawValue)
            switch caller.kind {
            case .person(let person, let sessionID):
                json.field("login", person.login)
                json.field("operator_id", person.operatorID)
                json.field("session_id", sessionID)
                json.null("source_ids")
            case .key(let key):
                json.null("login")
                json.null("operator_id")
                json.null("session_id")
                if let sourceIDs = key.sourceIDs {
                    json.array("source_ids", sourceIDs) { $0.value($1) }
                } else {
                    json.null("source_ids")
                }
            case .anybody, .nobody:
                json.null("login")
                json.null("operator_id")
                json.null("session_id")
                json.null("source_ids")
            }
        }
    }
}
