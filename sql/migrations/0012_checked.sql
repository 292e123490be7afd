-- What 0010 and 0011 began: looks at the rows there are, beside those who write.
alter table events
    validate constraint events_kind_form,
    validate constraint events_actor_kind_form;
alter table decision_snapshots validate constraint decision_snapshots_drawn_aligned;
