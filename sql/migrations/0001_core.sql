create type contact_status as enum ('new', 'active', 'closed');
comment on type contact_status is
    'new: waits, has no operator. active: an operator has it. closed: done; the operator who had it stays on record.';

create type identity_kind as enum ('external_id', 'phone', 'email');
comment on type identity_kind is 'What a lead is recognised by, strongest first.';

create table operators (
    id bigint generated always as identity constraint operators_pkey primary key,
    name text not null,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz,
    archived_at timestamptz,
    constraint operators_name_length check (char_length(name) between 1 and 200)
);
comment on table operators is 'People who handle contacts. How much each carries is in operator_loads.';
comment on column operators.archived_at is 'Set instead of deleting: history and reports keep the operator.';

create table operator_loads (
    operator_id bigint constraint operator_loads_pkey primary key
        constraint operator_loads_operator references operators (id) on delete cascade,
    is_active boolean not null default true,
    max_load integer not null default 10,
    load integer not null default 0,
    ceiling integer not null,
    constraint operator_loads_max_load_range check (max_load between 1 and 1000000),
    constraint operator_loads_load_not_negative check (load >= 0),
    constraint operator_loads_load_within_ceiling check (load <= ceiling),
    constraint operator_loads_ceiling_at_least_max_load check (ceiling >= max_load)
) with (
    -- Updated by every assignment: room for heap-only updates, and a vacuum that keeps up with a small hot table.
    fillfactor = 25,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000
);
comment on table operator_loads is
    'One narrow row per operator with everything that decides eligibility. Whoever assigns or releases locks it first.';
comment on column operator_loads.load is
    'How many active contacts the operator has. Kept by the triggers on contacts, never written directly.';
comment on column operator_loads.ceiling is
    'What load may not exceed: max_load, or the load itself where a forced assignment or a lowered limit explains more.';

create table sources (
    id bigint generated always as identity constraint sources_pkey primary key,
    name text not null,
    description text,
    strategy text not null default 'weighted_random',
    sticky_days integer not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz,
    constraint sources_name_unique unique (name),
    constraint sources_name_length check (char_length(name) between 1 and 200),
    constraint sources_description_length check (char_length(description) <= 2000),
    constraint sources_strategy_known check (strategy in ('weighted_random', 'weighted_capacity')),
    constraint sources_sticky_days_range check (sticky_days between 0 and 3650)
);
comment on table sources is 'Channels contacts come from: a bot, a form, a messenger account.';
comment on column sources.strategy is 'How an operator is chosen among the eligible ones.';
comment on column sources.sticky_days is
    'For how many days a returning lead goes to its last operator when that one is eligible; 0 for never.';

create table weights (
    id bigint generated always as identity constraint weights_pkey primary key,
    source_id bigint not null constraint weights_source references sources (id) on delete cascade,
    operator_id bigint not null constraint weights_operator references operator_loads (operator_id) on delete cascade,
    weight integer not null default 1,
    created_at timestamptz not null default clock_timestamp(),
    constraint weights_source_operator_unique unique (source_id, operator_id),
    constraint weights_weight_range check (weight between 1 and 1000000)
);
create index weights_operator on weights (operator_id, source_id);
comment on table weights is
    'Which operators a source''s contacts go to, and in what proportion. No row: never automatically.';

create table leads (
    id bigint generated always as identity constraint leads_pkey primary key,
    external_id text,
    phone text,
    email text,
    name text,
    contact_count integer not null default 0,
    merged_into bigint constraint leads_merged_into references leads (id),
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz,
    constraint leads_contact_count_not_negative check (contact_count >= 0),
    constraint leads_name_length check (char_length(name) <= 200),
    constraint leads_external_id_length check (char_length(external_id) <= 255 and octet_length(external_id) <= 1024),
    constraint leads_phone_length check (char_length(phone) <= 255 and octet_length(phone) <= 1024),
    constraint leads_email_length check (char_length(email) <= 255 and octet_length(email) <= 1024),
    constraint leads_not_merged_into_itself check (merged_into <> id)
);
comment on table leads is
    'People and companies that asked. The columns keep what was given, as it was given; lead_identities what is compared.';
