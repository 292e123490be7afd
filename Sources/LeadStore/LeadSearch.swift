import Leads
import Postgres

/// Finds the leads of one page of a search, in about the same time whether few, many or none are found.
enum LeadSearch {
    /// How many leads are looked at, for each that is wanted, before the index of names is asked: of what one in so many
    /// matches the page is full by then, and of what fewer match the index returns little.
    private static let walkedPerLead = 100
    private static let walkLimit = 50_000
    /// How many keys that begin as given are read before it is taken to be the case for many leads.
    private static let keyLimit = 10_000

    /// The ids of the page's leads and one more, which tells whether there is a next.
    ///
    /// The indexes know beginnings of words and keys, not the order of ids: of a million that match they would have to return
    /// all for the first hundred. So leads are first looked at one by one in that order, at their names and, where many
    /// begin as given, at their keys. Only when that does not fill the page, the indexes are asked for all that match.
    static func ids(_ query: LeadQuery, _ page: Page, for viewer: Viewer) -> Statement {
        let wanted = min(page.skip, 1 << 32) + page.limit + 1
        let walked = min(wanted * walkedPerLead, walkLimit)
        let order: Statement = "\(unsafe: page.order.rawValue)"
        func after(_ id: Statement) -> Statement {
            page.cursor.map { "\(id) \(unsafe: page.order == .ascending ? ">" : "<") \($0)" } ?? "true"
        }
        let isFull: Statement = "(select count(*) from near) >= \(wanted)"
        let isFound = isFound(query, lead: "walked.id").and(viewer.leads(withID: "walked.id"))
        let isNext = after("lead_id").and(viewer.leads(withID: "far.lead_id"))
        return """
            with \(keys(query)),
            near as materialized (
                select id
                from (
                    select id, name from leads where merged_into is null and \(after("id")) order by id \(order) limit \(walked)
                ) walked
                where \(isFound)
                order by id \(order)
                limit \(wanted)
            ),
            far as (\(leads(query, unless: isFull)))
            select id from (
                select id from near where \(isFull)
                union all
                (select lead_id from far where \(isNext) order by lead_id \(order) limit \(wanted))
            ) found
            order by id \(order)
            offset \(page.skip)
            """
    }

    /// The same of the leads that a viewer sees a part of, all of them: first looked at one by one, and only when that does
    /// not fill the page, by way of the few contacts that there are then.
    static func ids(_ page: Page, for viewer: Viewer) -> Statement {
        let wanted = min(page.skip, 1 << 32) + page.limit + 1
        let walked = min(wanted * walkedPerLead, walkLimit)
        let order: Statement = "\(unsafe: page.order.rawValue)"
        func after(_ id: Statement) -> Statement {
            page.cursor.map { "\(id) \(unsafe: page.order == .ascending ? ">" : "<") \($0)" } ?? "true"
        }
        let isFull: Statement = "(select count(*) from near) >= \(wanted)"
        let isNext = after("lead_id").and(viewer.contacts(in: "contacts"))
        return """
            with near as materialized (
                select id
                from (
                    select id from leads where merged_into is null and \(after("id")) order by id \(order) limit \(walked)
                ) walked
                where \(viewer.leads(withID: "walked.id") ?? "true")
                order by id \(order)
                limit \(wanted)
            )
            select id from (
                select id from near where \(isFull)
                union all
                (
                    -- With the offset the contacts are those of the viewer's index, not all in the order of leads.
                    select distinct lead_id
                    from (select lead_id from contacts where not \(isFull) and \(isNext) offset 0) theirs
                    order by lead_id \(order)
                    limit \(wanted)
                )
            ) found
            order by id \(order)
            offset \(page.skip)
            """
    }

    /// How the keys begin that are looked for, and the leads that have such keys, if they are not too many.
    static func keys(_ query: LeadQuery) -> Statement {
        """
        beginnings as materialized (
            select kind::identity_kind as kind, value as first, value || chr(1114111) as last
            from unnest(\(query.beginnings.map(\.kind.rawValue)), \(query.beginnings.map(\.value))) as b (kind, value)
        ),
        keyed as materialized (
            select i.lead_id
            from beginnings b
            cross join lateral (
                select lead_id from lead_identities
                where kind = b.kind and value >= b.first and value < b.last
                limit \(keyLimit + 1)
            ) i
            limit \(keyLimit + 1)
        )
        """
    }

    /// Whether a lead at hand, by its id and its `name`, is one that is looked for.
    static func isFound(_ query: LeadQuery, lead id: Statement) -> Statement {
        // To look for the letters takes a tenth of the time of taking the name apart. The offset keeps the lead's few keys
        // first, not the many that begin so.
        """
        (
            strpos(lower(\(plainName)), lower(\(plainest(query.words)))) > 0
            and \(nameWords) @@ to_tsquery('simple', \(textSearch(query.words)))
            or \(id) in (select lead_id from keyed)
            or (select count(*) from keyed) > \(keyLimit) and exists (
                select
                from (select kind, value from lead_identities where lead_id = \(id) offset 0) i
                join beginnings b on i.kind = b.kind and i.value >= b.first and i.value < b.last)
        )
        """
    }

    /// All leads that are looked for, by the indexes, as `lead_id`; none where `condition` holds.
    static func leads(_ query: LeadQuery, unless condition: Statement) -> Statement {
        """
        select id as lead_id
        from leads
        where not \(condition) and merged_into is null and name is not null
            and \(nameWords) @@ to_tsquery('simple', \(textSearch(query.words)))
        union
        select lead_id
        from keyed
        where not \(condition) and (select count(*) from keyed) <= \(keyLimit)
        union
        select i.lead_id
        from beginnings b
        cross join lateral (
            select lead_id from lead_identities
            where kind = b.kind and value >= b.first and value < b.last
        ) i
        where not \(condition) and (select count(*) from keyed) > \(keyLimit)
        """
    }

    private static let plainName: Statement = "translate(name, 'ёЁ', 'еЕ')"

    /// As `leads_name_words` has it.
    private static let nameWords: Statement = "to_tsvector('simple', \(plainName))"

    /// Beginnings of words in the language of `to_tsquery`; a word that PostgreSQL takes for several is these in a row.
    static func textSearch(_ words: [String]) -> String {
        words.map { word in
            var quoted = ""
            for scalar in plain(word).unicodeScalars {
                if scalar == "'" || scalar == "\\" { quoted.unicodeScalars.append(scalar) }
                quoted.unicodeScalars.append(scalar)
            }
            return "'\(quoted)':*"
        }.joined(separator: " & ")
    }

    /// The longest of the words that stand in a name character by character, if one of them does.
    private static func plainest(_ words: [String]) -> String {
        plain(
            words.filter { $0.allSatisfy { $0.isLetter || ("0"..."9").contains($0) } }.max {
                $0.utf8.count < $1.utf8.count
            } ?? "")
    }

    private static func plain(_ word: String) -> String {
        String(word.map { $0 == "ё" || $0 == "Ё" ? "е" : $0 })
    }
}
