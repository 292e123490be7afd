/// What has become of the contacts so far.
struct Tally: Sendable {
    var sent = 0
    var placedAtOnce = 0
    var waited = 0
    /// Arrivals there was no room to send.
    var leftOut = 0
    /// Contacts whose answer was not awaited at the end.
    var unanswered = 0
    var answers = Latencies()
    /// By source, then operator: contacts placed at once.
    var placements: [Int: [Int: Int]] = [:]
}
