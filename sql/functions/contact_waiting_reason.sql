-- Why a contact that waits in a source has nobody right now. Mirrors the gates of Distribution, for showing only: a test
-- holds the two together. Stored reasons would go stale with every change of a weight, a limit or an operator.
--
-- SECURITY DEFINER, because a function in a view runs with the rights of whoever reads the view: analysts see the
-- reason without seeing the tables behind it.
create or replace function contact_waiting_reason(wanted_source_id bigint, released_by bigint[]) returns text
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        case
            when count(*) = 0 then 'no_operators'
            when not bool_or(l.is_active) then 'all_inactive'
            when not bool_or(l.is_active and l.load < l.max_load) then 'all_at_limit'
            -- Somebody else could be asked, and none of those who could be has a free place.
            when bool_or(w.operator_id <> all (released_by))
                and not bool_or(l.is_active and l.load < l.max_load and w.operator_id <> all (released_by))
                then 'excluded'
            else 'behind_queue'
        end
    from public.weights w
    join public.operator_loads l on l.operator_id = w.operator_id
    where w.source_id = wanted_source_id
$$;
comment on function contact_waiting_reason(bigint, bigint[]) is
    'no_operators, all_inactive, all_at_limit, excluded (only operators who released it are free), or behind_queue while the queue is being placed.';
revoke execute on function contact_waiting_reason(bigint, bigint[]) from public;
-- Together with the view that calls it: instances that are running must not lose a moment's right to it.
do $$
begin
    if exists (select from pg_roles where rolname = 'leads_app') then
        grant execute on function contact_waiting_reason(bigint, bigint[]) to leads_app;
    end if;
    if exists (select from pg_roles where rolname = 'leads_report') then
        grant execute on function contact_waiting_reason(bigint, bigint[]) to leads_report;
    end if;
end
$$;
