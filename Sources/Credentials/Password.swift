internal import CArgon2
internal import CZxcvbn
internal import Crypto
internal import Dispatch
internal import Glibc

/// A password, and what is kept of it: Argon2id (RFC 9106) with 19 MiB, two passes and one lane, as OWASP advises.
public struct Password: Sendable {
    private let text: String

    /// Why a password is refused; the raw value says it.
    public enum Weakness: String, Error, Sendable {
        case tooShort = "A password has at least 10 characters"
        case tooLong = "A password has at most 200 characters"
        case namesItsOwner = "A password must not be made of the login or the name"
        case tooRegular = "A password must not be one character or one row of keys again and again"
        case guessable = "A password must not be one of those that are tried first"
    }

    public static let length = 10...200

    /// A password that somebody shows.
    public init(_ text: String) {
        self.text = text
    }

    /// A password that somebody chooses.
    /// - Throws: what is wrong with it.
    public init(chosen text: String, login: String, name: String) throws(Weakness) {
        guard text.unicodeScalars.count >= Self.length.lowerBound else { throw .tooShort }
        guard text.unicodeScalars.count <= Self.length.upperBound else { throw .tooLong }
        var rest = Self.plain(text)
        let hadLetters = !rest.isEmpty
        let words = (login.split(separator: "@") + name.split(separator: " ")).map { Self.plain(String($0)) }
            .filter { $0.count >= 3 }
        for word in words.sorted(by: { $0.count > $1.count }) {
            rest = rest.replacing(word, with: "")
        }
        // Other characters around a name are no secret: what is left without it has to stand by itself.
        if hadLetters, rest.count < 8, rest.count < Self.plain(text).count { throw .namesItsOwner }
        if Set(text.unicodeScalars).count < 5 || Self.isRow(text.lowercased()) { throw .tooRegular }
        if Self.bits(of: text, beside: words) < Self.leastBits { throw .guessable }
        self.text = text
    }

    /// Whoever knows which passwords people have finds a weaker one within a hundred million guesses: zxcvbn's boundary
    /// between "somewhat guessable" and "safely unguessable" (D. L. Wheeler, zxcvbn: Low-Budget Password Strength
    /// Estimation, USENIX Security 2016).
    private static let leastBits = 26.6

    /// How hard it is to guess, as zxcvbn estimates it from common passwords, names, words, rows, dates and repetitions.
    /// - Parameter words: what whoever guesses knows besides.
    private static func bits(of text: String, beside words: [String]) -> Double {
        let words = words.map { strdup($0) }
        defer { words.forEach { free($0) } }
        var ended = words.map { UnsafePointer($0) } + [nil]
        return ZxcvbnMatch(text, &ended, nil)
    }

    private static func plain(_ text: String) -> String {
        text.lowercased().filter { $0.isLetter || $0.isNumber }
    }

    /// Whether it is part of a row that is typed without thinking.
    private static func isRow(_ text: String) -> Bool {
        let rows = [
            "01234567890123456789", "qwertyuiopasdfghjklzxcvbnm", "йцукенгшщзхъфывапролджэячсмитьбю",
            "abcdefghijklmnopqrstuvwxyz",
        ]
        return rows.contains { $0.contains(text) || String($0.reversed()).contains(text) }
    }

    private static let passes: UInt32 = 2
    private static let kibibytes: UInt32 = 19_456
    private static let saltLength = 16
    private static let hashLength = 32

    /// What is kept of it. Takes some tens of milliseconds, on a thread that may.
    public func hashed() async -> PasswordHash {
        await Hashing.shared.run {
            let salt = SymmetricKey(size: SymmetricKeySize(bitCount: Self.saltLength * 8)).withUnsafeBytes {
                Array($0)
            }
            let length = argon2_encodedlen(
                Self.passes, Self.kibibytes, 1, UInt32(Self.saltLength), UInt32(Self.hashLength), Argon2_id)
            var encoded = [CChar](repeating: 0, count: length)
            var text = text
            let code = text.withUTF8 { bytes in
                argon2id_hash_encoded(
                    Self.passes, Self.kibibytes, 1, bytes.baseAddress, bytes.count, salt, salt.count, Self.hashLength,
                    &encoded, length)
            }
            precondition(code == ARGON2_OK.rawValue, "there is no memory to hash a password in")
            return PasswordHash(
                encoded: String(decoding: encoded.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
    }

    /// Whether it is the one that was hashed. Without a hash it takes as long to say no.
    public func matches(_ hash: PasswordHash?) async -> Bool {
        await Hashing.shared.run {
            var text = text
            let code = text.withUTF8 { bytes in
                argon2id_verify((hash ?? .nobodys).encoded, bytes.baseAddress, bytes.count)
            }
            return code == ARGON2_OK.rawValue && hash != nil
        }
    }
}

/// An Argon2id hash with its salt and its parameters, as PHC strings have it.
public struct PasswordHash: Sendable, Equatable {
    public let encoded: String

    public init(encoded: String) {
        self.encoded = encoded
    }

    /// Of the same price as others, of no password that anybody has.
    fileprivate static let nobodys = PasswordHash(
        encoded: "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlzIQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
}

/// Where passwords are hashed: one after the other, so that many who sign in take neither the memory nor the cores that
/// requests need.
private final class Hashing: Sendable {
    static let shared = Hashing()
    private let queue = DispatchQueue(label: "passwords", qos: .utility)

    func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: work()) }
        }
    }
}
