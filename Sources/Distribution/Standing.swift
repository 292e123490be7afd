/// Where a candidate stands in a ``Line``; the least is chosen.
struct Standing: Comparable, Sendable {
    /// The load, as a part of `whole`: a smaller part comes first.
    ///
    /// For `most_free` the whole is the limit: the largest part free is the smallest part taken.
    let load: Int
    let whole: Int
    /// The free places: more come first.
    let capacity: Int
    /// The longest idle comes first.
    let last: Moment
    /// Decides among those who are equal in all else.
    let lot: UInt64

    /// Compares the parts exactly, by cross multiplication; open candidates' loads and limits are at most 10⁶.
    static func < (one: Self, other: Self) -> Bool {
        let (taken, othersTaken) = (one.load * other.whole, other.load * one.whole)
        if taken != othersTaken { return taken < othersTaken }
        if one.capacity != other.capacity { return one.capacity > other.capacity }
        if one.last != other.last { return one.last < other.last }
        return one.lot < other.lot
    }
}
