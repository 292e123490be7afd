-- Who may ask: people of the staff and programs. Secrets are kept as hashes only. See docs/decisions/0021.
create table people (
    id bigint generated always as identity constraint people_pkey primary key,
    login text not null,
    name text not null,
    role text not null,
    operator_id bigint constraint people_operator references operators (id),
    password text,
    subject text,
    is_disabled boolean not null default false,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz,
    constraint people_login_unique unique (login),
    constraint people_login_form check (login = lower(login) and char_length(login) between 1 and 200),
    constraint people_name_length check (char_length(name) between 1 and 200),
    constraint people_role_known check (role in ('operator', 'analyst', 'supervisor', 'admin')),
    constraint people_operator_named check (role <> 'operator' or operator_id is not null),
    constraint people_password_hashed check (password like '$argon2id$%'),
    constraint people_subject_unique unique (subject)
);
comment on table people is 'Staff who sign in. Never deleted: the log names them.';
comment on column people.login is 'What the person signs in with, in lower case.';
comment on column people.operator_id is 'Whom of the operators the person is.';
comment on column people.password is 'Argon2id, with salt and parameters; null until one is chosen.';
comment on column people.subject is 'Who the person is to the company''s OpenID provider: issuer and subject, parted by a blank.';

create table person_links (
    token_hash bytea constraint person_links_pkey primary key,
    person_id bigint not null constraint person_links_person references people (id),
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    constraint person_links_token_hashed check (octet_length(token_hash) = 32)
);
create index person_links_person on person_links (person_id);
comment on table person_links is 'Ways in that are good for one use: invitations and new passwords. A used one is deleted.';
comment on column person_links.token_hash is 'SHA-256 of what the link carries.';

create table sessions (
    id bigint generated always as identity constraint sessions_pkey primary key,
    token_hash bytea not null,
    person_id bigint not null constraint sessions_person references people (id),
    agent text,
    created_at timestamptz not null default clock_timestamp(),
    used_at timestamptz not null default clock_timestamp(),
    constraint sessions_token_unique unique (token_hash),
    constraint sessions_token_hashed check (octet_length(token_hash) = 32),
    constraint sessions_agent_length check (char_length(agent) <= 200)
) with (fillfactor = 80);
create index sessions_person on sessions (person_id);
comment on table sessions is 'Browsers in which somebody has signed in. One that has ended is deleted.';
comment on column sessions.token_hash is 'SHA-256 of the cookie''s value.';
comment on column sessions.used_at is 'To the minute: what is not used for 12 hours is over.';

create table access_keys (
    id text constraint access_keys_pkey primary key,
    name text not null,
    role text not null,
    source_ids bigint[],
    secret_hash bytea not null,
    former_secret_hash bytea,
    former_expires_at timestamptz,
    rate integer,
    created_at timestamptz not null default clock_timestamp(),
    rotated_at timestamptz,
    revoked_at timestamptz,
    constraint access_keys_id_form check (id ~ '^[a-z0-9]{8}$'),
    constraint access_keys_name_length check (char_length(name) between 1 and 200),
    constraint access_keys_role_known check (role in ('intake', 'analyst', 'supervisor', 'admin')),
    constraint access_keys_secret_hashed check (octet_length(secret_hash) = 32),
    constraint access_keys_former_secret_expires check ((former_secret_hash is null) = (former_expires_at is null)),
    constraint access_keys_rate_range check (rate between 1 and 100000),
    constraint access_keys_source_limit check (cardinality(source_ids) <= 1000)
);
comment on table access_keys is 'What programs prove themselves by. Never deleted: the log names them.';
comment on column access_keys.secret_hash is 'SHA-256 of the secret.';
comment on column access_keys.former_secret_hash is 'The secret before the last rotation, good until former_expires_at.';
comment on column access_keys.source_ids is 'The sources it is for; null for all.';
comment on column access_keys.rate is 'Requests a second that each instance answers; null without a limit.';

create table sign_in_failures (
    id bigint generated always as identity constraint sign_in_failures_pkey primary key,
    login_hash bytea not null,
    address text not null,
    at timestamptz not null default clock_timestamp(),
    constraint sign_in_failures_login_hashed check (octet_length(login_hash) = 32)
);
create index sign_in_failures_login on sign_in_failures (login_hash, at);
create index sign_in_failures_address on sign_in_failures (address, at);
create index sign_in_failures_at on sign_in_failures (at);
comment on table sign_in_failures is 'Attempts to sign in that failed within the last quarter of an hour.';
comment on column sign_in_failures.login_hash is 'SHA-256: what was typed may be a password.';

create table access_version (
    is_only boolean not null default true constraint access_version_pkey primary key,
    version bigint not null default 1,
    constraint access_version_is_one check (is_only)
) with (fillfactor = 25);
insert into access_version default values;
comment on table access_version is
    'Goes up when a right is given or taken away: instances look once a second whether what they remember still holds.';
