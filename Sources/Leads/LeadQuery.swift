/// Which leads to list.
public struct LeadFilter: Sendable, Equatable {
    /// What somebody typed to find them by; nil or blank for all.
    public var text: String?

    public init(text: String? = nil) {
        self.text = text
    }

    public init(_ fields: inout Fields) {
        text = fields.optionalString("q", length: 0...255, bytes: 1024)
    }
}

/// What leads are searched by: those whose name has all the words, and those who have a key that begins as one given.
public struct LeadQuery: Sendable, Equatable {
    /// Beginnings of words, in any order.
    public let words: [String]
    /// Beginnings of keys, in the form in which two are compared.
    public let beginnings: [LeadIdentity]

    public init(words: [String], beginnings: [LeadIdentity]) {
        self.words = words
        self.beginnings = beginnings
    }
}
