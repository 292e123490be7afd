import Leads
import Postgres

extension Page {
    /// The end of a query of rows with ids: the page's part of it, and one row more, which tells whether there is a next.
    ///
    /// `condition` holds the query's own conditions; `id` is the column by which it is paged.
    func rows(where condition: Statement, by id: Statement = "id") -> Statement {
        let after: Statement = cursor.map { "and \(id) \(unsafe: order == .ascending ? ">" : "<") \($0)" } ?? ""
        return """
            where \(condition) \(after)
            order by \(id) \(unsafe: order.rawValue) offset \(skip) limit \(limit + 1)
            """
    }

    /// The page, given the rows that ``rows(where:by:)`` found.
    func listing<Element>(
        _ found: QueryResult, id: (Element) -> Int, _ read: (Row) throws(PostgresError) -> Element
    ) throws(StoreError) -> Listing<Element> {
        try reading { () throws(PostgresError) in
            var elements: [Element] = []
            for row in found.prefix(limit) { elements.append(try read(row)) }
            return Listing(elements: elements, nextCursor: found.count > limit ? elements.last.map(id) : nil)
        }
    }
}
