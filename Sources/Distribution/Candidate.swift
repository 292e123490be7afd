/// An operator of a source as it stood when its row was locked.
///
/// Numbers outside their ranges are brought to the nearest inside, so that whatever a database holds, no arithmetic on
/// them can overflow.
public struct Candidate: Sendable, Equatable {
    public let operatorID: Int
    /// 1…1 000 000.
    public let weight: Int
    /// How many active contacts it has, from any source: 0…2³¹ − 1.
    public let load: Int
    /// How many active contacts it may have: 0…1 000 000.
    public let maxLoad: Int
    public let isActive: Bool
    /// What `smooth_weighted` owes it, in contacts × the sum of the weights: ±10¹⁵, at first 0.
    ///
    /// In honest use it stays near the sum of the weights, at most 10¹⁰ with 10 000 operators.
    public let credit: Int
    /// Order number of its last automatic assignment on this source, for `round_robin`; 0 = never had one.
    public let lastTurn: Int
    /// Order number of its last assignment of any kind from any source; 0 = never had one.
    public let lastAssignment: Int

    public init(
        operatorID: Int, weight: Int, load: Int, maxLoad: Int, isActive: Bool,
        credit: Int = 0, lastTurn: Int = 0, lastAssignment: Int = 0
    ) {
        self.operatorID = operatorID
        self.weight = min(max(weight, 1), 1_000_000)
        self.load = min(max(load, 0), Int(Int32.max))
        self.maxLoad = min(max(maxLoad, 0), 1_000_000)
        self.isActive = isActive
        self.credit = min(max(credit, -1_000_000_000_000_000), 1_000_000_000_000_000)
        self.lastTurn = max(lastTurn, 0)
        self.lastAssignment = max(lastAssignment, 0)
    }
}
