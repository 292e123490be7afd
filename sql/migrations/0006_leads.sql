comment on column leads.merged_into is
    'The lead this one was merged into, which is never a merged one itself: whoever asks for this one is shown that one.';

-- Whoever is merged away takes along those that had been merged into it.
create index leads_merged_into on leads (merged_into) where merged_into is not null;

-- Lists are paged by it.
alter table possible_duplicates
    add column id bigint generated always as identity constraint possible_duplicates_id_unique unique;
comment on column possible_duplicates.id is 'The order in which pairs were found.';
create index possible_duplicates_other_lead on possible_duplicates (other_lead_id);
