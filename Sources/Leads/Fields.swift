/// Reads the fields of a request and collects every fault, as lax as pydantic v2 in FastAPI.
///
/// ```swift
/// extension NewOperator {
///     public init(_ fields: inout Fields) {
///         name = fields.string("name", length: 1...200, trimmed: true)
///         isActive = fields.bool("is_active", default: true)
///         maxLoad = fields.integer("max_load", default: 10, in: 1...1_000_000)
///     }
/// }
/// let new = try Fields.decode(json, at: .body) { NewOperator(&$0) }
/// ```
///
/// Reading never throws: a faulty field yields a placeholder, which nobody sees because ``decode(_:at:after:_:)`` or
/// ``check()`` throws in the end. A field without a default is required; one read by an `optional…` function may be
/// absent or null, both answered with nil or its default, and ``has(_:)`` tells these apart. Fields that nobody reads are
/// ignored. ``describe(_:)`` runs the same reading to learn what the fields may hold.
///
/// Differences from pydantic, all of them towards caution: an integer that does not fit `Int` is out of bounds instead
/// of unlimited, a number is judged by its exact value (`0.99999999999999999999` is not 1), U+0000 is refused in every
/// string, a timestamp is never a number of seconds, odd texts like `"0-7"` are not integers, and faults beyond
/// ``faultLimit`` are not listed.
public struct Fields {
    /// The part of a request in which fields stand; the first step of a fault's location.
    public enum Place: String, Sendable {
        case body, query, path, header
    }

    /// How many faults one answer lists: without a limit, a body of 32 MiB could ask for gigabytes of them.
    public static let faultLimit = 1000

    /// What is wrong with the fields read so far, in the order of reading.
    public private(set) var faults: [Fault] = []

    /// What the fields read so far may hold; nil unless they are read only to be described.
    private var descriptions: [FieldDescription]?

    private let members: [JSONValue.Member]
    private let location: [Fault.Step]
    /// What a `missing` fault shows: the object in a body, null elsewhere.
    private let whole: JSONValue

    private init(members: [JSONValue.Member], location: [Fault.Step], whole: JSONValue) {
        self.members = members
        self.location = location
        self.whole = whole
    }

    /// The parameters of a query string, decoded, in their order; the last of a repeated name counts.
    public init(query: [(name: String, value: String)]) {
        self.init(texts: query, at: .query)
    }

    /// The parameters of a path, decoded.
    public init(path: [(name: String, value: String)]) {
        self.init(texts: path, at: .path)
    }

    /// Header fields, their names in lower case.
    public init(headers: [(name: String, value: String)]) {
        self.init(texts: headers, at: .header)
    }

    private init(texts: [(name: String, value: String)], at place: Place) {
        let members = texts.map { JSONValue.Member($0.name, .string($0.value)) }
        self.init(members: members, location: [.field(place.rawValue)], whole: .null)
    }

    /// Throws everything that is wrong with the fields read so far, if anything is.
    public func check() throws(ValidationFailure) {
        if !faults.isEmpty { throw ValidationFailure(faults) }
    }
}

extension Fields {
    /// Reads an object with `read`, or throws everything that is wrong with it.
    ///
    /// `json` is nil when there is no body. `earlier` are faults found in the path and the query of the same request;
    /// they lead the list.
    public static func decode<Value>(
        _ json: JSONValue?,
        at place: Place = .body,
        after earlier: [Fault] = [],
        _ read: (inout Fields) -> Value
    ) throws(ValidationFailure) -> Value {
        var fields = Fields(members: [], location: [], whole: .null)
        fields.faults = earlier
        let value = fields.nested(json, in: [], .field(place.rawValue), read)
        try fields.check()
        return value
    }

    /// Reads a list of objects, each with `read`, or throws everything that is wrong with them.
    ///
    /// The faults of an item have locations like `["body", 0, "operator_id"]`. `json` and `earlier` are those of
    /// ``decode(_:at:after:_:)``; more than `limit` items are a fault.
    public static func decodeList<Element>(
        _ json: JSONValue?,
        at place: Place = .body,
        atMost limit: Int = .max,
        after earlier: [Fault] = [],
        _ read: (inout Fields) -> Element
    ) throws(ValidationFailure) -> [Element] {
        var fields = Fields(members: [], location: [], whole: .null)
        fields.faults = earlier
        let list = fields.items(json, in: [], .field(place.rawValue), atMost: limit) { fields, item, location, index in
            fields.nested(item, in: location, index, read)
        }
        try fields.check()
        return list
    }

