-- In the order in which they are written.
lock table contacts, decision_snapshots, decisions in access exclusive mode;

-- Checking both for every decision took a tenth of a registration's time. Decisions are written by the product alone, together
-- with what they refer to; remove_decisions() takes them along when that is deleted.
alter table decisions
    drop constraint decisions_contact,
    drop constraint decisions_snapshot;
comment on column decisions.contact_id is 'The contact decided on: one of contacts.';
comment on column decisions.snapshot_id is 'The candidates it was decided among: one of decision_snapshots.';
