-- Every row of both tables is small change: there are as many as pairs of source and operator, and a few seconds' worth
-- of statements.
create or replace view contact_counts as
select
    source_id,
    operator_id,
    sum(contacts)::bigint as contacts,
    sum(open_contacts)::bigint as open_contacts,
    sum(waiting_contacts)::bigint as waiting_contacts,
    sum(leads)::bigint as leads
from (
    select source_id, operator_id, contacts, open_contacts, waiting_contacts, leads from contact_tallies
    union all
    select source_id, operator_id, contacts, open_contacts, waiting_contacts, leads from contact_tally_changes
) tallies
group by source_id, operator_id;
comment on view contact_counts is
    'Contacts by source and present or last operator, without reading them. The row without a source counts the leads.';
comment on column contact_counts.operator_id is 'Null for contacts that wait, or were closed while waiting.';
comment on column contact_counts.open_contacts is 'Those that are not closed.';
