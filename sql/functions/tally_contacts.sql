-- Counts contacts by source and operator, and leads, whoever writes and however many rows at once, so that statistics
-- do not get slower with every contact; also when contacts came, by the minute, and when their operators got them, by
-- the quarter of an hour, because days begin with one in all time zones.
--
-- Writers only append what their statement changed; a counter row each of them updates would make them wait for each
-- other until COMMIT. fold_contact_tallies() sums the changes up now and then; contact_counts shows both together.

-- Both are written into the statements that call them, so that no call is made.
create or replace function minute_of(moment timestamptz) returns timestamptz
language sql
immutable
parallel safe
return date_bin('1 minute', moment, timestamptz '0001-01-01 00:00:00+00');
comment on function minute_of(timestamptz) is 'When the minute began in which a moment is.';

create or replace function quarter_of(moment timestamptz) returns timestamptz
language sql
immutable
parallel safe
return date_bin('15 minutes', moment, timestamptz '0001-01-01 00:00:00+00');
comment on function quarter_of(timestamptz) is 'When the quarter of an hour began in which a moment is.';

-- SECURITY DEFINER, so that an application role can write contacts without being able to write their numbers.
create or replace function tally_contacts() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        insert into public.contact_tally_changes (
            source_id, operator_id, quarter, minute, contacts, open_contacts, waiting_contacts, registered)
        select
            source_id, operator_id,
            case when operator_id is not null then public.quarter_of(coalesce(assigned_at, created_at)) end,
            public.minute_of(created_at), count(*), count(*) filter (where status <> 'closed'),
            count(*) filter (where status = 'new'), count(*)
        from new_contacts
        group by 1, 2, 3, 4;
    elsif tg_level = 'ROW' then
        -- Another source or time, by hand.
        insert into public.contact_tally_changes (source_id, minute, registered)
        values
            (old.source_id, public.minute_of(old.created_at), -1),
            (new.source_id, public.minute_of(new.created_at), 1);
    elsif tg_op = 'UPDATE' then
        -- What changes nothing about who got how many in a quarter of an hour, as closing does, is not told apart by it.
        insert into public.contact_tally_changes (
            source_id, operator_id, quarter, contacts, open_contacts, waiting_contacts)
        select source_id, operator_id, case when change <> 0 then quarter end, sum(change), sum(open), sum(waiting)
        from (
            select source_id, operator_id, quarter, sum(change) as change, sum(open) as open, sum(waiting) as waiting
            from (
                select
                    source_id, operator_id,
                    case when operator_id is not null then public.quarter_of(coalesce(assigned_at, created_at)) end
                        as quarter,
                    -1 as change, -(status <> 'closed')::integer as open, -(status = 'new')::integer as waiting
                from old_contacts
                union all
                select
                    source_id, operator_id,
                    case when operator_id is not null then public.quarter_of(coalesce(assigned_at, created_at)) end,
                    1, (status <> 'closed')::integer, (status = 'new')::integer
                from new_contacts
            ) changes
            group by source_id, operator_id, quarter
        ) quarters
        group by source_id, operator_id, case when change <> 0 then quarter end
        having sum(change) <> 0 or sum(open) <> 0 or sum(waiting) <> 0;
    elsif tg_op = 'DELETE' then
        insert into public.contact_tally_changes (
            source_id, operator_id, quarter, minute, contacts, open_contacts, waiting_contacts, registered)
        select
            source_id, operator_id,
            case when operator_id is not null then public.quarter_of(coalesce(assigned_at, created_at)) end,
            public.minute_of(created_at), -count(*), -count(*) filter (where status <> 'closed'),
            -count(*) filter (where status = 'new'), -count(*)
        from old_contacts
        group by 1, 2, 3, 4;
    else
        perform pg_advisory_xact_lock(7106, 0);
        delete from public.contact_tally_changes where source_id is not null;
        delete from public.contact_tallies where source_id is not null;
        delete from public.contact_minutes;
        delete from public.source_quarters;
        delete from public.operator_quarters;
    end if;
    return null;
end
$$;
comment on function tally_contacts() is 'Trigger function: notes what a statement changed about the numbers of contacts.';
revoke execute on function tally_contacts() from public;

create or replace function tally_leads() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        insert into public.contact_tally_changes (leads)
        select count(*) from new_leads where merged_into is null having count(*) > 0;
    elsif tg_op = 'UPDATE' then
        insert into public.contact_tally_changes (leads)
        values (case when new.merged_into is null then 1 else 0 end - case when old.merged_into is null then 1 else 0 end);
    elsif tg_op = 'DELETE' then
        insert into public.contact_tally_changes (leads)
        select -count(*) from old_leads where merged_into is null having count(*) > 0;
    else
        perform pg_advisory_xact_lock(7106, 0);
        delete from public.contact_tally_changes where leads <> 0;
        delete from public.contact_tallies where source_id is null;
    end if;
    return null;
end
$$;
comment on function tally_leads() is 'Trigger function: notes what a statement changed about the number of leads.';
revoke execute on function tally_leads() from public;

