import Distribution
import Leads
import Synchronization

/// The large pools this instance has met: sources with so many operators that to lock and read them all for each transaction
/// would cost more than everything else.
///
/// Only `weighted_random` can be decided by what is remembered here, because who has which load does not matter to it
/// until somebody is drawn. What is remembered holds for one `pool_version`.
final class LargePools: Sendable {
    private struct Pool {
        let version: Int
        let line: WeightLine
    }

    /// From how many operators on a pool is large.
    private static let size = 64
    private let pools = Mutex<[Int: Pool]>([:])

    /// Remembers a source whose operators are locked, or forgets it where drawing would not do.
    func note(_ sourceID: Int, _ source: Queue.LockedSource, version: Int, isAnybodyWaiting: Bool) {
        let isLarge =
            source.strategy == .weightedRandom && !source.keepsReturningLeads && source.drawn == nil
            && source.candidates.count >= Self.size
        guard isLarge, !isAnybodyWaiting, Self.hasRoom(source.candidates), let line = WeightLine(source.candidates)
        else {
            return forget(sourceID)
        }
        pools.withLock { $0[sourceID] = Pool(version: version, line: line) }
    }

    func forget(_ sourceID: Int) {
        pools.withLock { $0[sourceID] = nil }
    }

    func containsAny(of sourceIDs: [Int]) -> Bool {
        pools.withLock { pools in !pools.isEmpty && sourceIDs.contains { pools[$0] != nil } }
    }

    /// The source's pool as it is in this version.
    func line(of sourceID: Int, version: Int) -> WeightLine? {
        pools.withLock { pools in
            guard let pool = pools[sourceID], pool.version == version else { return nil }
            return pool.line
        }
    }

    /// Whether, by weight, seven of eight draws fall to somebody who can take more than a contact or two.
    private static func hasRoom(_ candidates: [Candidate]) -> Bool {
        var (all, open) = (0, 0)
        for candidate in candidates where candidate.isActive {
            all += candidate.weight
            if candidate.maxLoad - candidate.load > 1 { open += candidate.weight }
        }
        return open >= all - all / 8
    }
}

extension WeightLine {
    /// Draws for so many contacts, and some more for those that have no room.
    func draws(for contacts: Int) -> Queue.Drawn {
        var generator = SystemRandomNumberGenerator()
        let draws = (0..<contacts + contacts / 4 + 8).map { _ in draw(using: &generator) }
        var starts: [Int: Int] = [:]
        for draw in draws where starts[draw.operatorID] == nil { starts[draw.operatorID] = start(of: draw.operatorID) }
        return Queue.Drawn(total: total, positions: draws.map(\.position), starts: starts)
    }
}
