/// When an operator was last assigned a contact, as far as order is concerned.
enum Moment: Comparable, Sendable {
    /// Before these decisions, by order number; 0 = never.
    case recorded(Int)
    /// In the decision of that ordinal, later than all that is on record.
    case decided(ordinal: Int)
}
