import DequeModule

/// What waits for a transaction, in lines (those of a source) that take turns, so that a flood in one makes nobody
/// else wait longer than a turn; in order of arrival within a line.
///
/// Pure and bounded. An entry weighs as many locks as its transaction will hold for it: PostgreSQL has room for a fixed
/// number in all (`max_locks_per_transaction` × `max_connections`).
struct LaneQueue<Entry> {
    private struct Place {
        let number: Int
        let locks: Int
        let entry: Entry
    }

    private let limit: Int
    private var queues: [Int: Deque<Place>] = [:]
    /// The lines that have entries, the next to be taken from first.
    private var turns: Deque<Int> = []
    private var lastNumber = 0
    private(set) var count = 0

    /// - Parameter limit: how many entries it holds, 1 or more.
    init(limit: Int) {
        self.limit = limit
    }

    /// Adds an entry and returns the number by which it can be withdrawn, or nil when the queue is full.
    mutating func append(_ entry: Entry, line: Int, locks: Int) -> Int? {
        guard count < limit else { return nil }
        count += 1
        lastNumber += 1
        if queues[line] == nil { turns.append(line) }
        queues[line, default: []].append(Place(number: lastNumber, locks: locks, entry: entry))
        return lastNumber
    }

    /// Takes the next entries, one of each line in turn: at least one if there are any, then as many as both limits allow.
    mutating func take(atMost most: Int, locks mostLocks: Int) -> [Entry] {
        var taken: [Entry] = []
        var locks = 0
        while taken.count < most, let line = turns.first, let next = queues[line]?.first {
            locks += next.locks
            guard taken.isEmpty || locks <= mostLocks else { break }
            turns.removeFirst()
            queues[line]?.removeFirst()
            if queues[line]?.isEmpty ?? true { queues[line] = nil } else { turns.append(line) }
            taken.append(next.entry)
        }
        count -= taken.count
        return taken
    }

    /// Takes one entry out, or returns nil when it is there no more.
    mutating func withdraw(_ number: Int, line: Int) -> Entry? {
        guard let index = queues[line]?.firstIndex(where: { $0.number == number }) else { return nil }
        count -= 1
        let place = queues[line]?.remove(at: index)
        if queues[line]?.isEmpty ?? true {
            queues[line] = nil
            turns.removeAll { $0 == line }
        }
        return place?.entry
    }
}
