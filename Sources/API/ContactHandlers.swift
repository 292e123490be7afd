import HTTPTypes
import Identity
import JSON
import LeadStore
import Leads

/// `/contacts`
struct ContactHandlers: Sendable {
    let store: LeadStore
    let intake: Intake
    let phoneRegion: PhoneRegion
    let observation: Observation

    @Sendable func register(_ call: Call) async throws(Problem) -> Reply {
        let new = try call.body { NewContact(&$0) }
        let idempotency = try call.idempotencyKey.map { key in
            Intake.Idempotency(owner: call.actor.idempotencyOwner, key: key, content: new.canonicalJSON) { registered in
                let reply = Reply.registered(registered)
                return Intake.StoredAnswer(status: reply.status.code, body: reply.body)
            }
        }
        let request = request(for: new, call, idempotency)
        switch try await asking({ () throws(StoreError) in try await intake.register(request) }) {
        case .registered(let registered, let answer):
            observe(registered)
            guard let answer else { return .registered(registered) }
            return Reply(answer, version: registered.contact.version)
        case .replayed(let answer):
            observation.registered(.replayed)
            return Reply(answer, version: nil)
        }
    }

    private func request(
        for new: NewContact, _ call: Call, _ idempotency: Intake.Idempotency? = nil
    ) -> Intake.Request {
        let keys = LeadKeys(
            externalID: new.leadExternalID, phone: new.leadPhone, email: new.leadEmail, region: phoneRegion)
        return Intake.Request(
            contact: new, keys: keys.identities, for: call.viewer, by: call.actor, idempotency: idempotency)
    }

    private func observe(_ registered: Intake.Registered) {
        observation.registered(
            registered.isRepetition ? .repeated : registered.contact.status == .new ? .waiting : .placed)
    }

    /// Registers many contacts, some hundreds in each transaction: what is wrong with one stops none of the others.
    @Sendable func registerMany(_ call: Call) async throws(Problem) -> Reply {
        let items = try call.bodyElements(atMost: NewContact.batchLimit) { NewContact(&$0) }
        let valid = items.compactMap { item in (try? item.get()).map { request(for: $0, call) } }
        // On the database's thread, so that no locks are held while threads change between two statements.
        let stored = await withTaskExecutorPreference(store.taskExecutor) { await intake.register(valid) }
        if let problem = Self.commonFault(of: stored) { throw problem }
        for case .success(let registered) in stored { observe(registered) }
        var registered = stored[...]
        let outcomes = items.map { item -> Result<Intake.Registered, Problem> in
            switch item {
            case .success: registered.removeFirst().mapError { Problem($0) }
            case .failure(let failure): .failure(.invalid(failure.faults))
            }
        }
        let problems = outcomes.compactMap { outcome in if case .failure(let problem) = outcome { problem } else { nil }
        }
        let failures = problems.filter { $0.status.kind == .serverError }
        observation.batchAnswered(
            refused: problems.count - failures.count, failed: failures.count, cause: failures.first?.cause)
        let language = call.language
        return Reply { json in
            json.array(outcomes) { json, outcome in
                let isRepetition = (try? outcome.get())?.isRepetition ?? false
                json.registrationOutcome(outcome.map(\.contact), isRepetition: isRepetition, in: language)
            }
        }
    }

    /// What kept all of them from being registered, where it was the server's fault: if one may be stored, that.
    private static func commonFault(of outcomes: [Result<Intake.Registered, StoreError>]) -> Problem? {
        var fault: Problem?
        for outcome in outcomes {
            guard case .failure(let error) = outcome else { return nil }
            let problem = Problem(error)
            guard problem.status.kind == .serverError else { return nil }
            fault = problem.isOutcomeUnknown ? problem : fault ?? problem
        }
        return fault
    }

    @Sendable func list(_ call: Call) async throws(Problem) -> Reply {
        let (filter, page) = try call.query { (ContactFilter(&$0), Page(&$0)) }
        let query = filter.text.flatMap { LeadQuery($0, region: phoneRegion) }
        let contacts = try await asking { () throws(StoreError) in
            try await store.contacts(filter, matching: query, page, for: call.viewer)
        }
        return .listing(contacts, call) { $0.contact($1) }
    }

    @Sendable func show(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.id("contact_id")
        let found = try await asking { () throws(StoreError) in try await store.contact(id: id, for: call.viewer) }
        return .contact(found)
    }

    @Sendable func change(_ call: Call) async throws(Problem) -> Reply {
        try await change(call) { ContactChange(&$0) }
    }

    @Sendable func changeStatus(_ call: Call) async throws(Problem) -> Reply {
        let (id, change) = try call.idAndBody("contact_id") { ContactChange(status: &$0) }
        _ = try await self.change(id, change, call)
        return .message("Contact status updated to \(change.move == .reopen ? "active" : "inactive")")
    }