-- Sums up to 50 000 changes up and returns how many. One session at a time does so; the others have nothing to wait for.
create or replace function fold_contact_tallies() returns bigint
language sql
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = on
set enable_hashjoin = on
as $$
    with changes as (
        delete from public.contact_tally_changes
        where ctid = any (array(select ctid from public.contact_tally_changes limit 50000))
            and (select pg_try_advisory_xact_lock(7106, 0))
        returning *
    ),
    folded as (
        insert into public.contact_tallies as t (source_id, operator_id, contacts, open_contacts, waiting_contacts, leads)
        select source_id, operator_id, sum(contacts), sum(open_contacts), sum(waiting_contacts), sum(leads)
        from changes
        group by source_id, operator_id
        on conflict on constraint contact_tallies_source_operator_unique do update set
            contacts = t.contacts + excluded.contacts,
            open_contacts = t.open_contacts + excluded.open_contacts,
            waiting_contacts = t.waiting_contacts + excluded.waiting_contacts,
            leads = t.leads + excluded.leads
    ),
    minutes as (
        insert into public.contact_minutes as t (minute, source_id, contacts)
        select minute, source_id, sum(registered)
        from changes
        where minute >= now() - interval '3 hours'
        group by minute, source_id
        having sum(registered) <> 0
        on conflict on constraint contact_minutes_pkey do update set contacts = t.contacts + excluded.contacts
    ),
    registrations as (
        insert into public.source_quarters as t (quarter, source_id, contacts)
        select public.quarter_of(minute), source_id, sum(registered)
        from changes
        where minute is not null
        group by public.quarter_of(minute), source_id
        having sum(registered) <> 0
        on conflict on constraint source_quarters_pkey do update set contacts = t.contacts + excluded.contacts
    ),
    assignments as (
        insert into public.operator_quarters as t (source_id, quarter, operator_id, contacts)
        select source_id, quarter, operator_id, sum(contacts)
        from changes
        where quarter is not null
        group by source_id, quarter, operator_id
        having sum(contacts) <> 0
        on conflict on constraint operator_quarters_pkey do update set contacts = t.contacts + excluded.contacts
    ),
    outdated as (
        delete from public.contact_minutes
        where minute < now() - interval '3 hours' and (select count(*) from changes) > 0
    )
    select count(*) from changes
$$;
comment on function fold_contact_tallies() is
    'Moves contact_tally_changes into contact_tallies and what is counted by time, a piece at a time; instances call it every few seconds.';
revoke execute on function fold_contact_tallies() from public;

-- Counts afresh, with writers kept out: when the triggers are new, or somebody doubts the numbers.
create or replace function recount_contact_tallies() returns void
language sql
set search_path = pg_catalog, public, pg_temp
as $$
    -- In the order in which writers lock them.
    lock table leads, contacts in share row exclusive mode;
    select pg_advisory_xact_lock(7106, 0);
    delete from contact_tally_changes;
    delete from contact_tallies;
    delete from contact_minutes;
    delete from source_quarters;
    delete from operator_quarters;
    insert into contact_tallies (source_id, operator_id, contacts, open_contacts, waiting_contacts, leads)
    select
        source_id, operator_id, count(*), count(*) filter (where status <> 'closed'),
        count(*) filter (where status = 'new'), 0
    from contacts
    group by source_id, operator_id
    union all
    select null, null, 0, 0, 0, count(*)
    from leads
    where merged_into is null;
    insert into contact_minutes (minute, source_id, contacts)
    select minute_of(created_at), source_id, count(*)
    from contacts
    where created_at >= now() - interval '3 hours'
    group by 1, 2;
    insert into source_quarters (quarter, source_id, contacts)
    select quarter_of(created_at), source_id, count(*)
    from contacts
    group by 1, 2;
    insert into operator_quarters (source_id, quarter, operator_id, contacts)
    select source_id, quarter_of(coalesce(assigned_at, created_at)), operator_id, count(*)
    from contacts
    where operator_id is not null
    group by 1, 2, 3
    order by 1, 2, 3;
$$;
comment on function recount_contact_tallies() is 'Counts contacts and leads afresh; writers wait meanwhile.';
revoke execute on function recount_contact_tallies() from public;

-- What was there before the triggers is counted once, before writers can come in between. What was there before they
-- counted by time, see count_contact_times.sql.
do $$
begin
    if not exists (
        select from pg_trigger where tgrelid = 'contacts'::regclass and tgname = 'contacts_tally_inserted'
    ) then
        perform recount_contact_tallies();
    end if;
end
$$;

create or replace trigger contacts_tally_inserted
    after insert on contacts
    referencing new table as new_contacts
    for each statement execute function tally_contacts();

create or replace trigger contacts_tally_updated
    after update on contacts
    referencing old table as old_contacts new table as new_contacts
    for each statement execute function tally_contacts();

create or replace trigger contacts_tally_moved
    after update of source_id, created_at on contacts
    for each row
    when (new.source_id <> old.source_id or new.created_at <> old.created_at)
    execute function tally_contacts();

create or replace trigger contacts_tally_deleted
    after delete on contacts
    referencing old table as old_contacts
    for each statement execute function tally_contacts();

create or replace trigger contacts_tally_truncated
    after truncate on contacts
    for each statement execute function tally_contacts();

create or replace trigger leads_tally_inserted
    after insert on leads
    referencing new table as new_leads
    for each statement execute function tally_leads();

create or replace trigger leads_tally_merged
    after update of merged_into on leads
    for each row
    when ((new.merged_into is null) <> (old.merged_into is null))
    execute function tally_leads();

create or replace trigger leads_tally_deleted
    after delete on leads
    referencing old table as old_leads
    for each statement execute function tally_leads();

create or replace trigger leads_tally_truncated
    after truncate on leads
    for each statement execute function tally_leads();
