-- Counts contacts by source and operator, and leads, whoever writes and however many rows at once, so that statistics
-- do not get slower with every contact.
--
-- Writers only append what their statement changed; a counter row each of them updates would make them wait for each
-- other until COMMIT. fold_contact_tallies() sums the changes up now and then; contact_counts shows both together.
--
-- SECURITY DEFINER, so that an application role can write contacts without being able to write their numbers.
create or replace function tally_contacts() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        insert into contact_tally_changes (source_id, operator_id, contacts, open_contacts, waiting_contacts)
        select
            source_id, operator_id, count(*), count(*) filter (where status <> 'closed'),
            count(*) filter (where status = 'new')
        from new_contacts
        group by source_id, operator_id;
    elsif tg_op = 'UPDATE' then
        insert into contact_tally_changes (source_id, operator_id, contacts, open_contacts, waiting_contacts)
        select source_id, operator_id, sum(change), sum(open), sum(waiting)
        from (
            select
                source_id, operator_id, -1 as change, -(status <> 'closed')::integer as open,
                -(status = 'new')::integer as waiting
            from old_contacts
            union all
            select source_id, operator_id, 1, (status <> 'closed')::integer, (status = 'new')::integer
            from new_contacts
        ) changes
        group by source_id, operator_id
        having sum(change) <> 0 or sum(open) <> 0 or sum(waiting) <> 0;
    elsif tg_op = 'DELETE' then
        insert into contact_tally_changes (source_id, operator_id, contacts, open_contacts, waiting_contacts)
        select
            source_id, operator_id, -count(*), -count(*) filter (where status <> 'closed'),
            -count(*) filter (where status = 'new')
        from old_contacts
        group by source_id, operator_id;
    else
        perform pg_advisory_xact_lock(7106, 0);
        delete from contact_tally_changes where contacts <> 0 or open_contacts <> 0 or waiting_contacts <> 0;
        delete from contact_tallies where source_id is not null;
    end if;
    return null;
end
$$;
comment on function tally_contacts() is 'Trigger function: notes what a statement changed about the numbers of contacts.';
revoke execute on function tally_contacts() from public;

create or replace function tally_leads() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        insert into contact_tally_changes (leads)
        select count(*) from new_leads where merged_into is null having count(*) > 0;
    elsif tg_op = 'UPDATE' then
        insert into contact_tally_changes (leads)
        values (case when new.merged_into is null then 1 else 0 end - case when old.merged_into is null then 1 else 0 end);
    elsif tg_op = 'DELETE' then
        insert into contact_tally_changes (leads)
        select -count(*) from old_leads where merged_into is null having count(*) > 0;
    else
        perform pg_advisory_xact_lock(7106, 0);
        delete from contact_tally_changes where leads <> 0;
        delete from contact_tallies where source_id is null;
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
set search_path = pg_catalog, public, pg_temp
set enable_seqscan = on
set enable_hashjoin = on
as $$
    with changes as (
        delete from contact_tally_changes
        where ctid = any (array(select ctid from contact_tally_changes limit 50000))
            and (select pg_try_advisory_xact_lock(7106, 0))
        returning *
    ),
    folded as (
        insert into contact_tallies as t (source_id, operator_id, contacts, open_contacts, waiting_contacts, leads)
        select source_id, operator_id, sum(contacts), sum(open_contacts), sum(waiting_contacts), sum(leads)
        from changes
        group by source_id, operator_id
        on conflict on constraint contact_tallies_source_operator_unique do update set
            contacts = t.contacts + excluded.contacts,
            open_contacts = t.open_contacts + excluded.open_contacts,
            waiting_contacts = t.waiting_contacts + excluded.waiting_contacts,
            leads = t.leads + excluded.leads
    )
    select count(*) from changes
$$;
comment on function fold_contact_tallies() is
    'Moves contact_tally_changes into contact_tallies, a piece at a time; instances call it every few seconds.';
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
$$;
comment on function recount_contact_tallies() is 'Counts contacts and leads afresh; writers wait meanwhile.';
revoke execute on function recount_contact_tallies() from public;

-- What was there before the triggers is counted once, before writers can come in between.
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
