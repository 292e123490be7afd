import LeadStore
import Postgres
import TestSupport
import Testing

/// Functions that run with their definer's rights do so on the product's own tables, whatever the caller has made.
extension RolesTests {
    @Test func `functions with their definer's rights look names up in pg_catalog alone`() async throws {
        try await TestDatabase.with { database in
            let others: [String] = try await database.value(
                """
                select array(
                    select p.proname::text
                    from pg_proc p
                    where p.prosecdef and p.pronamespace <> 'pg_catalog'::regnamespace
                        and not coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false))
                """)
            #expect(others == [])
        }
    }

    @Test(arguments: ["leads_app", "postgres"])
    func `tables of the caller's own change nothing about them`(role: String) async throws {
        try await withRoles { database in
            try await database.byHand(
                """
                grant temporary on database \(database.name) to leads_app;
                create schema hostile;
                grant usage, create on schema hostile to leads_app;
                alter database \(database.name) set track_functions = 'all';
                """)
            let caller = try await connect(database, as: role)
            try await caller.runScript(Self.hostileNames)
            try await caller.runScript(Self.work)
            try await caller.runScript("select public.sequence_events()")
            try await caller.runScript(
                """
                select public.fold_contact_tallies(), public.fold_contact_spans(), public.flush_lead_names(),
                    public.remove_decision_details(1), public.oldest_snapshot_seconds(),
                    public.end_old_report_snapshots(60), public.find_expired_leads(1, 1);
                insert into public.access_keys (id, name, role, secret_hash)
                values ('aaaaaaaa', 'key', 'intake', pg_catalog.decode(pg_catalog.repeat('00', 32), 'hex'))
                """)
            try await caller.runScript("select * from report.waiting")
            try await caller.runScript(
                """
                update public.contacts
                    set status = 'closed', closed_at = now(), waiting_reason = null, waiting_since = null
                    where status <> 'closed';
                select public.erase_leads(array[901], array[901, 902, 903, 904]), public.finish_erasing_leads(array[901]);
                """)
            try await caller.runScript("select public.forget_erased_values(4, now())")
            if role == "postgres" {
                try await caller.runScript(
                    """
                    delete from public.decision_snapshots; delete from public.contacts; delete from public.leads;
                    insert into public.leads (name) values ('again');
                    truncate public.decision_snapshots; truncate public.weights; truncate public.leads cascade;
                    """)
            }
            await caller.close()

            #expect(try await database.drift() == 0)
            #expect(try await database.value("select count(*) from event_log", as: Int.self) == 1)
            let notCalled: [String] = try await database.value(
                """
                select array(
                    select p.proname::text
                    from pg_proc p
                    left join pg_stat_user_functions f on f.funcid = p.oid
                    where p.prosecdef and p.pronamespace <> 'pg_catalog'::regnamespace and coalesce(f.calls, 0) = 0)
                """)
            // Those that only deletions call.
            #expect(notCalled == (role == "postgres" ? [] : ["remove_decisions"]))
        }
    }

    /// In front of everything: each table's name, without its columns, and the functions that the definers' call.
    private static let hostileNames = """
        set search_path = pg_temp, hostile, public;
        do $$
        declare
            taken text;
        begin
            for taken in
                select c.relname from pg_class c
                where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
            loop
                execute format('create temporary table %I (nothing integer)', taken);
                execute format('create table hostile.%I (nothing integer)', taken);
            end loop;
        end
        $$;
        create temporary sequence operator_assignments;
        create function hostile.minute_of(timestamptz) returns timestamptz language sql return timestamptz 'epoch';
        create function hostile.quarter_of(timestamptz) returns timestamptz language sql return timestamptz 'epoch';
        """

    /// What fires every trigger that writes counts.
    private static let work = """
        insert into public.operators (id, name) overriding system value values (901, 'a'), (902, 'b');
        insert into public.operator_loads (operator_id, max_load) values (901, 5), (902, 5);
        insert into public.sources (id, name) overriding system value values (901, 's');
        insert into public.weights (source_id, operator_id) values (901, 901), (901, 902);
        update public.weights set weight = 2 where operator_id = 902;
        update public.operator_loads set is_active = false where operator_id = 902;
        insert into public.leads (id, name) overriding system value values (901, 'l'), (902, 'm');
        update public.leads set merged_into = 901 where id = 902;
        insert into public.contacts (id, lead_id, source_id, status, waiting_reason, waiting_since)
            overriding system value values (901, 901, 901, 'new', 'all_at_limit', now());
        insert into public.contacts (
            id, lead_id, source_id, operator_id, status, assigned_at, first_assigned_at)
            overriding system value
            values (902, 901, 901, 901, 'active', now(), now()), (903, 901, 901, 901, 'active', now(), now());
        update public.contacts
            set status = 'active', operator_id = 902, is_forced = true, waiting_reason = null, waiting_since = null,
                assigned_at = now(), first_assigned_at = now()
            where id = 901;
        update public.contacts set status = 'closed', closed_at = now() where id = 902;
        update public.contacts set created_at = created_at - interval '1 hour' where id = 903;
        insert into public.contacts (id, lead_id, source_id, status, waiting_reason, waiting_since)
            overriding system value values (904, 901, 901, 'new', 'all_at_limit', now());
        delete from public.weights where operator_id = 902;
        insert into public.events (contact_id, kind) values (901, 'registered');
        """
}
