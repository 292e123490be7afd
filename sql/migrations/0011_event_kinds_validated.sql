-- Looks at every event while others go on writing.
alter table events
    validate constraint events_kind_form,
    validate constraint events_actor_kind_form;
