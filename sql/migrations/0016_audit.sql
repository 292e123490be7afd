-- What was done to what is everybody's is found without reading what was done to contacts.
create index events_without_contact on events (id) where contact_id is null;
