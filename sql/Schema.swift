/// The SQL files beside this one, embedded in the binary.
///
/// Embedded resources cannot be listed at run time, so the list is kept by hand; a test compares it with the folder.
public enum Schema {
    public struct File: Sendable {
        /// The file's path inside `sql/`.
        public let name: String
        public let sql: String
        /// Whether it is applied in a transaction of its own, after the others have been committed.
        public let isAlone: Bool

        init(_ name: String, _ bytes: [UInt8], isAlone: Bool = false) {
            self.name = name
            self.isAlone = isAlone
            sql = String(decoding: bytes, as: UTF8.self)
        }
    }

    /// Applied once each, in this order, never edited afterwards.
    public static let migrations = [
        File("migrations/0001_core.sql", PackageResources._001_core_sql),
        File("migrations/0002_tallies.sql", PackageResources._002_tallies_sql),
        File("migrations/0003_distribution.sql", PackageResources._003_distribution_sql),
        File("migrations/0004_event_log.sql", PackageResources._004_event_log_sql),
        File("migrations/0005_validated.sql", PackageResources._005_validated_sql),
        File("migrations/0006_leads.sql", PackageResources._006_leads_sql),
        File("migrations/0007_idempotency.sql", PackageResources._007_idempotency_sql),
        File("migrations/0008_lists.sql", PackageResources._008_lists_sql),
        File("migrations/0009_decisions.sql", PackageResources._009_decisions_sql),
        File("migrations/0010_event_kinds.sql", PackageResources._010_event_kinds_sql),
        File("migrations/0011_large_pools.sql", PackageResources._011_large_pools_sql),
        File("migrations/0012_checked.sql", PackageResources._012_checked_sql),
        File("migrations/0013_times.sql", PackageResources._013_times_sql),
        File("migrations/0014_access.sql", PackageResources._014_access_sql),
        File("migrations/0015_erasure.sql", PackageResources._015_erasure_sql),
        File("migrations/0016_audit.sql", PackageResources._016_audit_sql),
        File("migrations/0017_actor_kinds.sql", PackageResources._017_actor_kinds_sql),
        File("migrations/0018_actor_kinds_checked.sql", PackageResources._018_actor_kinds_checked_sql),
    ]

    /// Applied again whenever their text changes, in this order.
    public static let repeatables = [
        File("functions/count_contact_loads.sql", PackageResources.count_contact_loads_sql),
        File("functions/tally_contacts.sql", PackageResources.tally_contacts_sql),
        File("functions/note_contact_spans.sql", PackageResources.note_contact_spans_sql),
        File("functions/note_pool_changes.sql", PackageResources.note_pool_changes_sql),
        File("functions/note_access_changes.sql", PackageResources.note_access_changes_sql),
        File("functions/contact_waiting_reason.sql", PackageResources.contact_waiting_reason_sql),
        File("functions/remove_decision_details.sql", PackageResources.remove_decision_details_sql),
        File("functions/flush_lead_names.sql", PackageResources.flush_lead_names_sql),
        File("functions/remove_decisions.sql", PackageResources.remove_decisions_sql),
        File("functions/sequence_events.sql", PackageResources.sequence_events_sql),
        File("functions/set_load_ceiling.sql", PackageResources.set_load_ceiling_sql),
        File("functions/snapshots.sql", PackageResources.snapshots_sql),
        File("functions/erase_leads.sql", PackageResources.erase_leads_sql),
        File("views/contact_objects.sql", PackageResources.contact_objects_sql),
        File("views/contact_counts.sql", PackageResources.contact_counts_sql),
        File("views/contact_times.sql", PackageResources.contact_times_sql),
        File("report/report.sql", PackageResources.report_sql),
        File("functions/recount_counters.sql", PackageResources.recount_counters_sql),
        File("functions/count_contact_times.sql", PackageResources.count_contact_times_sql, isAlone: true),
    ]

    /// Creates the roles of a production database and makes everything in it their owner's; needs no schema.
    public static let ownership = File("ownership.sql", PackageResources.ownership_sql)

    /// Gives these roles their rights; needs the whole schema.
    public static let roles = File("roles.sql", PackageResources.roles_sql)
}
