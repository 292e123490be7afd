import LeadStore
import Postgres
import TestSupport
import Testing

/// What each role of a production database is refused, by trying.
extension RolesTests {
    enum Role: String, CaseIterable {
        case owner = "leads_owner"
        case app = "leads_app"
        case report = "leads_report"

        /// What it tries.
        var attempts: [String] {
            // The owner may end sessions of leads_report, and for that has its rights.
            let others = Role.allCases.filter { $0 != self && !(self == .owner && $0 == .report) }
            let own =
                switch self {
                case .owner: Self.ownersAttempts
                case .app: Self.appsAttempts
                case .report: Self.reportsAttempts
                }
            return Self.everybodysAttempts + others.map { "set role \($0.rawValue)" } + own
        }

        /// What takes a superuser.
        private static let everybodysAttempts = [
            "copy public.contacts to program 'cat'", "copy public.contacts to '/tmp/leads-crm-refused'",
            "select pg_read_file('/etc/passwd')", "select pg_ls_dir('.')", "select lo_import('/etc/passwd')",
            "select lo_export(1, '/tmp/leads-crm-refused')", "select * from pg_authid", "select * from pg_statistic",
            "set session_replication_role = replica", "set temp_file_limit = -1", "set log_statement = 'all'",
            "set log_min_error_statement = error", "alter system set log_statement = 'all'", "create role another",
            "alter role leads_app superuser", "alter role postgres login", "drop role leads_app",
            "grant pg_read_server_files to leads_app", "create database another", "set session authorization postgres",
            "set role postgres", "select lo_create(0)", "select lo_from_bytea(0, 'x')", "select pg_advisory_lock(1)",
            "select pg_advisory_lock_shared(7105, 1)", "select pg_try_advisory_lock(7105, 1)",
            "select pg_advisory_unlock_all()", "create temporary table mine (a integer)", "select pg_reload_conf()",
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
            "alter table public.contacts disable trigger all",
            "create function mine() returns void language internal as 'dsqrt'",
        ]

        private static let ownersAttempts = [
            "alter role leads_app login", "alter role leads_app set log_min_error_statement = error",
            "select pg_stat_reset()", "create event trigger mine on ddl_command_end execute function mine()",
            "alter database template1 set log_statement = 'all'",
        ]

        private static let appsAttempts = [
            "update public.operator_loads set load = 0", "update public.operator_loads set ceiling = 1000",
            "insert into public.operator_loads (operator_id, load) values (1, 1)",
            "update public.leads set contact_count = 9", "update public.leads set created_at = now()",
            "update public.leads set erased_at = null", "insert into public.lead_erasures values (1)",
            "update public.lead_erasures set finished_at = null", "select * from public.lead_expiry",
            "update public.leads set id = default", "delete from public.leads", "truncate public.leads",
            "delete from public.contacts", "truncate public.contacts", "drop table public.contacts",
            "delete from public.operators", "delete from public.operator_loads", "delete from public.sources",
            "update public.events set reason = 'x'", "delete from public.events", "truncate public.events",
            "insert into public.event_log values (1, 1)", "update public.event_log set position = 9",
            "delete from public.event_log", "select * from public.event_gaps",
            "update public.event_sequencer set last_position = 0",
            "update public.decisions set operator_id = 1", "delete from public.decisions",
            "update public.decision_snapshots set loads = '{}'", "delete from public.decision_snapshots",
            "select * from public.contact_tallies", "update public.contact_tally_changes set contacts = 1",
            "update public.operator_quarters set contacts = 0",
            "insert into public.contact_minutes values (now(), 1, 1)", "delete from public.source_quarters",
            "insert into public.contact_spans values (1, now(), now())",
            "update public.schema_migrations set checksum = 'x'", "delete from public.schema_repeatables",
            "select public.recount_lead_contacts()", "select public.recount_loads()",
            "select public.correct_contact_tallies()", "select public.correct_contact_quarters()",
            "select public.recount_contact_tallies()", "select setval('public.contacts_id_seq', 1)",
            "create table public.mine (a integer)", "create schema mine", "create view public.mine as select 1",
            "create function public.mine() returns integer language sql return 1",
            "create type public.mine as enum ('a')", "alter table public.contacts add x integer",
            "alter table public.contacts drop constraint contacts_lead",
            "alter function public.recount_loads() owner to leads_app",
            "create trigger mine after insert on public.contacts execute function public.tally_contacts()",
            "create index on public.contacts (message)", "create policy mine on public.contacts",
            "begin; lock table public.event_log in exclusive mode",
            "comment on table public.contacts is 'x'", "drop view report.contacts", "drop schema report cascade",
            "alter role leads_report password 'x'", "alter role leads_report set statement_timeout = 0",
            "reindex table public.contacts",
        ]

        private static let reportsAttempts =
            [
                "leads", "lead_identities", "possible_duplicates", "contacts", "contact_objects", "events", "event_log",
                "idempotency_keys", "lead_erasures", "operators", "operator_loads", "sources", "weights", "decisions",
                "decision_snapshots", "contact_counts", "contact_tallies", "schema_migrations",
            ].map { "select * from public.\($0)" } + [
                "insert into public.sources (name) values ('x')", "update public.contacts set message = 'x'",
                "delete from public.leads", "truncate public.events", "create table public.mine (a integer)",
                "create table report.mine (a integer)", "create schema mine", "drop view report.contacts",
                "create function report.mine() returns integer language sql return 1",
                "begin; lock table public.contacts in access share mode", "select nextval('public.contacts_id_seq')",
                "select pg_advisory_xact_lock(7105, 1)", "select pg_try_advisory_xact_lock(1)", "select lo_get(1)",
                "select public.fold_contact_tallies()", "select public.fold_contact_spans()",
                "select public.flush_lead_names()", "select public.sequence_events()",
                "select public.remove_decision_details(1)", "select public.recount_loads()",
                "select public.erase_leads('{1}', '{}')", "select public.finish_erasing_leads('{1}')",
                "select public.find_expired_leads(1, 1)", "select public.forget_erased_values(4, now())",
                "select public.end_old_report_snapshots(0)", "select public.oldest_snapshot_seconds()",
                "alter role leads_report set temp_file_limit = -1", "alter role leads_app password 'x'",
            ]
    }

    @Test(arguments: Role.allCases)
    func `each role is refused what is not its own`(role: Role) async throws {
        try await withRoles { database in
            // Only the PostgreSQL that the program starts itself lets the owner in.
            try await database.byHand("alter role leads_owner login")
            for sql in role.attempts {
                let connection = try await Connection.open(
                    ConnectionConfiguration(
                        connectionString: "\(database.connectionString) user=\(role.rawValue)",
                        // What is merely a default must not be what keeps leads_report from writing.
                        sessionSettings: ["default_transaction_read_only": "off"]))
                let error = await #expect(throws: PostgresError.self, "\(role.rawValue): \(sql)") {
                    try await connection.runScript(sql)
                }
                let state = error?.sqlState
                #expect(state == .insufficientPrivilege, "\(role.rawValue): \(sql): \(state?.code ?? "allowed")")
                await connection.close()
            }
        }
    }
}