    /// Reads a list of objects, each with `read` and by itself: what is wrong with one concerns no other.
    ///
    /// The faults of an item have locations like `["body", 0, "source_id"]`. `json` is that of ``decode(_:at:after:_:)``.
    /// - Throws: what is wrong with the list as a whole: that it is none, or has more than `limit` items.
    public static func decodeEach<Element>(
        _ json: JSONValue?,
        at place: Place = .body,
        atMost limit: Int = .max,
        _ read: (inout Fields) -> Element
    ) throws(ValidationFailure) -> [Result<Element, ValidationFailure>] {
        var fields = Fields(members: [], location: [], whole: .null)
        let list = fields.items(json, in: [], .field(place.rawValue), atMost: limit) { _, item, location, index in
            var alone = Fields(members: [], location: [], whole: .null)
            let element = alone.nested(item, in: location, index, read)
            return Result { () throws(ValidationFailure) in
                try alone.check()
                return element
            }
        }
        try fields.check()
        return list
    }
}

extension Fields {
    /// What each field that `read` reads may hold, in the order of reading.
    ///
    /// `read` runs on an empty request, and its value is thrown away: `Fields.describe { NewOperator(&$0) }`. What it
    /// reads under a condition of its own stays unseen; use ``either(_:or:_:otherwise:)`` for that.
    public static func describe<Value>(_ read: (inout Fields) -> Value) -> [FieldDescription] {
        var fields = Fields(members: [], location: [], whole: .null)
        fields.descriptions = []
        _ = read(&fields)
        return fields.descriptions ?? []
    }

    /// What `first` reads when the field `name` was sent, else what `second` reads from the field `other`. A null is as
    /// good as nothing when the other was sent.
    ///
    /// Whichever is described, the fields that either requires are alternatives of each other.
    public mutating func either<Value>(
        _ name: String,
        or other: String,
        _ first: (inout Fields) -> Value,
        otherwise second: (inout Fields) -> Value
    ) -> Value {
        guard let described = descriptions?.count else {
            let isFirst = self[name].map { $0 != .null || !has(other) } ?? false
            return isFirst ? first(&self) : second(&self)
        }
        _ = first(&self)
        let value = second(&self)
        descriptions = descriptions?.enumerated().map { index, field in
            index >= described && field.presence == .required ? field.asAlternative : field
        }
        return value
    }

    private mutating func describe(
        _ name: String,
        _ kind: @autoclosure () -> FieldDescription.Kind,
        _ presence: @autoclosure () -> FieldDescription.Presence
    ) {
        descriptions?.append(FieldDescription(name: name, kind: kind(), presence: presence()))
    }
}

extension Fields {
    /// Whether the field was sent at all, be it as null.
    public func has(_ name: String) -> Bool {
        self[name] != nil
    }

    /// Refuses the object as a whole, for a reason that no single field tells; not where one is faulty anyway, as
    /// pydantic's validators of models have it.
    public mutating func refuse(_ reason: String) {
        guard faults.isEmpty, let step = location.last else { return }
        add(.refused(reason), in: location.dropLast(), step, input: whole)
    }

    private subscript(name: String) -> JSONValue? {
        members.last { $0.name.hasSameBytes(as: name) }?.value
    }
}

extension Fields {
    /// A string, as it was sent or `trimmed` of Unicode white space at both ends.
    ///
    /// `length` counts Unicode scalars, as Python does, and `bytes` limits the UTF-8 form; both after trimming. Numbers
    /// and booleans are not strings, and neither is text with U+0000. The placeholder is empty.
    public mutating func string(
        _ name: String,
        length: ClosedRange<Int> = 0...Int.max,
        bytes: Int = .max,
        trimmed: Bool = false
    ) -> String {
        describe(name, .string(length: length, bytes: bytes, isTrimmed: trimmed), .required)
        return required(name, placeholder: "") { $0.asString(length: length, bytes: bytes, trimmed: trimmed) }
    }

    /// The same, or nil when the field is absent or null.
    public mutating func optionalString(
        _ name: String,
        length: ClosedRange<Int> = 0...Int.max,
        bytes: Int = .max,
        trimmed: Bool = false
    ) -> String? {
        describe(name, .string(length: length, bytes: bytes, isTrimmed: trimmed), .nullable(default: nil))
        return optional(name) { $0.asString(length: length, bytes: bytes, trimmed: trimmed) }
    }

