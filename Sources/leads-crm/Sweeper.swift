import API
import LeadStore
import Logging
import ServiceLifecycle

/// Now and then looks for contacts left waiting beside free capacity, sums up the counts of contacts, indexes names,
/// numbers the events, drops the details of old decisions and the answers to old requests, erases leads whose time has
/// come, and ends sessions of analysts whose snapshots are old.
///
/// The first is a safety net, not the mechanism: it finds something only when a drain in the background failed, an
/// instance died between two batches of one, or somebody freed capacity by SQL.
struct Sweeper: Service {
    let store: LeadStore
    let interval: Duration
    /// How long the details of decisions are kept.
    let decisionDays: Int
    /// How long personal data are kept once all contacts of a lead are closed; 0 for ever.
    let personalDataDays: Int
    /// How long a transaction of an analyst may keep a snapshot.
    let snapshotSeconds: Int
    let observation: Observation
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: interval)
                guard !Task.isCancelled else { return }
                await attempt("sweep") { () throws(StoreError) in
                    observation.swept(sources: try await store.sweep())
                }
                await attempt("sum up the counts") { () throws(StoreError) in try await store.foldTallies() }
                await attempt("index the names of leads") { () throws(StoreError) in try await store.flushNames() }
                await attempt("number the events") { () throws(StoreError) in try await store.sequenceEvents() }
                await attempt("drop old decisions' details") { () throws(StoreError) in
                    try await store.removeDecisionDetails(olderThanDays: decisionDays)
                }
                await attempt("forget sessions that have run out") { () throws(StoreError) in
                    try await store.removeOldSessions()
                }
                await attempt("forget old idempotency keys") { () throws(StoreError) in
                    try await store.removeIdempotencyKeys()
                }
                await attempt("finish erasing leads") { () throws(StoreError) in try await store.settleErasures() }
                if personalDataDays > 0 {
                    await attempt("erase leads whose time has come") { () throws(StoreError) in
                        let erased = try await store.eraseExpiredLeads(afterDays: personalDataDays)
                        guard erased > 0 else { return }
                        logger.info("erased leads whose time has come", metadata: ["leads": "\(erased)"])
                    }
                }
                await attempt("end old snapshots of analysts") { () throws(StoreError) in
                    let ended = try await store.endOldReportSnapshots(olderThanSeconds: snapshotSeconds)
                    guard ended > 0 else { return }
                    logger.notice(
                        "ended sessions of leads_report with old snapshots", metadata: ["sessions": "\(ended)"])
                }
            }
        }
    }

    private func attempt(_ what: String, _ work: () async throws(StoreError) -> Void) async {
        do throws(StoreError) {
            try await work()
        } catch {
            switch error {
            case .unavailable, .tooManyLongReads, .outcomeUnknown, .cancelled:
                logger.debug("could not \(what): \(error)")
            default: logger.error("could not \(what), through a fault of this program or its rights: \(error)")
            }
        }
    }
}
