/// What a program sends to prove itself: `crm_<id>_<secret>`.
public struct KeyCredential: Sendable {
    /// 8 characters of a–z and 0–9, by which the key is found.
    public let id: String
    public let secret: Secret

    private static let prefix = "crm_"
    private static let idLength = 8

    /// A fresh one.
    public init() {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        id = String((0..<Self.idLength).map { _ in alphabet[Int.random(in: alphabet.indices)] })
        secret = Secret()
    }

    /// One with another secret for a key that there is.
    public init(id: String) {
        self.id = id
        secret = Secret()
    }

    /// What somebody shows, nil for what has not the form of one.
    public init?(_ text: some StringProtocol) {
        guard text.hasPrefix(Self.prefix) else { return nil }
        let rest = text.dropFirst(Self.prefix.count)
        let id = rest.prefix(Self.idLength)
        guard id.utf8.count == Self.idLength, rest.dropFirst(Self.idLength).first == "_",
            id.utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) }),
            let secret = Secret(rest.dropFirst(Self.idLength + 1))
        else { return nil }
        self.id = String(id)
        self.secret = secret
    }

    public var text: String { "\(Self.prefix)\(id)_\(secret.text)" }
}
