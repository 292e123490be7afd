/// Shares laid end to end, in which a position is found and a share changed in O(log n).
///
/// A binary indexed tree (P. M. Fenwick, "A New Data Structure for Cumulative Frequency Tables", *Software: Practice and
/// Experience* 24(3), 1994). Counting from 1, node `i` holds the sum of as many shares, up to and with the `i`-th, as the
/// lowest set bit of `i` says:
///
///     node   1    2    3    4    5    6    7    8
///     holds  1    1–2  3    1–4  5    5–6  7    1–8
struct ShareTree: Sendable {
    /// Node `i` at index `i − 1`.
    private var nodes: [Int]
    /// The sum of all shares.
    private(set) var total: Int

    /// Builds the tree in O(n).
    /// - Parameter shares: none below 0, their sum no more than an Int holds.
    init(_ shares: [Int]) {
        nodes = shares
        total = shares.reduce(0, +)
        for node in 1..<(nodes.count + 1) {
            let parent = node + node & -node
            if parent <= nodes.count { nodes[parent - 1] += nodes[node - 1] }
        }
    }

    /// Makes a share larger by an amount, or smaller by a negative one.
    mutating func add(_ amount: Int, to index: Int) {
        total += amount
        var node = index + 1
        while node <= nodes.count {
            nodes[node - 1] += amount
            node += node & -node
        }
    }

    /// In whose stretch a position falls. A share of 0 has no stretch.
    /// - Parameter position: 0 or more and below `total`.
    func index(at position: Int) -> Int {
        var passed = 0
        var remaining = position
        var step = 1 << (Int.bitWidth - nodes.count.leadingZeroBitCount)
        while step > 0 {
            let node = passed + step
            if node <= nodes.count, nodes[node - 1] <= remaining {
                passed = node
                remaining -= nodes[node - 1]
            }
            step /= 2
        }
        return passed
    }
}
