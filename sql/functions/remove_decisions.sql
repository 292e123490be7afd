-- Takes decisions along with the contacts or snapshots they are about, in place of foreign keys, which would check every
-- decision that is written.
--
-- SECURITY DEFINER, so that whoever may delete a contact need not be able to delete decisions.
create or replace function remove_decisions() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'TRUNCATE' then
        delete from public.decisions;
    elsif tg_table_name = 'contacts' then
        delete from public.decisions where contact_id in (select id from gone);
    else
        delete from public.decisions where snapshot_id in (select id from gone);
    end if;
    return null;
end
$$;
comment on function remove_decisions() is 'Trigger function: decisions go with what they are about.';
revoke execute on function remove_decisions() from public;

create or replace trigger contacts_decisions_deleted
    after delete on contacts
    referencing old table as gone
    for each statement execute function remove_decisions();

create or replace trigger contacts_decisions_truncated
    after truncate on contacts
    for each statement execute function remove_decisions();

create or replace trigger decision_snapshots_decisions_deleted
    after delete on decision_snapshots
    referencing old table as gone
    for each statement execute function remove_decisions();

create or replace trigger decision_snapshots_decisions_truncated
    after truncate on decision_snapshots
    for each statement execute function remove_decisions();
