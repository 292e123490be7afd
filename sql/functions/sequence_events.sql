-- Gives positions to events that have been committed, up to `most` of them, and returns to how many.
--
-- Ids are drawn before COMMIT, so events appear out of their order and whoever reads "id greater than the last I saw"
-- loses some. Here they are numbered after they have become visible, by one session at a time:
--
-- * What is visible beyond the last id looked at, and what has appeared in the gaps below it, get the next positions, in
--   order of id. Both are looked for in ONE statement, hence one snapshot: a transaction that waited for another's lock
--   is seen only together with the other, or in a later pass, and has drawn its ids later. So the events of one contact
--   stay in order.
-- * Ids that are missing in between become a gap and are looked for in every pass. Nobody waits for them.
-- * A gap is forgotten once no transaction is left that may have drawn its ids. Whoever drew them and had a transaction
--   number by the time they were found missing has one below `horizon`, the number this session draws right after
--   looking. (Not the xmax of the snapshot: that is one more than the last transaction that ENDED, and those under way
--   may be beyond it.) So when all numbers below the horizon have ended before a look, that look finds whatever was
--   committed. Who had drawn an id but no number yet is the reason for `patience`: an INSERT draws both within
--   microseconds, and a statement of this product lasts 3 s at most.
--
-- With nothing to do, nothing is written. SECURITY DEFINER, so that an application role can order the log without being
-- able to write it.
create or replace function sequence_events(patience interval default '1 minute', most integer default 10000)
returns integer
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- Along indexes also where a plan was made while the tables were small; the penalties would call for compiling it.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
    first_running xid8;
    first_unborn xid8;
    reached public.event_sequencer;
    found_ids bigint[];
    found_ranges int8multirange;
    missing int8multirange;
begin
    -- Each statement below has to see what was committed before it began, and the horizon has to be drawn after looking.
    if current_setting('transaction_isolation') <> 'read committed' or pg_current_xact_id_if_assigned() is not null then
        raise exception 'sequence_events() needs a READ COMMITTED transaction that has written nothing'
            using errcode = 'active_sql_transaction';
    end if;
    perform pg_advisory_xact_lock(7107, 0);
    -- Before looking: whoever had ended by then is seen by the look.
    select pg_snapshot_xmin(s), pg_snapshot_xmax(s) into first_running, first_unborn from pg_current_snapshot() s;
    select * into strict reached from public.event_sequencer;

    with visible as (
        (
            -- Range by range: a plain join may be planned the other way round, through all events for each gap.
            select e.id
            from public.event_gaps g
            cross join unnest(g.ids) as gap (ids)
            cross join lateral (
                select id from public.events where id >= lower(gap.ids) and id < upper(gap.ids) order by id limit most
            ) e
            order by e.id
            limit most
        )
        union all
        (
            select e.id from public.events e where e.id > reached.last_event_id order by e.id limit most
        )
    )
    select array_agg(id order by id), range_agg(int8range(id, id, '[]') order by id) into found_ids, found_ranges
    from (select id from visible order by id limit most) first_visible;

    if found_ids is not null then
        insert into public.event_log (position, event_id)
        select reached.last_position + place, id from unnest(found_ids) with ordinality as found (id, place);

        delete from public.event_gaps where ids <@ found_ranges;
        update public.event_gaps set ids = ids - found_ranges where ids && found_ranges;

        update public.event_sequencer
        set last_position = reached.last_position + cardinality(found_ids),
            last_event_id = greatest(reached.last_event_id, found_ids[cardinality(found_ids)]);
    end if;

    -- Only if the look was not cut short. A horizon that no transaction of this server can have drawn came with a dump
    -- from another server, of which nobody is under way here.
    if coalesce(cardinality(found_ids), 0) < most then
        delete from public.event_gaps
        where noticed_at <= clock_timestamp() - patience and (horizon <= first_running or horizon >= first_unborn);
    end if;

    missing := int8multirange(
        int8range(reached.last_event_id, greatest(reached.last_event_id, found_ids[cardinality(found_ids)]), '(]'))
        - found_ranges;
    if not isempty(missing) then
        insert into public.event_gaps (ids, horizon) values (missing, pg_current_xact_id());
    end if;
    return coalesce(cardinality(found_ids), 0);
end
$$;
comment on function sequence_events(interval, integer) is
    'Numbers the events that have been committed, in event_log; readers call it before they read, instances every few seconds.';
revoke execute on function sequence_events(interval, integer) from public;
