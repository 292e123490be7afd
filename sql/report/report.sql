-- What analysts read. No personal data of leads: no names, phones, e-mails, external ids or messages.
create schema if not exists report;
comment on schema report is 'Documented views for analysts, free of leads'' personal data. See sql/README.md.';

create or replace view report.contacts as
select
    c.id as contact_id,
    c.lead_id,
    c.source_id,
    s.name as source_name,
    c.operator_id,
    o.name as operator_name,
    c.status,
    c.priority,
    case when c.status = 'new' then public.contact_waiting_reason(c.source_id, c.released_by) end as waiting_reason,
    c.waiting_since,
    c.is_forced,
    c.created_at,
    c.first_assigned_at,
    c.assigned_at,
    c.closed_at,
    extract(epoch from c.first_assigned_at - c.created_at)::double precision as seconds_to_assign,
    extract(epoch from c.closed_at - c.assigned_at)::double precision as seconds_to_close
from public.contacts c
join public.sources s on s.id = c.source_id
left join public.operators o on o.id = c.operator_id;
comment on view report.contacts is 'One row per contact, with the names of its source and operator and its times.';
comment on column report.contacts.status is 'new: waits. active: its operator is at it. closed: done.';
comment on column report.contacts.operator_id is 'Who has it or had it last; names are not unique, group by id.';
comment on column report.contacts.waiting_reason is
    'Why nobody has it right now: no_operators, all_inactive, all_at_limit, excluded, behind_queue; null unless it waits.';
comment on column report.contacts.waiting_since is 'Since when it waits; later than created_at when it was put back.';
comment on column report.contacts.is_forced is 'Given by hand although the operator was inactive or at the limit.';
comment on column report.contacts.seconds_to_assign is
    'From registration to the first assignment; null if there was none yet. Reopening does not change it.';
comment on column report.contacts.seconds_to_close is
    'From the last assignment to closing; null while it is open and when it was closed unassigned.';

create or replace view report.operator_load as
select
    o.id as operator_id,
    o.name as operator_name,
    l.is_active,
    l.load,
    l.max_load,
    greatest(l.max_load - l.load, 0) as capacity,
    round(100.0 * l.load / l.max_load, 2) as load_percentage,
    o.archived_at is not null as is_archived
from public.operators o
join public.operator_loads l on l.operator_id = o.id;
comment on view report.operator_load is 'One row per operator: how many active contacts each carries, and how many more each can.';
comment on column report.operator_load.capacity is 'Free places, whether or not the operator is switched on.';
comment on column report.operator_load.load is 'Active contacts; the same number the API and the limit use.';

create or replace view report.distribution as
select
    c.source_id,
    s.name as source_name,
    c.operator_id,
    o.name as operator_name,
    w.weight,
    count(*) as contacts,
    count(*) filter (where c.status = 'active') as active_contacts,
    round(100.0 * count(*) / sum(count(*)) over (partition by c.source_id), 2) as percentage_of_source
from public.contacts c
join public.sources s on s.id = c.source_id
left join public.operators o on o.id = c.operator_id
left join public.weights w on w.source_id = c.source_id and w.operator_id = c.operator_id
group by c.source_id, s.name, c.operator_id, o.name, w.weight;
comment on view report.distribution is
    'One row per source and operator: how many contacts each has or had last. A null operator stands for contacts that wait, or were closed while waiting.';
comment on column report.distribution.weight is 'The present weight; null when the operator no longer has one there.';

create or replace view report.weights as
select
    w.source_id,
    s.name as source_name,
    w.operator_id,
    o.name as operator_name,
    w.weight,
    round(100.0 * w.weight / sum(w.weight) over (partition by w.source_id), 2) as promised_percentage,
    l.is_active
from public.weights w
join public.sources s on s.id = w.source_id
join public.operators o on o.id = w.operator_id
join public.operator_loads l on l.operator_id = w.operator_id;
comment on view report.weights is 'One row per source and operator with a weight: what share each is promised.';
comment on column report.weights.promised_percentage is
    'Weight over the sum of the source''s weights: the share while everybody is eligible and the strategy is weighted_random.';

