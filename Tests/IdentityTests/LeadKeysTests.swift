import Identity
import Leads
import Testing

struct LeadKeysTests {
    private func keys(externalID: String? = nil, phone: String? = nil, email: String? = nil) -> [LeadIdentity] {
        LeadKeys(externalID: externalID, phone: phone, email: email, region: .russia).identities
    }

    @Test(arguments: ["8 (900) 123-45-67", "+7 900 123-45-67", "79001234567", " 8-900-123-45-67 ", "+79001234567"])
    func `one phone in many notations is one key`(text: String) {
        #expect(keys(phone: text) == [LeadIdentity(kind: .phone, value: "+79001234567")])
    }

    @Test(arguments: [
        "89001234567", "+7-900-123-45-67", "(+7) 900.123.45.67", "8 900 123 45 67 ()", "+7 900 123-45-67 доб. 12",
        "тел. 8 900 123 45 67", "＋７９００１２３４５６７", "٨٩٠٠١٢٣٤٥٦٧", "8\u{2011}900\u{2011}1234567", "tel:+7-900-123-45-67",
    ])
    func `what people write between and around the digits does not matter`(text: String) {
        #expect(keys(phone: text) == [LeadIdentity(kind: .phone, value: "+79001234567")])
    }

    @Test(arguments: [
        "8+9001234567", "8900123456789012345", String(repeating: "1", count: 251), "+", "++", "(((", "8-9-0",
    ])
    func `digits alone make no phone`(text: String) {
        #expect(keys(phone: text).isEmpty)
    }

    @Test(arguments: ["", "12", "нет", "+7 900", "000000000000000000", "call me"])
    func `what is no phone is no key`(text: String) {
        #expect(keys(phone: text).isEmpty)
    }

    @Test func `the region decides what a number without a country code means`() throws {
        let germany = try #require(PhoneRegion("DE"))
        #expect(germany.e164("030 123456") == "+4930123456")
        #expect(PhoneRegion("XX") == nil)
        #expect(PhoneRegion("") == nil)
    }

    @Test(arguments: [
        (" Anna@Example.COM ", "anna@example.com"), ("ИВАН@почта.рф", "иван@почта.рф"), ("a@b.c", "a@b.c"),
        ("RENE\u{301}@example.com", "rené@example.com"), ("\u{2003}İ@x.y\n", "i\u{307}@x.y"),
        ("a+b.c@x.y.z", "a+b.c@x.y.z"),
    ])
    func `an e-mail is trimmed and lower-cased`(text: String, key: String) {
        #expect(keys(email: text) == [LeadIdentity(kind: .email, value: key)])
    }

    @Test(arguments: [
        "", "anna", "@example.com", "anna@", "anna@example", "a@b@c.d", "an na@example.com", "a@.com", "a@b.",
    ])
    func `what is no e-mail is no key`(text: String) {
        #expect(keys(email: text).isEmpty)
    }

    @Test func `an e-mail of more than 254 bytes is no key`() {
        #expect(keys(email: String(repeating: "a", count: 242) + "@example.com").count == 1)
        #expect(keys(email: String(repeating: "a", count: 243) + "@example.com").isEmpty)
    }

    @Test func `an external id is trimmed and keeps its case`() {
        #expect(keys(externalID: "\u{00a0} Tg-42 \n") == [LeadIdentity(kind: .externalID, value: "Tg-42")])
        #expect(keys(externalID: " \t ").isEmpty)
    }

    @Test func `an external id that grows beyond 1 024 bytes when composed is no key`() {
        #expect(keys(externalID: String(repeating: "\u{958}", count: 255)).isEmpty)
        #expect(keys(externalID: String(repeating: "\u{958}", count: 100)).count == 1)
    }

    @Test func `canonically equal ids have the same bytes, as PostgreSQL compares them`() {
        let keys = [
            keys(externalID: "e\u{301}"), keys(externalID: "\u{e9}"), keys(email: "E\u{301}@x.y"),
            keys(email: "\u{e9}@x.y"),
        ].map { Array($0[0].value.utf8) }
        #expect(keys[0] == keys[1] && keys[2] == keys[3])
    }

    @Test func `keys come strongest first`() {
        let all = keys(externalID: "x", phone: "+79001234567", email: "a@b.c")
        #expect(all.map(\.kind) == [.externalID, .phone, .email])
        #expect(all.map(\.kind).sorted() == all.map(\.kind))
    }
}
