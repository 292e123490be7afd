create table contact_tallies (
    source_id bigint,
    operator_id bigint,
    contacts bigint not null,
    open_contacts bigint not null,
    waiting_contacts bigint not null,
    leads bigint not null,
    -- Contacts without an operator and leads, which have no source, are rows of their own.
    constraint contact_tallies_source_operator_unique unique nulls not distinct (source_id, operator_id)
) with (fillfactor = 50);
comment on table contact_tallies is
    'How many contacts and leads there are, but for what contact_tally_changes still holds. Read contact_counts instead.';

create table contact_tally_changes (
    source_id bigint,
    operator_id bigint,
    contacts bigint not null default 0,
    open_contacts bigint not null default 0,
    waiting_contacts bigint not null default 0,
    leads bigint not null default 0
) with (
    -- Emptied every few seconds.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 10000
);
comment on table contact_tally_changes is
    'What each statement changed about contact_tallies since it was last brought up to date. Only added to by writers, who therefore never wait for each other.';

create index contacts_created_at on contacts (created_at);
