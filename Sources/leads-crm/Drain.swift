import API
import Logging
import ServiceLifecycle

/// Lets a balancer notice that this instance is going before it goes.
///
/// Stands last in its group, so that it is the first to hear of a stop; the others hear of it when it has returned.
struct Drain: Service {
    let readiness: Readiness
    let duration: Duration
    let logger: Logger

    func run() async throws {
        try? await gracefulShutdown()
        readiness.stop()
        guard duration > .zero else { return }
        logger.info("stopping: not ready any more, still serving for \(duration)")
        try? await Task.sleep(for: duration)
    }
}
