/// One SQL statement with its bound parameters.
///
/// Interpolated values become parameters, never text:
/// ```swift
/// let statement: Statement = "select name from operators where id = \(id)"   // … where id = $1
/// ```
/// Text is spliced in only where the word `unsafe` says so: `"order by id \(unsafe: direction)"`.
public struct Statement: Sendable, ExpressibleByStringInterpolation {
    /// The text between the parameters: always one piece more than there are parameters.
    private let pieces: [String]
    let parameters: Parameters
    /// The statement's text with its parameters as `$1`, `$2`, …
    public let sql: String
    /// Whether the server plans it for its very values each time, as suits lists and reports, instead of keeping a
    /// prepared statement and its plan.
    public private(set) var isPlannedAfresh = false

    /// The statement, planned for its very values each time.
    public var plannedAfresh: Statement {
        var statement = self
        statement.isPlannedAfresh = true
        return statement
    }

    public init(stringLiteral value: String) {
        self.init(pieces: [value], parameters: Parameters())
    }

    public init(stringInterpolation: Interpolation) {
        self.init(pieces: stringInterpolation.pieces, parameters: stringInterpolation.parameters)
    }

    private init(pieces: [String], parameters: Parameters) {
        self.pieces = pieces
        self.parameters = parameters
        var sql = pieces[0]
        for (index, piece) in pieces.dropFirst().enumerated() { sql += "$\(index + 1)\(piece)" }
        self.sql = sql
    }

    public struct Interpolation: StringInterpolationProtocol {
        @usableFromInline var pieces = [""]
        @usableFromInline var parameters = Parameters()

        public init(literalCapacity: Int, interpolationCount: Int) {}

        public mutating func appendLiteral(_ literal: String) {
            pieces[pieces.count - 1] += literal
        }

        /// Binds a value as the next numbered parameter.
        @inlinable
        public mutating func appendInterpolation(_ value: some Bindable) {
            parameters.append(value)
            pieces.append("")
        }

        /// Binds a value or a null as the next numbered parameter.
        @inlinable
        public mutating func appendInterpolation(_ value: (some Bindable)?) {
            parameters.append(value)
            pieces.append("")
        }

        /// Inserts another statement, or a part of one, with its parameters.
        public mutating func appendInterpolation(_ statement: Statement) {
            parameters.append(contentsOf: statement.parameters)
            pieces[pieces.count - 1] += statement.pieces[0]
            pieces += statement.pieces.dropFirst()
        }

        /// Splices text into the statement as it is. Never give it anything a user wrote.
        public mutating func appendInterpolation(unsafe text: String) {
            pieces[pieces.count - 1] += text
        }
    }
}
