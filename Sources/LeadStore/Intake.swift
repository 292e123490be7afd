public import Leads
import Postgres

/// Registers contacts: finds or makes their leads, chooses their operators and stores all of it.
///
/// What arrives while transactions are under way shares the next one (``IntakeLanes``): two round trips, whatever the
/// number of members. A member that cannot be registered fails alone.
public struct Intake: Sendable {
    /// A contact to register, with the keys its lead is recognised by.
    public struct Request: Sendable {
        public let contact: NewContact
        /// Strongest first, at most one of each kind.
        public let keys: [LeadIdentity]
        public let idempotency: Idempotency?
        let lockNumbers: [Int]

        public init(contact: NewContact, keys: [LeadIdentity], idempotency: Idempotency? = nil) {
            self.contact = contact
            self.keys = keys
            self.idempotency = idempotency
            var numbers = keys.map { Locks.number(for: "lead", $0.kind.rawValue, $0.value) }
            if let event = contact.sourceEventID {
                numbers.append(Locks.number(for: "event", String(contact.sourceID), event))
            }
            if let idempotency {
                numbers.append(Locks.number(for: "request", idempotency.owner, idempotency.key))
            }
            lockNumbers = numbers
        }
    }

    /// A caller's promise that requests with this key are one and the same, made once.
    public struct Idempotency: Sendable {
        /// Whose key it is; others may use the same.
        public let owner: String
        /// 1…255 characters.
        public let key: String
        /// The request in a form in which two that mean the same are equal.
        public let content: [UInt8]
        /// Writes the answer, which is stored with the contact and given again to whoever repeats the request.
        public let answer: @Sendable (Registered) -> StoredAnswer

        public init(
            owner: String, key: String, content: [UInt8], answer: @escaping @Sendable (Registered) -> StoredAnswer
        ) {
            self.owner = owner
            self.key = key
            self.content = content
            self.answer = answer
        }
    }

    /// An answer as it was first given.
    public struct StoredAnswer: Sendable {
        public let status: Int
        public let body: [UInt8]

        public init(status: Int, body: [UInt8]) {
            self.status = status
            self.body = body
        }
    }

    public struct Registered: Sendable {
        public let contact: Contact
        /// Whether the source had already sent this event, and the contact is the one made then.
        public let isRepetition: Bool

        package init(contact: Contact, isRepetition: Bool) {
            self.contact = contact
            self.isRepetition = isRepetition
        }
    }

    public enum Outcome: Sendable {
        /// With the answer that was stored, where the request came with a key.
        case registered(Registered, StoredAnswer?)
        /// A request with this key had been answered before; nothing was registered.
        case replayed(StoredAnswer)
    }

    public struct Configuration: Sendable {
        /// How many transactions of gathered requests run at a time, 1 or more.
        public var lanes: Int
        /// How many requests share a transaction, 1…512.
        public var batchLimit: Int
        /// How many requests may wait for a lane, 1 or more.
        public var queueLimit: Int
        /// How long a request may wait for a lane. Whoever waited longer is turned away: its caller has given up or soon
        /// will, and the database does not keep up.
        public var patience: Duration

        public init(lanes: Int = 2, batchLimit: Int = 512, queueLimit: Int = 4096, patience: Duration = .seconds(3)) {
            self.lanes = lanes
            self.batchLimit = batchLimit
            self.queueLimit = queueLimit
            self.patience = patience
        }
    }

    private let store: LeadStore
    private let configuration: Configuration
    private let lanes: IntakeLanes
    private let registering: @Sendable (Request) async throws(StoreError) -> Outcome
    /// How many locks on keys a transaction takes; the server has room for `max_locks_per_transaction` of each session.
    static let locksPerTransaction = 1000
    /// How many waiting contacts of a source a registration serves before its own.
    private static let queueHead = 100

    public init(store: LeadStore, _ configuration: Configuration = Configuration()) {
        self.store = store
        self.configuration = configuration
        let batches = Batches(store: store, queueHead: Self.queueHead)
        let lanes = IntakeLanes(configuration, executor: store.taskExecutor) { await batches.register($0) }
        self.lanes = lanes
        registering = { (request) throws(StoreError) in try await lanes.register(request) }
    }

    /// An intake that has single requests answered otherwise, for measuring what is around it.
    package init(store: LeadStore, registering: @escaping @Sendable (Request) async throws(StoreError) -> Outcome) {
        self.store = store
        configuration = Configuration()
        lanes = IntakeLanes(configuration, executor: store.taskExecutor) { $0.map { _ in .failure(.intakeFull) } }
        self.registering = registering
    }

    public var use: IntakeUse { lanes.use }

    /// Registers a contact, together with whatever others arrive at the moment.
    /// - Throws: `StoreError`.
    public func register(_ request: Request) async throws(StoreError) -> Outcome {
        try await registering(request)
    }

