import Leads
import Postgres

/// A contact that is to be closed, and what else is to be changed of it.
struct Closing: Sharing {
    enum Outcome: Sendable {
        case closed(Contact)
        /// It was not open, or was changed at the same moment.
        case notAsSeen
        /// Somebody held its operator or itself lately: it is to be closed apart from the others.
        case heldUp
    }

    let id: Int
    let change: ContactChange
    let condition: VersionCondition
    let viewer: Viewer
    let actor: Actor

    /// One line for all: whose contacts they are is looked up together with those that share the transaction.
    var line: Int { 0 }
    var locks: Int { 0 }
}

/// Closes contacts: those that arrive while a transaction is under way share the next one (``Lanes``).
struct Closings: Sendable {
    private let lanes: Lanes<Closing>
    /// For what is held up by somebody's lock: it waits there for as short a time as that may take, and for nobody else.
    private let heldUp: Lanes<Closing>

    init(store: LeadStore) {
        let batches = ClosingBatches(store: store)
        var configuration = Intake.Configuration()
        configuration.lanes = 1
        lanes = Lanes(configuration, executor: store.taskExecutor, whenFull: .tooManyClosings, turns: store.turns) {
            await batches.close($0, apart: false)
        }
        heldUp = Lanes(configuration, executor: store.taskExecutor, whenFull: .tooManyClosings) {
            await batches.close($0, apart: true)
        }
    }

    var use: LaneUse { lanes.use + heldUp.use }

    /// Closes a contact, together with whatever others are being closed at the moment.
    /// - Returns: the contact as it is afterwards; nil when there was nothing to close or it was changed at the same
    ///   moment, and has to be looked at again.
    /// - Throws: `StoreError.contactNotFound`, `.versionConflict` and others; nothing is changed then.
    func close(_ closing: Closing) async throws(StoreError) -> Contact? {
        var outcome = try await lanes.perform(closing)
        if case .heldUp = outcome { outcome = try await heldUp.perform(closing) }
        if case .closed(let contact) = outcome { return contact }
        return nil
    }
}

extension LeadStore {
    /// How busy the closing of contacts is.
    public var closingsUse: LaneUse { closings?.use ?? LaneUse() }
}

/// Runs closings as transactions, and takes a batch apart that fails as a whole for the sake of some of its members.
private struct ClosingBatches: Sendable {
    typealias Outcome = Result<Closing.Outcome, StoreError>

    /// How long a batch apart goes on trying operators that somebody may hold, one after the other.
    private static let patienceWithHeld: Duration = .seconds(1)

    let store: LeadStore
    private let heldOperators = HeldUp()
    private let heldContacts = HeldUp()

    init(store: LeadStore) {
        self.store = store
    }

    /// Closes what is open of it; an outcome for each, in order.
    func close(_ batch: [Closing], apart isApart: Bool) async -> [Outcome] {
        let standings: [ContactEdit.Standing?]
        do throws(StoreError) {
            standings = try await store.standings(ofContacts: batch.map { ($0.id, $0.viewer) })
        } catch {
            return batch.map { _ in .failure(error) }
        }
        var outcomes = batch.map { _ in Outcome.success(.notAsSeen) }
        var edits: [(member: Int, edit: ContactEdit)] = []
        var ids: Set<Int> = []
        for (member, closing) in batch.enumerated() {
            guard let seen = standings[member] else {
                outcomes[member] = .failure(.contactNotFound)
                continue
            }
            guard closing.condition.holds(for: seen.version) else {
                outcomes[member] = .failure(.versionConflict)
                continue
            }
            // Who wants the same contact closed a second time looks again, and finds it closed.
            guard seen.status != .closed, ids.insert(closing.id).inserted else { continue }
            if !isApart && isHeldUp(closing.id, seen.operatorID) {
                outcomes[member] = .success(.heldUp)
                continue
            }
            let edit = ContactEdit(id: closing.id, seen: seen, closing.change, for: closing.viewer, by: closing.actor)
            edits.append((member, edit))
        }
        // Who waits takes no place, and is closed before any place becomes free. In a transaction of their own, because
        // the rows of contacts that wait are locked after those of others, to be given the places.
        for part in [edits.filter { $0.edit.seen.operatorID == nil }, edits.filter { $0.edit.seen.operatorID != nil }]
        where !part.isEmpty {
            let closed =
                isApart ? await closeApart(part.map(\.edit)) : await closeTogether(part.map(\.edit))
            for ((member, _), outcome) in zip(part, closed) { outcomes[member] = outcome }
        }
        return outcomes
    }

