import HTTPTypes
import Synchronization

/// The name of a request in logs, in its answer and, where a balancer gave it one, everywhere on its way.
enum RequestID {
    static let header = HTTPField.Name("X-Request-ID")!

    /// The id the request came with, when it is one to be trusted in a log, or a new one.
    static func of(_ headers: RequestHeaders) -> String {
        guard let given = headers[header], (1...128).contains(given.utf8.count),
            given.utf8.allSatisfy(isUnsuspicious)
        else { return unused() }
        return given
    }

    private static let counter = Atomic(UInt64.random(in: 0...UInt64.max))

    /// Asking the system for a random number each time is a system call. This is SplitMix64 (Steele, Lea, Flood 2014):
    /// a permutation of a counter that starts at random. 15 hexadecimal digits are a string without an allocation.
    private static func unused() -> String {
        var mixed = counter.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        return String(unsafeUninitializedCapacity: 15) { digits in
            for index in 0..<15 {
                let digit = UInt8(truncatingIfNeeded: mixed >> (4 * index)) & 0xF
                digits[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            }
            return 15
        }
    }

    private static func isUnsuspicious(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
