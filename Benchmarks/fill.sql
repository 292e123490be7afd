-- Fills an empty database with :contacts closed contacts of the last 30 days, a lead for every three of them, and :waiting
-- contacts that wait for an operator who is full; 20 operators and 5 sources beside that one. Run by Benchmarks/run.
--
-- Five million take minutes because what watches every row is set aside meanwhile: triggers, foreign keys and those indexes
-- that no constraint needs. All of it is back at the end, and the counters are the recount.
\set ON_ERROR_STOP on
set synchronous_commit = off;
set maintenance_work_mem = '512MB';
begin;
insert into operators (name) select 'Operator ' || n from generate_series(1, 21) n;
insert into operator_loads (operator_id, max_load) select id, case when id <= 20 then 10 else 1 end from operators;
insert into sources (name) select 'Source ' || n from generate_series(1, 6) n;
insert into weights (source_id, operator_id, weight)
select s.id, o.id, 1 + o.id % 7
from sources s
join operators o on (s.id = 6) = (o.id = 21);

create temporary table indexes_set_aside on commit drop as
select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
from pg_index
where
    indrelid in (
        'leads'::regclass, 'lead_identities'::regclass, 'contacts'::regclass, 'events'::regclass)
    and not exists (select from pg_constraint where conindid = indexrelid);
do $$
declare
    name text;
begin
    for name in select i.name from indexes_set_aside i loop
        execute 'drop index ' || name;
    end loop;
end
$$;
set local session_replication_role = replica;

insert into leads (external_id, phone, name, contact_count, created_at)
select 'bench-' || n, '+7900' || to_char(n, 'fm0000000'), 'Lead ' || n, 3, now() - interval '30 days'
from generate_series(1, :contacts / 3) n;
-- In the order of the key, which alone makes its index quick to fill.
insert into lead_identities (kind, value, lead_id)
select kind, value, id
from (
    select 'external_id'::identity_kind as kind, external_id as value, id from leads
    union all
    select 'phone'::identity_kind, phone, id from leads
) identities
order by kind, value;

insert into contacts (
    lead_id, source_id, operator_id, status, message, created_at, assigned_at, first_assigned_at, closed_at)
select
    1 + n % (:contacts / 3), 1 + n % 5, 1 + n % 20, 'closed', 'Message ' || n, t, t, t, t + interval '1 hour'
from generate_series(1, :contacts) n, lateral (
    select now() - interval '30 days' * (:contacts - n)::double precision / :contacts as t
) at;
insert into contacts (lead_id, source_id, operator_id, status, created_at, assigned_at, first_assigned_at)
values (1, 6, 21, 'active', now(), now(), now());
insert into contacts (lead_id, source_id, status, message, waiting_reason, waiting_since)
select 1 + n % (:contacts / 3), 6, 'new', 'Message ' || n, 'all_at_limit', now() from generate_series(1, :waiting) n;

insert into contact_spans (part, first_created_at, last_created_at)
select id / 4096, min(created_at), max(created_at) from contacts group by id / 4096;

insert into events (contact_id, kind, to_operator_id, actor_kind, at)
select id, 'registered', operator_id, 'api', created_at from contacts order by id;
insert into event_log (position, event_id) select id, id from events order by id;
update event_sequencer set last_position = (select max(id) from events), last_event_id = (select max(id) from events);

set local session_replication_role = origin;
do $$
declare
    definition text;
begin
    for definition in select i.definition from indexes_set_aside i loop
        execute definition;
    end loop;
end
$$;
select count(*) from recount_lead_contacts();
select count(*) from recount_loads();
select recount_contact_tallies();
commit;
vacuum analyze;
