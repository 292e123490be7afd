-- What registering a contact costs when each is a transaction of its own: the best single-row function we could write on
-- this very schema. `pgbench -M prepared` calls it; Benchmarks/run registration compares the product with it.
--
-- It chooses from an unlocked read, locks the chosen operator, checks again, and stores lead, identity, contact and event;
-- the schema's triggers count. Whoever finds nobody locks every operator of the source before saying so. It keeps the
-- limit and one lead per key. It does less than the product: it neither serves the queue first nor records decisions.
--
-- Tried, in turns of 4 s at 1, 64 and 150 connections, by processor time of the server per registration because the
-- machine was shared:
--
-- * Row lock alone, as one would write it: ×1.3 … ×2 of this one's time at 64 and 150. Those who wait for a row take two
--   heavy locks, follow the row's versions and check again; an advisory lock on the operator in front of it queues them.
-- * That lock after the lead was written: ×1.1 … ×1.4. Before it, those who wait have written nothing yet, so fewer
--   transactions are under way: smaller snapshots, and fewer who hold the key of the one source at the same time.
-- * At most eight transactions at a time, by advisory locks of no meaning: ×1.2 … ×1.6.
-- * One statement for everything, without a function; contact and event in one statement: as this one within noise.
-- * No lock of its own, the trigger's update takes it and the constraint checks: half the rate. The foreign key's check then
--   shares rows that others are updating, which makes multixacts.
-- * The settings of the product's sessions (one plan, no sequential scans): no difference, so pgbench uses the defaults.
create schema if not exists benchmark;

create or replace function benchmark.choose(wanted_source_id bigint) returns bigint
language plpgsql
as $$
begin
    return (
        select w.operator_id
        from weights w
        join operator_loads l on l.operator_id = w.operator_id
        where w.source_id = wanted_source_id and l.is_active and l.load < l.max_load
        order by -ln(1 - random()) / w.weight
        limit 1
    );
end
$$;
comment on function benchmark.choose(bigint) is 'weighted_random among those who have room, as they are seen without a lock.';

create or replace function benchmark.register(
    wanted_source_id bigint, given_external_id text, given_name text, given_message text
) returns bigint
language plpgsql
as $$
declare
    chosen bigint;
    lead bigint;
    contact bigint := nextval('contacts_id_seq');
begin
    -- As choose() does, without a call.
    select w.operator_id
    into chosen
    from weights w
    join operator_loads l on l.operator_id = w.operator_id
    where w.source_id = wanted_source_id and l.is_active and l.load < l.max_load
    order by -ln(1 - random()) / w.weight
    limit 1;
    if chosen is not null then
        perform pg_advisory_xact_lock(7199, (chosen % 2147483647)::integer);
    end if;

    with identity as (
        insert into lead_identities (kind, value, lead_id)
        values ('external_id', given_external_id, nextval('leads_id_seq'))
        on conflict do nothing
        returning lead_id
    )
    insert into leads (id, external_id, name)
    overriding system value
    select lead_id, given_external_id, given_name from identity
    returning id into lead;
    if lead is null then
        select l.id
        into strict lead
        from lead_identities i
        join leads l on l.id = i.lead_id
        where i.kind = 'external_id' and i.value = given_external_id
        for no key update of l;
    end if;

    if chosen is not null then
        perform from operator_loads
        where operator_id = chosen and is_active and load < max_load
        for no key update;
        -- The lock on a row that is found full is kept until the end, so going on to another could deadlock. The caller
        -- begins again (pgbench --max-tries).
        if not found then raise serialization_failure; end if;
    else
        perform from operator_loads
        where operator_id in (select operator_id from weights where source_id = wanted_source_id)
        order by operator_id
        for no key update;
        chosen := benchmark.choose(wanted_source_id);
    end if;

    if chosen is not null then
        insert into contacts (
            id, lead_id, source_id, operator_id, status, message, created_at, assigned_at, first_assigned_at)
        overriding system value
        values (contact, lead, wanted_source_id, chosen, 'active', given_message, now(), now(), now());
    else
        insert into contacts (id, lead_id, source_id, status, message, waiting_reason, waiting_since)
        overriding system value
        values (contact, lead, wanted_source_id, 'new', given_message, 'all_at_limit', now());
    end if;
    insert into events (contact_id, kind, to_operator_id, actor_kind)
    values (contact, 'registered', chosen, 'api');
    return contact;
end
$$;
comment on function benchmark.register(bigint, text, text, text) is
    'Registers one contact in one transaction and returns its id.';
