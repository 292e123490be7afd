/// What one field of a request may hold, as the code that reads it says.
public struct FieldDescription: Sendable, Equatable {
    /// The values it takes.
    public indirect enum Kind: Sendable, Equatable {
        /// `length` counts Unicode scalars, `bytes` limits the UTF-8 form; both after trimming, where that is done.
        case string(length: ClosedRange<Int>, bytes: Int, isTrimmed: Bool)
        case boolean
        case integer(ClosedRange<Int>)
        case timestamp
        case choice([String])
        case objects([FieldDescription], atMost: Int)
        case integers(ClosedRange<Int>, atLeast: Int, atMost: Int)
    }

    /// Whether it has to be there, and what holds when it is not.
    public enum Presence: Sendable, Equatable {
        case required
        /// Required unless another alternative of the same object is there.
        case alternative
        /// It may be absent, but not null.
        case absentable(default: JSONValue)
        /// It may be absent or null, which are the same unless a route says otherwise.
        case nullable(default: JSONValue?)

        static func required(unless default: JSONValue?) -> Presence {
            `default`.map(absentable) ?? .required
        }
    }

    public let name: String
    public let kind: Kind
    public let presence: Presence

    /// Describes a field.
    public init(name: String, kind: Kind, presence: Presence) {
        self.name = name
        self.kind = kind
        self.presence = presence
    }

    var asAlternative: FieldDescription {
        FieldDescription(name: name, kind: kind, presence: .alternative)
    }
}
