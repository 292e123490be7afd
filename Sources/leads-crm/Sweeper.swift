import API
import LeadStore
import Logging
import ServiceLifecycle

/// Sums up the counts of contacts now and then, and looks for contacts left waiting beside free capacity: a safety net,
/// not the mechanism.
///
/// The latter finds something only when a drain in the background failed, an instance died between two batches of one, or
/// somebody freed capacity by SQL.
struct Sweeper: Service {
    let store: LeadStore
    let interval: Duration
    let observation: Observation
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: interval)
                guard !Task.isCancelled else { return }
                do throws(StoreError) {
                    try await store.foldTallies()
                    observation.swept(sources: try await store.sweep())
                } catch {
                    switch error {
                    case .unavailable, .outcomeUnknown, .cancelled: logger.debug("the sweep could not run: \(error)")
                    default: logger.error("the sweep failed through a fault of this program: \(error)")
                    }
                }
            }
        }
    }
}
