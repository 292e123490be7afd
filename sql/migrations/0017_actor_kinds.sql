-- The same rule as before, but whoever does things is recognised without a regular expression, which each event of a key would
-- otherwise pay for. Not valid, as in 0010: 0018 looks at the events there are without keeping writers out.
alter table events
    drop constraint events_actor_kind_form,
    add constraint events_actor_kind_form check (
        actor_kind in ('api', 'key', 'system', 'person', 'command') or actor_kind ~ '^[a-z_]{1,40}$') not valid;
