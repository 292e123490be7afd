/// What is to be done to a contact; what is nil stays as it is.
public struct ContactChange: Sendable, Equatable {
    /// What moves a contact between the queue, its operators and the closed ones.
    public enum Move: Sendable, Equatable {
        case close
        case reopen
        /// To an operator, from another one or from the queue.
        case assign(Assignment)
        /// To an operator, from another one.
        case transfer(Assignment)
        /// Back where it stood in the queue, for somebody else.
        case release(reason: String?)
    }

    public var move: Move?
    /// 0…9
    public var priority: Int?
    /// An empty one removes it.
    public var message: String?

    public init(_ move: Move? = nil, priority: Int? = nil, message: String? = nil) {
        self.move = move
        self.priority = priority
        self.message = message
    }

    private enum Wanted: String, CaseIterable {
        case active
        case closed

        var move: Move { self == .active ? .reopen : .close }
    }

    /// The body of PATCH `/contacts/{id}`: `operator_id` sent as null releases the contact.
    public init(_ fields: inout Fields) {
        let status = fields.optionalChoice("status", of: Wanted.allCases)
        let operatorID = fields.optionalInteger("operator_id")
        priority = fields.optionalInteger("priority", in: Contact.priorityRange)
        message = fields.optionalString("message", length: 0...16384, bytes: 16384)
        if status != nil && fields.has("operator_id") {
            fields.refuse("status and operator_id cannot be changed at once")
        }
        if let operatorID {
            move = .assign(Assignment(operatorID: operatorID))
        } else if fields.has("operator_id") {
            move = .release(reason: nil)
        } else {
            move = status?.move
        }
    }

    /// The body of PATCH `/contacts/{id}/status`, in either reference's words: `{"is_active": …}` or
    /// `{"status": "active" | "closed"}`; with both, the status counts.
    public init(status fields: inout Fields) {
        self.init(
            fields.either("status", or: "is_active") {
                $0.choice("status", of: Wanted.allCases).move
            } otherwise: {
                $0.bool("is_active") ? .reopen : .close
            })
    }

    /// The body of POST `/contacts/{id}/assign`.
    public init(assignment fields: inout Fields) {
        self.init(.assign(Assignment(&fields)))
    }

    /// The body of POST `/contacts/{id}/transfer`.
    public init(transfer fields: inout Fields) {
        self.init(.transfer(Assignment(&fields)))
    }

    /// The body of POST `/contacts/{id}/release`.
    public init(release fields: inout Fields) {
        self.init(.release(reason: fields.optionalString("reason", length: Assignment.reasonLength)))
    }
}

/// Whom a contact is to be given to by hand.
public struct Assignment: Sendable, Equatable {
    public var operatorID: Int
    /// Whether the operator is to have it although inactive or at the limit.
    public var force: Bool
    /// Why, in the words of whoever wants it.
    public var reason: String?

    public init(operatorID: Int, force: Bool = false, reason: String? = nil) {
        self.operatorID = operatorID
        self.force = force
        self.reason = reason
    }

    init(_ fields: inout Fields) {
        operatorID = fields.integer("operator_id")
        force = fields.optionalBool("force", default: false)
        reason = fields.optionalString("reason", length: Assignment.reasonLength)
    }

    public static let reasonLength = 0...500
}

/// The same change to many contacts.
public struct BulkChange: Sendable, Equatable {
    public var contactIDs: [Int]
    public var change: ContactChange

    private enum Action: String, CaseIterable {
        case close, reopen, assign, transfer, release, priority
    }

    /// How many contacts one request may name.
    public static let limit = 1000

    /// The body of POST `/contacts/bulk`.
    public init(_ fields: inout Fields) {
        let action = fields.choice("action", of: Action.allCases)
        contactIDs = fields.integers("ids", atLeast: 1, atMost: BulkChange.limit)
        let operatorID = fields.optionalInteger("operator_id")
        let force = fields.optionalBool("force", default: false)
        let reason = fields.optionalString("reason", length: Assignment.reasonLength)
        let priority = fields.optionalInteger("priority", in: Contact.priorityRange)
        let assignment = Assignment(operatorID: operatorID ?? 0, force: force, reason: reason)
        if operatorID == nil && (action == .assign || action == .transfer) {
            fields.refuse("operator_id is required by assign and transfer")
        }
        if priority == nil && action == .priority { fields.refuse("priority is required by priority") }
        change =
            switch action {
            case .close: ContactChange(.close)
            case .reopen: ContactChange(.reopen)
            case .assign: ContactChange(.assign(assignment))
            case .transfer: ContactChange(.transfer(assignment))
            case .release: ContactChange(.release(reason: reason))
            case .priority: ContactChange(priority: priority)
            }
    }
}

/// Which versions of a thing a change is meant for.
public enum VersionCondition: Sendable, Equatable {
    case any
    case oneOf(Set<Int>)

    public func holds(for version: Int) -> Bool {
        switch self {
        case .any: true
        case .oneOf(let versions): versions.contains(version)
        }
    }
}
