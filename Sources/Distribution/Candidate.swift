public import Leads

/// An operator of a source as it stood when its row was locked.
public struct Candidate: Sendable, Equatable {
    public let operatorID: Int
    public let weight: Int
    public let load: Int
    public let maxLoad: Int
    public let isActive: Bool

    public init(operatorID: Int, weight: Int, load: Int, maxLoad: Int, isActive: Bool) {
        self.operatorID = operatorID
        self.weight = weight
        self.load = load
        self.maxLoad = maxLoad
        self.isActive = isActive
    }
}

/// Why an operator of the source is not eligible. Gates are tried in the order of the cases.
public enum Exclusion: String, Sendable {
    case inactive
    case atLimit = "at_limit"
}

/// The outcome of one attempt to place a contact.
public struct Decision: Sendable, Equatable {
    public enum Outcome: Sendable, Equatable {
        case placed(operatorID: Int)
        case waiting(WaitingReason)
    }

    /// Place among the decisions on the same candidates, from 0.
    public let ordinal: Int
    public let outcome: Outcome
    /// The number drawn, from 0 up to the sum of the eligible candidates' shares; nil when nobody was eligible.
    public let draw: Int?

    public init(ordinal: Int, outcome: Outcome, draw: Int?) {
        self.ordinal = ordinal
        self.outcome = outcome
        self.draw = draw
    }
}
