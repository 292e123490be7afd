-- Tells all instances that what they remember of keys, people and sessions may not hold any more.
create or replace function note_access_changes() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update public.access_version set version = version + 1;
    return null;
end
$$;
comment on function note_access_changes() is 'Trigger: a right was given or taken away.';

create or replace trigger access_keys_noted
    after insert or update or delete on access_keys
    for each statement execute function note_access_changes();
create or replace trigger people_noted
    after insert or update of role, operator_id, is_disabled, name or delete on people
    for each statement execute function note_access_changes();
-- For each row, because a statement that ends nobody's session, as those of the sweep mostly do, changes nothing.
create or replace trigger sessions_noted
    after delete on sessions
    for each row execute function note_access_changes();
