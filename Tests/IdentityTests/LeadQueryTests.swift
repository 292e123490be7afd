import Identity
import Leads
import Testing

struct LeadQueryTests {
    private func query(_ text: String) throws -> LeadQuery { try #require(LeadQuery(text, region: .russia)) }

    private func phones(_ text: String) throws -> [String] {
        try query(text).beginnings.filter { $0.kind == .phone }.map(\.value)
    }

    @Test(arguments: ["", " ", "\u{a0}\t\n"])
    func `of nothing there is nothing to search`(text: String) {
        #expect(LeadQuery(text, region: .russia) == nil)
    }

    @Test func `words are searched in lower case, and what another one begins with is no word of its own`() throws {
        #expect(try query(" Петрова  АННА п ").words == ["анна", "петрова"])
        #expect(try query("а а а").words == ["а"])
        #expect(try query((1...30).map { "\($0)x" }.joined(separator: " ")).words.count == 10)
    }

    @Test func `a phone number is read as international, national and without prefix`() throws {
        #expect(try phones("8 900 123") == ["+78900123", "+7900123", "+8900123"])
        #expect(try phones("+7 (900) 12") == ["+790012"])
        #expect(try phones("900-12") == ["+790012", "+90012"])
        #expect(try phones("89001234567").contains("+79001234567"))
        #expect(try phones("8") == ["+7", "+8"])
        #expect(try phones("call 8 900") == [])
        let italy = try #require(PhoneRegion("IT"))
        #expect(LeadQuery("06 12", region: italy)?.beginnings.map(\.value).contains("+390612") == true)
    }

    @Test func `external ids are searched as given and in one case, addresses in lower case`() throws {
        let beginnings = try query("Crm-1").beginnings
        #expect(beginnings.filter { $0.kind == .externalID }.map(\.value) == ["Crm-1", "CRM-1", "crm-1"])
        #expect(try query("Anna@Ex").beginnings.filter { $0.kind == .email }.map(\.value) == ["anna@ex"])
        #expect(try query("two words").beginnings.filter { $0.kind == .email }.isEmpty)
        // In Unicode's composed form, as the keys are.
        #expect(try query("e\u{301}").beginnings.first.map { Array($0.value.utf8) } == Array("\u{e9}".utf8))
    }
}
