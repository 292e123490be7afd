alter table sources add column pool_version bigint not null default 0;
comment on column sources.pool_version is
    'Goes up whenever the weights of the source change, or which of its operators are active: who remembers those asks it whether he still may.';

-- Not valid, as in 0010.
alter table decision_snapshots
    add column starts bigint[],
    add column total_weight bigint,
    add constraint decision_snapshots_drawn_aligned check (
        (starts is null) = (total_weight is null) and cardinality(starts) = cardinality(operator_ids)) not valid;
comment on column decision_snapshots.starts is
    'Only where the candidates were drawn from a large pool: where each one''s weight begins when those of all active operators are laid end to end. A draw is a place on that line.';
comment on column decision_snapshots.total_weight is
    'Only where the candidates were drawn from a large pool: the weights of all its active operators together.';
