-- Raises sources.pool_version where the weights of a source have changed, or which of its operators are active, whoever
-- writes. Instances that remember a large pool look at it, so that they need not read thousands of rows for each contact.
--
-- The sources' rows are locked in order of id, after everything else: nobody who holds one waits for an operator.
--
-- SECURITY DEFINER, so that an application role can change weights without being able to change versions.
create or replace function note_pool_changes() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    changed bigint[];
begin
    if tg_table_name = 'operator_loads' then
        changed := array(select source_id from public.weights where operator_id = new.operator_id);
    elsif tg_op = 'INSERT' then
        changed := array(select distinct source_id from new_weights);
    elsif tg_op = 'DELETE' then
        changed := array(select distinct source_id from old_weights);
    elsif tg_op = 'UPDATE' then
        changed := array(select source_id from old_weights union select source_id from new_weights);
    else
        changed := array(select id from public.sources);
    end if;
    perform from public.sources where id = any (changed) order by id for no key update;
    update public.sources set pool_version = pool_version + 1 where id = any (changed);
    return null;
end
$$;
comment on function note_pool_changes() is 'Trigger function: raises sources.pool_version.';
revoke execute on function note_pool_changes() from public;

create or replace trigger weights_pool_inserted
    after insert on weights
    referencing new table as new_weights
    for each statement execute function note_pool_changes();

create or replace trigger weights_pool_updated
    after update on weights
    referencing old table as old_weights new table as new_weights
    for each statement execute function note_pool_changes();

create or replace trigger weights_pool_deleted
    after delete on weights
    referencing old table as old_weights
    for each statement execute function note_pool_changes();

create or replace trigger weights_pool_truncated
    after truncate on weights
    for each statement execute function note_pool_changes();

create or replace trigger operator_loads_pool_changed
    after update of is_active on operator_loads
    for each row
    when (new.is_active <> old.is_active)
    execute function note_pool_changes();
