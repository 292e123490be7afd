/// What a request is about: the target of its first line (RFC 9112, 3.2).
struct RequestTarget {
    /// The server that it names, where it names one.
    let authority: Substring?
    /// As it was sent, without the query.
    let path: String
    let query: Substring

    init(_ uri: String) {
        guard uri.utf8.first != UInt8(ascii: "/"), let scheme = uri.firstRange(of: "://") else {
            authority = nil
            (path, query) = Self.split(uri[...])
            return
        }
        let rest = uri[scheme.upperBound...]
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let target = rest[end...]
        authority = rest[..<end]
        (path, query) = Self.split(target.first == "/" ? target : "/" + target)
    }

    private static func split(_ target: Substring) -> (path: String, query: Substring) {
        guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return (String(target), "") }
        return (String(target[..<mark]), target[target.utf8.index(after: mark)...])
    }

    /// The parameters of the query, `+` read as a blank (WHATWG URL, application/x-www-form-urlencoded).
    var parameters: [(name: String, value: String)] {
        guard !query.isEmpty else { return [] }
        return query.split(separator: "&").map { pair in
            let name = pair.prefix { $0 != "=" }
            func decoded(_ part: Substring) -> String {
                RouteTree.decodingPercents(part.replacing("+", with: " ")[...])
            }
            return (decoded(name), decoded(pair.dropFirst(name.count + 1)))
        }
    }
}
