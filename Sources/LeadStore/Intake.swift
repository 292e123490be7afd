public import Leads
import Postgres

/// Registers contacts: finds or makes their leads, chooses their operators and stores all of it.
///
/// What arrives while transactions are under way shares the next one (``Lanes``): two round trips, whatever the
/// number of members. A member that cannot be registered fails alone.
public struct Intake: Sendable {
    /// A contact to register, with the keys its lead is recognised by.
    public struct Request: Sendable, Sharing {
        /// Of a source that its viewer does not see, it is one for a source that there never is.
        public let contact: NewContact
        /// Strongest first, at most one of each kind.
        public let keys: [LeadIdentity]
        let viewer: Viewer
        /// Who registers it.
        public let actor: Actor
        public let idempotency: Idempotency?
        /// Of the keys, the event and the idempotency's key.
        let lockNumbers: [Int]
        typealias Outcome = Intake.Outcome
        var line: Int { contact.sourceID }
        var locks: Int { lockNumbers.count }

        public init(
            contact: NewContact, keys: [LeadIdentity], for viewer: Viewer, by actor: Actor,
            idempotency: Idempotency? = nil
        ) {
            var contact = contact
            contact.sourceID = viewer.known(sourceID: contact.sourceID)
            self.contact = contact
            self.viewer = viewer
            self.keys = keys
            self.actor = actor
            self.idempotency = idempotency
            var numbers = keys.map { Locks.number(for: $0) }
            if let event = contact.sourceEventID {
                numbers.append(Locks.number(forEvent: event, ofSource: contact.sourceID))
            }
            if let idempotency { numbers.append(idempotency.lockNumber) }
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
        let lockNumber: Int

        public init(
            owner: String, key: String, content: [UInt8], answer: @escaping @Sendable (Registered) -> StoredAnswer
        ) {
            self.owner = owner
            self.key = key
            self.content = content
            self.answer = answer
            lockNumber = Locks.number(for: "request", owner, key)
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

        public init(lanes: Int = 1, batchLimit: Int = 512, queueLimit: Int = 4096, patience: Duration = .seconds(3)) {
            self.lanes = lanes
            self.batchLimit = batchLimit
            self.queueLimit = queueLimit
            self.patience = patience
        }
    }

    private let store: LeadStore
    private let configuration: Configuration
    private let lanes: Lanes<Request>
    /// For what is held up by somebody's lock: it waits there for as short a time as that may take, and for nobody else.
    private let heldUp: Lanes<Request>
    private let batches: Batches
    private let registering: @Sendable (Request) async throws(StoreError) -> Outcome
    /// How many locks on keys a transaction takes; the server has room for `max_locks_per_transaction` of each session.
    static let locksPerTransaction = 1000
    /// How many waiting contacts of a source a registration serves before its own.
    private static let queueHead = 100

    public init(store: LeadStore, _ configuration: Configuration = Configuration()) {
        self.store = store
        self.configuration = configuration
        let batches = Batches(store: store, queueHead: Self.queueHead)
        self.batches = batches
        // Several lanes are for several sources, whose transactions are to go on side by side.
        let turns = configuration.lanes == 1 ? store.turns : nil
        let lanes = Lanes<Request>(configuration, executor: store.taskExecutor, turns: turns) {
            await batches.register($0)
        }
        self.lanes = lanes
        var apart = configuration
        apart.lanes = 1
        let heldUp = Lanes<Request>(apart, executor: store.taskExecutor) { await batches.registerApart($0) }
        self.heldUp = heldUp
        registering = { (request) throws(StoreError) in
            try await (batches.isHeldUp(request) ? heldUp : lanes).perform(request)
        }
    }

    /// An intake that has single requests answered otherwise, for measuring what is around it.
    package init(store: LeadStore, registering: @escaping @Sendable (Request) async throws(StoreError) -> Outcome) {
        self.store = store
        configuration = Configuration()
        batches = Batches(store: store, queueHead: Self.queueHead)
        lanes = Lanes<Request>(configuration, executor: store.taskExecutor) { $0.map { _ in .failure(.intakeFull) } }
        heldUp = lanes
        self.registering = registering
    }

    public var use: LaneUse { lanes.use + heldUp.use }

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
        var outcomes: [Result<Registered, StoreError>] = []
        var rest = requests[...]
        while !rest.isEmpty {
            var locks = 0
            let batch = rest.prefix(configuration.batchLimit).prefix { request in
                locks += request.locks
                return locks <= Self.locksPerTransaction
            }
            rest = rest.dropFirst(batch.count)
            for outcome in await batches.register(Array(batch)) {
                outcomes.append(
                    outcome.flatMap {
                        guard case .registered(let registered, _) = $0 else { return .failure(.idempotencyKeyReused) }
                        return .success(registered)
                    })
            }
            guard case .failure(let error)? = outcomes.last, error.concernsAll else { continue }
            let cause: StoreError = if case .outcomeUnknown = error { .notTried } else { error }
            outcomes += rest.map { _ in .failure(cause) }
            rest = []
        }
        return outcomes
    }
}

/// Runs batches as transactions, and takes one apart that fails as a whole for the sake of some of its members.
private final class Batches: Sendable {
    let store: LeadStore
    let queueHead: Int
    /// For how long sources that somebody may hold up are tried, one after the other.
    private static let patienceWithHeld: Duration = .seconds(1)
    private let heldSources = HeldUp()
    /// By lock number.
    private let heldKeys = HeldUp()
    private let largePools = LargePools()
    /// From how many members on a batch stores its leads first.
    private static let largeBatch = 200

