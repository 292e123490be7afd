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
    /// For how long one is left alone that could not be drawn from.
    private static let pause: Duration = .seconds(1)
    private let state = Mutex(State())

    private struct State {
        var pools: [Int: Pool] = [:]
        var pausesEnd: [Int: ContinuousClock.Instant] = [:]
    }

    /// Remembers a source all of whose operators are locked, or forgets it where drawing would not do.
    func note(_ sourceID: Int, _ source: Queue.LockedSource, isAnybodyWaiting: Bool) {
        guard source.drawn == nil, source.candidates.count >= Self.size, let version = source.poolVersion else {
            return
        }
        guard Self.isDecidedByWeight(source), !isAnybodyWaiting, Self.hasRoom(source.candidates),
            let line = WeightLine(source.candidates)
        else {
            state.withLock { $0.pools[sourceID] = nil }
            return
        }
        state.withLock { state in
            if let end = state.pausesEnd[sourceID], ContinuousClock.now < end { return }
            state.pausesEnd[sourceID] = nil
            state.pools[sourceID] = Pool(version: version, line: line)
        }
    }

    /// Forgets a source that could not be drawn from: somebody waits in it, or too few have room.
    func giveUp(_ sourceID: Int) {
        state.withLock { state in
            state.pools[sourceID] = nil
            state.pausesEnd[sourceID] = .now + Self.pause
        }
    }

    func containsAny(of sourceIDs: [Int]) -> Bool {
        state.withLock { state in !state.pools.isEmpty && sourceIDs.contains { state.pools[$0] != nil } }
    }

    /// The source's pool, if it is remembered as it is in this version and the source, which is shared, is still decided so.
    func line(of sourceID: Int, _ source: Queue.LockedSource) -> WeightLine? {
        guard Self.isDecidedByWeight(source) else { return nil }
        return state.withLock { state in
            guard let pool = state.pools[sourceID], pool.version == source.poolVersion else { return nil }
            return pool.line
        }
    }

    private static func isDecidedByWeight(_ source: Queue.LockedSource) -> Bool {
        source.strategy == .weightedRandom && !source.keepsReturningLeads
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
        let count = contacts == 0 ? 0 : contacts + contacts / 4 + 8
        let draws = (0..<count).map { _ in draw(using: &generator) }
        var starts: [Int: Int] = [:]
        for draw in draws where starts[draw.operatorID] == nil { starts[draw.operatorID] = start(of: draw.operatorID) }
        return Queue.Drawn(total: total, positions: draws.map(\.position), starts: starts)
    }
}
