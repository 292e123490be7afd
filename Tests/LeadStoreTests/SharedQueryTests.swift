import Leads
import Synchronization
import TestSupport
import Testing

@testable import LeadStore
@testable import Postgres

struct SharedQueryTests {
    /// A database that answers when it is told to, and notes what it was asked.
    private final class Database: Sendable {
        private struct State {
            var queries: [Set<Int>] = []
            var viewers: [Viewer] = []
            var answers = 0
            var passed = Duration.zero
        }

        private let state = Mutex(State())
        private let unknown: Set<Int>
        private let unreadable: Set<Int>
        private let isAway: Bool

        init(unknown: Set<Int> = [], unreadable: Set<Int> = [], isAway: Bool = false) {
            self.unknown = unknown
            self.unreadable = unreadable
            self.isAway = isAway
        }

        var queries: [Set<Int>] { state.withLock { $0.queries } }
        /// For whom each was.
        var viewers: [Viewer] { state.withLock { $0.viewers } }

        /// Lets time pass for those who ask; otherwise it stands still.
        func letPass(_ duration: Duration) {
            state.withLock { $0.passed += duration }
        }

        /// Answers so many more queries.
        func answer(_ count: Int) {
            state.withLock { $0.answers += count }
        }

        /// Each id stands for itself and the number of the query that found it.
        func query(limit: Int = 100) -> SharedQuery<[Int]> {
            let begun = ContinuousClock.now
            return SharedQuery(
                limit: limit, executor: globalConcurrentExecutor, now: { begun + self.state.withLock { $0.passed } }
            ) { (ids, viewer) throws(StoreError) in
                #expect(Set(ids).count == ids.count)
                let number = self.state.withLock { state in
                    state.queries.append(Set(ids))
                    state.viewers.append(viewer)
                    return state.queries.count
                }
                let isAnswered = await eventually { self.state.withLock { $0.answers >= number } }
                #expect(isAnswered)
                if self.isAway { throw .unavailable(PostgresError(.unavailable)) }
                if !self.unreadable.isDisjoint(with: ids) { throw .unexpected(PostgresError(.unexpectedColumn)) }
                return Dictionary(
                    uniqueKeysWithValues: ids.filter { !self.unknown.contains($0) }.map { ($0, [$0, number]) })
            }
        }
    }

    private typealias Answer = Result<[Int]?, StoreError>

    private func ask(
        _ query: SharedQuery<[Int]>, _ ids: [Int], for viewer: Viewer = .everything
    ) -> [Task<Answer, Never>] {
        ids.map { id in
            Task {
                do throws(StoreError) { return .success(try await query.value(of: id, for: viewer)) } catch {
                    return .failure(error)
                }
            }
        }
    }

    /// What comes of asking for these while a query for another id is under way.
    private func answers(_ database: Database, _ query: SharedQuery<[Int]>, to ids: [Int]) async throws -> [Answer] {
        let first = ask(query, [0])
        #expect(await eventually { database.queries.count == 1 })
        let others = ask(query, ids)
        #expect(await eventually { query.waiting == ids.count })
        #expect(database.queries == [[0]])
        database.answer(100)
        _ = await first[0].value
        var answers: [Answer] = []
        for other in others { answers.append(await other.value) }
        return answers
    }

    @Test func `whoever asks alone is asked for at once`() async throws {
        let database = Database(unknown: [2])
        let query = database.query()
        database.answer(2)
        #expect(try await query.value(of: 1, for: .everything) == [1, 1])
        #expect(try await query.value(of: 2, for: .everything) == nil)
        #expect(database.queries == [[1], [2]])
    }

    @Test func `those who ask while a query is under way share the next one`() async throws {
        let database = Database(unknown: [3])
        let answers = try await answers(database, database.query(), to: [1, 2, 2, 3])
        #expect(try answers.map { try $0.get() } == [[1, 2], [2, 2], [2, 2], nil])
        #expect(database.queries == [[0], [1, 2, 3]])
    }

    @Test func `nobody is answered by a query that was sent before they asked`() async throws {
        let database = Database()
        let answers = try await answers(database, database.query(), to: [0])
        #expect(try answers[0].get() == [0, 2])
    }

    @Test func `those beyond the limit are in the query after the next, in the order in which they came`() async throws
    {
        let database = Database()
        let query = database.query(limit: 3)
        let first = ask(query, [0])
        #expect(await eventually { database.queries.count == 1 })
        for id in 1...7 {
            _ = ask(query, [id])
            #expect(await eventually { query.waiting == id })
        }
        database.answer(100)
        _ = await first[0].value
        #expect(await eventually { database.queries == [[0], [1, 2, 3], [4, 5, 6], [7]] })
    }

