-- What storing the rows of a batch costs when nothing is decided, locked or counted: tables with the same columns, checks,
-- indexes and foreign keys as the product's, without triggers, filled by INSERT … SELECT unnest. Benchmarks/run batch.
create schema if not exists benchmark;

create table benchmark.leads (like public.leads including all);
alter table benchmark.leads add foreign key (merged_into) references benchmark.leads (id);
create table benchmark.lead_identities (like public.lead_identities including all);
alter table benchmark.lead_identities add foreign key (lead_id) references benchmark.leads (id);
create table benchmark.contacts (like public.contacts including all);
alter table benchmark.contacts
    add foreign key (lead_id) references benchmark.leads (id),
    add foreign key (source_id) references public.sources (id),
    add foreign key (operator_id) references public.operator_loads (operator_id);
create table benchmark.events (like public.events including all);
create table benchmark.decision_snapshots (like public.decision_snapshots including all);
create table benchmark.decisions (like public.decisions including all);

-- The ids are drawn beforehand, as the product does, so that no insert has to return what the next one needs.
create function benchmark.insert_rows(source bigint, external_ids text[], names text[], with_records boolean)
returns void
language plpgsql
as $$
declare
    operators bigint[] := array(select operator_id from public.weights where source_id = source order by operator_id);
    lead_ids bigint[] := array(select nextval('public.leads_id_seq') from unnest(external_ids));
    contact_ids bigint[] := array(select nextval('public.contacts_id_seq') from unnest(external_ids));
    snapshot bigint;
begin
    insert into benchmark.leads (id, external_id, name)
    overriding system value
    select * from unnest(lead_ids, external_ids, names);

    insert into benchmark.lead_identities (kind, value, lead_id)
    select 'external_id', * from unnest(external_ids, lead_ids);

    insert into benchmark.contacts (
        id, lead_id, source_id, operator_id, status, message, created_at, assigned_at, first_assigned_at)
    overriding system value
    select id, lead_id, source, operators[1 + id % cardinality(operators)], 'active', 'hello', now(), now(), now()
    from unnest(contact_ids, lead_ids) as c (id, lead_id);

    if with_records then
        insert into benchmark.events (contact_id, kind, to_operator_id, actor_kind)
        select id, 'registered', operators[1 + id % cardinality(operators)], 'api' from unnest(contact_ids) as c (id);

        insert into benchmark.decision_snapshots (
            source_id, strategy, operator_ids, weights, loads, max_loads, are_active)
        select source, 'weighted_random', array_agg(operator_id), array_agg(1), array_agg(load), array_agg(max_load),
            array_agg(is_active)
        from public.operator_loads
        where operator_id = any (operators)
        returning id into snapshot;

        insert into benchmark.decisions (contact_id, snapshot_id, ordinal, operator_id, draw)
        select id, snapshot, place, operators[1 + id % cardinality(operators)], 1
        from unnest(contact_ids) with ordinality as c (id, place);
    end if;
end
$$;
