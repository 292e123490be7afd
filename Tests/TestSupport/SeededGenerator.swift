/// SplitMix64 (Steele, Lea and Flood, 2014), so that a failure can be repeated from the seed it prints.
public struct SeededGenerator: RandomNumberGenerator {
    /// What it began with.
    public let seed: UInt64
    private var state: UInt64

    /// - Parameter seed: printed; a fresh one unless a failure is to be repeated.
    public init(seed: UInt64 = .random(in: .min ... .max)) {
        self.seed = seed
        state = seed
        print("seed \(seed)")
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
