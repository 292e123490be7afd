import Leads

/// The random strategies: a draw falls into the open candidates' shares, laid end to end in order of operator id.
///
/// Sampling by inversion of the cumulative distribution (Devroye, *Non-Uniform Random Variate Generation*, 1986, III.2.1)
/// in a ``ShareTree``. A share is at most 10¹² (weight × free places, each at most 10⁶), so that a sum stays within an Int
/// for nine million candidates.
struct RandomShares: Sendable {
    private let isByCapacity: Bool
    private var shares: [Int]
    private var tree: ShareTree

    init(_ pool: Pool, isByCapacity: Bool) {
        self.isByCapacity = isByCapacity
        shares = pool.indices.map { Self.share(of: $0, in: pool, isByCapacity: isByCapacity) }
        tree = ShareTree(shares)
    }

    private static func share(of index: Int, in pool: Pool, isByCapacity: Bool) -> Int {
        guard pool.isOpen(index) else { return 0 }
        return pool.candidates[index].weight * (isByCapacity ? pool.freePlaces(of: index) : 1)
    }

    /// Chooses in O(log n), with as much again for each candidate set aside.
    /// - Parameters:
    ///   - setAside: open candidates not to be chosen.
    ///   - draw: gives a number from 0 up to its argument.
    /// - Returns: nil when nobody is left to choose from.
    mutating func choose(without setAside: [Int], draw: (Int) -> Int) -> (index: Int, draw: Int)? {
        for index in setAside { tree.add(-shares[index], to: index) }
        defer { for index in setAside { tree.add(shares[index], to: index) } }
        guard tree.total > 0 else { return nil }
        let position = draw(tree.total)
        return (tree.index(at: position), position)
    }

    /// Takes note that a candidate's load has changed.
    mutating func update(_ index: Int, in pool: Pool) {
        let share = Self.share(of: index, in: pool, isByCapacity: isByCapacity)
        tree.add(share - shares[index], to: index)
        shares[index] = share
    }

    /// Each candidate's chance of being chosen, 0…1.
    func probabilities(without setAside: [Int]) -> [Double] {
        var eligible = shares
        for index in setAside { eligible[index] = 0 }
        let total = Double(max(eligible.reduce(0, +), 1))
        return eligible.map { Double($0) / total }
    }
}
