public import Leads

/// The outcome of one attempt to place a contact, with what is needed to reach it again.
public struct Decision: Sendable, Equatable {
    public enum Outcome: Sendable, Equatable {
        case placed(operatorID: Int)
        case waiting(WaitingReason)
    }

    public typealias Rule = DecisionRule

    /// Place among the decisions on the same candidates, from 0.
    public let ordinal: Int
    public let outcome: Outcome
    public let rule: Rule
    /// The chance in the decision: nil when there was none.
    ///
    /// For `weighted_random` and `weighted_capacity` a number from 0 up to the sum of the eligible candidates' shares;
    /// for `least_loaded` and `most_free` the seed, from 0, of the order among those who tie in everything else.
    public let draw: Int?
    /// Operators that were not to be chosen for this contact.
    public let excluded: Set<Int>

    public init(ordinal: Int, outcome: Outcome, rule: Rule = .strategy, draw: Int?, excluded: Set<Int> = []) {
        self.ordinal = ordinal
        self.outcome = outcome
        self.rule = rule
        self.draw = draw
        self.excluded = excluded
    }
}