create or replace view report.waiting as
select
    c.source_id,
    s.name as source_name,
    c.waiting_reason,
    sum(c.contacts)::bigint as contacts,
    min(c.oldest_since) as oldest_since,
    extract(epoch from clock_timestamp() - min(c.oldest_since))::double precision as oldest_seconds
from (
    -- The reason is looked up once for all that nobody has released, which are nearly all.
    select
        source_id, public.contact_waiting_reason(source_id, released_by) as waiting_reason, count(*) as contacts,
        min(waiting_since) as oldest_since
    from public.contacts
    where status = 'new'
    group by source_id, released_by
) c
join public.sources s on s.id = c.source_id
group by c.source_id, s.name, c.waiting_reason;
comment on view report.waiting is 'Contacts nobody has yet, by source, with the reason.';

create or replace view report.registrations as
select q.quarter, q.source_id, s.name as source_name, sum(q.contacts)::bigint as contacts
from public.registered_quarters q
join public.sources s on s.id = q.source_id
group by q.quarter, q.source_id, s.name
having sum(q.contacts) <> 0;
comment on view report.registrations is
    'How many contacts each source had in each quarter of an hour, without reading the contacts.';
comment on column report.registrations.quarter is 'When the quarter of an hour began.';

create or replace view report.assignments as
select
    q.quarter, q.source_id, s.name as source_name, q.operator_id, o.name as operator_name,
    sum(q.contacts)::bigint as contacts
from public.assigned_quarters q
join public.sources s on s.id = q.source_id
join public.operators o on o.id = q.operator_id
group by q.quarter, q.source_id, s.name, q.operator_id, o.name
having sum(q.contacts) <> 0;
comment on view report.assignments is
    'How many contacts each operator got from each source in each quarter of an hour, but for those that went on to somebody else, without reading the contacts.';
comment on column report.assignments.quarter is 'When the quarter of an hour began in which the operator got them.';

create or replace view report.load_drift as
select
    l.operator_id,
    l.load as stored_load,
    coalesce(r.recount, 0) as recount
from public.operator_loads l
left join (
    select operator_id, count(*) as recount from public.contacts where status = 'active' group by operator_id
) r on r.operator_id = l.operator_id
where l.load <> coalesce(r.recount, 0);
comment on view report.load_drift is 'Operators whose stored load differs from the recount. Expected to be empty, always.';

create or replace view report.tally_drift as
with recount as (
    select
        coalesce(source_id, 0) as source_id, coalesce(operator_id, 0) as operator_id, count(*) as contacts,
        count(*) filter (where status <> 'closed') as open_contacts,
        count(*) filter (where status = 'new') as waiting_contacts, 0::bigint as leads
    from public.contacts
    group by 1, 2
    union all
    select 0, 0, 0, 0, 0, count(*) from public.leads where merged_into is null
),
tallied as (
    select
        coalesce(source_id, 0) as source_id, coalesce(operator_id, 0) as operator_id, contacts, open_contacts,
        waiting_contacts, leads
    from public.contact_counts
)
select
    nullif(source_id, 0) as source_id,
    nullif(operator_id, 0) as operator_id,
    array[t.contacts, t.open_contacts, t.waiting_contacts, t.leads] as tallied,
    array[r.contacts, r.open_contacts, r.waiting_contacts, r.leads] as recounted
from tallied t
full join recount r using (source_id, operator_id)
where (coalesce(t.contacts, 0), coalesce(t.open_contacts, 0), coalesce(t.waiting_contacts, 0), coalesce(t.leads, 0))
    <> (coalesce(r.contacts, 0), coalesce(r.open_contacts, 0), coalesce(r.waiting_contacts, 0), coalesce(r.leads, 0));
comment on view report.tally_drift is
    'Sources and operators whose running counts differ from the recount. Expected to be empty, always.';
comment on column report.tally_drift.tallied is 'Contacts, those open, those waiting; leads, in the row without a source.';

