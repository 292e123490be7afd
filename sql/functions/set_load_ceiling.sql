-- The ceiling follows max_load: lowering the limit below the load evicts nobody, so the excess that stays is allowed
-- for as long as it lasts.
create or replace function set_load_ceiling() returns trigger
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
begin
    new.ceiling := greatest(new.max_load, new.load);
    return new;
end
$$;
comment on function set_load_ceiling() is 'Trigger function: operator_loads.ceiling after an insert or a changed limit.';

create or replace trigger operator_loads_set_ceiling_on_insert
    before insert on operator_loads
    for each row execute function set_load_ceiling();

create or replace trigger operator_loads_set_ceiling_on_update
    before update of max_load on operator_loads
    for each row
    when (new.max_load is distinct from old.max_load)
    execute function set_load_ceiling();
