import TestSupport
import Testing

@testable import Leads

/// Masked data can be told apart, and nobody can be reached by them.
struct MaskingTests {
    @Test(arguments: [
        ("+79001234567", "+7 900 •••-••-67"), ("+7 (900) 123-45-67", "+7 900 •••-••-67"),
        ("+12025550123", "+1 202 •••-••-23"), ("+380441234567", "+380 441 ••-••-67"),
        ("+4915123456789", "+49 151 ••••-••-89"), ("+37120123456", "+371 201 •••-56"),
        ("8 900 123-45-67", "• ••• •••-••-67"), ("+3712012345", "+••••••••45"), ("12", "12"), ("1", "1"),
        ("Ivan +79001234567 home", "•••• +•••••••••67 ••••"), ("+7900123456789012", "+••••••••••••••12"),
        ("٩٠٠١٢٣٤٥٦٧", "••••••••٦٧"), ("", ""),
    ]) func `of a number the country, three digits and two are shown, of anything else two`(
        _ given: (text: String, shown: String)
    ) {
        #expect(Masking.phone(given.text) == given.shown)
    }

    @Test(arguments: [
        ("anna@x.ru", "a•••@x.ru"), ("a@b@x.ru", "a•••@x.ru"), ("@x.ru", "@x.ru"), ("anna@", "a•••@"),
        ("anna", "a•••"), ("anna@my home 5", "a•••@•••"), ("_a@почта.рф", "•••@почта.рф"),
        ("anna@79001234567.ru", "a•••@•••••••••67.ru"),
    ]) func `of an e-mail the first letter and the domain are shown`(_ given: (text: String, shown: String)) {
        #expect(Masking.email(given.text) == given.shown)
    }

    @Test(arguments: [
        ("Анна Иванова", "А•••"), (" Bob", "B•••"), ("7 of 9", "7•••"), ("🙂", "•••"), ("  ", "•••"), ("", ""),
    ]) func `of a name the first letter is shown`(_ given: (text: String, shown: String)) {
        #expect(Masking.name(given.text) == given.shown)
    }

    @Test(arguments: [
        ("client-17", "client-17"), ("123456", "123456"), ("1234567", "•••••67"), ("tg:123456789", "tg:•••••••89"),
        ("anna@x.ru", "a•••@x.ru"), ("vk@79001234567", "v•••@•••••••••67"), ("", ""),
    ]) func `an id is shown unless it may be an address or a number`(_ given: (text: String, shown: String)) {
        #expect(Masking.externalID(given.text) == given.shown)
    }

    @Test func `whatever was given, no more of it is shown than may be`() {
        var generator = SeededGenerator()
        let alphabet = Array("0123456789٣५ abzабяЁ@@@+++-().,•é\u{301}🙂Ⅷ")
        func count(_ text: String, _ condition: (Character) -> Bool) -> Int { text.count(where: condition) }
        func isDigit(_ character: Character) -> Bool {
            character.unicodeScalars.contains { $0.properties.numericType == .decimal }
        }
        var (numbers, addresses) = (0, 0)
        for _ in 0..<50_000 {
            var text = String(
                (0..<Int.random(in: 0...24, using: &generator)).map { _ in
                    alphabet.randomElement(using: &generator) ?? "x"
                })
            // Of what is drawn from all letters hardly anything is a number.
            if Bool.random(using: &generator) {
                text =
                    "+"
                    + (0..<Int.random(in: 5...17, using: &generator)).map { _ in
                        String(Int.random(in: 0...9, using: &generator))
                    }.joined()
            }
            let phone = Masking.phone(text)
            #expect(count(phone, \.isLetter) == 0)
            if phone.hasPrefix("+"), count(phone, isDigit) > 2 {
                numbers += 1
                #expect(count(phone, isDigit) <= count(text, isDigit) - 3 && count(phone, isDigit) <= 8)
            } else {
                #expect(count(phone, isDigit) <= 2)
            }
            let name = Masking.name(text)
            #expect(count(name) { $0 != "•" } <= 1 && (name.isEmpty || name.hasSuffix("•••")))
            let email = Masking.email(text)
            if let at = text.lastIndex(of: "@") {
                addresses += 1
                let (person, domain) = (email.prefix { $0 != "@" }, email.drop { $0 != "@" }.dropFirst())
                #expect(count(String(person)) { $0 != "•" } <= 1)
                #expect(domain == text[at...].dropFirst() || domain.contains("•"))
            } else {
                #expect(count(email) { $0 != "•" } <= 1)
            }
            let id = Masking.externalID(text)
            #expect(id == text || id.contains("•"))
            #expect(count(id, isDigit) < 7)
            // What looks as if it had been masked before stays so.
            if id == text { #expect(!text.contains("@") || text.first == "@" || text.hasPrefix("•••@")) }
        }
        #expect(numbers > 1000 && addresses > 1000)
    }
}
