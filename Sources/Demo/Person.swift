/// One of ten thousand invented people. A number is the same person under every seed, so that people come back.
///
/// Phone numbers are from ranges set aside for fiction: by Ofcom in nine British cities (`+44 20 7946 0…`), and
/// `555-0100…0199` in North America. E-mail addresses are at the domains of RFC 2606.
struct Person: Sendable, Equatable {
    static let count = 10_000

    let number: Int

    init(_ number: Int) {
        self.number = number
    }

    var writesRussian: Bool { number % 5 == 3 }

    var name: String {
        let (first, last) =
            writesRussian ? (Self.russianFirstNames, Self.russianLastNames) : (Self.firstNames, Self.lastNames)
        return "\(first[number / 7 % first.count]) \(last[number / 11 % last.count])"
    }

    var email: String {
        let first = Self.firstNames[number / 7 % Self.firstNames.count].lowercased()
        return "\(first).\(number)@\(Self.domains[number % Self.domains.count])"
    }

    /// What a messenger calls this person.
    var externalID: String { "demo-person-\(number)" }

    /// The number in E.164.
    var phone: String { phoneGroups.joined() }

    /// The same number as people write it.
    func phone(notation: Int) -> String {
        let groups = phoneGroups
        let rest = groups.dropFirst(2)
        return switch notation % 4 {
        case 0: phone
        case 1: groups.joined(separator: " ")
        case 2: "\(groups[0]) (\(groups[1])) \(rest.joined(separator: "-"))"
        default: groups.joined(separator: "-")
        }
    }

    private var phoneGroups: [String] {
        let row = number / 10
        guard number % 10 < Self.cities.count else {
            return ["+1", Self.areaCodes[row / 100], "555", "01\(String(row % 100).padded(to: 2, with: "0"))"]
        }
        let city = Self.cities[number % 10]
        return ["+44", city.code, city.exchange, "0\(String(row).padded(to: 3, with: "0"))"]
    }

    /// London, Leeds, Sheffield, Bristol, Birmingham, Edinburgh, Glasgow, Liverpool and Manchester.
    private static let cities =
        [(code: "20", exchange: "7946")]
        + ["113", "114", "117", "121", "131", "141", "151", "161"].map { (code: $0, exchange: "496") }
    private static let areaCodes = ["202", "206", "212", "213", "305", "312", "404", "415", "617", "702"]
    private static let domains = ["example.com", "example.net", "example.org"]
    private static let firstNames = [
        "Alice", "Bob", "Carol", "Dan", "Eve", "Frank", "Grace", "Heidi", "Ivan", "Judy", "Mallory", "Niaj", "Olivia",
        "Peggy", "Rupert", "Sybil", "Trent", "Victor", "Walter", "Wendy",
    ]
    private static let lastNames = [
        "Doe", "Roe", "Bloggs", "Example", "Sample", "Specimen", "Mustermann", "Placeholder", "Tester",
    ]
    private static let russianFirstNames = ["Саша", "Женя", "Валя", "Слава", "Никита", "Миша", "Шура"]
    private static let russianLastNames = ["Примеренко", "Образценко", "Тестенко", "Пробенко", "Макетенко"]
}
