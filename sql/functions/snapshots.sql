-- What old snapshots can still see is kept, by every table: updated often, those of operators and counts grow and slow down.
--
-- SECURITY DEFINER, so that an application role learns how old the oldest is and ends those of analysts, without seeing what
-- others run or ending anybody else's. roles.sql makes the owner one who may.

create or replace function oldest_snapshot_seconds() returns double precision
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(greatest(extract(epoch from clock_timestamp() - min(xact_start)), 0), 0)::double precision
    from pg_stat_activity
    where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
$$;
comment on function oldest_snapshot_seconds() is
    'How long the oldest transaction of any other session of this database has lasted; 0 without one.';
revoke execute on function oldest_snapshot_seconds() from public;

-- A session that is between two statements of a READ COMMITTED transaction has no snapshot: it keeps nothing.
create or replace function end_old_report_snapshots(seconds integer) returns bigint
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
    select count(*) filter (where pg_terminate_backend(pid))
    from pg_stat_activity
    where datname = current_database()
        and usename = 'leads_report'
        and backend_xmin is not null
        and xact_start < clock_timestamp() - make_interval(secs => seconds)
$$;
comment on function end_old_report_snapshots(integer) is
    'Ends the sessions of leads_report whose transaction has lasted longer than so many seconds and keeps a snapshot; returns how many.';
revoke execute on function end_old_report_snapshots(integer) from public;
-- Instances may run before `migrate --roles` has been through once more.
do $$
begin
    if exists (select from pg_roles where rolname = 'leads_app') then
        grant execute on function oldest_snapshot_seconds() to leads_app;
        grant execute on function end_old_report_snapshots(integer) to leads_app;
    end if;
end
$$;
