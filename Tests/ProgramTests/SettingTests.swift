import Testing

@testable import leads_crm

struct SettingTests {
    @Test func `pairs are a key and a value each, at the last sign`() throws {
        let pairs = try Setting.openIDRoles.pairs(of: ["crm-admins=admin", " cn=team = supervisor ", "é=operator"])
        #expect(pairs == ["crm-admins": "admin", "cn=team": "supervisor", "é": "operator"])
        #expect(try Setting.openIDRoles.pairs(of: []).isEmpty)
    }

    @Test(arguments: [["admin"], ["=admin"], ["a="], [" = "], ["a=b", "c"], ["a=b", "a=c"], ["a=b", "a=b"]])
    func `pairs that make no sense are refused by the setting's name`(list: [String]) throws {
        let error = #expect(throws: SettingError.self) { _ = try Setting.openIDRoles.pairs(of: list) }
        #expect(try #require(error).description.hasPrefix("LEADS_OIDC_ROLES "))
    }

    @Test func `names are each given once, and secrets have none by default`() {
        #expect(Set(Setting.all.map(\.name)).count == Setting.all.count)
        #expect(Setting.all.filter(\.isSecret).allSatisfy { $0.fallback.isEmpty })
    }
}
