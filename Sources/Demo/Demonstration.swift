public import Foundation
import NIOHTTP1
import Synchronization

/// Customers that write to a running instance and operators that answer them, over its public API.
public actor Demonstration {
    private let scenario: Scenario
    private let length: RunLength
    private let screen: Screen
    private let client: Client
    private let crm: CRM
    private let failures: Failures
    private let crowd = Crowd()

    private var tally = Tally()
    private var inFlight = 0
    private var lastComplaint: ContinuousClock.Instant?
    /// Sent so far, at moments of the last seconds.
    private var samples: [(at: ContinuousClock.Instant, sent: Int)] = []
    private var interruptible: Task<Void, Never>?
    private var isStopped = false

    /// Registrations under way at once; the remaining connections are for the operators.
    private static let maximumInFlight = 24
    /// An arrival later than this is left out: the machine slept, or the program was suspended.
    private static let patience = Duration.seconds(2)

    /// - Parameters:
    ///   - url: of the instance, without a path.
    ///   - key: what the instance knows the demonstration by, where not everybody may do everything.
    public init(url: URL, key: String?, scenario: Scenario, length: RunLength, screen: Screen) {
        self.scenario = scenario
        self.length = length
        self.screen = screen
        let failures = Failures()
        self.failures = failures
        client = Client(address: url.absoluteString, key: key) { event in
            switch event {
            case .failed(let status):
                failures.add(status)
            case .wentAway(let reason):
                screen.say("The instance \(reason); trying again.")
            case .cameBack(let pause):
                screen.say("The instance answers again, after \(pause.inSeconds.rounded(to: 1)) s.")
            }
        }
        crm = CRM(client: client)
    }

    /// Runs to the end of its length, or until `stop()`.
    /// - Throws: `DemoError` when it cannot begin.
    public func run() async throws(DemoError) -> Summary {
        do throws(DemoError) {
            let summary = try await work()
            await client.close()
            return summary
        } catch {
            await client.close()
            throw error
        }
    }

    private func work() async throws(DemoError) -> Summary {
        let (staff, openContacts) = try await prepare()
        screen.say("Contacts for \(client.address), seed \(scenario.seed); Ctrl-C ends it.")
        let began = ContinuousClock.now
        let office = Office(
            crm: crm, staff: staff, scenario: scenario, crowd: crowd, screen: screen, began: began)
        await office.open(with: openContacts)
        crowd.add { await self.showProgress(of: office, staff, since: began) }
        await untilStopped { await self.sendArrivals(to: staff, office, since: began) }
        let elapsed = ContinuousClock.now - began
        await awaitAnswers(within: .seconds(3))
        await crowd.disperse()
        await office.close()
        return await summary(office, staff, elapsed)
    }

    /// Ends the run early; it still returns its summary.
    public func stop() {
        isStopped = true
        interruptible?.cancel()
    }

    private func untilStopped(_ body: @escaping @Sendable () async -> Void) async {
        let task = Task { await body() }
        interruptible = task
        if isStopped { task.cancel() }
        await task.value
        interruptible = nil
    }

    private func prepare() async throws(DemoError) -> (Staff, [Wire.Contact]) {
        let outcome = Mutex<Result<(Staff, [Wire.Contact]), DemoError>>(.failure(.stopped))
        let crm = crm
        await untilStopped {
            do throws(DemoError) {
                try await Self.recognise(crm.client)
                let prepared = try await Self.assemble(crm)
                outcome.withLock { $0 = .success(prepared) }
            } catch {
                outcome.withLock { $0 = .failure(error) }
            }
        }
        return try outcome.withLock { $0 }.get()
    }

    /// Makes sure that what answers is an instance.
    private static func recognise(_ client: Client) async throws(DemoError) {
        let answer: Client.Answer
        do throws(Client.Failure) {
            answer = try await client.call(.GET, "/", insists: false)
        } catch {
            switch error {
            case .cancelled: throw .stopped
            case .unanswered(let reason): throw .unreachable(address: client.address, reason: reason)
            case .refused(401, _, _): throw .keyWanted(address: client.address)
            case .refused: throw .notLeadsCRM(address: client.address)
            }
        }
        let welcome = try? Wire.decode(Wire.Welcome.self, from: answer.body)
        guard welcome?.message == "Leads CRM API" else { throw .notLeadsCRM(address: client.address) }
    }

    /// The operators and sources, and the contacts an earlier run left open.
    private static func assemble(_ crm: CRM) async throws(DemoError) -> (Staff, [Wire.Contact]) {
        do throws(Client.Failure) {
            let staff = try await Staff.assemble(crm)
            var open: [Wire.Contact] = []
            for worker in staff.workers { open += try await crm.desk(of: worker.id, staff) }
            for id in staff.channelIDs.values.sorted() { open += try await crm.waiting(inSource: id) }
            return (staff, open)
        } catch {
            switch error {
            case .cancelled: throw .stopped
            case .unanswered(let reason): throw .unreachable(address: crm.client.address, reason: reason)
            case .refused(let status, let detail, _): throw .refused(status: status, detail: detail)
            }
        }
    }

    private func sendArrivals(to staff: Staff, _ office: Office, since began: ContinuousClock.Instant) async {
        let end = length.duration.map { began + $0 }
        // Tells this run's events from those of every other.
        let run = String(Int(Date().timeIntervalSince1970 * 1000), radix: 36)
        for arrival in scenario.arrivals {
            let due = began + arrival.offset
            if let end, due >= end {
                try? await Task.sleep(until: end)
                return
            }
            do { try await Task.sleep(until: due) } catch { return }
            guard inFlight < Self.maximumInFlight, ContinuousClock.now - due < Self.patience else {
                leaveOut()
                continue
            }
            guard let contact = Wire.NewContact(arrival, staff, eventID: "demo-\(run)-\(arrival.number)") else {
                continue
            }
            inFlight += 1
            crowd.add { await self.register(contact, office) }
        }
    }

    private func register(_ new: Wire.NewContact, _ office: Office) async {
        do throws(Client.Failure) {
            let (contact, seconds) = try await crm.register(new)
            tally.sent += 1
            tally.answers.add(seconds)
            if let worker = contact.operator {
                tally.placedAtOnce += 1
                tally.placements[contact.sourceId, default: [:]][worker.id, default: 0] += 1
            } else {
                tally.waited += 1
            }
            await office.receive(contact)
        } catch {
            if case .cancelled = error { tally.unanswered += 1 }
        }
        inFlight -= 1
    }

    private func leaveOut() {
        tally.leftOut += 1
        let now = ContinuousClock.now
        guard !client.isAway, lastComplaint.map({ now - $0 >= .seconds(10) }) ?? true else { return }
        lastComplaint = now
        screen.say("The instance does not keep up with the rate; some contacts are left out.")
    }

    private func awaitAnswers(within patience: Duration) async {
        let deadline = ContinuousClock.now + patience
        while inFlight > 0, ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(10)) }
    }

    private func showProgress(of office: Office, _ staff: Staff, since began: ContinuousClock.Instant) async {
        while true {
            do { try await Task.sleep(for: screen.interval) } catch { return }
            let now = ContinuousClock.now
            samples.append((now, tally.sent))
            samples.removeAll { now - $0.at > max(.seconds(5), screen.interval * 1.5) }
            let first = samples.count > 1 ? samples[0] : (at: began, sent: 0)
            let open = await office.openContacts
            screen.show(
                Progress(
                    elapsed: now - began, length: length, rateWanted: scenario.rate, sent: tally.sent,
                    active: open.active,
                    places: staff.places, waiting: open.waiting, closed: await office.closed,
                    rate: Double(tally.sent - first.sent) / (now - first.at).inSeconds, errors: failures.count))
        }
    }

    private func summary(_ office: Office, _ staff: Staff, _ elapsed: Duration) async -> Summary {
        let open = await office.openContacts
        return Summary(
            scenario: scenario, elapsed: elapsed, tally: tally, closed: await office.closed,
            reopened: await office.reopened, active: open.active, waiting: open.waiting,
            errors: failures.byStatus, source: Scenario.telegram.name,
            shares: staff.shares(
                ofSource: Scenario.telegram.name, tally.placements, highestLoads: await office.highestLoads))
    }
}

/// Requests that were not answered with success, by status; nil when no answer came.
private final class Failures: Sendable {
    private let counts = Mutex<[Int?: Int]>([:])

    var byStatus: [Int?: Int] { counts.withLock { $0 } }
    var count: Int { byStatus.values.reduce(0, +) }

    func add(_ status: Int?) {
        counts.withLock { $0[status, default: 0] += 1 }
    }
}
