create table event_log (
    position bigint constraint event_log_pkey primary key,
    event_id bigint not null constraint event_log_event_unique unique,
    constraint event_log_position_positive check (position >= 1)
);
comment on table event_log is
    'The order in which events are read: positions count from 1 without gaps and are given to committed events only, by sequence_events().';
comment on column event_log.position is
    'The id that the API shows. Whoever has read up to a position never finds an event at or below it later.';

create table event_sequencer (
    is_only_row boolean not null default true constraint event_sequencer_pkey primary key,
    last_position bigint not null default 0,
    last_event_id bigint not null default 0,
    constraint event_sequencer_only_row check (is_only_row)
) with (
    -- Rewritten by every pass that finds something.
    fillfactor = 10,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000
);
comment on table event_sequencer is 'One row: how far sequence_events() has come.';
comment on column event_sequencer.last_position is 'The highest position given; also how many events have one.';
comment on column event_sequencer.last_event_id is
    'Every event up to here has been looked for: it has a position, or its id is in event_gaps, or it will never be.';
insert into event_sequencer default values;

create table event_gaps (
    id bigint generated always as identity constraint event_gaps_pkey primary key,
    ids int8multirange not null,
    horizon xid8 not null,
    noticed_at timestamptz not null default clock_timestamp(),
    constraint event_gaps_ids_not_empty check (not isempty(ids))
) with (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000
);
comment on table event_gaps is
    'Ids that had been drawn, but were not visible when later ones were: of transactions under way or rolled back. One row per pass of sequence_events() that noticed some.';
comment on column event_gaps.horizon is
    'A transaction number above those of all that could be seen to have drawn the ids: once these have ended, what is not there never will be.';