    /// A boolean: `true`, `1`, `1.0` or one of the words `true`, `t`, `yes`, `y`, `on`, `1` and their opposites, in
    /// either case. The placeholder is false.
    public mutating func bool(_ name: String, default: Bool? = nil) -> Bool {
        describe(name, .boolean, .required(unless: `default`.map(JSONValue.bool)))
        return required(name, default: `default`, placeholder: false) { $0.asBool() }
    }

    /// The same, or nil when the field is absent or null.
    public mutating func optionalBool(_ name: String) -> Bool? {
        describe(name, .boolean, .nullable(default: nil))
        return optional(name) { $0.asBool() }
    }

    /// The same, or `default` when the field is absent or null.
    public mutating func optionalBool(_ name: String, default: Bool) -> Bool {
        describe(name, .boolean, .nullable(default: .bool(`default`)))
        return optional(name) { $0.asBool() } ?? `default`
    }

    /// An integer within `range`: `7`, `7.0`, `7e0`, `true` (1) or a text like `" +1_000.0 "`.
    ///
    /// The placeholder is the number of `range` that is nearest to zero.
    public mutating func integer(
        _ name: String,
        default: Int? = nil,
        in range: ClosedRange<Int> = Int.min...Int.max
    ) -> Int {
        describe(name, .integer(range), .required(unless: `default`.map(JSONValue.integer)))
        return required(name, default: `default`, placeholder: range.nearestToZero) { $0.asInteger(in: range) }
    }

    /// The same, or nil when the field is absent or null.
    public mutating func optionalInteger(_ name: String, in range: ClosedRange<Int> = Int.min...Int.max) -> Int? {
        describe(name, .integer(range), .nullable(default: nil))
        return optional(name) { $0.asInteger(in: range) }
    }

    /// The same, or `default` when the field is absent or null.
    public mutating func optionalInteger(
        _ name: String,
        default: Int,
        in range: ClosedRange<Int> = Int.min...Int.max
    ) -> Int {
        describe(name, .integer(range), .nullable(default: .integer(`default`)))
        return optional(name) { $0.asInteger(in: range) } ?? `default`
    }

    /// A moment in the texts that ``Timestamp/init(_:)`` reads, or nil when the field is absent or null.
    public mutating func optionalTimestamp(_ name: String) -> Timestamp? {
        describe(name, .timestamp, .nullable(default: nil))
        return optional(name) { $0.asTimestamp() }
    }

    /// One of a few words, byte by byte: `fields.choice("order", of: Page.Order.allCases)`.
    ///
    /// The placeholder is the first of `choices`, which must not be empty.
    public mutating func choice<Choice: RawRepresentable<String>>(
        _ name: String,
        of choices: [Choice],
        default: Choice? = nil
    ) -> Choice {
        describe(name, .choice(choices.map(\.rawValue)), .required(unless: (`default`?.rawValue).map(JSONValue.string)))
        return required(name, default: `default`, placeholder: choices[0]) { $0.asChoice(of: choices) }
    }

    /// The same, or nil when the field is absent or null.
    public mutating func optionalChoice<Choice: RawRepresentable<String>>(
        _ name: String,
        of choices: [Choice]
    ) -> Choice? {
        describe(name, .choice(choices.map(\.rawValue)), .nullable(default: nil))
        return optional(name) { $0.asChoice(of: choices) }
    }

    /// The same, or `default` when the field is absent or null.
    public mutating func optionalChoice<Choice: RawRepresentable<String>>(
        _ name: String,
        of choices: [Choice],
        default: Choice
    ) -> Choice {
        describe(name, .choice(choices.map(\.rawValue)), .nullable(default: .string(`default`.rawValue)))
        return optional(name) { $0.asChoice(of: choices) } ?? `default`
    }

    private mutating func required<Value>(
        _ name: String,
        default: Value? = nil,
        placeholder: Value,
        _ read: (JSONValue) -> Result<Value, Flaw>
    ) -> Value {
        if let value = self[name] {
            return attempt(value, in: location, .field(name), read) ?? placeholder
        }
        if let `default` { return `default` }
        add(.missing, in: location, .field(name), input: whole)
        return placeholder
    }

    private mutating func optional<Value>(_ name: String, _ read: (JSONValue) -> Result<Value, Flaw>) -> Value? {
        guard let value = self[name], value != .null else { return nil }
        return attempt(value, in: location, .field(name), read)
    }
}

