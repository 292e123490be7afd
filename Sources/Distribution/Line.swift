import HeapModule
import Leads

/// The strategies that choose whoever stands first in some order: `round_robin`, `least_loaded`, `most_free`.
///
/// The open candidates stand in a heap. Being given a contact never moves a candidate forward: its load and its last
/// moment grow. So nothing needs to be done in the heap when somebody is given a contact, by whatever rule: who comes to
/// the front with a standing that is out of date stands too far forward, never too far back, and is sent to its place
/// then. Each contact makes one standing out of date, hence O(log n) a decision, with as much again for each candidate
/// that comes to the front and is set aside.
struct Line: Sendable {
    private struct Place: Comparable, Sendable {
        let standing: Standing
        let index: Int

        static func < (one: Self, other: Self) -> Bool { one.standing < other.standing }
    }

    private let strategy: Strategy
    /// When each candidate last had what the strategy counts: a turn on the source, or any contact.
    private(set) var moments: [Moment]
    private var places: Heap<Place>?
    private var seed: Int?

    init(_ pool: Pool, strategy: Strategy) {
        self.strategy = strategy
        moments = pool.candidates.map {
            .recorded(strategy == .roundRobin ? $0.lastTurn : $0.lastAssignment)
        }
    }

    /// - Parameters:
    ///   - excluded: operators not to be chosen.
    ///   - draw: gives a number from 0 up to its argument; asked once in the life of a line, for the seed of the ties.
    /// - Returns: nil when nobody is left to choose from.
    mutating func choose(
        from pool: Pool, without excluded: Set<Int>, draw: (Int) -> Int
    ) -> (index: Int, draw: Int?)? {
        // 53 bits: a number that JavaScript reads exactly.
        if seed == nil, strategy != .roundRobin { seed = draw(1 << 53) }
        var places =
            self.places.take()
            ?? Heap(pool.indices.filter(pool.isOpen).map { Place(standing: standing(of: $0, in: pool), index: $0) })
        var setAside: [Place] = []
        defer {
            for place in setAside { places.insert(place) }
            self.places = places
        }
        while let first = places.min {
            let current = standing(of: first.index, in: pool)
            if !pool.isOpen(first.index) {
                places.removeMin()
            } else if first.standing != current {
                places.replaceMin(with: Place(standing: current, index: first.index))
            } else if excluded.contains(pool.candidates[first.index].operatorID) {
                setAside.append(places.removeMin())
            } else {
                return (first.index, seed)
            }
        }
        return nil
    }

    /// Takes note that a candidate was given a contact, or a turn.
    mutating func update(_ index: Int, ordinal: Int) {
        moments[index] = .decided(ordinal: ordinal)
    }

    private func standing(of index: Int, in pool: Pool) -> Standing {
        let candidate = pool.candidates[index]
        func standing(load: Int, of whole: Int) -> Standing {
            Standing(
                load: load, whole: whole, capacity: pool.freePlaces(of: index), last: moments[index],
                lot: Self.lot(of: candidate.operatorID, seed: seed ?? 0))
        }
        switch strategy {
        case .leastLoaded: return standing(load: pool.loads[index], of: 1)
        case .mostFree: return standing(load: pool.loads[index], of: candidate.maxLoad)
        default: return Standing(load: 0, whole: 1, capacity: 0, last: moments[index], lot: UInt64(index))
        }
    }

    /// An operator's rank among those who tie in all else: random, different from anybody else's, and the same whenever
    /// it is computed.
    ///
    /// The `operatorID`-th number of the SplitMix64 generator begun with the seed (Steele, Lea and Flood, "Fast
    /// Splittable Pseudorandom Number Generators", OOPSLA 2014). Every step of it is a bijection of the id.
    private static func lot(of operatorID: Int, seed: Int) -> UInt64 {
        var mixed = UInt64(bitPattern: Int64(seed)) &+ UInt64(bitPattern: Int64(operatorID)) &* 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
