import Synchronization

/// Waiting contacts that are placed in the background, by one task for each queue.
///
/// What released the capacity is committed and answered for: neither may the request fail by this, nor wait for a queue
/// of any length. What cannot be done for a while, the sweep does.
final class BackgroundDrains: Sendable {
    enum Queue: Hashable, Sendable {
        case source(Int)
        case `operator`(Int)
    }

    /// Those being drained, and whether that was asked for again since the pass under way began: it may have looked too
    /// early to see what the one who asks has seen.
    private let underWay = Mutex<[Queue: Bool]>([:])
    private let faultFound: @Sendable (StoreError) -> Void

    /// - Parameter faultFound: is told what ends a drain for good, although the database can be reached.
    init(faultFound: @escaping @Sendable (StoreError) -> Void) {
        self.faultFound = faultFound
    }

    /// Drains a queue soon. While it is being drained, this has it looked at once more and begins nothing beside that.
    func begin(_ queue: Queue, _ drain: @escaping @Sendable () async throws(StoreError) -> Void) {
        let isFirst = underWay.withLock { $0.updateValue(true, forKey: queue) == nil }
        guard isFirst else { return }
        Task {
            while goesOn(with: queue) { await persist(drain) }
        }
    }

    private func goesOn(with queue: Queue) -> Bool {
        underWay.withLock { underWay in
            let isAskedFor = underWay[queue] ?? false
            underWay[queue] = isAskedFor ? false : nil
            return isAskedFor
        }
    }

    /// Tries again for some seconds while locks are held or the database is away; what waits is looked for each time.
    private func persist(_ drain: () async throws(StoreError) -> Void) async {
        for attempt in 0..<6 {
            do throws(StoreError) {
                return try await drain()
            } catch {
                switch error {
                case .unavailable, .outcomeUnknown: try? await Task.sleep(for: .milliseconds(50 << attempt))
                case .cancelled: return
                default: return faultFound(error)
                }
            }
        }
    }
}
