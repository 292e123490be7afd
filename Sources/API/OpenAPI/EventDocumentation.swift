import Leads
import NIOCore

extension Component {
    static let event = answer(
        "Event", "Something that happened, recorded once and never changed.",
        [
            .init(
                "id", .id,
                "Place in the log, which counts from 1 without gaps. Nothing ever appears below an id that was shown."),
            .init("contact_id", .id.orNull, "Number of the contact; null when it is not about one."),
            .init("kind", .string, kindWords),
            .init("from_operator_id", .id.orNull, "Number of the operator who had the contact; null for nobody."),
            .init("to_operator_id", .id.orNull, "Number of the operator who got the contact; null for nobody."),
            .init("reason", .string.orNull, "Why: the reason that was given, or why nobody got the contact."),
            .init("actor", .reference(.eventActor), "Who made it happen."),
            .init("at", .timestamp, "When it happened. What took long to be stored has a later `id` than that."),
            .init("data", .anyObject.orNull, "What more there is to say; null for nothing."),
        ],
        examples: [("registered", { $0.event(.sample) }), ("changed", { $0.event(.changeSample) })])

    private static let kindWords =
        "What happened: `registered`, `assigned`, `transferred`, `released`, `closed`, `reopened`, `lead_changed`, `lead_merged`, "
        + "`lead_erased` and others, of which "
        + "there may be more later; pass over those you do not know."

    private static let eventActor = answer(
        "EventActor", "Who made something happen.",
        [
            .init("kind", .string, "`api` for a caller, `system` for what happened by itself."),
            .init("id", .string.orNull, "Which one of this kind; null where that is not known."),
            .init("name", .string.orNull, "Name, for people; null where that is not known."),
        ],
        example: { $0.actor(Event.sample.actor) })
}

extension Operation {
    private static let order =
        "Ids are given after something has been stored, in the order in which it became visible. A reader that asks for "
        + "what is `after` the last id it has seen therefore gets everything, once, in an order that is the same for all "
        + "readers and the true one for each contact. Nothing waits for a change that takes long to be stored: it gets a "
        + "later id."

    static let listEvents = Operation(
        "list_events", .events, "List what happened", order,
        query: .fields(Query.logWords) { LogPage(&$0) },
        answers: .page(of: .event, "Events, in order of their ids."))

    static let streamEvents = Operation(
        "stream_events", .events, "Hear what happens", streaming,
        query: .fields([
            "after": "Only events with a greater id: the last one seen. Without it, what comes from now on."
        ]) { StreamStart(&$0) },
        isResumable: true,
        answers: .ok(
            .text(EventStream.contentType, example: EventPiece.example),
            "Events as they come. The answer has no end; `data` is what `GET /api/v1/events` shows."),
        problems: [.tooManyStreams])

    private static let streaming =
        "The log as Server-Sent Events, in the same order: what any instance has stored is sent within a second. Whoever was "
        + "away comes back with `Last-Event-ID` (or `after`) and misses nothing; an id beyond the end of the log counts as its "
        + "end. A comment every 15 seconds shows that the connection lives, also while the database is away. Whoever is "
        + "answered without having named an event gets all that is stored afterwards; its first line has the `id` to come "
        + "back with. A stream ends when the instance stops. A browser's `EventSource` comes back after that by itself, "
        + "but not after a 503: then make a new one."

    static let showContactHistory = Operation(
        "show_contact_history", .contacts, "Show what happened to a contact",
        query: .fields(Query.logWords) { LogPage(historyOf: &$0) },
        answers: .page(of: .event, "Events of the contact, the oldest first."), problems: [.contactNotFound])
}

extension Operation.Query {
    static let logWords = [
        "after": "Only events with a greater id: the last one seen. `Link` has it where more follow.",
        "limit": "How many to show.",
    ]
}

extension EventPiece {
    fileprivate static let example =
        String(buffer: EventStream.opening(after: 0))
        + pieces(of: [.sample], after: 0).map { String(buffer: $0.bytes) }.joined()
}

extension Event {
    static let sample = Event(
        position: 1, contactID: 1, kind: "registered", toOperatorID: 1, actor: Actor(kind: "api"), at: .sample)

    static let changeSample = Event(
        position: 2, contactID: nil, kind: "operator_changed", toOperatorID: 1, actor: Actor(kind: "api"),
        at: .sample, data: #"{"max_load": {"from": 10, "to": 5}}"#)
}
