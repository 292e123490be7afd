import Foundation

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers for the same seed, on every machine.
struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    /// A generator for one purpose, independent of those of other purposes under the same seed.
    init(seed: UInt64, purpose: UInt64) {
        var generator = SplitMix64(seed: seed ^ (purpose &* 0xD6E8_FEB8_6659_FD93))
        state = generator.next()
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension RandomNumberGenerator {
    /// An exponentially distributed number: the gaps of a Poisson process.
    mutating func exponential(mean: Double) -> Double {
        -mean * log(Double.random(in: Double.leastNonzeroMagnitude...1, using: &self))
    }

    /// A number that is mostly somewhat below the mean and now and then far above it, as handling times are.
    mutating func logNormal(mean: Double, sigma: Double) -> Double {
        let radius = exponential(mean: 2).squareRoot()
        let normal = radius * cos(Double.random(in: 0..<(2 * Double.pi), using: &self))
        return mean * exp(sigma * normal - sigma * sigma / 2)
    }

    /// True with the given probability.
    mutating func chance(_ probability: Double) -> Bool {
        Double.random(in: 0..<1, using: &self) < probability
    }

    /// One of the elements, in proportion to its weight.
    mutating func pick<Element>(_ elements: [Element], weight: (Element) -> Int) -> Element {
        var draw = Int.random(in: 0..<elements.reduce(0) { $0 + weight($1) }, using: &self)
        for element in elements {
            draw -= weight(element)
            if draw < 0 { return element }
        }
        return elements[elements.count - 1]
    }
}
