import Synchronization
import TestSupport
import Testing

@testable import LeadStore

@Suite("Turns of those who read much")
struct TurnstileTests {
    /// Who got a place, in order.
    private final class Log: Sendable {
        private let names = Mutex<[String]>([])
        var all: [String] { names.withLock { $0 } }
        func note(_ name: String) { names.withLock { $0.append(name) } }
    }

    @Test("places go round those who wait, however much one of them asks for")
    func placesGoRound() async {
        let turnstile = Turnstile(places: 1, patience: .seconds(3600))
        #expect(await turnstile.enter())
        let log = Log()
        await withTaskGroup(of: Void.self) { group in
            func ask(_ reader: String, waiting count: Int) async {
                group.addTask {
                    await Reader.$current.withValue(reader) {
                        #expect(await turnstile.enter())
                        log.note(reader)
                        turnstile.leave()
                    }
                }
                #expect(await eventually { turnstile.waiting >= count })
            }
            for number in 1...20 { await ask("greedy", waiting: number) }
            await ask("modest", waiting: 21)
            await ask("other", waiting: 22)
            await ask("modest", waiting: 23)
            turnstile.leave()
        }
        #expect(Array(log.all.prefix(5)) == ["greedy", "modest", "other", "greedy", "modest"])
        #expect(log.all.count == 23)
        // All places are back.
        #expect(await turnstile.enter())
    }

    @Test("who waits too long is sent away, and keeps nobody's turn")
    func patienceEnds() async {
        let turnstile = Turnstile(places: 1, patience: .milliseconds(50))
        #expect(await turnstile.enter())
        #expect(await Reader.$current.withValue("late") { await turnstile.enter() } == false)
        #expect(turnstile.waiting == 0)
        turnstile.leave()
        #expect(await turnstile.enter())
    }
}