    /// Registers contacts in the order given, as many in a transaction as it may have, and returns an outcome for each.
    ///
    /// Once a transaction fails for want of a database, those behind it are not tried: each would wait for it, too. Keys of
    /// idempotency are looked at one request at a time and do not belong here.
    public func register(_ requests: [Request]) async -> [Result<Registered, StoreError>] {
        let batches = Batches(store: store, queueHead: Self.queueHead)
        var outcomes: [Result<Registered, StoreError>] = []
        var rest = requests[...]
        while !rest.isEmpty {
            let batch = rest.prefix(configuration.batchLimit)
            rest = rest.dropFirst(batch.count)
            for outcome in await batches.register(Array(batch)) {
                outcomes.append(
                    outcome.flatMap {
                        guard case .registered(let registered, _) = $0 else { return .failure(.idempotencyKeyReused) }
                        return .success(registered)
                    })
            }
            guard case .failure(let error)? = outcomes.last, error.concernsAll else { continue }
            let cause: StoreError = if case .outcomeUnknown = error { .cancelled } else { error }
            outcomes += rest.map { _ in .failure(cause) }
            rest = []
        }
        return outcomes
    }
}

/// Runs batches as transactions, and takes one apart that fails as a whole for the sake of some of its members.
private struct Batches: Sendable {
    let store: LeadStore
    let queueHead: Int

    func register(_ requests: [Intake.Request]) async -> [Result<Intake.Outcome, StoreError>] {
        do throws(StoreError) {
            return try await commit(requests, waitingForKeys: true)
        } catch .unavailable(let error) where error.sqlState == .lockNotAvailable {
            return await registerAroundLocks(requests, error)
        } catch  where requests.count > 1 && error.mayBeOneMembers {
            let middle = requests.count / 2
            let first = await register(Array(requests[..<middle]))
            return first + (await register(Array(requests[middle...])))
        } catch {
            return requests.map { _ in .failure(error) }
        }
    }

    /// Somebody has held a lock for longer than the lock timeout: if it is one on a member's keys, that member fails and
    /// the others go on; if it is one further on, those of other sources go on.
    private func registerAroundLocks(
        _ requests: [Intake.Request], _ timeout: PostgresError
    ) async -> [Result<Intake.Outcome, StoreError>] {
        do throws(StoreError) {
            return try await commit(requests, waitingForKeys: false)
        } catch .unavailable(let error) where error.sqlState == .lockNotAvailable {
            let bySource = Dictionary(grouping: requests.indices) { requests[$0].contact.sourceID }
            var outcomes = requests.map { _ in Result<Intake.Outcome, StoreError>.failure(.unavailable(error)) }
            guard bySource.count > 1 else { return outcomes }
            for (_, members) in bySource.sorted(by: { $0.key < $1.key }) {
                do throws(StoreError) {
                    let stored = try await commit(members.map { requests[$0] }, waitingForKeys: false)
                    for (member, outcome) in zip(members, stored) { outcomes[member] = outcome }
                } catch {
                    for member in members { outcomes[member] = .failure(error) }
                }
            }
            return outcomes
        } catch {
            return requests.map { _ in .failure(error) }
        }
    }

    /// One transaction.
    private func commit(
        _ requests: [Intake.Request], waitingForKeys: Bool
    ) async throws(StoreError) -> [Result<Intake.Outcome, StoreError>] {
        let batch = IntakeBatch(requests, waitsForKeys: waitingForKeys)
        let (outcomes, unserved) = try await store.transaction { (transaction) throws(StoreError) in
            let found = try await transaction.run(batch.lookUp(queueHead: queueHead))
            var plan = try reading { () throws(PostgresError) in try batch.plan(found, queueHead: queueHead) }
            var generator = SystemRandomNumberGenerator()
            let unserved = plan.decide(using: &generator)
            let outcomes = try plan.outcomes()
            _ = try await transaction.finish(with: plan.statements(storing: outcomes))
            return (outcomes, unserved)
        }
        // More contacts waited than one transaction serves, beside free capacity: go on at once.
        for source in unserved { store.goOnDraining(sourceID: source) }
        return outcomes
    }
}

extension StoreError {
    /// Whether the next transaction is likely to fail, too.
    fileprivate var concernsAll: Bool {
        switch self {
        case .unavailable, .outcomeUnknown, .cancelled: true
        default: false
        }
    }

    /// Whether a transaction may have failed for what one of its members holds: the server refused data, or a rule of the
    /// schema did, or it ran out of room for one so large. A server that is away, or a schema that is not as expected,
    /// fails all alike.
    fileprivate var mayBeOneMembers: Bool {
        switch self {
        case .unexpected(let error), .unavailable(let error):
            switch error.sqlState {
            case SQLState.Class.dataException?, SQLState.Class.integrityConstraintViolation?,
                SQLState.Class.programLimitExceeded?, SQLState.Class.raisedInFunction?, .outOfMemory?:
                true
            default: error.code == .invalidParameter
            }
        default: false
        }
    }
}
