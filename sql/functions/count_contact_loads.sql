-- Keeps operator_loads.load equal to the number of active contacts, and leads.contact_count to that of all of a lead's,
-- whoever writes and however many rows at once.
--
-- One pass per statement over the transition tables. An ordinary assignment may not lift load above ceiling: the
-- constraint operator_loads_load_within_ceiling then fails the whole statement. A forced one lifts the ceiling first.
-- Whoever assigns through the product already holds the operators' rows, locked in order of id. An operator that gains
-- contacts also gets the next number of operator_assignments: the least is idle the longest. Of several in one statement
-- the one whose last contact came last gets the highest.
--
-- SECURITY DEFINER, so that an application role can write contacts without being able to write loads.
create or replace function count_contact_loads() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while leads is nearly empty joins it by a hash, and keeps reading all of it when it has grown: until its
-- statistics change, each insert costs what there is. Nothing here joins one transition table to another, which would need
-- such joins: they have no statistics, and nested loops over both are quadratic.
set enable_hashjoin = off
as $$
begin
    if tg_op = 'INSERT' then
        update public.operator_loads l
        set load = l.load + c.assigned, last_assignment = c.number
        from (
            select operator_id, assigned, nextval('public.operator_assignments') as number
            from (
                select operator_id, count(*)::integer as assigned
                from new_contacts
                where status = 'active' and not is_forced
                group by operator_id
                order by max(arrival)
            ) given
        ) c
        where l.operator_id = c.operator_id;

        update public.leads l
        set contact_count = l.contact_count + c.contacts
        from (select lead_id, count(*)::integer as contacts from new_contacts group by lead_id) c
        where l.id = c.lead_id;

        if exists (select from new_contacts where status = 'active' and is_forced) then
            update public.operator_loads l
            set load = l.load + c.forced, ceiling = greatest(l.ceiling, l.load + c.forced),
                last_assignment = nextval('public.operator_assignments')
            from (
                select operator_id, count(*)::integer as forced
                from new_contacts
                where status = 'active' and is_forced
                group by operator_id
            ) c
            where l.operator_id = c.operator_id;
        end if;
    elsif tg_op = 'UPDATE' then
        -- Releases sink the ceiling back towards max_load; ordinary assignments leave it where it is.
        update public.operator_loads l
        set load = l.load + c.change,
            ceiling = case
                when c.change < 0 then greatest(l.max_load, least(l.ceiling, l.load + c.change))
                else l.ceiling
            end,
            last_assignment = coalesce(c.number, l.last_assignment)
        from (
            select operator_id, change, case when change > 0 then nextval('public.operator_assignments') end as number
            from (
                select operator_id, sum(change)::integer as change
                from (
                    select operator_id, arrival, -1 as change from old_contacts where status = 'active'
                    union all
                    select operator_id, arrival, 1 from new_contacts where status = 'active' and not is_forced
                    union all
                    select operator_id, null, 1
                    from (
                        select id, operator_id from new_contacts where status = 'active' and is_forced
                        intersect
                        select id, operator_id from old_contacts where status = 'active'
                    ) kept
                ) changes
                group by operator_id
                having sum(change) <> 0
                order by max(arrival)
            ) changed
        ) c
        where l.operator_id = c.operator_id;

        update public.leads l
        set contact_count = l.contact_count + c.change
        from (
            select lead_id, sum(change)::integer as change
            from (
                select lead_id, -1 as change from old_contacts
                union all
                select lead_id, 1 from new_contacts
            ) changes
            group by lead_id
            having sum(change) <> 0
        ) c
        where l.id = c.lead_id;

        if exists (select from new_contacts where status = 'active' and is_forced) then
            update public.operator_loads l
            set load = l.load + c.forced, ceiling = greatest(l.ceiling, l.load + c.forced),
                last_assignment = nextval('public.operator_assignments')
            from (
                select operator_id, count(*)::integer as forced
                from (
                    select id, operator_id from new_contacts where status = 'active' and is_forced
                    except
                    select id, operator_id from old_contacts where status = 'active'
                ) gained
                group by operator_id
            ) c
            where l.operator_id = c.operator_id;
        end if;
    elsif tg_op = 'DELETE' then
        update public.operator_loads l
        set load = l.load - c.released,
            ceiling = greatest(l.max_load, least(l.ceiling, l.load - c.released))
        from (
            select operator_id, count(*)::integer as released
            from old_contacts
            where status = 'active'
            group by operator_id
        ) c
        where l.operator_id = c.operator_id;

        update public.leads l
        set contact_count = l.contact_count - c.contacts
        from (select lead_id, count(*)::integer as contacts from old_contacts group by lead_id) c
        where l.id = c.lead_id;
    else
        update public.operator_loads set load = 0, ceiling = max_load where load <> 0;
        update public.leads set contact_count = 0 where contact_count <> 0;
    end if;
    return null;
end
$$;
comment on function count_contact_loads() is
    'Trigger function: keeps operator_loads.load and leads.contact_count equal to the recount.';
-- A trigger fires without this right; with it, anybody could hang the function on a table of his own and write loads.
revoke execute on function count_contact_loads() from public;

create or replace trigger contacts_count_inserted
    after insert on contacts
    referencing new table as new_contacts
    for each statement execute function count_contact_loads();

create or replace trigger contacts_count_updated
    after update on contacts
    referencing old table as old_contacts new table as new_contacts
    for each statement execute function count_contact_loads();

create or replace trigger contacts_count_deleted
    after delete on contacts
    referencing old table as old_contacts
    for each statement execute function count_contact_loads();

create or replace trigger contacts_count_truncated
    after truncate on contacts
    for each statement execute function count_contact_loads();
