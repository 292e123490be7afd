import EmbeddedPostgres
import Logging
import ServiceLifecycle

/// Starts the PostgreSQL of our own again when it dies; requests are answered 503 meanwhile.
struct ClusterWatch: Service {
    let cluster: Cluster
    let logger: Logger
    private static let interval: Duration = .seconds(1)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.interval)
                guard !Task.isCancelled else { return }
                do {
                    if try await cluster.revive() { logger.error("PostgreSQL had died and was started again") }
                } catch {
                    logger.error("PostgreSQL has died and does not start: \(error)")
                }
            }
        }
    }
}
