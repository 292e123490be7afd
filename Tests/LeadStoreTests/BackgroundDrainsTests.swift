import Leads
import Synchronization
import TestSupport
import Testing

@testable import LeadStore
@testable import Postgres

struct BackgroundDrainsTests {
    /// Drains that end when they are told to.
    private final class Drain: Sendable {
        private struct State {
            var begun = 0
            var atOnce = 0
            var mostAtOnce = 0
            var mayEnd = 0
        }

        private let state = Mutex(State())

        var begun: Int { state.withLock { $0.begun } }
        var mostAtOnce: Int { state.withLock { $0.mostAtOnce } }

        func end(_ count: Int) {
            state.withLock { $0.mayEnd += count }
        }

        func run() async {
            let number = state.withLock { state in
                state.begun += 1
                state.atOnce += 1
                state.mostAtOnce = max(state.mostAtOnce, state.atOnce)
                return state.begun
            }
            _ = await eventually { state.withLock { $0.mayEnd >= number } }
            state.withLock { $0.atOnce -= 1 }
        }
    }

    private final class Faults: Sendable {
        private let found = Mutex<[String]>([])
        var all: [String] { found.withLock { $0 } }

        func note(_ error: StoreError) {
            found.withLock { $0.append("\(error)") }
        }
    }

    @Test func `a queue is drained by one at a time, and once more for all who ask meanwhile`() async throws {
        let drains = BackgroundDrains { Issue.record("\($0)") }
        let (drain, other) = (Drain(), Drain())
        drains.begin(.source(1)) { await drain.run() }
        #expect(await eventually { drain.begun == 1 })
        for _ in 1...10 { drains.begin(.source(1)) { Issue.record("a second drain of the same queue") } }
        drains.begin(.operator(1)) { await other.run() }
        #expect(await eventually { other.begun == 1 })
        #expect(drain.begun == 1)
        drain.end(100)
        other.end(100)
        #expect(await eventually { drain.begun == 2 })
        // As soon as that has ended, a drain is the next one's own.
        let next = Drain()
        next.end(100)
        #expect(
            await eventually {
                drains.begin(.source(1)) { await next.run() }
                return next.begun > 0
            })
        #expect(drain.mostAtOnce == 1 && other.begun == 1)
    }

    @Test func `what passes is tried again, what does not is told`() async throws {
        let faults = Faults()
        let drains = BackgroundDrains { faults.note($0) }
        let attempts = Mutex(0)
        drains.begin(.source(1)) { () throws(StoreError) in
            switch attempts.withLock({
                $0 += 1; return $0
            }) {
            case 1: throw .unavailable(PostgresError(.unavailable))
            case 2: throw .outcomeUnknown
            case 3: throw .unexpected(PostgresError(.unexpectedColumn))
            default: Issue.record("a fault was tried again")
            }
        }
        #expect(await eventually { faults.all.count == 1 })
        #expect(attempts.withLock { $0 } == 3 && faults.all[0].contains("unexpectedColumn"))
    }

    @Test func `a fault of the schema in the background is told`() async throws {
        try await TestDatabase.with { database in
            let faults = Faults()
            let store = LeadStore(pool: database.pool) { faults.note($0) }
            let (source, ids) = try await database.team([1])
            try await database.byHand("alter table source_turns rename column credit to something_else")
            store.goOnDraining(sourceID: source.id)
            #expect(await eventually { faults.all.count == 1 })
            store.goOnDraining(operatorID: ids[0])
            #expect(await eventually { faults.all.count == 2 })
            #expect(faults.all.allSatisfy { $0.contains("42703") })
        }
    }

    @Test func `however often a long queue is asked to be drained, all of it is placed in order`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, ids) = try await database.team([1])
            for _ in 1...30 { _ = try await database.register(source.id) }
            try await database.byHand("update operator_loads set max_load = 100 where operator_id = \(ids[0])")
            for _ in 1...50 {
                store.goOnDraining(sourceID: source.id)
                store.goOnDraining(operatorID: ids[0])
            }
            #expect(try await eventually { try await database.load(of: ids[0]) == 30 })
            #expect(try await database.drift() == 0)
        }
    }
}