extension Fields {
    /// A list of objects, each read by `read`; more than `limit` are a fault. The placeholder is empty.
    public mutating func list<Element>(
        _ name: String,
        atMost limit: Int = .max,
        _ read: (inout Fields) -> Element
    ) -> [Element] {
        describe(name, .objects(Fields.describe(read), atMost: limit), .required)
        return items(name, atMost: limit) { fields, item, location, index in
            fields.nested(item, in: location, index, read)
        }
    }

    /// A list of integers, each within `range`; fewer than `least` or more than `limit` are a fault. The placeholder is
    /// empty.
    public mutating func integers(
        _ name: String,
        atLeast least: Int = 0,
        atMost limit: Int = .max,
        in range: ClosedRange<Int> = Int.min...Int.max
    ) -> [Int] {
        describe(name, .integers(range, atLeast: least, atMost: limit), .required)
        return items(name, atLeast: least, atMost: limit) { fields, item, location, index in
            fields.attempt(item, in: location, index) { $0.asInteger(in: range) }
                ?? range.nearestToZero
        }
    }

    /// The same, or nil when the field is absent or null.
    public mutating func optionalIntegers(
        _ name: String,
        in range: ClosedRange<Int>,
        atMost limit: Int
    ) -> [Int]? {
        guard descriptions == nil else {
            describe(name, .integers(range, atLeast: 0, atMost: limit), .nullable(default: nil))
            return nil
        }
        guard let value = self[name], value != .null else { return nil }
        return items(value, in: location, .field(name), atMost: limit) { fields, item, location, index in
            fields.attempt(item, in: location, index) { $0.asInteger(in: range) } ?? range.nearestToZero
        }
    }

    private mutating func items<Element>(
        _ name: String,
        atLeast least: Int = 0,
        atMost limit: Int,
        _ read: (inout Fields, JSONValue, [Fault.Step], Fault.Step) -> Element
    ) -> [Element] {
        guard let value = self[name] else {
            add(.missing, in: location, .field(name), input: whole)
            return []
        }
        return items(value, in: location, .field(name), atLeast: least, atMost: limit, read)
    }

    private mutating func items<Element>(
        _ json: JSONValue?,
        in location: [Fault.Step],
        _ step: Fault.Step,
        atLeast least: Int = 0,
        atMost limit: Int,
        _ read: (inout Fields, JSONValue, [Fault.Step], Fault.Step) -> Element
    ) -> [Element] {
        guard case .array(let items) = json else {
            add(json == nil ? .missing : .notAList, in: location, step, input: json ?? .null)
            return []
        }
        guard items.count >= least else {
            add(.tooFewItems(least, actual: items.count), in: location, step, input: .array(items))
            return []
        }
        guard items.count <= limit else {
            add(.tooManyItems(limit, actual: items.count), in: location, step, input: .array(items))
            return []
        }
        let list = location + [step]
        return items.enumerated().map { read(&self, $1, list, .index($0)) }
    }

    /// What `read` makes of an object; of anything else, a fault and what it makes of an empty one.
    private mutating func nested<Value>(
        _ json: JSONValue?,
        in location: [Fault.Step],
        _ step: Fault.Step,
        _ read: (inout Fields) -> Value
    ) -> Value {
        guard case .object(let members) = json else {
            add(json == nil ? .missing : .notAnObject, in: location, step, input: json ?? .null)
            var empty = Fields(members: [], location: [], whole: .null)
            return read(&empty)
        }
        var fields = Fields(members: members, location: location + [step], whole: .object(members))
        let value = read(&fields)
        faults += fields.faults.prefix(max(0, Fields.faultLimit - faults.count))
        return value
    }

    private mutating func attempt<Value>(
        _ value: JSONValue,
        in location: [Fault.Step],
        _ step: Fault.Step,
        _ read: (JSONValue) -> Result<Value, Flaw>
    ) -> Value? {
        switch read(value) {
        case .success(let value):
            return value
        case .failure(let flaw):
            add(flaw, in: location, step, input: value)
            return nil
        }
    }

    private mutating func add(
        _ flaw: Flaw, in location: some Sequence<Fault.Step>, _ step: Fault.Step, input: JSONValue
    ) {
        if faults.count < Fields.faultLimit { faults.append(Fault(flaw, at: Array(location) + [step], input: input)) }
    }
}

extension JSONValue {
    fileprivate func asString(length: ClosedRange<Int>, bytes: Int, trimmed: Bool) -> Result<String, Flaw> {
        guard case .string(let sent) = self else { return .failure(.notAString) }
        guard !sent.utf8.contains(0) else { return .failure(.nulCharacter) }
        let text = trimmed ? String(sent.trimmed) : sent
        let count = text.unicodeScalars.count
        guard count >= length.lowerBound else { return .failure(.tooShort(length.lowerBound)) }
        guard count <= length.upperBound else { return .failure(.tooLong(length.upperBound)) }
        guard text.utf8.count <= bytes else { return .failure(.tooManyBytes(bytes)) }
        return .success(text)
    }