comment on column leads.contact_count is 'How many contacts the lead has. Kept by the triggers on contacts.';
comment on column leads.merged_into is 'The lead this one was found to be the same as. Reserved: nothing merges leads yet.';

create table lead_identities (
    kind identity_kind not null,
    value text not null,
    lead_id bigint not null constraint lead_identities_lead references leads (id) on delete cascade,
    created_at timestamptz not null default clock_timestamp(),
    constraint lead_identities_pkey primary key (kind, value),
    constraint lead_identities_value_length check (octet_length(value) between 1 and 1024)
);
create index lead_identities_lead on lead_identities (lead_id);
comment on table lead_identities is
    'The keys by which a lead is found, in the one form in which two are compared: trimmed external id, E.164 phone, lower-cased e-mail.';

create table possible_duplicates (
    lead_id bigint not null constraint possible_duplicates_lead references leads (id) on delete cascade,
    other_lead_id bigint not null constraint possible_duplicates_other_lead references leads (id) on delete cascade,
    kind identity_kind not null,
    found_at timestamptz not null default clock_timestamp(),
    constraint possible_duplicates_pkey primary key (lead_id, other_lead_id),
    constraint possible_duplicates_in_order check (lead_id < other_lead_id)
);
comment on table possible_duplicates is
    'Pairs of leads that share a key but could not be told to be the same. Merged by people only.';
comment on column possible_duplicates.kind is 'The key the two share.';

create sequence contact_arrivals;
comment on sequence contact_arrivals is
    'The order of the queue. Drawn while the operators'' rows are locked, so that it is the order of registration.';

create table contacts (
    id bigint generated always as identity constraint contacts_pkey primary key,
    lead_id bigint not null constraint contacts_lead references leads (id),
    source_id bigint not null constraint contacts_source references sources (id),
    -- To operator_loads, not operators: its row is locked by whoever assigns, so the key check adds no shared lock.
    operator_id bigint constraint contacts_operator references operator_loads (operator_id),
    status contact_status not null,
    priority smallint not null default 0,
    arrival bigint not null default nextval('contact_arrivals'),
    message text,
    source_event_id text,
    waiting_reason text,
    waiting_since timestamptz,
    is_forced boolean not null default false,
    version integer not null default 1,
    created_at timestamptz not null default clock_timestamp(),
    assigned_at timestamptz,
    first_assigned_at timestamptz,
    closed_at timestamptz,
    updated_at timestamptz,
    constraint contacts_source_event_unique unique (source_id, source_event_id),
    constraint contacts_priority_range check (priority between 0 and 9),
    constraint contacts_message_size check (octet_length(message) <= 16384),
    constraint contacts_source_event_id_length check (char_length(source_event_id) between 1 and 255),
    constraint contacts_active_has_operator check (status <> 'active' or operator_id is not null),
    constraint contacts_new_has_no_operator check (status <> 'new' or operator_id is null),
    constraint contacts_waiting_has_reason check (
        (status = 'new') = (waiting_reason is not null) and (status = 'new') = (waiting_since is not null)),
    constraint contacts_waiting_reason_known check (
        waiting_reason in ('no_operators', 'all_inactive', 'all_at_limit', 'excluded', 'behind_queue')),
    constraint contacts_assigned_has_first check (assigned_at is null or first_assigned_at is not null),
    constraint contacts_closed_has_time check ((status = 'closed') = (closed_at is not null)),
    constraint contacts_version_positive check (version >= 1)
);
create index contacts_waiting on contacts (source_id, priority desc, arrival) where status = 'new';
create index contacts_lead on contacts (lead_id, id);
create index contacts_operator on contacts (operator_id, id);
create index contacts_source on contacts (source_id, id);
create index contacts_open on contacts (id) where status <> 'closed';
comment on table contacts is 'One ask by one lead through one source.';
comment on column contacts.arrival is 'The place in the source''s queue among contacts of the same priority.';
comment on column contacts.source_event_id is 'The source''s own number of the ask; a repetition finds the first contact.';
comment on column contacts.waiting_reason is
    'Why nobody was found when it was last decided; what is shown is the present reason, source_waiting_reason().';
