-- Looks at each event, beside those who write.
alter table events
    validate constraint events_actor_kind_form;
