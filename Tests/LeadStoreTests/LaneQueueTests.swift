import TestSupport
import Testing

@testable import LeadStore

struct LaneQueueTests {
    private struct Entry: Hashable {
        let line: Int
        let number: Int
        var locks = 1
    }

    private func queue(_ entries: [Entry], limit: Int = 100) -> LaneQueue<Entry> {
        var queue = LaneQueue<Entry>(limit: limit)
        for entry in entries { _ = queue.append(entry, line: entry.line, locks: entry.locks) }
        return queue
    }

    private func entries(_ lines: [Int], locks: Int = 1) -> [Entry] {
        lines.enumerated().map { Entry(line: $1, number: $0, locks: locks) }
    }

    @Test func `an empty queue gives nothing`() {
        var queue = LaneQueue<Entry>(limit: 1)
        #expect(queue.take(atMost: 10, locks: 10) == [])
        #expect(queue.withdraw(1, line: 1) == nil)
        #expect(queue.count == 0)
    }

    @Test func `entries of one source come in their order of arrival`() {
        var queue = queue(entries([7, 7, 7, 7]))
        #expect(queue.take(atMost: 3, locks: 100).map(\.number) == [0, 1, 2])
        #expect(queue.take(atMost: 3, locks: 100).map(\.number) == [3])
        #expect(queue.count == 0)
    }

    @Test func `sources take turns, also from one batch to the next`() {
        var queue = queue(entries([1, 1, 1, 1, 2, 3]))
        #expect(queue.take(atMost: 2, locks: 100).map(\.line) == [1, 2])
        #expect(queue.take(atMost: 2, locks: 100).map(\.line) == [3, 1])
        #expect(queue.take(atMost: 5, locks: 100).map(\.number) == [2, 3])
    }

    @Test func `a source that comes while another floods is in the next batch`() {
        var queue = queue(entries(Array(repeating: 1, count: 1000)), limit: 2000)
        _ = queue.take(atMost: 10, locks: 100)
        _ = queue.append(Entry(line: 2, number: 5000), line: 2, locks: 1)
        #expect(queue.take(atMost: 10, locks: 100).contains { $0.line == 2 })
    }

    @Test func `a full queue takes nobody until it has room again`() {
        var queue = queue(entries([1, 2, 3]), limit: 3)
        #expect(queue.append(Entry(line: 4, number: 4), line: 4, locks: 1) == nil)
        #expect(queue.count == 3)
        _ = queue.take(atMost: 1, locks: 100)
        let number = queue.append(Entry(line: 4, number: 4), line: 4, locks: 1)
        #expect(number != nil)
        #expect(queue.append(Entry(line: 4, number: 5), line: 4, locks: 1) == nil)
        if let number { #expect(queue.withdraw(number, line: 4)?.number == 4) }
        #expect(queue.append(Entry(line: 4, number: 6), line: 4, locks: 1) != nil)
    }

    @Test func `a batch holds no more locks than it may, but one entry however many it has`() {
        var queue = queue(entries([1, 1, 1, 1], locks: 3))
        #expect(queue.take(atMost: 10, locks: 7).count == 2)
        #expect(queue.take(atMost: 10, locks: 2).count == 1)
        #expect(queue.take(atMost: 10, locks: 3).count == 1)
    }

    @Test func `an entry is withdrawn once, from where it stands, and not after it was taken`() {
        var queue = LaneQueue<Int>(limit: 10)
        let numbers = (0..<4).compactMap { queue.append($0, line: 1, locks: 1) }
        #expect(queue.withdraw(numbers[1], line: 2) == nil)
        #expect(queue.withdraw(numbers[1], line: 1) == 1)
        #expect(queue.withdraw(numbers[1], line: 1) == nil)
        #expect(queue.take(atMost: 1, locks: 10) == [0])
        #expect(queue.withdraw(numbers[0], line: 1) == nil)
        #expect(queue.take(atMost: 10, locks: 10) == [2, 3])
        #expect(queue.count == 0)
    }

    /// What any order of calls must keep, whatever the queue is made of: nothing is lost or comes twice, the limits hold,
    /// order within a source, and no source is served twice while another waits.
    @Test(arguments: 0..<20)
    func `whatever is done to it, nothing is lost and nobody is passed over`(round: Int) throws {
        var generator = SeededGenerator()
        let limit = Int.random(in: 1...60, using: &generator)
        let sources = Int.random(in: 1...8, using: &generator)
        var queue = LaneQueue<Entry>(limit: limit)
        var present: [Int: Entry] = [:]  // by the number the queue gave
        var arrivals: [Int: [Int]] = [:]  // those numbers by source, in order of arrival
        var servedSince: [Int: [Int: Int]] = [:]  // by source that waits: how often each other was served since it was
        var last = 0
        for step in 0..<600 {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<6:
                // Most come from one source, in bursts.
                let source = Bool.random(using: &generator) ? 0 : Int.random(in: 0..<sources, using: &generator)
                let entry = Entry(line: source, number: step, locks: Int.random(in: 0...5, using: &generator))
                let number = queue.append(entry, line: source, locks: entry.locks)
                #expect((number == nil) == (present.count == limit))
                guard let number else { break }
                #expect(number > last)
                last = number
                if arrivals[source]?.isEmpty ?? true { servedSince[source] = [:] }
                present[number] = entry
                arrivals[source, default: []].append(number)
            case 6..<8:
                let most = Int.random(in: 1...12, using: &generator)
                let mostLocks = Int.random(in: 1...20, using: &generator)
                let taken = queue.take(atMost: most, locks: mostLocks)
                #expect(taken.count <= most)
                #expect(taken.isEmpty == present.isEmpty)
                let locks = taken.reduce(0) { $0 + $1.locks }
                #expect(locks <= mostLocks || taken.count == 1)
                for entry in taken {
                    let first = try #require(arrivals[entry.line]?.first)
                    #expect(present.removeValue(forKey: first) == entry)
                    arrivals[entry.line]?.removeFirst()
                    servedSince[entry.line] = [:]
                    for other in arrivals.keys where other != entry.line && arrivals[other]?.isEmpty == false {
                        servedSince[other, default: [:]][entry.line, default: 0] += 1
                        #expect(
                            (servedSince[other]?[entry.line] ?? 0) <= 1, "a source was served twice beside another")
                    }
                }
                if taken.count < most, let largest = present.values.map(\.locks).max() {
                    #expect(locks + largest > mostLocks, "there was room for more")
                }
            default:
                let number = Int.random(in: 1...max(1, last), using: &generator)
                let source = present[number]?.line ?? Int.random(in: 0..<sources, using: &generator)
                #expect(queue.withdraw(number, line: source) == present.removeValue(forKey: number))
                arrivals[source]?.removeAll { $0 == number }
            }
            #expect(queue.count == present.count)
        }
        #expect(Set(queue.take(atMost: .max, locks: .max)) == Set(present.values))
        #expect(queue.count == 0)
    }
}