comment on column contacts.is_forced is 'Whether the present operator was given it by hand beyond the limit.';
comment on column contacts.assigned_at is 'When the present operator got it; null while it waits.';
comment on column contacts.first_assigned_at is 'When any operator first got it; reopening does not change it.';
comment on column contacts.version is 'Goes up with every change.';

create table decision_snapshots (
    id bigint generated always as identity constraint decision_snapshots_pkey primary key,
    source_id bigint not null,
    strategy text not null,
    operator_ids bigint[] not null,
    weights integer[] not null,
    loads integer[] not null,
    max_loads integer[] not null,
    are_active boolean[] not null,
    taken_at timestamptz not null default clock_timestamp(),
    constraint decision_snapshots_aligned check (
        cardinality(operator_ids) = cardinality(weights) and cardinality(operator_ids) = cardinality(loads)
        and cardinality(operator_ids) = cardinality(max_loads) and cardinality(operator_ids) = cardinality(are_active))
);
comment on table decision_snapshots is
    'The candidates of a source as they stood under the locks; shared by all decisions of one transaction.';

create table decisions (
    id bigint generated always as identity constraint decisions_pkey primary key,
    contact_id bigint not null constraint decisions_contact references contacts (id) on delete cascade,
    snapshot_id bigint not null constraint decisions_snapshot references decision_snapshots (id) on delete cascade,
    ordinal integer not null,
    operator_id bigint,
    reason text,
    draw bigint,
    decided_at timestamptz not null default clock_timestamp(),
    constraint decisions_ordinal_not_negative check (ordinal >= 0),
    constraint decisions_operator_or_reason check ((operator_id is null) = (reason is not null)),
    constraint decisions_draw_not_negative check (draw >= 0)
);
create index decisions_contact on decisions (contact_id, id);
create index decisions_snapshot on decisions (snapshot_id, ordinal);
comment on table decisions is
    'Attempts to place a contact. Replaying a snapshot''s decisions in order of ordinal gives the same operators.';
comment on column decisions.ordinal is
    'Place among the decisions on the same snapshot: each sees the loads the earlier ones left.';
comment on column decisions.draw is
    'The number drawn, from 0 up to the sum of the eligible candidates'' shares; null where nothing is drawn.';

create table events (
    id bigint generated always as identity constraint events_pkey primary key,
    contact_id bigint,
    kind text not null,
    from_operator_id bigint,
    to_operator_id bigint,
    reason text,
    actor_kind text not null default 'system',
    actor_id text,
    actor_name text,
    at timestamptz not null default clock_timestamp(),
    data jsonb,
    constraint events_kind_form check (kind ~ '^[a-z_]{1,40}$'),
    constraint events_actor_kind_form check (actor_kind ~ '^[a-z_]{1,40}$')
);
create index events_contact on events (contact_id, id);
comment on table events is 'What happened, append-only: the audit history.';

create table idempotency_keys (
    owner text not null,
    key text not null,
    fingerprint bytea not null,
    contact_id bigint constraint idempotency_keys_contact references contacts (id) on delete cascade,
    status smallint,
    body bytea,
    replays integer not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    constraint idempotency_keys_pkey primary key (owner, key),
    constraint idempotency_keys_key_length check (char_length(key) between 1 and 255)
);
create index idempotency_keys_created_at on idempotency_keys (created_at);
comment on table idempotency_keys is 'Answers already given to requests that carried an Idempotency-Key. Reserved: not used yet.';
comment on column idempotency_keys.owner is 'Whose key it is: an API key''s id, or anonymous.';
comment on column idempotency_keys.fingerprint is 'Hash of the decoded request: the same key with another one is refused.';
