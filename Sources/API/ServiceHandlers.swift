import HTTPTypes
import LeadStore

/// What the service says about itself.
struct ServiceHandlers: Sendable {
    let store: LeadStore
    let intake: Intake
    let tail: EventTail
    let version: String
    let schemaVersion: Int
    let observation: Observation
    let readiness: Readiness
    let browserAddress: String
    let authentication: Authentication
    let opensMetrics: Bool

    /// Scrapers inside the house need no key where the house says so.
    var metricsAccess: Access { opensMetrics ? .everybody : .metrics }

    /// Browsers are shown the dashboard, programs who we are.
    @Sendable func welcome(_ call: Call) async throws(Problem) -> Reply {
        if call.headers.askForPage {
            return Reply(.temporaryRedirect, headers: [.location: browserAddress, .vary: "Accept"])
        }
        return Reply(headers: [.vary: "Accept"]) { $0.welcome(version: version) }
    }

    /// The process runs; says nothing of the database.
    @Sendable func alive(_ call: Call) async throws(Problem) -> Reply {
        Reply { $0.status("ok") }
    }

    /// The database answers, its schema is new enough and nobody has told us to stop: requests may be sent here.
    @Sendable func ready(_ call: Call) async throws(Problem) -> Reply {
        guard !readiness.isStopping else { throw .stopping }
        let isReady = try await asking { () throws(StoreError) in
            try await store.isReady(schemaVersion: schemaVersion)
        }
        guard isReady else { throw .unavailable(cause: "the schema is older than this program") }
        return Reply { $0.readiness(isOpen: authentication.isOpen) }
    }

    /// For Prometheus. Answers also while the database does not.
    @Sendable func metrics(_ call: Call) async throws(Problem) -> Reply {
        let isUp = await store.databaseAnswers()
        let gauges = isUp ? try? await store.gauges() : nil
        let metrics = Metrics(
            version: version, totals: observation.totals, pool: await store.poolUse, intake: intake.use,
            closings: store.closingsUse, streams: tail.streams, isDatabaseUp: isUp, gauges: gauges)
        return Reply(contentType: "text/plain; version=0.0.4; charset=utf-8", metrics.bytes)
    }
}
