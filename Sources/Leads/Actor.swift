/// Who made something happen.
public struct Actor: Hashable, Sendable {
    public enum Kind: String, Sendable {
        /// A caller while access is open.
        case api
        /// A program that proves itself by a key.
        case key
        /// Somebody of the staff.
        case person
        /// The product itself.
        case system
        /// Whoever runs the program with the database's rights.
        case command
    }

    public let kind: Kind
    /// Which one of this kind; nil where nobody is told from the others.
    public let id: String?
    public let name: String?

    public init(kind: Kind, id: String? = nil, name: String? = nil) {
        self.kind = kind
        self.id = id
        self.name = name
    }

    /// Any caller while access is open.
    public static let api = Actor(kind: .api)
    /// Whoever runs the program on the server.
    public static let command = Actor(kind: .command)
    /// The product itself, when it serves the queue.
    public static let system = Actor(kind: .system)
}
