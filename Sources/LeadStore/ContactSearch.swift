import Leads
import Postgres

/// Finds the contacts of one page of a search: those of a lead who is found, and those that say what is looked for.
///
/// Leads are found as ``LeadSearch`` finds them. Messages have no index, which would cost every registration more than
/// searching is worth: only the latest contacts that the filters leave are looked at. See `docs/decisions/0019`.
enum ContactSearch {
    /// How many contacts are looked at, for each that is wanted, before the indexes of leads are asked.
    private static let walkedPerContact = 50
    private static let walkLimit = 50_000

    /// The ids of the page's contacts and one more, which tells whether there is a next.
    ///
    /// As in ``LeadSearch/ids(_:_:)``, contacts are first looked at one by one, because of what many match the indexes
    /// would return too much; what few match, the indexes find. Where the filters leave little, all of it is looked at.
    static func ids(_ query: LeadQuery, of filter: Statement, _ page: Page) -> Statement {
        let wanted = min(page.skip, 1 << 32) + page.limit + 1
        let walked = min(wanted * walkedPerContact, walkLimit)
        let order: Statement = "\(unsafe: page.order.rawValue)"
        let after: Statement =
            page.cursor.map { "id \(unsafe: page.order == .ascending ? ">" : "<") \($0)" } ?? "true"
        let isFull: Statement = """
            ((select count(*) from near) >= \(wanted) or (select count(*) from walked) < \(walked))
            """
        return """
            with \(LeadSearch.keys(query)),
            walked as materialized (
                select id, lead_id from contacts where \(filter) and \(after) order by id \(order) limit \(walked)
            ),
            near as materialized (
                select walked.id
                from walked
                cross join lateral (select id as lead, name from leads where leads.id = walked.lead_id offset 0) l
                where \(LeadSearch.isFound(query, lead: "l.lead"))
                order by walked.id \(order)
                limit \(wanted)
            ),
            far as (
                select found.id
                from (\(LeadSearch.leads(query, unless: isFull))) l
                cross join lateral (
                    select id
                    from contacts
                    where lead_id = l.lead_id and \(filter) and \(after)
                    order by id \(order)
                    limit \(wanted)
                ) found
                order by found.id \(order)
                limit \(wanted)
            ),
            spoken as (\(spoken(query, of: filter, after: after, order, wanted)))
            select id
            from (select id from near where \(isFull) union select id from far union select id from spoken) found
            order by id \(order)
            offset \(page.skip) limit \(page.limit + 1)
            """
    }

    /// Of the latest contacts, those whose messages have all the words.
    private static func spoken(
        _ query: LeadQuery, of filter: Statement, after: Statement, _ order: Statement, _ wanted: Int
    ) -> Statement {
        guard let letters = letters(of: query.words) else { return "select id from contacts where false" }
        // To look for the letters takes a hundredth of the time of taking a message apart.
        let hasLetters = ways(ofWriting: letters).reduce("false" as Statement) { "\($0) or strpos(message, \($1)) > 0" }
        return """
            select id
            from contacts
            where \(filter) and \(after)
                and id >= coalesce(
                    (
                        select id from contacts where \(filter)
                        order by id desc offset \(ContactFilter.searchedMessages - 1) limit 1
                    ), 0)
                and (\(hasLetters))
                and to_tsvector('simple', translate(message, 'ёЁ', 'еЕ'))
                    @@ to_tsquery('simple', \(LeadSearch.textSearch(query.words)))
            order by id \(order)
            limit \(wanted)
            """
    }

    /// The longest run of letters and digits that a message must have, character by character but for their case. Without
    /// any, nothing is looked for.
    private static func letters(of words: [String]) -> String? {
        words.flatMap { $0.split { !($0.isLetter || $0.isNumber) || "еёЕЁ".contains($0) } }
            .max { $0.utf8.count < $1.utf8.count }.map(String.init)
    }

    /// In small letters, in capitals, and with a capital first.
    private static func ways(ofWriting letters: String) -> [String] {
        Set([letters, letters.uppercased(), letters.prefix(1).uppercased() + letters.dropFirst()]).sorted()
    }
}
