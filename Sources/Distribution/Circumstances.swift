/// What about a contact itself bears on who may have it.
public struct Circumstances: Sendable, Equatable {
    /// Operators not to be chosen; see ``Exclusion/effective(releasedBy:configured:)``.
    public var excluded: Set<Int>
    /// Who gets the contact without the strategy being asked, when eligible.
    public var preferred: Preference?

    /// An operator that comes before the strategy's choice, and why.
    public struct Preference: Sendable, Equatable {
        public let operatorID: Int
        /// `sticky` or `returned`.
        public let rule: Decision.Rule

        public init(operatorID: Int, rule: Decision.Rule) {
            self.operatorID = operatorID
            self.rule = rule
        }
    }

    public init(excluded: Set<Int> = [], preferred: Preference? = nil) {
        self.excluded = excluded
        self.preferred = preferred
    }
}
