import Leads
import Postgres

/// Finds the contacts of one page of a search: those of a lead who is found, and those that say what is looked for.
///
/// Leads are found as ``LeadSearch`` finds them. Messages have no index, which would cost every registration more than
/// searching is worth: only the latest contacts that the filters leave are looked at. See `docs/decisions/0019`.
enum ContactSearch {
    /// For the rest of the transaction: what is recent is in memory. By default the planner would rather walk through ten times
    /// as many contacts than look up those of a source or an operator one by one.
    static let planning: Statement = "select set_config('random_page_cost', '1.1', true)"

    /// How many contacts are looked at, for each that is wanted, before the indexes of leads are asked.
    private static let walkedPerContact = 30
    private static let walkLimit = 50_000
    /// Up to how many leads each is asked for its contacts; of more, contacts are walked until the page is full, which is
    /// soon.
    private static let fewLeads = 5_000

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
        return """
            with \(LeadSearch.keys(query)),
            near as materialized (
                select walked.id
                from (
                    select id, lead_id from contacts where \(filter) and \(after) order by id \(order) limit \(walked)
                ) walked
                cross join lateral (select id as lead, name from leads where leads.id = walked.lead_id offset 0) l
                where \(LeadSearch.isFound(query, lead: "l.lead"))
                order by walked.id \(order)
                limit \(wanted)
            ),
            outcome as materialized (
                select count(*) >= \(wanted) or (
                    -- Whether there are no more than that.
                    select count(*) < \(walked)
                    from (select from contacts where \(filter) and \(after) order by id \(order) limit \(walked)) all_of_them
                ) as is_full
                from near
            ),
            found as materialized (\(LeadSearch.leads(query, unless: "(select is_full from outcome)"))),
            far as (
                select theirs.id
                from found
                cross join lateral (
                    select id
                    from contacts
                    where lead_id = found.lead_id and \(filter) and \(after)
                    order by id \(order)
                    limit \(wanted)
                ) theirs
                where (select count(*) from found) <= \(fewLeads)
                union all
                (
                    -- What is true of a truth keeps the planner from walking those who are found.
                    select id
                    from contacts
                    where (select count(*) from found) > \(fewLeads) and (lead_id in (select lead_id from found)) is true
                        and \(filter) and \(after)
                    order by id \(order)
                    limit \(wanted)
                )
            ),
            spoken as (\(spoken(query, of: filter, after: after, page.order, wanted)))
            select id
            from (
                select id from near where (select is_full from outcome)
                union select id from far
                union select id from spoken
            ) matching
            order by id \(order)
            offset \(page.skip) limit \(page.limit + 1)
            """
    }

    /// Of the latest contacts, those whose messages have all the words.
    ///
    /// Who reads on from the latest looks at nothing twice; who reads towards the latest has to know where to begin.
    private static func spoken(
        _ query: LeadQuery, of filter: Statement, after: Statement, _ order: Page.Order, _ wanted: Int
    ) -> Statement {
        let patterns = query.words.compactMap(pattern)
        guard !patterns.isEmpty else { return "select id from contacts where false" }
        // To look for the letters takes a twentieth of the time of taking a message apart.
        let hasLetters = patterns.reduce("true" as Statement) { "\($0) and message ~ \($1)" }
        let hasWords: Statement = """
            \(hasLetters) and to_tsvector('simple', translate(message, 'ёЁ', 'еЕ'))
                @@ to_tsquery('simple', \(LeadSearch.textSearch(query.words)))
            """
        return switch order {
        case .descending:
            """
            select id
            from (
                select id, message from contacts where \(filter) order by id desc limit \(ContactFilter.searchedMessages)
            ) latest
            where \(after) and \(hasWords)
            order by id desc
            limit \(wanted)
            """
        case .ascending:
            """
            select id
            from contacts
            where \(filter) and \(after) and \(hasWords) and id >= coalesce(
                (
                    select id
                    from contacts
                    where \(filter)
                    order by id desc
                    offset \(ContactFilter.searchedMessages - 1) limit 1
                ), 0)
            order by id
            limit \(wanted)
            """
        }
    }

    /// A regular expression for the longest run of letters and digits of a word, in either case, where a word may begin;
    /// nil for a word without any. No message that has the word is without it, ё being as good as е.
    private static func pattern(_ word: String) -> String? {
        let scalars = Array(word.unicodeScalars)
        func isPlain(_ scalar: Unicode.Scalar) -> Bool {
            (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                && !"еёЕЁ".unicodeScalars.contains(scalar)
        }
        let run = scalars.indices.split { !isPlain(scalars[$0]) }.max { $0.count < $1.count }
        guard let run, let first = run.first else { return nil }
        let beginsWord = first == 0 || !"еёЕЁ".unicodeScalars.contains(scalars[first - 1])
        let letters = run.map { index in
            let (small, capital) = (
                scalars[index].properties.lowercaseMapping, scalars[index].properties.uppercaseMapping
            )
            return small == capital ? small : "[\(small)\(capital)]"
        }
        return (beginsWord ? "(^|[^[:alnum:]])" : "") + letters.joined()
    }
}
