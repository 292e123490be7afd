/// Which part of a list to show, and in which direction of ids.
public struct Page: Sendable, Equatable {
    public enum Order: String, Sendable, CaseIterable {
        case ascending = "asc"
        case descending = "desc"
    }

    /// How many elements to leave out, counted from the cursor if there is one; the time it takes grows with it.
    public var skip: Int
    /// 1…1000.
    public var limit: Int
    public var order: Order
    /// The id of the last element of the page before; takes the same time at any depth.
    public var cursor: Int?

    public init(skip: Int = 0, limit: Int = 100, order: Order = .ascending, cursor: Int? = nil) {
        self.skip = skip
        self.limit = limit
        self.order = order
        self.cursor = cursor
    }

    public init(_ fields: inout Fields) {
        skip = fields.optionalInteger("skip", default: 0, in: 0...Int.max)
        limit = fields.optionalInteger("limit", default: 100, in: 1...1000)
        order = fields.optionalChoice("order", of: Order.allCases, default: .ascending)
        cursor = fields.optionalInteger("cursor")
    }
}

/// One page of a list.
public struct Listing<Element: Sendable>: Sendable {
    public let elements: [Element]
    /// Where the next page begins, nil when there is none.
    public let nextCursor: Int?

    public init(elements: [Element], nextCursor: Int?) {
        self.elements = elements
        self.nextCursor = nextCursor
    }

    /// The same page with other elements.
    public func map<Other>(_ change: (Element) -> Other) -> Listing<Other> {
        Listing<Other>(elements: elements.map(change), nextCursor: nextCursor)
    }
}
