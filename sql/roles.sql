-- What the roles of a production database may do. Run after ownership.sql by `leads-crm migrate --roles`; harmless to run
-- again. What only a superuser may change stays as it is where another account runs this; LeadStore.rightsLeftOpen tells.

-- Whoever reaches the database takes none of the product's locks, keeps nothing in it and names nothing as it does.
revoke create on schema public from public;
do $$
begin
    execute format('revoke temporary on database %I from public', current_database());
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
grant delete on weights, lead_identities, possible_duplicates, idempotency_keys to leads_app;
revoke delete on decisions, decision_snapshots from leads_app;
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
grant select on lead_erasures to leads_app;
grant execute on function erase_leads(bigint[], bigint[]) to leads_app;
grant execute on function finish_erasing_leads(bigint[]) to leads_app;
grant execute on function forget_erased_values(integer, timestamptz) to leads_app;
grant execute on function find_expired_leads(integer, integer) to leads_app;
grant execute on function oldest_snapshot_seconds() to leads_app;
grant execute on function end_old_report_snapshots(integer) to leads_app;
grant select, insert, update, delete on source_turns to leads_app;
grant select, insert, update on people, access_keys to leads_app;
grant select, insert, update, delete on sessions to leads_app;
grant select, insert, delete on person_links, sign_in_failures to leads_app;
grant select on access_version to leads_app;
grant usage on all sequences in schema public to leads_app;

grant usage on schema report to leads_app, leads_report;
grant select on all tables in schema report to leads_app, leads_report;
alter default privileges in schema report grant select on tables to leads_app, leads_report;
alter default privileges for role leads_owner in schema report grant select on tables to leads_app, leads_report;

-- So that end_old_report_snapshots() may end the sessions of leads_report, and no others.
grant leads_report to leads_owner;
do $$
begin
    -- So that oldest_snapshot_seconds() sees the sessions of everybody.
    grant pg_read_all_stats to leads_owner;
exception
    when insufficient_privilege then
        null;
end
$$;

alter role leads_app set statement_timeout = '3s';
alter role leads_app set lock_timeout = '1500ms';
alter role leads_app set idle_in_transaction_session_timeout = '5s';
alter role leads_app set client_connection_check_interval = '1s';
alter role leads_app set plan_cache_mode = force_generic_plan;
alter role leads_app set enable_seqscan = off;
alter role leads_app set enable_hashjoin = off;
alter role leads_app set enable_mergejoin = off;
alter role leads_app set jit = off;
alter role leads_app set log_parameter_max_length_on_error = 0;
alter role leads_report set default_transaction_read_only = on;
alter role leads_report set statement_timeout = '60s';
alter role leads_report set idle_in_transaction_session_timeout = '60s';

-- Only a superuser may take PostgreSQL's own functions from everybody, and bound what a role writes to disk and to the log.
do $$
declare
    function_name regprocedure;
begin
    if not (select rolsuper from pg_roles where rolname = current_user) then
        return;
    end if;
    -- Before they are taken from everybody: instances that are running must not lose a moment's right to them.
    grant execute on function
        pg_advisory_xact_lock(bigint), pg_advisory_xact_lock(integer, integer),
        pg_advisory_xact_lock_shared(integer, integer), pg_try_advisory_xact_lock(bigint)
    to leads_app;
    -- For the definer functions, and for whoever migrates.
    grant execute on function
        pg_advisory_xact_lock(integer, integer), pg_try_advisory_xact_lock(integer, integer),
        pg_try_advisory_lock(bigint)
    to leads_owner;
    for function_name in
        select p.oid
        from pg_proc p
        where p.pronamespace = 'pg_catalog'::regnamespace
            and (
                p.proname ~ '^pg_(try_)?advisory_' or p.proname ~ '^lo_' or p.proname in ('loread', 'lowrite'))
            and has_function_privilege('public', p.oid, 'execute')
    loop
        execute format('revoke execute on function %s from public', function_name);
    end loop;

    alter role leads_report set temp_file_limit = '1GB';
    -- Statements and their parameters hold personal data, and so do the details of errors.
    alter role leads_app set log_parameter_max_length = 0;
    alter role leads_app set log_min_error_statement = panic;
    alter role leads_app set log_error_verbosity = terse;
end
$$;
