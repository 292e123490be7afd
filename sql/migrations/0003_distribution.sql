alter table sources
    drop constraint sources_strategy_known,
    add constraint sources_strategy_known check (
        strategy in (
            'weighted_random', 'weighted_capacity', 'smooth_weighted', 'round_robin', 'least_loaded', 'most_free'));

create sequence operator_assignments;
comment on sequence operator_assignments is
    'The order in which operators were given contacts. Drawn while their rows are locked.';

alter table operator_loads add column last_assignment bigint not null default 0;
comment on column operator_loads.last_assignment is
    'When the operator was last given a contact, in the order of operator_assignments; 0 for never. The smaller, the longer idle.';

create table source_turns (
    source_id bigint not null constraint source_turns_source references sources (id) on delete cascade,
    operator_id bigint not null constraint source_turns_operator references operator_loads (operator_id) on delete cascade,
    credit bigint not null default 0,
    last_turn bigint not null default 0,
    constraint source_turns_pkey primary key (source_id, operator_id),
    constraint source_turns_credit_range check (credit between -1000000000000000 and 1000000000000000)
) with (
    -- Updated by every assignment of a source whose strategy has a memory.
    fillfactor = 25,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000
);
comment on table source_turns is
    'What the strategies that take turns remember. Decisions read and write a row under the lock of its operator''s load row.';
comment on column source_turns.credit is
    'smooth_weighted: what the source owes the operator, in contacts × the sum of the weights.';
comment on column source_turns.last_turn is
    'round_robin: when the operator last had its turn, in the order of operator_assignments; 0 for never.';

-- Not valid: to look at every contact would keep writers out for as long. 0005 does so without.
alter table contacts
    add column released_by bigint[],
    add constraint contacts_released_by_operators check (
        array_ndims(released_by) = 1 and array_position(released_by, null) is null) not valid;
comment on column contacts.released_by is
    'Operators that gave it back: not chosen for it again unless everybody the source has did. Null for nobody.';
comment on column contacts.waiting_reason is
    'Why nobody was found when it was last decided; what is shown is the present reason, contact_waiting_reason().';
comment on column contacts.is_forced is
    'Whether the present operator was given it by hand although inactive or at the limit.';

alter table decision_snapshots
    add column credits bigint[],
    add column last_turns bigint[],
    add column last_assignments bigint[],
    add column details_removed_at timestamptz,
    add constraint decision_snapshots_memory_aligned check (
        cardinality(credits) = cardinality(operator_ids) and cardinality(last_turns) = cardinality(operator_ids)
        and cardinality(last_assignments) = cardinality(operator_ids)) not valid;
comment on column decision_snapshots.credits is 'Only where the strategy is smooth_weighted, which decides by them.';
comment on column decision_snapshots.last_turns is 'Only where the strategy is round_robin, which decides by them.';
comment on column decision_snapshots.last_assignments is
    'Only where the strategy is least_loaded or most_free, which decide by them.';
comment on column decision_snapshots.details_removed_at is
    'When the candidates were dropped for being older than LEADS_DECISION_DAYS; what was decided stays.';
alter table decisions
    add column rule text not null default 'strategy',
    add column excluded bigint[],
    add constraint decisions_rule_known check (
        rule in ('strategy', 'sticky', 'returned', 'queue', 'manual', 'forced')) not valid;
comment on column decisions.rule is
    'strategy: the source''s decided. sticky: the lead''s last operator. returned: reopened, back to its own. queue: others wait longer. manual, forced: by hand, the latter beyond the limit or to an inactive operator.';
comment on column decisions.excluded is 'Operators not considered because they had released the contact; null for nobody.';
