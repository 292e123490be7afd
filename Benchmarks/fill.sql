-- Fills an empty database with :contacts closed contacts of the last 30 days, a lead for every three of them, 20 operators
-- and 5 sources; the triggers count. Run by Benchmarks/run.
\set ON_ERROR_STOP on
set synchronous_commit = off;
insert into operators (name) select 'Operator ' || n from generate_series(1, 20) n;
insert into operator_loads (operator_id, max_load) select id, 10 from operators;
insert into sources (name) select 'Source ' || n from generate_series(1, 5) n;
insert into weights (source_id, operator_id, weight)
select s.id, o.id, 1 + o.id % 7 from sources s, operators o;

insert into leads (external_id, phone, name, created_at)
select 'bench-' || n, '+7900' || to_char(n, 'fm0000000'), 'Lead ' || n, now() - interval '30 days'
from generate_series(1, :contacts / 3) n;
insert into lead_identities (kind, value, lead_id)
select 'external_id'::identity_kind, external_id, id from leads
union all
select 'phone'::identity_kind, phone, id from leads;

insert into contacts (
    lead_id, source_id, operator_id, status, message, created_at, assigned_at, first_assigned_at, closed_at)
select
    1 + n % (:contacts / 3), 1 + n % 5, 1 + n % 20, 'closed', 'Message ' || n, t, t, t, t + interval '1 hour'
from generate_series(1, :contacts) n, lateral (
    select now() - interval '30 days' * (:contacts - n)::double precision / :contacts as t
) at;
select fold_contact_tallies();
vacuum analyze;
