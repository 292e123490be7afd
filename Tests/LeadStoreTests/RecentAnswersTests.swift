import Synchronization
import TestSupport
import Testing

@testable import LeadStore
@testable import Postgres

struct RecentAnswersTests {
    /// Looks for answers when it is told to, counts how often it was asked to, and keeps the time.
    private final class Desk: Sendable {
        private struct State {
            var looks = 0
            var allowed = 0
            var passed = Duration.zero
            var isAway = false
        }

        private let state = Mutex(State())
        private let begun = ContinuousClock.now

        var looks: Int { state.withLock { $0.looks } }

        func letPass(_ duration: Duration) { state.withLock { $0.passed += duration } }
        func answer(_ count: Int) { state.withLock { $0.allowed += count } }
        func goAway() { state.withLock { $0.isAway = true } }
        func comeBack() { state.withLock { $0.isAway = false } }

        func answers() -> RecentAnswers<String, Int> {
            RecentAnswers(
                freshness: .seconds(1), executor: globalConcurrentExecutor,
                now: { self.begun + self.state.withLock { $0.passed } })
        }

        func look() async throws(StoreError) -> Int {
            let number = state.withLock { state in
                state.looks += 1
                return state.looks
            }
            let isAllowed = await eventually { self.state.withLock { $0.allowed >= number } }
            #expect(isAllowed)
            if state.withLock({ $0.isAway }) { throw .unavailable(PostgresError(.unavailable)) }
            return number
        }
    }

    private func ask(_ answers: RecentAnswers<String, Int>, _ desk: Desk, _ question: String = "a") -> Task<Int?, Never>
    {
        Task { try? await answers.answer(to: question) { () throws(StoreError) in try await desk.look() } }
    }

    @Test func `who asks within a second gets the same answer, who asks later a new one`() async {
        let desk = Desk()
        let answers = desk.answers()
        desk.answer(2)
        #expect(await ask(answers, desk).value == 1)
        desk.letPass(.milliseconds(999))
        #expect(await ask(answers, desk).value == 1)
        desk.letPass(.milliseconds(1))
        #expect(await ask(answers, desk).value == 2)
        #expect(desk.looks == 2)
    }

    @Test func `all who ask while it is looked for wait for one answer`() async {
        let desk = Desk()
        let answers = desk.answers()
        let callers = (1...20).map { _ in ask(answers, desk) }
        #expect(await eventually { desk.looks == 1 })
        // It serves from when it was begun to be looked for.
        desk.letPass(.seconds(2))
        desk.answer(1)
        for caller in callers { #expect(await caller.value == 1) }
        desk.answer(1)
        #expect(await ask(answers, desk).value == 2)
    }

    @Test func `other questions have other answers`() async {
        let desk = Desk()
        let answers = desk.answers()
        desk.answer(2)
        #expect(await ask(answers, desk, "a").value == 1)
        #expect(await ask(answers, desk, "b").value == 2)
        #expect(await ask(answers, desk, "a").value == 1)
    }

    @Test func `a failure is told to all who wait and is not kept`() async {
        let desk = Desk()
        let answers = desk.answers()
        desk.goAway()
        let callers = (1...3).map { _ in ask(answers, desk) }
        #expect(await eventually { desk.looks == 1 })
        desk.answer(2)
        for caller in callers { #expect(await caller.value == nil) }
        desk.comeBack()
        #expect(await ask(answers, desk).value == 2)
    }

    @Test func `whoever goes away takes nobody along`() async {
        let desk = Desk()
        let answers = desk.answers()
        let (first, second) = (ask(answers, desk), ask(answers, desk))
        #expect(await eventually { desk.looks == 1 })
        first.cancel()
        second.cancel()
        desk.answer(1)
        #expect(await second.value == 1)
    }
}
