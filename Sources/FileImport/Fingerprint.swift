/// A number for some bytes: FNV-1a with 128 bits.
///
/// It tells a file from others of the same owner; it is no protection against one made to have the same number.
struct Fingerprint: Equatable {
    private var hash: UInt128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d
    private static let prime: UInt128 = 0x0000_0000_0100_0000_0000_0000_0000_013b

    mutating func add(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { bytes in
            for byte in bytes { hash = (hash ^ UInt128(byte)) &* Self.prime }
        }
    }

    /// In hexadecimal.
    var digits: String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
    }
}
