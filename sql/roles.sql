-- The three roles of a production database. Run by `leads-crm migrate --roles`; harmless to run again.
--
--   leads_owner   owns everything, cannot log in
--   leads_app     what instances connect as: rows of the tables listed, nothing else
--   leads_report  what analysts connect as: reads schema report, slowly if need be, never in the way
--
-- Passwords are set by whoever runs the server: alter role leads_app password '…'.
do $$
declare
    object record;
begin
    if not exists (select from pg_roles where rolname = 'leads_owner') then
        create role leads_owner nologin;
    end if;
    if not exists (select from pg_roles where rolname = 'leads_app') then
        create role leads_app login;
    end if;
    if not exists (select from pg_roles where rolname = 'leads_report') then
        create role leads_report login connection limit 10;
    end if;
    execute format('grant leads_owner to %I', current_user);
    -- An owner must be able to create where its objects are.
    grant usage, create on schema public, report to leads_owner;

    alter schema report owner to leads_owner;
    for object in
        select c.oid::regclass as name, c.relkind
        from pg_class c
        where c.relnamespace in ('public'::regnamespace, 'report'::regnamespace)
            and c.relkind in ('r', 'v', 'S')
            -- Changing an owner locks a table, also to the same owner: running this again must not stop instances.
            and c.relowner <> 'leads_owner'::regrole
            -- An identity column's sequence follows its table.
            and not exists (
                select from pg_depend d
                where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('i', 'e'))
    loop
        execute format(
            'alter %s %s owner to leads_owner',
            case object.relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end, object.name);
    end loop;
    for object in
        select p.oid::regprocedure as name
        from pg_proc p
        where p.pronamespace in ('public'::regnamespace, 'report'::regnamespace)
            and p.proowner <> 'leads_owner'::regrole
            and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    loop
        execute format('alter function %s owner to leads_owner', object.name);
    end loop;
end
$$;

grant usage on schema public to leads_app;

grant select, insert on
    operators, sources, weights, lead_identities, possible_duplicates, contacts, decision_snapshots, decisions,
    events, idempotency_keys
to leads_app;
grant select, insert (operator_id, is_active, max_load) on operator_loads to leads_app;
grant
    select,
    insert (id, external_id, phone, email, name, merged_into, created_at),
    update (external_id, phone, email, name, merged_into, updated_at)
on leads to leads_app;
grant update on operators, sources, weights, lead_identities, contacts, idempotency_keys to leads_app;
-- Never load, ceiling or contact_count: those belong to the triggers.
grant update (max_load, is_active, last_assignment) on operator_loads to leads_app;
grant delete on weights, lead_identities, possible_duplicates, idempotency_keys, decisions, decision_snapshots
to leads_app;
grant select on
    contact_objects, contact_counts, contact_spans, registered_minutes, registered_quarters, assigned_quarters, event_log,
    schema_migrations, schema_repeatables
to leads_app;
grant execute on function contact_waiting_reason(bigint, bigint[]) to leads_app, leads_report;
grant execute on function fold_contact_tallies() to leads_app;
grant execute on function fold_contact_spans() to leads_app;
grant execute on function flush_lead_names() to leads_app;
grant execute on function sequence_events(interval, integer) to leads_app;
grant execute on function remove_decision_details(integer) to leads_app;
grant select, insert, update, delete on source_turns to leads_app;
grant select, insert, update on people, access_keys to leads_app;
grant select, insert, update, delete on sessions to leads_app;
grant select, insert, delete on person_links, sign_in_failures to leads_app;
grant select on access_version to leads_app;
grant usage on all sequences in schema public to leads_app;

grant usage on schema report to leads_app, leads_report;
grant select on all tables in schema report to leads_app, leads_report;
alter default privileges in schema report grant select on tables to leads_app, leads_report;

alter role leads_app set statement_timeout = '3s';
alter role leads_app set lock_timeout = '1500ms';
alter role leads_app set idle_in_transaction_session_timeout = '5s';
alter role leads_app set client_connection_check_interval = '1s';
alter role leads_app set plan_cache_mode = force_generic_plan;
alter role leads_app set enable_seqscan = off;
alter role leads_app set enable_hashjoin = off;
alter role leads_app set enable_mergejoin = off;
alter role leads_app set jit = off;
alter role leads_report set default_transaction_read_only = on;
alter role leads_report set statement_timeout = '60s';
alter role leads_report set idle_in_transaction_session_timeout = '60s';
