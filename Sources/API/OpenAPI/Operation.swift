import HTTPTypes
import Leads

/// What the document says of one route.
struct Operation: Sendable {
    /// The groups of the document, in its order; the raw value is the name.
    enum Tag: String, CaseIterable {
        case contacts = "Contacts"
        case leads = "Leads"
        case operators = "Operators"
        case sources = "Sources"
        case statistics = "Statistics"
        case events = "Events"
        case access = "Access"
        case service = "Service"

        var words: String {
            switch self {
            case .contacts: "What people asked for: registering it, following it, closing it."
            case .leads: "The people who asked, each with what they asked for."
            case .operators: "The people who handle contacts, and how many each may carry."
            case .sources: "The channels contacts come from, and which operators share them by which weights."
            case .statistics: "Who has how much."
            case .events: "What happened, in one order for everybody."
            case .access: "Who may do what: people, keys and sessions."
            case .service: "What the server says about itself."
            }
        }
    }

    /// A document in a body.
    struct Content: Sendable {
        var mediaType = "application/json"
        let schema: JSONSchema
        let examples: [Component.Example]

        static func one(_ component: Component) -> Content {
            Content(schema: .reference(component), examples: component.examples)
        }

        static func list(of component: Component, atMost limit: Int = .max) -> Content {
            let items = component.examples.map(\.value)
            return Content(
                schema: .array(of: .reference(component), atMost: limit),
                examples: [Component.Example(name: "example", value: .array(items))])
        }

        static func text(_ mediaType: String, example: String) -> Content {
            Content(
                mediaType: mediaType, schema: .string,
                examples: [Component.Example(name: "example", value: .string(example))])
        }

        static func message(_ text: String) -> Content {
            let example = Component.Example(name: "example", value: .parsed(Reply.message(text).body))
            return Content(schema: .reference(.message), examples: [example])
        }
    }

    /// An answer to a request that went well.
    struct Answer: Sendable {
        let status: HTTPResponse.Status
        let words: String
        /// Nil for one without a body.
        let content: Content?
        var isPaged = false

        static func ok(_ content: Content, _ words: String) -> Answer {
            Answer(status: .ok, words: words, content: content)
        }

        static func created(_ content: Content, _ words: String) -> Answer {
            Answer(status: .created, words: words, content: content)
        }

        static func moved(_ words: String) -> Answer {
            Answer(status: .seeOther, words: words, content: nil)
        }

        /// A part of a list, with a link to the next.
        static func page(of component: Component, _ words: String) -> Answer {
            Answer(status: .ok, words: words, content: .list(of: component), isPaged: true)
        }
    }

    /// What a route reads from its query: the reading code and what each parameter means.
    struct Query: Sendable {
        let parameters: [JSONSchema.Property]

        static let none = Query(parameters: [])

        static func fields<Value>(_ words: [String: String], _ read: (inout Fields) -> Value) -> Query {
            Query(parameters: JSONSchema.properties(Fields.describe(read), words, nulls: false))
        }
    }

    /// The name generated clients give it; unique.
    let id: String
    let tag: Tag
    let summary: String
    let words: String?
    let query: Query
    let body: Content?
    /// Whether the request may also come without its body.
    let isBodyOptional: Bool
    /// Whether `If-Match` may say which version of the contact the request is meant for.
    let isConditional: Bool
    /// Whether `Idempotency-Key` makes repeated requests one.
    let isRepeatable: Bool
    /// Whether `Last-Event-ID` says where to go on.
    let isResumable: Bool
    let answers: [Answer]
    /// What can go wrong beyond what any route of its kind answers; see ``OpenAPIDocument``.
    let problems: [Problem]
    /// Whether it needs the database, and so may answer 503.
    let isStored: Bool

    init(
        _ id: String, _ tag: Tag, _ summary: String, _ words: String? = nil, query: Query = .none,
        body: Content? = nil, isBodyOptional: Bool = false, isConditional: Bool = false,
        isRepeatable: Bool = false, isResumable: Bool = false, answers: Answer..., problems: [Problem] = [],
        isStored: Bool = true
    ) {
        self.id = id
        self.tag = tag
        self.summary = summary
        self.words = words
        self.query = query
        self.body = body
        self.isBodyOptional = isBodyOptional
        self.isConditional = isConditional
        self.isRepeatable = isRepeatable
        self.isResumable = isResumable
        self.answers = answers
        self.problems = problems
        self.isStored = isStored
    }
}

extension Operation? {
    /// For the documentation itself, which has no place in the document.
    static var undocumented: Operation? { nil }
}
