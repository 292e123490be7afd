/// How busy an instance is with what shares transactions: registrations, or closings.
public struct LaneUse: Sendable {
    /// Requests that wait for a lane.
    public internal(set) var waiting = 0
    public internal(set) var busyLanes = 0
    /// Transactions begun so far, and the requests in them.
    public internal(set) var batches = 0
    public internal(set) var members = 0
    /// Requests turned away because too many waited.
    public internal(set) var refused = 0

    static func + (left: Self, right: Self) -> Self {
        var sum = left
        sum.waiting += right.waiting
        sum.busyLanes += right.busyLanes
        sum.batches += right.batches
        sum.members += right.members
        sum.refused += right.refused
        return sum
    }
}
