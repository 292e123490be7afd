-- Counts by time what was there before tally_contacts() did so.
--
-- By itself, once the functions and triggers above have been committed: since then nobody writes who does not count, and
-- what is missing is the same in every snapshot. So it is added as a repair would add it, and nobody waits meanwhile.
set local work_mem = '64MB';
do $$
begin
    perform correct_contact_quarters();
end
$$;
