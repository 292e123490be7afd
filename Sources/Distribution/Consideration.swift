public import Leads

/// How a candidate stood when a decision was made.
public struct Consideration: Sendable, Equatable {
    public let operatorID: Int
    public let weight: Int
    /// The load that earlier decisions on the same candidates had left.
    public let load: Int
    public let maxLoad: Int
    /// Why it could not be chosen, or nil when it could.
    public let exclusion: Exclusion?
    /// The chance, 0…1, that a random strategy chooses it; nil when the strategy leaves nothing to chance.
    public let probability: Double?

    public init(
        operatorID: Int, weight: Int, load: Int, maxLoad: Int, exclusion: Exclusion?, probability: Double?
    ) {
        self.operatorID = operatorID
        self.weight = weight
        self.load = load
        self.maxLoad = maxLoad
        self.exclusion = exclusion
        self.probability = probability
    }
}
