import Synchronization

/// Sources that could not be served because somebody held their operators' rows for longer than is waited for: a forgotten
/// transaction in a shell, as a rule.
///
/// For a second such a source is refused at once, and for some more it is tried by itself and with little patience, so that
/// its requests do not keep those of other sources waiting.
final class HeldSources: Sendable {
    enum Standing {
        case free
        /// Was held a while ago.
        case suspect
        /// Was held a moment ago.
        case refused
    }

    private let marks = Mutex<[Int: ContinuousClock.Instant]>([:])
    private static let refusal: Duration = .seconds(1)
    private static let suspicion: Duration = .seconds(10)

    /// How a source stands, or nil for all when none is under suspicion.
    func standings(of sourceIDs: some Sequence<Int>) -> [Int: Standing]? {
        let now = ContinuousClock.now
        return marks.withLock { marks in
            guard !marks.isEmpty else { return nil }
            marks = marks.filter { now - $0.value < Self.suspicion }
            var standings: [Int: Standing] = [:]
            for sourceID in sourceIDs {
                guard let mark = marks[sourceID] else { continue }
                standings[sourceID] = now - mark < Self.refusal ? .refused : .suspect
            }
            return standings
        }
    }

    func note(_ sourceID: Int) {
        marks.withLock { $0[sourceID] = .now }
    }

    func clear(_ sourceID: Int) {
        marks.withLock { $0[sourceID] = nil }
    }
}
