internal import Crypto

/// Something that proves who somebody is by being known to nobody else: 32 random bytes in base64url.
///
/// Only its digest is kept. It has so much chance in it that a quick hash is as good as a slow one.
public struct Secret: Sendable {
    /// 43 characters of base64url (RFC 4648, 5).
    public let text: String

    /// A fresh one.
    public init() {
        text = Self.base64URL(SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) })
    }

    /// One that somebody shows, nil for what has not the form of one.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == Self.length, text.utf8.allSatisfy(Self.isBase64URL) else { return nil }
        self.text = String(text)
    }

    public static let length = 43

    /// What is kept of it.
    public var digest: SecretDigest { SecretDigest(of: text) }

    private static func isBase64URL(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
        default: false
        }
    }

    private static func base64URL(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var text: [UInt8] = []
        var bits: UInt32 = 0
        var count: UInt32 = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(bits >> count) & 63])
            }
        }
        if count > 0 { text.append(alphabet[Int(bits << (6 - count)) & 63]) }
        return String(decoding: text, as: UTF8.self)
    }
}

/// The SHA-256 of a secret, or of what need not be known.
public struct SecretDigest: Hashable, Sendable {
    public let bytes: [UInt8]

    public init(of text: String) {
        var text = text
        bytes = text.withUTF8 { Array(SHA256.hash(data: UnsafeRawBufferPointer($0))) }
    }

    /// One that was kept: 32 bytes.
    public init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Whether it is the same as another, found out in a time that does not depend on where they differ.
    public func isSame(as other: SecretDigest) -> Bool {
        guard bytes.count == other.bytes.count else { return false }
        return zip(bytes, other.bytes).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
