-- Lists that stay as fast with age. A source and an operator who hardly ever met: either's index alone is walked through all
-- of its contacts. An operator's open contacts: beside a long queue, contacts_open is walked through all who wait.
create index contacts_source_operator on contacts (source_id, operator_id, id);
create index contacts_active on contacts (operator_id, id) where status = 'active';

create table contact_spans (
    part bigint not null,
    first_created_at timestamptz not null,
    last_created_at timestamptz not null,
    constraint contact_spans_in_order check (first_created_at <= last_created_at)
) with (
    -- The last part is rewritten every few seconds.
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 10000
);
-- The table is small, but a session that is set up to walk indexes only would think no plan of a list cheaper than another.
create index contact_spans_part on contact_spans (part);
comment on table contact_spans is
    'When the contacts of each part of the ids were created, at the widest: where a list of contacts of a certain time begins and ends. Several rows for a part until they are folded.';
comment on column contact_spans.part is 'Which 4096 ids: id / 4096.';
comment on column contact_spans.first_created_at is 'No contact of the part was created before.';
comment on column contact_spans.last_created_at is 'No contact of the part was created after.';
