-- Keeps contact_spans at least as wide as the contacts are, whoever writes: for each part of the ids, from when to when
-- those in it were created.
--
-- Lists are in order of id. One of contacts created in a certain time would have to walk all ids to its beginning, or sort
-- everything in that time: both take longer with every contact. Ids and times grow together, but not strictly, and who
-- brings old contacts in by hand may not heed it at all; so it cannot be taken for granted where the time begins. Spans
-- say it for every part of 4096 ids, and are few.
--
-- Writers only append, as with contact_tally_changes; fold_contact_spans() makes one row of a part's. Deleting contacts
-- leaves spans wider than needed, which costs readers some rows and no truth.
--
-- SECURITY DEFINER, so that an application role can write contacts without being able to write their spans.
create or replace function note_contact_spans() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_level = 'STATEMENT' then
        insert into public.contact_spans (part, first_created_at, last_created_at)
        select id / 4096, min(created_at), max(created_at) from new_contacts group by id / 4096;
    else
        insert into public.contact_spans (part, first_created_at, last_created_at)
        values (new.id / 4096, new.created_at, new.created_at);
    end if;
    return null;
end
$$;
comment on function note_contact_spans() is 'Trigger function: notes when the contacts of a statement were created.';
revoke execute on function note_contact_spans() from public;

-- One session at a time; the others have nothing to wait for.
create or replace function fold_contact_spans() returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = on
set enable_hashjoin = on
as $$
    with several as (
        delete from public.contact_spans
        where part in (select part from public.contact_spans group by part having count(*) > 1)
            and (select pg_try_advisory_xact_lock(7108, 0))
        returning *
    )
    insert into public.contact_spans (part, first_created_at, last_created_at)
    select part, min(first_created_at), max(last_created_at) from several group by part
$$;
comment on function fold_contact_spans() is 'Makes one row of several for a part of contact_spans; instances call it every few seconds.';
revoke execute on function fold_contact_spans() from public;
-- Instances may run before `migrate --roles` has been through once more.
do $$
begin
    if exists (select from pg_roles where rolname = 'leads_app') then
        grant select on contact_spans to leads_app;
        grant execute on function fold_contact_spans() to leads_app;
    end if;
end
$$;

-- What was there before the trigger is noted once, before writers can come in between.
do $$
begin
    if not exists (
        select from pg_trigger where tgrelid = 'contacts'::regclass and tgname = 'contacts_spans_inserted'
    ) then
        lock table contacts in share row exclusive mode;
        delete from contact_spans;
        insert into contact_spans (part, first_created_at, last_created_at)
        select id / 4096, min(created_at), max(created_at) from contacts group by id / 4096;
    end if;
end
$$;

create or replace trigger contacts_spans_inserted
    after insert on contacts
    referencing new table as new_contacts
    for each statement execute function note_contact_spans();

create or replace trigger contacts_spans_moved
    after update of id, created_at on contacts
    for each row
    when (new.id <> old.id or new.created_at <> old.created_at)
    execute function note_contact_spans();
