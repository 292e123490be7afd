import HTTPTypes

/// Finds the route of a request, one path segment after the other.
///
/// Written by hand because the framework's router answers a wrong method with 404 and does not know the other methods
/// of a path: 405, `Allow`, HEAD and OPTIONS all come from this one tree.
struct RouteTree: Sendable {
    struct Match: Sendable {
        fileprivate(set) var pathValues: [String: String]
        let routes: [HTTPRequest.Method: Route]

        /// The path as the route table has it.
        var path: String? { routes.values.first?.path }

        /// Every method the path answers to, in a stable order.
        var allowed: [HTTPRequest.Method] {
            let methods = Set(routes.keys).union(routes[.get] == nil ? [] : [.head]).union([.options])
            return methods.sorted { $0.rawValue < $1.rawValue }
        }
    }

    private struct Node {
        var literals: [Substring: Node] = [:]
        var parameterName: String?
        /// The node behind the parameter: an array of at most one, because a struct cannot hold itself.
        var behindParameter: [Node] = []
        var routes: [HTTPRequest.Method: Route] = [:]
    }

    private var root = Node()

    init(_ routes: [Route]) {
        for route in routes {
            Self.insert(route, Self.segments(of: route.path[...])[...], into: &root)
        }
    }

    /// The routes of a path, which may end in a slash. Nil when there are none.
    ///
    /// A literal goes before a parameter; where it leads nowhere, the parameter is tried: `/contacts/stats` is a contact.
    func match(_ path: Substring) -> Match? {
        Self.match(Self.segments(of: path)[...], in: root)
    }

    private static func match(_ segments: ArraySlice<Substring>, in node: Node) -> Match? {
        guard let first = segments.first else {
            return node.routes.isEmpty ? nil : Match(pathValues: [:], routes: node.routes)
        }
        if let next = node.literals[first], let match = match(segments.dropFirst(), in: next) { return match }
        guard let name = node.parameterName,
            var match = match(segments.dropFirst(), in: node.behindParameter[0])
        else { return nil }
        match.pathValues[name] = decodingPercents(first)
        return match
    }

    private static func insert(_ route: Route, _ segments: ArraySlice<Substring>, into node: inout Node) {
        guard let first = segments.first else {
            precondition(node.routes[route.method] == nil, "\(route.method) \(route.path) is declared twice")
            node.routes[route.method] = route
            return
        }
        if first.hasPrefix("{") {
            let name = String(first.dropFirst().dropLast())
            precondition([nil, name].contains(node.parameterName), "\(route.path) renames a parameter")
            node.parameterName = name
            if node.behindParameter.isEmpty { node.behindParameter = [Node()] }
            insert(route, segments.dropFirst(), into: &node.behindParameter[0])
        } else {
            insert(route, segments.dropFirst(), into: &node.literals[first, default: Node()])
        }
    }

    /// The path's segments; one slash at the end is no segment.
    private static func segments(of path: Substring) -> [Substring] {
        var segments = path.dropFirst(path.hasPrefix("/") ? 1 : 0).split(
            separator: "/", omittingEmptySubsequences: false)
        if segments.last == "" { segments.removeLast() }
        return segments
    }

    /// The segment with `%XX` decoded; what is no valid UTF-8 afterwards stays as it was.
    static func decodingPercents(_ text: Substring) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let high = rest.first.flatMap(hexDigit),
                let low = rest.dropFirst().first.flatMap(hexDigit)
            {
                bytes.append(high << 4 | low)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self) ?? String(text)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
