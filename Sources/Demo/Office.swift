/// The operators of a demonstration: they close what they are given after a while, take breaks, and some customers come
/// back.
///
/// Each placed contact is handled by a task of its own that sleeps as long as the work takes. Contacts that waited are
/// found by looking at the operators' desks: after each closing, while anybody waits, and otherwise every second.
actor Office {
    private let crm: CRM
    private let staff: Staff
    private let scenario: Scenario
    private let tide: Tide
    private let crowd: Crowd
    private let screen: Screen
    private let began: ContinuousClock.Instant

    /// What operators work on, by contact.
    private var work: [Int: Work] = [:]
    private var waiting: Set<Int> = []
    /// The newest version seen of contacts that are open or lately were: answers may overtake each other.
    private var versions: [Int: Int] = [:]
    private var closedBeforeLastRound: [Int] = []
    private var closedSinceLastRound: [Int] = []
    private var visits: [Int: Visit] = [:]
    private var onBreak: Set<Int> = []
    private var lastTicket = 0

    private(set) var closed = 0
    private(set) var reopened = 0
    /// By operator, as the instance reported it.
    private(set) var highestLoads: [Int: Int] = [:]

    private struct Work {
        let operatorID: Int
        /// Tells the task that handles the contact from one that has outlived its purpose.
        let ticket: Int
    }

    private enum Visit {
        case underWay, underWayAndWantedAgain
    }

    init(
        crm: CRM, staff: Staff, scenario: Scenario, crowd: Crowd, screen: Screen, began: ContinuousClock.Instant
    ) {
        self.crm = crm
        self.staff = staff
        self.scenario = scenario
        self.crowd = crowd
        self.screen = screen
        self.began = began
        tide = Tide(rate: scenario.rate, places: staff.places)
    }

    /// Contacts at operators and contacts without one.
    var openContacts: (active: Int, waiting: Int) { (work.count, waiting.count) }

    /// Begins to work, with what an earlier run left.
    func open(with contacts: [Wire.Contact]) {
        for contact in contacts { receive(contact) }
        crowd.add { await self.makeRounds() }
        crowd.add { await self.takeBreaks() }
    }

    /// Ends the breaks, so that the next run, and whoever looks, finds everybody at work.
    func close() async {
        for id in onBreak { _ = try? await crm.change(id, Wire.WorkerChange(isActive: true), insists: false) }
    }

    /// Takes note of a contact as the instance describes it.
    func receive(_ contact: Wire.Contact) {
        guard contact.version > versions[contact.id, default: 0] else { return }
        versions[contact.id] = contact.version
        waiting.remove(contact.id)
        guard contact.status == .active, let worker = contact.operator else {
            work[contact.id] = nil
            if contact.status == .new { waiting.insert(contact.id) } else { closedSinceLastRound.append(contact.id) }
            return
        }
        highestLoads[worker.id] = max(highestLoads[worker.id, default: 0], worker.currentLoad)
        lastTicket += 1
        let ticket = lastTicket
        work[contact.id] = Work(operatorID: worker.id, ticket: ticket)
        crowd.add { await self.handle(contact.id, contact.version, ticket) }
    }

    private func handle(_ id: Int, _ version: Int, _ ticket: Int) async {
        let handling = scenario.handling(ofContact: id, version: version)
        // A long queue makes people hurry; without that, one rush too many would never be worked off.
        let hurry = 1 + Double(waiting.count) / Double(staff.places)
        let usual = tide.handlingTime(at: (ContinuousClock.now - began).inSeconds) / hurry
        do {
            try await Task.sleep(for: .seconds(usual * handling.effort))
            guard let mine = work[id], mine.ticket == ticket else { return }
            receive(try await crm.close(id))
            closed += 1
            if !waiting.isEmpty { visit(mine.operatorID) }
            guard let pause = handling.comesBackAfter else { return }
            try await Task.sleep(for: .seconds(usual * pause))
            receive(try await crm.reopen(id))
            reopened += 1
        } catch {
            // Cancelled, or refused, which is counted where it was answered.
        }
    }

    /// Looks at an operator's desk, one look at a time.
    private func visit(_ operatorID: Int) {
        guard visits[operatorID] == nil else {
            visits[operatorID] = .underWayAndWantedAgain
            return
        }
        visits[operatorID] = .underWay
        crowd.add { await self.look(at: operatorID) }
    }

    private func look(at operatorID: Int) async {
        let before = work.filter { $0.value.operatorID == operatorID }
        if let found = try? await crm.desk(of: operatorID, staff) {
            for contact in found { receive(contact) }
            // Somebody else closed it, or a colleague has it.
            let present = Set(found.map(\.id))
            for (id, mine) in before where !present.contains(id) && work[id]?.ticket == mine.ticket {
                crowd.add { await self.lookUp(id) }
            }
        }
        let wasWantedAgain = visits[operatorID] == .underWayAndWantedAgain
        visits[operatorID] = nil
        if wasWantedAgain { visit(operatorID) }
    }

    private func lookUp(_ id: Int) async {
        if let contact = try? await crm.contact(id) { receive(contact) }
    }

    private func makeRounds() async {
        while !Task.isCancelled {
            for worker in staff.workers { visit(worker.id) }
            if let oldest = waiting.min() { crowd.add { await self.lookUp(oldest) } }
            for id in closedBeforeLastRound where work[id] == nil && !waiting.contains(id) { versions[id] = nil }
            closedBeforeLastRound = closedSinceLastRound
            closedSinceLastRound = []
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func takeBreaks() async {
        for absence in scenario.breaks(period: tide.period) {
            guard let worker = staff.workers.first(where: { $0.name == absence.worker.name }) else { continue }
            do {
                try await Task.sleep(until: began + absence.offset)
                onBreak.insert(worker.id)
                try await crm.change(
                    worker.id, Wire.WorkerChange(isActive: false, requeue: absence.handsOver))
                screen.remark(
                    "\(worker.name) takes a break"
                        + (absence.handsOver ? " and leaves the contacts to the colleagues" : ""))
                visit(worker.id)
                try await Task.sleep(until: began + absence.offset + absence.length)
                try await crm.change(worker.id, Wire.WorkerChange(isActive: true))
                onBreak.remove(worker.id)
                visit(worker.id)
                screen.remark("\(worker.name) is back")
            } catch {
                if Task.isCancelled { return }
            }
        }
    }
}
