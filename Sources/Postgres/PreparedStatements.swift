import Glibc
import StableHash

/// What a session has prepared, and under which names.
///
/// A name is made of the statement's text and types. A pooler may hand a client's next statement to another session:
/// under a name that only counts, that would run another statement; under this one it runs the same, or none.
struct PreparedStatements {
    /// One sending of a preparation. What is heard of an earlier one says nothing about a later one.
    typealias Preparation = Int

    enum Use: Equatable {
        case prepared(name: String, by: Preparation)
        case toPrepare(name: String)
        /// Another statement has its name: it is sent with its text each time.
        case nameless
    }

    /// What makes two statements the same: bytes. Swift's equality of strings takes canonically equal ones for one.
    private struct Content: Hashable {
        let sql: String
        let types: [DataType]

        init(_ statement: Statement) {
            sql = statement.sql
            types = statement.parameters.types
        }

        static func == (left: Content, right: Content) -> Bool {
            guard left.types == right.types else { return false }
            var (left, right) = (left.sql, right.sql)
            return left.withUTF8 { left in
                right.withUTF8 { right in
                    left.count == right.count
                        && (left.isEmpty || memcmp(left.baseAddress!, right.baseAddress!, left.count) == 0)
                }
            }
        }

        func hash(into hasher: inout Hasher) {
            var sql = sql
            sql.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
            hasher.combine(types)
        }
    }

    private var prepared: [Content: (name: String, by: Preparation)] = [:]
    private var lastPreparation = 0
    private var contents: [String: Content] = [:]
    private var generation = 0
    private let hash: @Sendable (Statement) -> UInt64

    init(hash: @escaping @Sendable (Statement) -> UInt64 = Self.hash) {
        self.hash = hash
    }

    func use(of statement: Statement) -> Use {
        let content = Content(statement)
        if let (name, preparation) = prepared[content] { return .prepared(name: name, by: preparation) }
        var name = "s" + hash(statement).digits
        if generation > 0 { name += "_\(generation)" }
        return contents[name] == nil ? .toPrepare(name: name) : .nameless
    }

    mutating func add(_ statement: Statement, name: String) -> Preparation {
        let content = Content(statement)
        lastPreparation += 1
        prepared[content] = (name, lastPreparation)
        contents[name] = content
        return lastPreparation
    }

    /// The session does not hold the statement after all, unless it was prepared again meanwhile.
    mutating func forget(_ statement: Statement, by preparation: Preparation) {
        let content = Content(statement)
        guard let (name, latest) = prepared[content], latest == preparation else { return }
        prepared[content] = nil
        contents[name] = nil
    }

    /// What was prepared is of no use any more, although the session holds it: all is prepared again, under other names.
    mutating func renew() {
        prepared = [:]
        contents = [:]
        generation += 1
    }

    /// Of the text and the types.
    @Sendable static func hash(_ statement: Statement) -> UInt64 {
        var hash = FNV1a<UInt64>(statement.sql.utf8)
        for type in statement.parameters.types {
            for shift in [24, 16, 8, 0] { hash.add(UInt8(truncatingIfNeeded: type.oid >> shift)) }
        }
        return hash.value
    }
}
