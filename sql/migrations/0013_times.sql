-- When contacts came and when they were given to whom, counted as in 0002: writers add to contact_tally_changes, and
-- fold_contact_tallies() sums up. See docs/decisions/0019.
alter table contact_tally_changes
    add column minute timestamptz,
    add column registered bigint not null default 0,
    add column quarter timestamptz;
comment on column contact_tally_changes.minute is 'The minute in which the contacts counted in `registered` were registered.';
comment on column contact_tally_changes.registered is 'By how many more contacts were registered in that minute.';
comment on column contact_tally_changes.quarter is
    'The quarter of an hour in which the operator got the contacts counted in `contacts`; null where nothing changed about that.';

create table contact_minutes (
    minute timestamptz not null,
    source_id bigint not null,
    contacts bigint not null,
    constraint contact_minutes_pkey primary key (minute, source_id)
) with (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000
);
comment on table contact_minutes is
    'How many contacts each source had in each minute of the last hours, but for what contact_tally_changes still holds.';

create table source_quarters (
    quarter timestamptz not null,
    source_id bigint not null,
    contacts bigint not null,
    constraint source_quarters_pkey primary key (quarter, source_id)
) with (fillfactor = 80);
comment on table source_quarters is
    'How many contacts each source had in each quarter of an hour, but for what contact_tally_changes still holds. Read report.registrations instead.';

create table operator_quarters (
    source_id bigint not null,
    quarter timestamptz not null,
    operator_id bigint not null,
    contacts bigint not null,
    constraint operator_quarters_pkey primary key (source_id, quarter, operator_id)
) with (fillfactor = 80);
-- A day of all sources.
create index operator_quarters_quarter on operator_quarters (quarter);
comment on table operator_quarters is
    'How many contacts each operator got from each source in each quarter of an hour and has or had last, but for what contact_tally_changes still holds. Read report.assignments instead.';

-- Who has waited longest. Only those who wait are in it: a contact that is placed at once costs nothing.
create index contacts_waiting_since on contacts (waiting_since) where status = 'new';
