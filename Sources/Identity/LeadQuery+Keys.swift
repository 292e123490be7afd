public import Leads

extension LeadQuery {
    /// How many words of a text are searched by; what else there is makes no difference.
    private static let wordLimit = 10

    /// Reads a text as somebody types it: a name, a phone number, an e-mail address or an external id, or how it begins. Nil
    /// when it is blank.
    public init?(_ text: String, region: PhoneRegion) {
        guard let text = LeadKeys.normalizedExternalID(text) else { return nil }
        let spoken = text.split(whereSeparator: \.isWhitespace).map { $0.lowercased() }
        // The beginning of a longer one finds nothing that the longer one does not find.
        let words = Set(spoken).filter { word in !spoken.contains { $0 != word && $0.hasPrefix(word) } }

        var beginnings = [LeadIdentity(kind: .externalID, value: text)]
        beginnings += Set([text.uppercased(), text.lowercased()]).subtracting([text]).sorted().map {
            LeadIdentity(kind: .externalID, value: $0)
        }
        beginnings += region.beginnings(text).map { LeadIdentity(kind: .phone, value: $0) }
        if spoken.count == 1 { beginnings.append(LeadIdentity(kind: .email, value: spoken[0])) }
        self.init(words: Array(words.sorted().prefix(Self.wordLimit)), beginnings: beginnings)
    }
}

extension PhoneRegion {
    /// How the E.164 forms of all numbers begin that somebody may be about to type: `8 900` is `+7900` in Russia, and so are
    /// `900` and `7900`. Of what is no beginning of a number, none.
    func beginnings(_ text: String) -> [String] {
        let digits = text.filter { ("0"..."9").contains($0) }
        let plus = text.prefix { !("0"..."9").contains($0) }.contains("+")
        guard !digits.isEmpty, text.allSatisfy({ ("0"..."9").contains($0) || "+()-. \u{a0}\u{2011}".contains($0) })
        else {
            return []
        }
        var beginnings: Set<String> = ["+\(digits)"]
        if let whole = e164(text) { beginnings.insert(whole) }
        if !plus {
            beginnings.insert("+\(countryCode)\(digits)")
            if !nationalPrefix.isEmpty, digits.hasPrefix(nationalPrefix) {
                beginnings.insert("+\(countryCode)\(digits.dropFirst(nationalPrefix.count))")
            }
        }
        // One that begins as another one does finds nothing more.
        return beginnings.filter { one in !beginnings.contains { $0 != one && one.hasPrefix($0) } }.sorted()
    }
}
