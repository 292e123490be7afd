import Credentials
import Testing

struct CredentialsTests {
    @Test func `a key credential reads back, and differs from every other`() throws {
        var seen: Set<String> = []
        for _ in 0..<1000 {
            let credential = KeyCredential()
            let read = try #require(KeyCredential(credential.text))
            #expect(read.id == credential.id && read.secret.digest == credential.secret.digest)
            #expect(credential.text.count == 56 && seen.insert(credential.text).inserted)
        }
        #expect(KeyCredential(id: "abcd1234").text.hasPrefix("crm_abcd1234_"))
    }

    private static let secret = String(repeating: "a", count: 43)

    @Test func `what has not the form of a credential is none`() {
        #expect(KeyCredential("crm_abcd1234_\(Self.secret)") != nil)
        for text in [
            "", "crm_", "crm_abcd1234_", "crm_abcd1234", "crm_ABCD1234_\(Self.secret)", "crm_abcd123_\(Self.secret)",
            "crm_abcd1234_\(Self.secret.dropLast())", "crm_abcd1234_\(Self.secret)a", "crm_abcd1234-\(Self.secret)",
            "crm_abcd1234_\(Self.secret.dropLast())=", "crm_abcd1234_\(String(repeating: "я", count: 43))",
            " crm_abcd1234_\(Self.secret)", "crn_abcd1234_\(Self.secret)", "crm_абвг_\(Self.secret)",
        ] {
            #expect(KeyCredential(text) == nil, "\(text)")
        }
    }

    @Test func `a digest is the SHA-256`() {
        let digest = SecretDigest(of: "abc")
        #expect(digest.bytes.prefix(4) == [0xba, 0x78, 0x16, 0xbf] && digest.bytes.count == 32)
        #expect(digest.isSame(as: SecretDigest(bytes: digest.bytes)))
        for index in digest.bytes.indices {
            var other = digest.bytes
            other[index] ^= 1
            #expect(!digest.isSame(as: SecretDigest(bytes: other)))
        }
        #expect(!digest.isSame(as: SecretDigest(bytes: [])))
    }

    @Test func `a password matches its hash and no other one`() async throws {
        let password = try Password(chosen: "correct horse battery", login: "anna", name: "Anna")
        let hash = await password.hashed()
        #expect(hash.encoded.hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$"))
        #expect(await password.matches(hash))
        #expect(await !Password("correct horse batterY").matches(hash))
        #expect(await !Password("").matches(hash))
        #expect(await password.hashed() != hash, "salted")
        #expect(await !password.matches(nil))
        #expect(await !password.matches(PasswordHash(encoded: "rubbish")))
    }

    @Test func `nobody's password takes as long as somebody's`() async {
        let hash = await Password("some password").hashed()
        func time(_ hash: PasswordHash?) async -> Duration {
            let began = ContinuousClock.now
            for _ in 0..<3 { _ = await Password("another password").matches(hash) }
            return began.duration(to: .now)
        }
        var ratios: [Double] = []
        for _ in 0..<5 { ratios.append(await time(nil) / time(hash)) }
        #expect((0.5...2).contains(ratios.sorted()[2]), "\(ratios)")
    }

    @Test(arguments: [
        ("short", Password.Weakness.tooShort), ("anna123456", .namesItsOwner), ("!!AnnaPetrova!!", .namesItsOwner),
        ("anna@shop.example", .namesItsOwner), ("1234567890", .tooRegular), ("qwertyuiop", .tooRegular),
        ("aaaaaaaaaaaaaaa", .tooRegular), ("йцукенгшщз", .tooRegular), ("0987654321", .tooRegular),
        ("password123", .guessable), ("P@ssw0rd2026", .guessable), ("1q2w3e4r5t", .guessable),
        ("iloveyou123", .guessable), ("administrator", .guessable), ("Summer2026!", .guessable),
        ("passwordpassword", .guessable), ("1q2w3e4r5t6y", .guessable), ("1qaz2wsx3edc", .guessable),
        ("petrova-shop1", .namesItsOwner),
    ])
    func `a weak password is refused`(text: String, weakness: Password.Weakness) {
        #expect(throws: weakness) { _ = try Password(chosen: text, login: "anna@shop.example", name: "Anna Petrova") }
    }

    @Test func `a password ends somewhere`() {
        let long = String(repeating: "long ", count: 40)
        #expect(throws: Never.self) { _ = try Password(chosen: long, login: "anna", name: "Anna") }
        #expect(throws: Password.Weakness.tooLong) { _ = try Password(chosen: long + "x", login: "anna", name: "Anna") }
    }

    @Test(arguments: ["correct horse", "пароль из слов", "Anna hat 3 kleine Katzen", "x9$kLm2!pQ", "😀😃😄😁😆😅🤣😂🙂🙃"])
    func `a long or odd one is taken`(text: String) {
        #expect(throws: Never.self) { _ = try Password(chosen: text, login: "anna", name: "Anna Petrova") }
    }
}