    @Sendable func close(_ call: Call) async throws(Problem) -> Reply {
        .contact(try await change(try call.id("contact_id"), ContactChange(.close), call))
    }

    @Sendable func reopen(_ call: Call) async throws(Problem) -> Reply {
        .contact(try await change(try call.id("contact_id"), ContactChange(.reopen), call))
    }

    @Sendable func assign(_ call: Call) async throws(Problem) -> Reply {
        try await change(call) { ContactChange(assignment: &$0) }
    }

    @Sendable func transfer(_ call: Call) async throws(Problem) -> Reply {
        try await change(call) { ContactChange(transfer: &$0) }
    }

    @Sendable func release(_ call: Call) async throws(Problem) -> Reply {
        let (id, change) = try call.idAndOptionalBody("contact_id") { ContactChange(release: &$0) }
        return .contact(try await self.change(id, change, call))
    }

    private func change(_ call: Call, _ read: (inout Fields) -> ContactChange) async throws(Problem) -> Reply {
        let (id, change) = try call.idAndBody("contact_id", read)
        return .contact(try await self.change(id, change, call))
    }

    private func change(_ id: Int, _ change: ContactChange, _ call: Call) async throws(Problem) -> Contact {
        try await asking { () throws(StoreError) in
            try await store.changeContact(
                id: id, change, if: call.versionCondition, for: call.viewer, by: call.actor)
        }
    }

    /// Changes many contacts, one after the other, each by itself: what one of them cannot do stops none of the others.
    @Sendable func changeMany(_ call: Call) async throws(Problem) -> Reply {
        let bulk = try call.body { BulkChange(&$0) }
        // On the database's thread, which has no business with writing a thousand contacts afterwards.
        let outcomes = try await withTaskExecutorPreference(store.taskExecutor) { await change(bulk, call) }
            .get()
        let language = call.language
        return Reply { json in
            json.array(outcomes) { $0.bulkOutcome(of: $1.id, $1.outcome, in: language) }
        }
    }

    /// A failure where the first of them met it.
    private func change(
        _ bulk: BulkChange, _ call: Call
    ) async -> Result<[(id: Int, outcome: Result<Contact, Problem>)], Problem> {
        var outcomes: [(id: Int, outcome: Result<Contact, Problem>)] = []
        var failure: Problem?
        for id in bulk.contactIDs {
            if let failure {
                outcomes.append((id, .failure(failure)))
                continue
            }
            do throws(StoreError) {
                let changed = try await store.changeContact(id: id, bulk.change, for: call.viewer, by: call.actor)
                outcomes.append((id, .success(changed)))
            } catch {
                let problem = Problem(error)
                outcomes.append((id, .failure(problem)))
                guard problem.status.kind == .serverError else { continue }
                guard outcomes.count > 1 else { return .failure(problem) }
                // Without a database each of the others would wait for it, too.
                failure = .unavailable(cause: problem.cause)
            }
        }
        return .success(outcomes)
    }

    @Sendable func explain(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.id("contact_id")
        let explanation = try await asking { () throws(StoreError) in
            try await store.explanation(contactID: id, for: call.viewer)
        }
        let language = call.language
        return Reply { $0.explanation(explanation, in: language) }
    }
}

extension Actor {
    /// Whose a key of idempotency is: while access is open all callers share theirs.
    fileprivate var idempotencyOwner: String {
        switch kind {
        case .key: id ?? "key"
        case .person: "person:\(id ?? "")"
        case .api, .system, .command: "anonymous"
        }
    }
}

extension NewContact {
    /// The decoded fields, alike for requests that mean the same however they were written.
    fileprivate var canonicalJSON: [UInt8] {
        var json = JSONWriter()
        json.array([leadExternalID, leadPhone, leadEmail, leadName, message, sourceEventID]) { $0.value($1) }
        json.array([sourceID, priority]) { $0.value($1) }
        return json.bytes
    }
}

extension Reply {
    fileprivate static func registered(_ registered: Intake.Registered) -> Reply {
        .contact(registered.contact, registered.isRepetition ? .ok : .created)
    }

    /// An answer as it was stored.
    /// - Parameter version: the contact's, when the answer is the first; one that is given again may be out of date.
    fileprivate init(_ answer: Intake.StoredAnswer, version: Int?) {
        self.init(
            HTTPResponse.Status(code: answer.status),
            headers: version.map { [.eTag: "\"\($0)\""] } ?? [.idempotentReplayed: "true"],
            contentType: "application/json", answer.body)
    }

    /// A contact, with its version as the entity tag that `If-Match` takes.
    static func contact(_ contact: Contact, _ status: HTTPResponse.Status = .ok) -> Reply {
        Reply(status, headers: [.eTag: "\"\(contact.version)\""]) { $0.contact(contact) }
    }
}

extension HTTPField.Name {
    fileprivate static let idempotentReplayed = HTTPField.Name("Idempotent-Replayed")!
}
