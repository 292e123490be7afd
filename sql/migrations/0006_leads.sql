-- Before leads: registrations read lead_identities and then write leads, and would wait for this migration, which waits for them.
lock table lead_identities, possible_duplicates in access exclusive mode;

comment on column leads.merged_into is
    'The lead this one was merged into, which is never a merged one itself: whoever asks for this one is shown that one.';

-- Whoever is merged away takes along those that had been merged into it.
create index leads_merged_into on leads (merged_into) where merged_into is not null;

-- Lists are paged by it.
alter table possible_duplicates
    add column id bigint generated always as identity constraint possible_duplicates_id_unique unique;
comment on column possible_duplicates.id is 'The order in which pairs were found.';
create index possible_duplicates_other_lead on possible_duplicates (other_lead_id);

-- Compared byte by byte, whatever the database's own order: what begins with something is then one stretch of the index,
-- and every comparison is cheaper. The indexes are made anew, about 4 s for each million rows.
alter table lead_identities alter column value type text collate "C";

-- Search by the beginnings of the words of a name. What is new is gathered in a list first, which costs a registration
-- next to nothing: see docs/decisions/0011.
create index leads_name_words on leads using gin (to_tsvector('simple', translate(name, 'ёЁ', 'еЕ')))
    where name is not null;
comment on index leads_name_words is 'Finds leads by the beginnings of the words of their names, ё being as good as е.';