    @Test func `what cannot be read is a fault for those who asked for it`() async throws {
        let database = Database(unreadable: [2])
        let answers = try await answers(database, database.query(), to: [1, 2, 3])
        #expect(try answers[0].get()?.first == 1 && answers[2].get()?.first == 3)
        guard case .failure(.unexpected) = answers[1] else { throw try #require(answers[1].failure) }
    }

    @Test func `a database that is away is asked once for all`() async throws {
        let database = Database(isAway: true)
        for answer in try await answers(database, database.query(), to: [1, 2, 3]) {
            guard case .unavailable = answer.failure else { throw try #require(answer.failure) }
        }
        #expect(database.queries == [[0], [1, 2, 3]])
    }

    @Test func `whoever has waited too long is turned away, and asked for no more`() async throws {
        let database = Database()
        let query = database.query()
        let first = ask(query, [0])
        #expect(await eventually { database.queries.count == 1 })
        let others = ask(query, [1, 2])
        #expect(await eventually { query.waiting == 2 })
        database.letPass(.seconds(2))
        database.answer(1)
        #expect(try await first[0].value.get() == [0, 1])
        for other in others {
            let answer = await other.value
            guard case .tooManyLongReads = answer.failure else { throw try #require(answer.failure) }
        }
        database.answer(1)
        #expect(try await query.value(of: 3, for: .everything) == [3, 2])
        #expect(database.queries == [[0], [3]])
    }

    @Test func `those who do not see the same share no query, and do not wait for each other`() async throws {
        let database = Database()
        let query = database.query()
        let viewers = [
            Viewer.everything, Viewer(reach: .ownContacts(ofOperator: 1)), Viewer(reach: .ownContacts(ofOperator: 2)),
            Viewer(reach: .registered(byKey: "1")), Viewer(reach: .everything, sourceIDs: [1]),
        ]
        var first: [Task<Answer, Never>] = []
        for (number, viewer) in viewers.enumerated() {
            first += ask(query, [0], for: viewer)
            #expect(await eventually { database.queries.count == number + 1 })
        }
        // Whether something is masked makes no difference to what is read.
        let alike = Viewer(reach: .ownContacts(ofOperator: 1), isMasked: true, seesAccessEvents: true)
        let waiting = viewers.flatMap { ask(query, [1, 2], for: $0) } + ask(query, [2, 3], for: alike)
        #expect(await eventually { query.waiting == waiting.count })
        database.answer(100)
        for task in first + waiting { _ = await task.value }
        #expect(database.viewers.prefix(viewers.count).map { $0.reach } == viewers.map(\.reach))
        var asked: [Viewer.Reach: Set<Int>] = [:]
        for (viewer, ids) in zip(database.viewers, database.queries).dropFirst(viewers.count) {
            asked[viewer.reach, default: []].formUnion(ids)
        }
        #expect(database.queries.count == 2 * viewers.count)
        #expect(asked[.ownContacts(ofOperator: 1)] == [1, 2, 3] && asked[.ownContacts(ofOperator: 2)] == [1, 2])
    }

    @Test func `a caller who goes away takes nobody along`() async throws {
        let database = Database()
        let query = database.query()
        let tasks = ask(query, [1])
        #expect(await eventually { database.queries.count == 1 })
        let others = ask(query, [2, 3])
        #expect(await eventually { query.waiting == 2 })
        tasks[0].cancel()
        others[0].cancel()
        database.answer(2)
        #expect(try await others[1].value.get() == [3, 2])
    }

    @Test func `contacts are found by id, each as it was left by the last change that was answered`() async throws {
        try await TestDatabase.with { database in
            let store = database.store
            let (source, _) = try await database.team([5])
            var ids: [Int] = []
            for _ in 1...8 { ids.append(try await database.register(source.id).id) }
            #expect(try await store.contact(id: ids[0], for: .everything).operator != nil)
            #expect(try await store.contact(id: ids[7], for: .everything).waitingReason == .allAtLimit)
            try await withThrowingTaskGroup { group in
                for id in ids {
                    group.addTask { try await changesAreSeen(store, id) }
                    group.addTask {
                        for _ in 1...100 { _ = try await store.contact(id: id, for: .everything) }
                    }
                }
                group.addTask {
                    for _ in 1...50 { try await isUnknown(4711, store) }
                }
                try await group.waitForAll()
            }
        }
    }
}

private func changesAreSeen(_ store: LeadStore, _ id: Int) async throws {
    for number in 1...30 {
        let changed = try await store.changeContact(
            id: id, ContactChange(message: "\(number)"), for: .everything, by: .api)
        let read = try await store.contact(id: id, for: .everything)
        #expect(read.id == id && read.message == "\(number)" && read.version == changed.version)
    }
}

private func isUnknown(_ id: Int, _ store: LeadStore) async throws {
    do throws(StoreError) {
        _ = try await store.contact(id: id, for: .everything)
        Issue.record("there is no such contact")
    } catch {
        guard case .contactNotFound = error else { throw error }
    }
}

extension Result {
    fileprivate var failure: Failure? {
        if case .failure(let error) = self { error } else { nil }
    }
}
