-- People who are erased: see docs/decisions/0025. Only those who have been leave anything in the columns and tables below.
alter table leads
    add column erased_at timestamptz,
    add constraint leads_erased_shows_nothing check (
        erased_at is null or (external_id is null and phone is null and email is null and name is null));
comment on column leads.erased_at is
    'When who it was has been erased; the numbers and times of its contacts stay. Null for never.';

create table lead_erasures (
    lead_id bigint constraint lead_erasures_pkey primary key
        constraint lead_erasures_lead references leads (id) on delete cascade,
    begun_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz
);
comment on table lead_erasures is
    'Erasures that are under way, or whose traces are still in the planner''s statistics; empty otherwise.';
comment on column lead_erasures.finished_at is
    'When nothing of the person was left in any row; null while its contacts still say something.';

create table lead_expiry (
    is_only_row boolean not null default true constraint lead_expiry_pkey primary key,
    last_lead_id bigint not null default 0,
    constraint lead_expiry_only_row check (is_only_row)
);
comment on table lead_expiry is 'One row: how far the search has come for leads to erase after LEADS_PERSONAL_DATA_DAYS.';
comment on column lead_expiry.last_lead_id is 'The last lead looked at; the search begins anew at 0 when it has seen all.';
insert into lead_expiry default values;

-- The answers to a contact's requests, and the events of a lead, which are about no contact.
create index idempotency_keys_contact on idempotency_keys (contact_id);
create index events_of_leads on events ((data ->> 'lead_id')) where contact_id is null;
