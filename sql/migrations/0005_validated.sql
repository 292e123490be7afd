-- What 0003 began: looks at the rows there are, beside those who write.
alter table contacts validate constraint contacts_released_by_operators;
alter table decision_snapshots validate constraint decision_snapshots_memory_aligned;
alter table decisions validate constraint decisions_rule_known;

create index decision_snapshots_kept on decision_snapshots (taken_at) where details_removed_at is null;
