/// What an operator is to get of a source, and what the operator got of it in some time.
public struct SourceShare: Sendable, Equatable {
    public let operatorID: Int
    public let name: String
    /// 0 for an operator who has contacts of that time, and no weight any more.
    public let weight: Int
    /// The operator's part of the weights of all who are active, 0…1; 0 for one who is not.
    public let target: Double
    /// The contacts the operator got in that time, but for those that went on to somebody else.
    public let contacts: Int
    /// The operator's part of all contacts that somebody got in that time, 0…1; nil when nobody got any.
    public let actual: Double?
    /// Where the actual share is by chance alone, 95 times in 100, while the target is what it is now.
    public let expected: ClosedRange<Double>

    /// - Parameter allContacts: how many contacts all operators got in that time.
    public init(operatorID: Int, name: String, weight: Int, target: Double, contacts: Int, allContacts: Int) {
        self.operatorID = operatorID
        self.name = name
        self.weight = weight
        self.target = target
        self.contacts = contacts
        actual = allContacts > 0 ? Double(contacts) / Double(allContacts) : nil
        expected = Self.wilsonInterval(share: target, of: allContacts)
    }

    /// The 95 % quantile of the normal distribution, of both sides.
    private static let z = 1.959963984540054

    /// Wilson's score interval of a share `p` of `n`: `(p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)`, z = 1.96.
    ///
    /// Other than `p ± z √(p(1−p)/n)` it stays within 0…1, and means something for few contacts too; of none it is all.
    public static func wilsonInterval(share p: Double, of n: Int) -> ClosedRange<Double> {
        guard n > 0 else { return 0...1 }
        let n = Double(n)
        let spread = z * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
        let middle = p + z * z / (2 * n)
        let scale = 1 + z * z / n
        // What is rounded must not leave 0…1.
        return max(0, (middle - spread) / scale)...min(1, (middle + spread) / scale)
    }
}

/// Which shares of a source to show.
public struct SharesRequest: Sendable, Equatable {
    /// Nil for seven days before the end.
    public var from: Timestamp?
    /// Nil for now.
    public var to: Timestamp?

    public init(from: Timestamp? = nil, to: Timestamp? = nil) {
        self.from = from
        self.to = to
    }

    public init(_ fields: inout Fields) {
        from = fields.optionalTimestamp("from")
        to = fields.optionalTimestamp("to")
    }
}
