/// How personal data are shown to whoever may not know them: so that two can be told apart, and nobody be reached.
enum Masking {
    private static let dot: Character = "•"
    private static let hidden = "•••"
    /// From how many digits on an external id may be somebody's number.
    private static let longNumber = 7

    /// `+7 900 •••-••-67`: of a number as E.164 has it the country code, the first three digits and the last two; of anything
    /// else two digits at most.
    static func phone(_ text: String) -> String {
        guard let (country, national) = internationalNumber(text) else { return digits(text, hidingLetters: true) }
        let hidden = national.count - 5
        let groups = hidden > 3 ? [hidden - 2, 2] : [hidden]
        let middle = groups.map { String(repeating: dot, count: $0) }.joined(separator: "-")
        return "+\(country) \(national.prefix(3)) \(middle)-\(national.suffix(2))"
    }

    /// `a•••@x.ru`: the first character and the domain.
    static func email(_ text: String) -> String {
        guard let at = text.lastIndex(of: "@") else { return name(text) }
        let domain = text[text.index(after: at)...]
        let isDomain = domain.unicodeScalars.allSatisfy {
            $0.properties.isAlphabetic || $0.properties.numericType == .decimal || $0 == "." || $0 == "-"
        }
        let masked = "\(name(String(text[..<at])))@\(isDomain ? String(domain) : hidden)"
        return digitCount(masked) < longNumber ? masked : digits(masked, hidingLetters: false)
    }

    /// The first letter or digit.
    static func name(_ text: String) -> String {
        guard let first = text.first(where: { !$0.isWhitespace }) else { return text.isEmpty ? "" : hidden }
        return (first.isLetter || first.isNumber ? String(first) : "") + hidden
    }

    /// An id that somebody else gave, and that may be an address or a number; others tell nothing.
    static func externalID(_ text: String) -> String {
        if text.contains("@") { return email(text) }
        return digitCount(text) < longNumber ? text : digits(text, hidingLetters: false)
    }

    /// All digits but the last two are hidden, and letters if so wanted.
    private static func digits(_ text: String, hidingLetters hidesLetters: Bool) -> String {
        var rest = max(0, digitCount(text) - 2)
        return String(
            text.map { character in
                if isDigit(character) {
                    rest -= 1
                    return rest >= 0 ? dot : character
                }
                let isPlain = " +-().,/#".contains(character)
                return hidesLetters && !isPlain ? dot : character
            })
    }

    private static func digitCount(_ text: String) -> Int { text.count(where: isDigit) }

    /// Whether there is a digit in it, of any script.
    private static func isDigit(_ character: Character) -> Bool {
        character.unicodeScalars.contains { $0.properties.numericType == .decimal }
    }

    /// The country's code and the number within it, written with a plus sign and what people put between digits. At least
    /// three digits are left to hide.
    private static func internationalNumber(_ text: String) -> (country: Substring, national: Substring)? {
        let written = text.filter { !" -().\u{A0}".contains($0) }
        let digits = written.dropFirst()
        guard written.first == "+", digits.count <= 15, digits.allSatisfy({ ("0"..."9").contains($0) }) else {
            return nil
        }
        let length = countryCodeLength(digits)
        guard digits.count - length >= 8 else { return nil }
        return (digits.prefix(length), digits.dropFirst(length))
    }

    /// The ITU's zones 1 and 7 are a country's code each, and so are these of two digits; all others have three.
    private static func countryCodeLength(_ digits: Substring) -> Int {
        if digits.hasPrefix("1") || digits.hasPrefix("7") { return 1 }
        return twoDigitCodes.contains(String(digits.prefix(2))) ? 2 : 3
    }

    private static let twoDigitCodes: Set<String> = [
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49",
        "51",
        "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84", "86",
        "90",
        "91", "92", "93", "94", "95", "98",
    ]
}

extension Viewer {
    /// What it is shown of a contact that it sees.
    public func shown(_ contact: Contact) -> Contact { isMasked ? contact.masked : contact }

    /// What it is shown of a lead that it sees.
    public func shown(_ lead: Lead) -> Lead { isMasked ? lead.masked : lead }

    /// What it is shown of a lead and those of its contacts that it sees.
    public func shown(_ lead: LeadWithContacts) -> LeadWithContacts {
        guard isMasked else { return lead }
        return LeadWithContacts(lead: lead.lead.masked, contacts: lead.contacts.map(\.masked))
    }

    /// What it is shown of a pair.
    public func shown(_ pair: PossibleDuplicate) -> PossibleDuplicate {
        guard isMasked else { return pair }
        return PossibleDuplicate(
            id: pair.id, kind: pair.kind, foundAt: pair.foundAt, lead: pair.lead.masked,
            otherLead: pair.otherLead.masked)
    }

    /// What it is shown of an event that it sees.
    public func shown(_ event: Event) -> Event { isMasked ? event.masked : event }
}

extension Lead {
    fileprivate var masked: Lead {
        Lead(
            id: id, externalID: externalID.map(Masking.externalID), phone: phone.map(Masking.phone),
            email: email.map(Masking.email), name: name.map(Masking.name), createdAt: createdAt, updatedAt: updatedAt,
            contactCount: contactCount)
    }
}

extension Contact {
    fileprivate var masked: Contact {
        var masked = self
        masked.message = nil
        masked.sourceEventID = sourceEventID.map(Masking.externalID)
        masked.lead = lead.masked
        return masked
    }
}

extension Event {
    /// Why an operator's contacts were taken from it; other reasons are why contacts wait, or people's words.
    private static let ownReasons: Set<String> = Set(WaitingReason.allCases.map(\.rawValue)).union([
        Requeueing.inactive.rawValue, Requeueing.archived.rawValue,
    ])

    /// Without what people wrote, and without what is not known to be free of personal data.
    fileprivate var masked: Event {
        Event(
            position: position, contactID: contactID, kind: kind, fromOperatorID: fromOperatorID,
            toOperatorID: toOperatorID, reason: reason.flatMap { Self.ownReasons.contains($0) ? $0 : nil },
            actor: actor,
            at: at, data: Kind(rawValue: kind) == nil || isAboutAccess ? nil : data)
    }
}