create or replace view report.quarter_drift as
with recount as (
    select
        'registered in the minute' as counted, public.minute_of(created_at) as starts_at, source_id,
        0::bigint as operator_id, count(*) as contacts
    from public.contacts
    where created_at >= public.minute_of(now() - interval '1 hour')
    group by 2, 3
    union all
    select 'registered in the quarter', public.quarter_of(created_at), source_id, 0, count(*)
    from public.contacts
    group by 2, 3
    union all
    select
        'assigned in the quarter', public.quarter_of(coalesce(assigned_at, created_at)), source_id, operator_id,
        count(*)
    from public.contacts
    where operator_id is not null
    group by 2, 3, 4
),
tallied as (
    select 'registered in the minute' as counted, minute as starts_at, source_id, 0::bigint as operator_id, contacts
    from public.registered_minutes
    where minute >= public.minute_of(now() - interval '1 hour')
    union all
    select 'registered in the quarter', quarter, source_id, 0, contacts from public.registered_quarters
    union all
    select 'assigned in the quarter', quarter, source_id, operator_id, contacts from public.assigned_quarters
)
select
    counted,
    starts_at,
    source_id,
    nullif(operator_id, 0) as operator_id,
    sum(tallied)::bigint as tallied,
    sum(recounted)::bigint as recounted
from (
    select counted, starts_at, source_id, operator_id, contacts as tallied, 0 as recounted from tallied
    union all
    select counted, starts_at, source_id, operator_id, 0, contacts from recount
) both_sides
group by counted, starts_at, source_id, operator_id
having sum(tallied) <> sum(recounted);
comment on view report.quarter_drift is
    'Minutes and quarters of an hour whose running counts differ from the recount. Expected to be empty, always.';
comment on column report.quarter_drift.counted is
    'What was counted: contacts registered in the minute (of the last hour) or in the quarter, or assigned in the quarter.';

create or replace view report.lead_drift as
select
    l.id as lead_id,
    l.contact_count as stored_count,
    coalesce(r.recount, 0) as recount
from public.leads l
left join (select lead_id, count(*) as recount from public.contacts group by lead_id) r on r.lead_id = l.id
where l.contact_count <> coalesce(r.recount, 0);
comment on view report.lead_drift is
    'Leads whose stored number of contacts differs from the recount. Expected to be empty, always.';

create or replace view report.stranded as
-- By source first: with everybody at the limit, however many wait, there is nothing to look at.
with free as materialized (
    select w.source_id, array_agg(w.operator_id) as operator_ids
    from public.weights w
    join public.operator_loads l on l.operator_id = w.operator_id
    where l.is_active and l.load < l.max_load
    group by w.source_id
)
select
    c.id as contact_id,
    c.source_id,
    c.waiting_since
from free f
join public.contacts c on c.source_id = f.source_id
where c.status = 'new'
    and (
        c.released_by is null
        or not f.operator_ids <@ c.released_by
        -- Everybody the source has released it: then it is for whoever is free.
        or not exists (
            select from public.weights w where w.source_id = c.source_id and w.operator_id <> all (c.released_by)));
comment on view report.stranded is
    'Contacts that wait although an operator could take them: for a moment, while a queue is being placed, never at rest.';

create or replace view report.events as
select
    l.position,
    e.at,
    e.kind,
    e.contact_id,
    e.from_operator_id,
    e.to_operator_id,
    e.actor_kind,
    e.actor_id,
    e.actor_name
from public.event_log l
join public.events e on e.id = l.event_id;
comment on view report.events is
    'One row per event, numbered in the order in which they became visible; the newest may take a few seconds to appear.';
comment on column report.events.position is
    'The id the API shows. Counts from 1 without gaps; nothing ever appears below what is there, so read on from the last.';
comment on column report.events.at is 'When it happened; an event that took long to commit has a later position.';
comment on column report.events.actor_kind is
    'api: a caller while access is open. key: a program. person: somebody of the staff. command: leads-crm on the server. system: nobody asked for it, or nobody knows who.';
comment on column report.events.actor_id is 'Which key or person; null where nobody is told from the others.';

create or replace view report.event_drift as
select e.id as event_id, e.at, e.kind
from public.events e
where e.id <= (select last_event_id from public.event_sequencer)
    and not exists (select from public.event_log l where l.event_id = e.id)
    and not exists (select from public.event_gaps g where g.ids @> e.id);
comment on view report.event_drift is
    'Events that were committed and will never be numbered, so that nobody reads them. Expected to be empty, always.';

-- Of an earlier version; the views above no longer call it.
drop function if exists public.source_waiting_reason(bigint);