    init(store: LeadStore, queueHead: Int) {
        self.store = store
        self.queueHead = queueHead
    }

    func isHeldUp(_ request: Intake.Request) -> Bool {
        heldSources.contains(request.contact.sourceID) || heldKeys.contains(anyOf: request.lockNumbers)
    }

    func register(_ requests: [Intake.Request]) async -> [Result<Intake.Outcome, StoreError>] {
        let areHeldUp = requests.map(isHeldUp)
        guard areHeldUp.contains(true) else { return await registerTogether(requests) }
        let apart = requests.indices.filter { areHeldUp[$0] }
        let together = requests.indices.filter { !areHeldUp[$0] }
        var outcomes = requests.map { _ in Result<Intake.Outcome, StoreError>.failure(.heldByOthers) }
        func note(_ members: [Int], _ stored: [Result<Intake.Outcome, StoreError>]) {
            for (member, outcome) in zip(members, stored) { outcomes[member] = outcome }
        }
        if !together.isEmpty { note(together, await registerTogether(together.map { requests[$0] })) }
        note(apart, await registerApart(apart.map { requests[$0] }))
        return outcomes
    }

    private func registerTogether(_ requests: [Intake.Request]) async -> [Result<Intake.Outcome, StoreError>] {
        do throws(StoreError) {
            return try await commit(requests, isPatient: true)
        } catch {
            if error.isTimeout { return await registerApart(requests) }
            guard requests.count > 1, error.mayBeOneMembers else { return requests.map { _ in .failure(error) } }
            return await requests.inHalves(registerTogether)
        }
    }

    /// Somebody holds a lock for longer than is waited for: each source by itself, without those whose keys or leads are
    /// held, and waiting no more than a moment for operators. For how many is bounded; who is left may come first another
    /// time, as the order is drawn.
    func registerApart(_ requests: [Intake.Request]) async -> [Result<Intake.Outcome, StoreError>] {
        var outcomes = requests.map { _ in Result<Intake.Outcome, StoreError>.failure(.heldByOthers) }
        let deadline = ContinuousClock.now + Self.patienceWithHeld
        let bySource = Dictionary(grouping: requests.indices) { requests[$0].contact.sourceID }
        for (sourceID, members) in bySource.shuffled() {
            guard ContinuousClock.now < deadline else {
                if heldSources.contains(sourceID) { heldSources.insert(sourceID) }
                continue
            }
            let stored = await registerImpatiently(members.map { requests[$0] }, of: sourceID)
            for (member, outcome) in zip(members, stored) { outcomes[member] = outcome }
        }
        return outcomes
    }

