import HTTPTypes

/// Finds the route of a request, one path segment after the other.
///
/// Written by hand because the framework's router answers a wrong method with 404 and does not know the other methods
/// of a path: 405, `Allow`, HEAD and OPTIONS all come from this one tree.
struct RouteTree: Sendable {
    /// A path of the route table and what can be done there.
    struct Endpoint: Sendable {
        /// Counts from 0 in the order of the route table.
        let number: Int
        /// As the route table has it.
        let path: String
        fileprivate(set) var routes: [Route]

        func route(_ method: HTTPRequest.Method) -> Route? {
            routes.first { $0.method == method }
        }

        /// Whether there is something here for everybody.
        var isPublic: Bool { routes.contains(where: \.access.isPublic) }

        /// Every method the path answers to, in a stable order.
        var allowed: [HTTPRequest.Method] {
            let methods = Set(routes.map(\.method)).union(route(.get) == nil ? [] : [.head]).union([.options])
            return methods.sorted { $0.rawValue < $1.rawValue }
        }
    }

    struct Match: Sendable {
        let endpoint: Endpoint
        let pathValues: PathValues
    }

    private struct Node {
        /// The bytes of a segment and the node behind it.
        var literals: [(segment: [UInt8], next: Int)] = []
        var parameter: (name: String, next: Int)?
        var endpoint: Int?
    }

    /// The first is the root; all name each other by index, because a struct cannot hold itself.
    private var nodes = [Node()]
    private var endpoints: [Endpoint] = []

    init(_ routes: [Route]) {
        for route in routes { insert(route) }
    }

    private mutating func insert(_ route: Route) {
        var node = 0
        for segment in route.path.split(separator: "/") {
            node =
                segment.hasPrefix("{")
                ? nodeBehindParameter(String(segment.dropFirst().dropLast()), of: node, route)
                : nodeBehind(Array(segment.utf8), of: node)
        }
        if let number = nodes[node].endpoint {
            let isFresh = endpoints[number].route(route.method) == nil
            precondition(isFresh, "\(route.method) \(route.path) is declared twice")
            endpoints[number].routes.append(route)
        } else {
            nodes[node].endpoint = endpoints.count
            endpoints.append(Endpoint(number: endpoints.count, path: route.path, routes: [route]))
        }
    }

    private mutating func nodeBehind(_ segment: [UInt8], of node: Int) -> Int {
        if let known = nodes[node].literals.first(where: { $0.segment == segment }) { return known.next }
        nodes[node].literals.append((segment, nodes.count))
        nodes.append(Node())
        return nodes.count - 1
    }

    private mutating func nodeBehindParameter(_ name: String, of node: Int, _ route: Route) -> Int {
        if let known = nodes[node].parameter {
            precondition(known.name == name, "\(route.path) renames a parameter")
            return known.next
        }
        nodes[node].parameter = (name, nodes.count)
        nodes.append(Node())
        return nodes.count - 1
    }

    /// The endpoint of a path, which may end in a slash. Nil when there is none.
    ///
    /// A literal goes before a parameter; where it leads nowhere, the parameter is tried: `/contacts/stats` is a
    /// contact. Nothing between two slashes is no parameter.
    func match(_ path: String) -> Match? {
        var path = path
        var values: [(name: String, segment: Range<Int>)] = []
        return path.withUTF8 { bytes in
            var rest = 0..<bytes.count
            if bytes.first == UInt8(ascii: "/") { rest = 1..<rest.upperBound }
            // One slash at the end is no segment.
            let isRoot = rest.isEmpty
            if !isRoot, bytes.last == UInt8(ascii: "/") { rest = rest.lowerBound..<rest.upperBound - 1 }
            guard let number = find(isRoot ? nil : rest, of: bytes, behind: 0, &values) else { return nil }
            return Match(
                endpoint: endpoints[number],
                pathValues: PathValues(
                    values.map { value in
                        (
                            value.name,
                            Self.decodingPercents(
                                UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[value.segment]))
                        )
                    }))
        }
    }

    /// The endpoint at the end of the segments in `rest`, nil for none left.
    private func find(
        _ rest: Range<Int>?, of bytes: UnsafeBufferPointer<UInt8>, behind node: Int,
        _ values: inout [(name: String, segment: Range<Int>)]
    ) -> Int? {
        guard let rest else { return nodes[node].endpoint }
        let end = bytes[rest].firstIndex(of: UInt8(ascii: "/"))
        let segment = rest.lowerBound..<(end ?? rest.upperBound)
        let following = end.map { $0 + 1..<rest.upperBound }
        for literal in nodes[node].literals
        where literal.segment.count == segment.count && literal.segment.elementsEqual(bytes[segment]) {
            if let found = find(following, of: bytes, behind: literal.next, &values) { return found }
        }
        guard !segment.isEmpty, let parameter = nodes[node].parameter else { return nil }
        values.append((parameter.name, segment))
        if let found = find(following, of: bytes, behind: parameter.next, &values) { return found }
        values.removeLast()
        return nil
    }

    /// The text with `%XX` decoded; what is no valid UTF-8 afterwards stays as it was.
    static func decodingPercents(_ text: UnsafeRawBufferPointer) -> String {
        guard text.contains(UInt8(ascii: "%")) else { return String(decoding: text, as: UTF8.self) }
        var bytes: [UInt8] = []
        var rest = text[...]
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
        return String(validating: bytes, as: UTF8.self) ?? String(decoding: text, as: UTF8.self)
    }

    static func decodingPercents(_ text: Substring) -> String {
        var text = text
        return text.withUTF8 { decodingPercents(UnsafeRawBufferPointer($0)) }
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

/// The values of a path's parameters. A path has one at most, so a list is quicker than a dictionary.
struct PathValues: Sendable {
    private let values: [(name: String, value: String)]

    init(_ values: [(name: String, value: String)]) {
        self.values = values
    }

    subscript(name: String) -> String? {
        values.first { $0.name == name }?.value
    }
}
