-- Drops the candidates of old decisions, the bulk of what they take; who got the contact, when and by which rule stays.
-- Up to 1 000 snapshots at a time. Returns how many.
--
-- SECURITY DEFINER, so that an application role can do so and nothing else to what was decided.
create or replace function remove_decision_details(days integer) returns bigint
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
    with old as (
        select id
        from public.decision_snapshots
        where details_removed_at is null and taken_at < clock_timestamp() - make_interval(days => days)
        order by taken_at
        limit 1000
        -- Several instances may be at it: each takes what is left.
        for update skip locked
    ),
    removed as (
        update public.decision_snapshots
        set operator_ids = '{}', weights = '{}', loads = '{}', max_loads = '{}', are_active = '{}', credits = null,
            last_turns = null, last_assignments = null, starts = null, total_weight = null,
            details_removed_at = clock_timestamp()
        where id in (select id from old)
        returning id
    )
    select count(*) from removed
$$;
comment on function remove_decision_details(integer) is
    'Drops the candidates of decisions older than so many days; what was decided stays.';
revoke execute on function remove_decision_details(integer) from public;
