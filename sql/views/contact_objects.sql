-- A contact as the API shows it, with its lead, operator and source: one statement, no query per row.
create or replace view contact_objects as
select
    c.id,
    c.lead_id,
    c.source_id,
    c.operator_id,
    c.status,
    c.message,
    c.priority,
    c.source_event_id,
    w.reason as waiting_reason,
    c.version,
    c.created_at,
    c.assigned_at,
    c.closed_at,
    c.updated_at,
    l.external_id as lead_external_id,
    l.phone as lead_phone,
    l.email as lead_email,
    l.name as lead_name,
    l.created_at as lead_created_at,
    l.updated_at as lead_updated_at,
    l.contact_count as lead_contact_count,
    o.name as operator_name,
    ol.is_active as operator_is_active,
    ol.max_load as operator_max_load,
    ol.load as operator_load,
    o.created_at as operator_created_at,
    o.updated_at as operator_updated_at,
    s.name as source_name,
    s.description as source_description,
    s.created_at as source_created_at
from contacts c
join leads l on l.id = c.lead_id
join sources s on s.id = c.source_id
left join operators o on o.id = c.operator_id
left join operator_loads ol on ol.operator_id = c.operator_id
-- With the offset it stays a row source of its own, whose result the executor remembers by source: one look at the
-- operators for all of a list's waiting contacts, those apart that somebody released.
left join lateral (
    select contact_waiting_reason(c.source_id, c.released_by) as reason where c.status = 'new' offset 0
) w on true;
comment on view contact_objects is 'Contacts as the API shows them. Holds personal data; analysts read report.contacts.';
