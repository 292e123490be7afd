import LeadStore
import Logging
import ServiceLifecycle

/// Looks now and then for contacts left waiting beside free capacity: a safety net, not the mechanism.
///
/// It finds something only when an instance died between two batches of a long drain.
struct Sweeper: Service {
    let store: LeadStore
    let interval: Duration
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: interval)
                do throws(StoreError) {
                    let swept = try await store.sweep()
                    if swept > 0 {
                        logger.notice("the sweep found sources with contacts waiting beside capacity: \(swept)")
                    }
                } catch {
                    logger.debug("the sweep could not run: the database is not available")
                }
            }
        }
    }
}
