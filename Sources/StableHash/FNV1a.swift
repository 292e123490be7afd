/// FNV-1a (Fowler, Noll and Vo; draft-eastlake-fnv): the same number for the same bytes in every process, unlike `Hasher`.
///
/// It tells apart what nobody means to confuse. It is no protection against whoever makes two things to have one number.
@frozen
public struct FNV1a<Word: FNVWord>: Equatable, Sendable {
    public var value = Word.offsetBasis

    @inlinable public init() {}

    /// The number of some bytes.
    @inlinable
    public init(_ bytes: some Sequence<UInt8>) {
        add(bytes)
    }

    @inlinable
    public mutating func add(_ byte: UInt8) {
        value = (value ^ Word(byte)) &* Word.prime
    }

    @inlinable
    public mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { add(byte) }
    }
}

/// A length of number that the algorithm is defined for.
public protocol FNVWord: FixedWidthInteger, UnsignedInteger, Sendable {
    static var offsetBasis: Self { get }
    static var prime: Self { get }
}

extension FNVWord {
    /// In hexadecimal, with all leading zeros.
    public var digits: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: Self.bitWidth / 4 - digits.count) + digits
    }
}

extension UInt64: FNVWord {
    @inlinable public static var offsetBasis: UInt64 { 0xcbf2_9ce4_8422_2325 }
    @inlinable public static var prime: UInt64 { 0x0000_0100_0000_01b3 }
}

extension UInt128: FNVWord {
    @inlinable public static var offsetBasis: UInt128 { 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d }
    @inlinable public static var prime: UInt128 { 0x0000_0000_0100_0000_0000_0000_0000_013b }
}
