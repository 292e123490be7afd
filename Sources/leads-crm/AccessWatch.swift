import API
import LeadStore
import Logging
import ServiceLifecycle

/// Looks once a second whether what an instance knows of keys, people and sessions still holds.
struct AccessWatch: Service {
    let authentication: Authentication
    let logger: Logger

    private static let interval: Duration = .seconds(1)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var wasOpen = authentication.isOpen
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.interval)
                guard !Task.isCancelled else { return }
                do throws(StoreError) { try await authentication.refresh() } catch {
                    // Without the database no request is answered, so that nobody is let in by what does not hold any more.
                    logger.debug("could not look who may ask: \(error)")
                }
                if wasOpen, !authentication.isOpen {
                    logger.notice("access is closed: there is a person or a key")
                }
                wasOpen = authentication.isOpen
            }
        }
    }

    /// Learns who may ask before anybody does, and says what that means.
    /// - Throws: `SettingError` for a server that others reach, on which nobody could sign in.
    static func begin(
        _ authentication: Authentication, _ store: LeadStore, _ settings: ServeSettings, _ logger: Logger
    ) async throws {
        try await authentication.load()
        if authentication.isOpen {
            logger.warning(
                "access is open: anybody who reaches this server can read and change everything",
                metadata: ["protect": "leads-crm people invite --login LOGIN --name NAME --role admin"])
        } else if settings.isReachable, try await !store.hasAdmin() {
            throw SettingError(
                """
                others than this machine reach this server, and there is no admin who could say who may do what.
                Invite one first:  leads-crm people invite --login LOGIN --name NAME --role admin
                or say LEADS_ACCESS=open if everybody who reaches it may read and change everything.
                """)
        }
        if settings.isReachable, !settings.isSecure {
            logger.warning(
                "passwords, keys and sessions cross the network in clear: put TLS in front of this server",
                metadata: ["then": "\(Setting.publicURL.name)=https://…, first where there are several"])
        }
    }
}
