/// How a decision came about.
public enum DecisionRule: String, Sendable, CaseIterable {
    /// By the source's strategy.
    case strategy
    /// A returning lead's last operator.
    case sticky
    /// Reopened, back to its own operator.
    case returned
    /// Others have waited longer.
    case queue
    /// By hand.
    case manual
    /// By hand, although the operator was inactive or at the limit.
    case forced
}

/// Why an operator of a source could not be chosen. Gates are tried in the order of the cases.
public enum Exclusion: String, Sendable, CaseIterable {
    case inactive
    case atLimit = "at_limit"
    /// The operator released this very contact.
    case released
}

/// Why a contact went where it went: the last attempt to place it, made again from its record.
public struct Explanation: Sendable, Equatable {
    /// An operator who was considered, with the numbers at that moment.
    public struct Candidate: Sendable, Equatable {
        public let operatorID: Int
        public let name: String
        /// 0 when the operator has no weight on the source and was chosen by hand.
        public let weight: Int
        public let load: Int
        public let maxLoad: Int
        public let exclusion: Exclusion?
        /// The chance of being chosen, 0…1; nil where nothing was left to chance.
        public let probability: Double?

        public init(
            operatorID: Int, name: String, weight: Int, load: Int, maxLoad: Int, exclusion: Exclusion?,
            probability: Double?
        ) {
            self.operatorID = operatorID
            self.name = name
            self.weight = weight
            self.load = load
            self.maxLoad = maxLoad
            self.exclusion = exclusion
            self.probability = probability
        }
    }

    public enum Outcome: Sendable, Equatable {
        case placed(operatorID: Int, name: String)
        case waiting(WaitingReason)
    }

    public let contactID: Int
    public let decidedAt: Timestamp
    public let strategy: Strategy
    public let rule: DecisionRule
    public let outcome: Outcome
    /// The number drawn, where one was; see the strategies.
    public let draw: Int?
    /// In order of operator id; empty when the details are no longer kept.
    public let candidates: [Candidate]
    /// Whether making the decision again from its record gave the same outcome; nil for choices by hand and when the
    /// details are no longer kept.
    public let isReproduced: Bool?
    /// Where the candidates are only those that were drawn from a large pool: the weights of all its active operators.
    public let poolWeight: Int?

    public init(
        contactID: Int, decidedAt: Timestamp, strategy: Strategy, rule: DecisionRule, outcome: Outcome, draw: Int?,
        candidates: [Candidate], isReproduced: Bool?, poolWeight: Int? = nil
    ) {
        self.contactID = contactID
        self.decidedAt = decidedAt
        self.strategy = strategy
        self.rule = rule
        self.outcome = outcome
        self.draw = draw
        self.candidates = candidates
        self.isReproduced = isReproduced
        self.poolWeight = poolWeight
    }
}