    private func registerImpatiently(
        _ requests: [Intake.Request], of sourceID: Int
    ) async -> [Result<Intake.Outcome, StoreError>] {
        do throws(StoreError) {
            let outcomes = try await commit(requests, isPatient: false)
            heldSources.remove(sourceID)
            for (request, outcome) in zip(requests, outcomes) {
                for number in request.lockNumbers {
                    if case .failure(.heldByOthers) = outcome {
                        heldKeys.insert(number)
                    } else {
                        heldKeys.remove(number)
                    }
                }
            }
            return outcomes
        } catch {
            // A large batch may be slow without being held up.
            if requests.count > 1, error.mayBeOneMembers || error.isSlowness {
                return await requests.inHalves { await registerImpatiently($0, of: sourceID) }
            }
            if error.isTimeout { heldSources.insert(sourceID) }
            return requests.map { _ in .failure(error) }
        }
    }

    /// One transaction; another one where those drawn from a large pool do not do.
    /// - Parameter draws: whether of large pools only those operators are locked that were drawn.
    private func commit(
        _ requests: [Intake.Request], isPatient: Bool, drawing draws: Bool = true
    ) async throws(StoreError) -> [Result<Intake.Outcome, StoreError>] {
        let batch = IntakeBatch(requests, isPatient: isPatient)
        let isDrawing = draws && largePools.containsAny(of: batch.sourceIDs)
        let decided = try await store.transaction {
            (transaction) throws(StoreError) -> (outcomes: [Result<Intake.Outcome, StoreError>], unserved: [Int])? in
            var (plan, unstored) = try await read(batch, drawing: isDrawing, transaction)
            for (sourceID, source) in plan.sources {
                largePools.note(sourceID, source, isAnybodyWaiting: plan.waits(in: sourceID))
            }
            var generator = SystemRandomNumberGenerator()
            let unserved = plan.decide(using: &generator)
            guard !plan.needsEverybody else {
                for (sourceID, source) in plan.sources where source.drawn != nil { largePools.giveUp(sourceID) }
                await transaction.rollBack()
                return nil
            }
            let outcomes = try plan.outcomes()
            _ = try await transaction.finish(with: unstored + plan.statements(storing: outcomes))
            return (outcomes, unserved)
        }
        guard let decided else { return try await commit(requests, isPatient: isPatient, drawing: false) }
        // More contacts waited than one transaction serves, beside free capacity: go on at once.
        for source in decided.unserved { store.goOnDraining(sourceID: source) }
        return decided.outcomes
    }

    /// Takes all locks and reads what is decided by.
    ///
    /// A small batch asks for everything at once and stores its leads last. A large one stores them before it waits for
    /// the operators, which others may have meanwhile. So does one that draws from a large pool: it must know whom to draw
    /// from, and does so once the source is shared.
    private func read(
        _ batch: IntakeBatch, drawing isDrawing: Bool, _ transaction: Transaction
    ) async throws(StoreError) -> (IntakePlan, unstored: [Statement]) {
        let leads = batch.leadStatements
        guard isDrawing || batch.requests.count >= Self.largeBatch else {
            let found = try await transaction.run(leads + batch.operatorStatements(queueHead: queueHead))
            var plan = try await admit(batch, found.prefix(leads.count), transaction)
            try reading { () throws(PostgresError) in try batch.read(found.dropFirst(leads.count), into: &plan) }
            return (plan, plan.leadStatements)
        }
        var plan = try await admit(batch, try await transaction.run(leads), transaction)
        if isDrawing {
            for (sourceID, count) in plan.contactCounts {
                guard let source = plan.sources[sourceID] else { continue }
                plan.sources[sourceID]?.drawn = largePools.line(of: sourceID, source)?.draws(for: count)
            }
        }
        let stored = plan.leadStatements
        let found = try await transaction.run(
            stored + batch.operatorStatements(drawn: plan.drawn, queueHead: queueHead))
        try reading { () throws(PostgresError) in try batch.read(found.dropFirst(stored.count), into: &plan) }
        return (plan, [])
    }

    /// Finds out what the members are and whose, once their keys and leads are locked.
    private func admit(
        _ batch: IntakeBatch, _ found: some Sequence<QueryResult> & Sendable, _ transaction: Transaction
    ) async throws(StoreError) -> IntakePlan {
        var plan = try reading { () throws(PostgresError) in try batch.plan(found, queueHead: queueHead) }
        let inQuestion = plan.leadsInQuestion
        if !inQuestion.isEmpty {
            let ids = try await transaction.run([IntakeBatch.externalIDs(ofLeads: inQuestion)])[0]
            try reading { () throws(PostgresError) in try plan.noteExternalIDs(ids) }
        }
        plan.admit()
        return plan
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
}
