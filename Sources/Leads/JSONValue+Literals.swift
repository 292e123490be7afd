extension JSONValue: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral, ExpressibleByStringLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral
{
    public init(dictionaryLiteral members: (String, JSONValue)...) {
        self = .object(members.map { Member($0, $1) })
    }

    public init(arrayLiteral items: JSONValue...) {
        self = .array(items)
    }

    public init(stringLiteral text: String) {
        self = .string(text)
    }

    public init(integerLiteral integer: Int) {
        self = .integer(integer)
    }

    public init(booleanLiteral bool: Bool) {
        self = .bool(bool)
    }
}
