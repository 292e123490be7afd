-- When contacts came and when operators got them, without reading them: what has been summed up, and what has not yet.
-- There may be several rows for a time, because who reads sums them up anyway.
create or replace view registered_minutes as
select minute, source_id, contacts from contact_minutes
union all
select minute, source_id, registered from contact_tally_changes where minute is not null;
comment on view registered_minutes is
    'Contacts by source and the minute in which they were registered, of the last hours. Sum them up: there may be several rows for one minute.';

create or replace view registered_quarters as
select quarter, source_id, contacts from source_quarters
union all
select quarter_of(minute), source_id, registered from contact_tally_changes where minute is not null;
comment on view registered_quarters is
    'Contacts by source and the quarter of an hour in which they were registered. Sum them up: there may be several rows for one quarter.';

create or replace view assigned_quarters as
select source_id, quarter, operator_id, contacts from operator_quarters
union all
select source_id, quarter, operator_id, contacts from contact_tally_changes where quarter is not null;
comment on view assigned_quarters is
    'Contacts by source, by present or last operator and by the quarter of an hour in which that operator got them. Sum them up: there may be several rows for one quarter.';

-- Instances may run before `migrate --roles` has been through once more.
do $$
begin
    if exists (select from pg_roles where rolname = 'leads_app') then
        grant select on registered_minutes, registered_quarters, assigned_quarters to leads_app;
    end if;
end
$$;