    fileprivate func asBool() -> Result<Bool, Flaw> {
        switch self {
        case .bool(let bool):
            return .success(bool)
        case .number(let number):
            // Fractions and what does not fit 64 bits are of the wrong type, other whole numbers of the wrong value.
            guard let integer = number.exactInteger else { return .failure(.notABool) }
            guard 0...1 ~= integer else { return .failure(.unreadableBool) }
            return .success(integer == 1)
        case .string(let text):
            switch text.lowercased() {
            case "1", "t", "true", "y", "yes", "on": return .success(true)
            case "0", "f", "false", "n", "no", "off": return .success(false)
            default: return .failure(.unreadableBool)
            }
        case .null, .array, .object:
            return .failure(.notABool)
        }
    }

    fileprivate func asInteger(in range: ClosedRange<Int>) -> Result<Int, Flaw> {
        let integer: Int?
        let isNegative: Bool
        switch self {
        case .bool(let bool):
            integer = bool ? 1 : 0
            isNegative = false
        case .number(let number):
            integer = number.exactInteger
            if integer == nil {
                guard number.isIntegral else { return .failure(.fractional) }
                guard number.isWrittenAsInteger else { return .failure(.oversizedInteger) }
            }
            isNegative = number.isNegative
        case .string(let text):
            guard let digits = text.integerDigits else { return .failure(.unreadableInteger) }
            integer = Int(digits)
            isNegative = digits.hasPrefix("-")
        case .null, .array, .object:
            return .failure(.notAnInteger)
        }
        // Without a value it is one beyond Int, and so beyond any bound.
        guard let integer else { return .failure(isNegative ? .below(range.lowerBound) : .above(range.upperBound)) }
        guard integer >= range.lowerBound else { return .failure(.below(range.lowerBound)) }
        guard integer <= range.upperBound else { return .failure(.above(range.upperBound)) }
        return .success(integer)
    }

    fileprivate func asTimestamp() -> Result<Timestamp, Flaw> {
        guard case .string(let text) = self else { return .failure(.notATimestamp) }
        do throws(Timestamp.Malformation) {
            return .success(try Timestamp(parsing: text))
        } catch {
            return .failure(.malformed(error))
        }
    }

    fileprivate func asChoice<Choice: RawRepresentable<String>>(of choices: [Choice]) -> Result<Choice, Flaw> {
        guard case .string(let text) = self,
            let choice = choices.first(where: { $0.rawValue.hasSameBytes(as: text) })
        else { return .failure(.notOneOf(choices.map(\.rawValue))) }
        return .success(choice)
    }
}

extension String {
    /// Without Unicode white space at both ends, which is what pydantic strips.
    fileprivate var trimmed: Substring.UnicodeScalarView.SubSequence {
        let kept = unicodeScalars.drop { $0.properties.isWhitespace }
        let end = kept.lastIndex { !$0.properties.isWhitespace }.map(kept.index(after:)) ?? kept.startIndex
        return kept[..<end]
    }

    /// The sign and the digits of a whole number as pydantic reads one, or nil.
    ///
    /// White space around it, leading zeros, single underscores between digits and a fraction of zeros are allowed.
    fileprivate var integerDigits: String? {
        var text = Substring(trimmed)
        let sign = text.utf8.first == UInt8(ascii: "-") ? "-" : ""
        if let first = text.utf8.first, first == UInt8(ascii: "-") || first == UInt8(ascii: "+") {
            text = Substring(text.unicodeScalars.dropFirst())
        }
        if let point = text.utf8.firstIndex(of: UInt8(ascii: ".")) {
            let fraction = text.utf8[point...].dropFirst()
            guard !fraction.isEmpty, fraction.allSatisfy({ $0 == UInt8(ascii: "0") }) else { return nil }
            text = text[..<point]
        }
        let groups = text.utf8.split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false)
        let areDigits = groups.allSatisfy { group in
            !group.isEmpty && group.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
        }
        return areDigits ? sign + groups.map { String(Substring($0)) }.joined() : nil
    }
}

extension ClosedRange<Int> {
    fileprivate var nearestToZero: Int { Swift.min(Swift.max(0, lowerBound), upperBound) }
}
