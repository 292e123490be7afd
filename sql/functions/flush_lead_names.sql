-- Moves the names that leads_name_words has gathered to their places, and returns how many pages of them. Left alone, whoever
-- fills the list of 4 MB does so within a registration, which then takes 40 to 200 ms.
--
-- SECURITY DEFINER, because only an index's owner may ask for it.
create or replace function flush_lead_names() returns bigint
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
    select gin_clean_pending_list('public.leads_name_words')
$$;
comment on function flush_lead_names() is 'Keeps the index of names quick to add to; instances call it every few seconds.';
revoke execute on function flush_lead_names() from public;
-- Instances may run before `migrate --roles` has been through once more.
do $$
begin
    if exists (select from pg_roles where rolname = 'leads_app') then
        grant execute on function flush_lead_names() to leads_app;
    end if;
end
$$;
