/// Turns in proportion to weight, spread evenly: weights 5, 1, 1 give a a b a c a a.
///
/// nginx's smooth weighted round robin (`ngx_http_upstream_get_peer` in `ngx_http_upstream_round_robin.c`): with each
/// decision every eligible candidate's credit grows by its weight; the largest credit wins, the first among equals; the
/// winner pays the sum of the eligible candidates' weights. Credits always sum to what they summed to at first, and with
/// the same candidates eligible throughout, every window of as many decisions as the weights sum to gives each candidate
/// exactly its weight, if credits were 0 at first. Whoever is not eligible neither gains nor pays.
///
/// One thing nginx does not do: what is owed is bounded by the sum of the weights that compete, within which credits stay
/// anyway while the same candidates are eligible. Beside a heavy candidate the light ones come to owe each other hundreds
/// of its contacts; once it is full they would go to one of them alone, hundreds in a row.
///
/// A decision is linear in the number of candidates, as in nginx: all credits change.
struct SmoothRotation: Sendable {
    /// What each candidate gains with a decision: its weight while it is open, else 0.
    private var gains: [Int]
    private var gainsTotal: Int
    private var competitors: Int
    /// What each candidate is owed, in contacts × the sum of the weights.
    private(set) var credits: [Int]

    init(_ pool: Pool) {
        gains = pool.indices.map { pool.isOpen($0) ? pool.candidates[$0].weight : 0 }
        gainsTotal = gains.reduce(0, +)
        competitors = gains.count { $0 > 0 }
        credits = pool.candidates.map(\.credit)
    }

    /// - Parameter setAside: open candidates not to be chosen.
    /// - Returns: nil when nobody is left to choose from.
    mutating func choose(without setAside: [Int], from pool: Pool) -> Int? {
        for index in setAside { setGain(0, of: index) }
        defer { for index in setAside { setGain(pool.candidates[index].weight, of: index) } }
        // One alone competes with nobody.
        let bound = competitors > 1 ? gainsTotal : .max / 2
        guard let chosen = Self.raise(&credits, by: gains, bound: bound) else { return nil }
        credits[chosen] -= gainsTotal
        return chosen
    }

    /// Raises the credits of those who gain, which are kept within `bound` on either side first.
    /// - Returns: which of those has the largest then, the first among equals.
    private static func raise(_ credits: inout [Int], by gains: [Int], bound: Int) -> Int? {
        var credits = credits.mutableSpan
        var first: Int?
        var largest = Int.min
        for index in gains.indices where gains[index] > 0 {
            credits[index] = min(max(credits[index], -bound), bound) + gains[index]
            if credits[index] > largest {
                largest = credits[index]
                first = index
            }
        }
        return first
    }

    /// Takes note that a candidate's load has changed.
    mutating func update(_ index: Int, in pool: Pool) {
        if !pool.isOpen(index) { setGain(0, of: index) }
    }

    private mutating func setGain(_ gain: Int, of index: Int) {
        gainsTotal += gain - gains[index]
        competitors += (gain > 0 ? 1 : 0) - (gains[index] > 0 ? 1 : 0)
        gains[index] = gain
    }
}
