-- Mends counters that are wrong, for `leads-crm check --repair`, and returns what was changed. In one transaction they
-- are to be called in this order: leads before operators, as every writer locks them.
--
-- Only the rows that are wrong are locked, then counted again in a statement that starts after the locks are held: a
-- writer who is between his contacts and his counters has either committed both or adds to the mended number later.
create or replace function recount_lead_contacts()
returns table (lead_id bigint, stored_count integer, recount integer)
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
declare
    drifted bigint[];
begin
    select array_agg(d.lead_id) into drifted from report.lead_drift d;
    perform from leads l where l.id = any (drifted) order by l.id for no key update;
    return query
        update leads l
        set contact_count = r.recount
        from (
            select o.id, o.contact_count, (select count(*)::integer from contacts c where c.lead_id = o.id) as recount
            from leads o
            where o.id = any (drifted)
        ) r
        where l.id = r.id and l.contact_count <> r.recount
        returning l.id, r.contact_count, r.recount;
end
$$;
comment on function recount_lead_contacts() is
    'Mends leads.contact_count where it is not the recount; returns what was changed. For the owner.';
revoke execute on function recount_lead_contacts() from public;

create or replace function recount_loads()
returns table (operator_id bigint, stored_load integer, recount integer, stored_ceiling integer, ceiling integer)
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
declare
    drifted bigint[];
begin
    select array_agg(d.operator_id) into drifted
    from (
        select operator_id from report.load_drift
        union
        select operator_id from operator_loads where ceiling <> greatest(max_load, load)
    ) d;
    perform from operator_loads l where l.operator_id = any (drifted) order by l.operator_id for update;
    return query
        update operator_loads l
        set load = r.recount, ceiling = greatest(l.max_load, r.recount)
        from (
            select
                o.operator_id,
                o.load,
                o.ceiling,
                (
                    select count(*)::integer
                    from contacts c
                    where c.operator_id = o.operator_id and c.status = 'active'
                ) as recount
            from operator_loads o
            where o.operator_id = any (drifted)
        ) r
        where l.operator_id = r.operator_id
            and (l.load, l.ceiling) is distinct from (r.recount, greatest(l.max_load, r.recount))
        returning l.operator_id, r.load, l.load, r.ceiling, l.ceiling;
end
$$;
comment on function recount_loads() is
    'Mends operator_loads.load and ceiling where they are not the recount; returns what was changed. For the owner.';
revoke execute on function recount_loads() from public;

-- Adds what is missing instead of counting afresh, so that nobody has to wait: the difference is the same in every
-- snapshot, and to whoever writes or folds meanwhile it is one change more.
create or replace function correct_contact_tallies()
returns table (source_id bigint, operator_id bigint, tallied bigint[], recounted bigint[])
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
    -- Two at once would both add the difference.
    perform pg_advisory_xact_lock(7106, 0);
    return query
        with drift as materialized (
            select
                d.source_id,
                d.operator_id,
                array(select coalesce(n, 0) from unnest(d.tallied) with ordinality as t (n, i) order by i) as tallied,
                array(select coalesce(n, 0) from unnest(d.recounted) with ordinality as r (n, i) order by i) as recounted
            from report.tally_drift d
        ),
        corrected as (
            insert into contact_tally_changes (
                source_id, operator_id, contacts, open_contacts, waiting_contacts, leads)
            select
                source_id,
                operator_id,
                recounted[1] - tallied[1],
                recounted[2] - tallied[2],
                recounted[3] - tallied[3],
                recounted[4] - tallied[4]
            from drift
        )
        select source_id, operator_id, tallied, recounted from drift;
end
$$;
comment on function correct_contact_tallies() is
    'Notes in contact_tally_changes by how much the counts are wrong; returns what was wrong. For the owner.';
revoke execute on function correct_contact_tallies() from public;

-- fold_contact_tallies() is the only other writer of these tables, and does nothing while the lock is held.
create or replace function correct_contact_quarters()
returns table (
    counted text, starts_at timestamptz, source_id bigint, operator_id bigint, tallied bigint, recounted bigint)
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
    perform pg_advisory_xact_lock(7106, 0);
    return query
        with drift as materialized (
            select * from report.quarter_drift
        ),
        minutes as (
            insert into contact_minutes as t (minute, source_id, contacts)
            select starts_at, source_id, recounted - tallied from drift where counted = 'registered in the minute'
            on conflict on constraint contact_minutes_pkey do update set contacts = t.contacts + excluded.contacts
        ),
        registrations as (
            insert into source_quarters as t (quarter, source_id, contacts)
            select starts_at, source_id, recounted - tallied from drift where counted = 'registered in the quarter'
            on conflict on constraint source_quarters_pkey do update set contacts = t.contacts + excluded.contacts
        ),
        assignments as (
            insert into operator_quarters as t (source_id, quarter, operator_id, contacts)
            select source_id, starts_at, operator_id, recounted - tallied
            from drift
            where counted = 'assigned in the quarter'
            on conflict on constraint operator_quarters_pkey do update set contacts = t.contacts + excluded.contacts
        )
        select * from drift;
end
$$;
comment on function correct_contact_quarters() is
    'Mends what is counted by time where it is not the recount; returns what was wrong. For the owner.';
revoke execute on function correct_contact_quarters() from public;