    private func isHeldUp(_ id: Int, _ operatorID: Int?) -> Bool {
        heldContacts.contains(id) || operatorID.map(heldOperators.contains) ?? false
    }

    private func closeTogether(_ edits: [ContactEdit]) async -> [Outcome] {
        do throws(StoreError) {
            return try await commit(edits, .together)
        } catch {
            if error.isTimeout { return await closeApart(edits) }
            guard edits.count > 1, error.mayBeOneMembers else { return edits.map { _ in .failure(error) } }
            return await edits.inHalves(closeTogether)
        }
    }

    /// Somebody holds a lock for longer than is waited for: each operator's contacts by themselves, without those that are
    /// held, and waiting no more than a moment for the operator. For how many is bounded; who is left may come first another
    /// time, as the order is drawn.
    private func closeApart(_ edits: [ContactEdit]) async -> [Outcome] {
        let deadline = ContinuousClock.now + Self.patienceWithHeld
        var outcomes = edits.map { _ in Outcome.failure(.heldByOthers) }
        for (operatorID, members) in Dictionary(grouping: edits.indices, by: { edits[$0].seen.operatorID }).shuffled() {
            guard ContinuousClock.now < deadline else {
                if let operatorID { heldOperators.insert(operatorID) }
                continue
            }
            let closed = await closeImpatiently(members.map { edits[$0] }, of: operatorID)
            for (member, outcome) in zip(members, closed) { outcomes[member] = outcome }
        }
        return outcomes
    }

    private func closeImpatiently(_ edits: [ContactEdit], of operatorID: Int?) async -> [Outcome] {
        do throws(StoreError) {
            let outcomes = try await commit(edits, .apart)
            if let operatorID { heldOperators.remove(operatorID) }
            return outcomes
        } catch {
            if let operatorID, error.isTimeout || error.isHeldByOthers { heldOperators.insert(operatorID) }
            guard edits.count > 1, error.mayBeOneMembers else {
                return edits.map { _ in .failure(error.isTimeout ? .heldByOthers : error) }
            }
            return await edits.inHalves { await closeImpatiently($0, of: operatorID) }
        }
    }

    /// One transaction, in which whoever waits for the places is served, too.
    private func commit(_ edits: [ContactEdit], _ manner: ClosingBatch.Manner) async throws(StoreError) -> [Outcome] {
        let batch = ClosingBatch(edits, manner)
        let plan = try await store.transaction { (transaction) throws(StoreError) in
            let held = try await batch.takeHeldOut(transaction)
            let found = try await transaction.run(batch.close(without: held))
            let plan = try batch.plan(found, without: held)
            _ = try await transaction.finish(with: plan.statements)
            return plan
        }
        // Everything is committed and answered from what is known: nothing below may fail.
        for id in plan.heldContactIDs { heldContacts.insert(id) }
        for id in plan.unservedOperatorIDs { store.goOnDraining(operatorID: id) }
        return edits.map { edit in
            if let contact = plan.contacts[edit.id] { return .success(.closed(contact)) }
            return plan.heldContactIDs.contains(edit.id) ? .failure(.heldByOthers) : .success(.notAsSeen)
        }
    }
}

extension StoreError {
    fileprivate var isHeldByOthers: Bool {
        if case .heldByOthers = self { true } else { false }
    }
}
