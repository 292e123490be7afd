-- Erases people: by what they were known, what they wrote and what they were answered. Numbers, times, decisions and events
-- stay for the reports, about a lead that is no more than a number. See docs/decisions/0025.
--
-- SECURITY DEFINER, because an application role may change no event and mark no lead as erased.

-- Takes from leads all by which they are known, and from some of their contacts what these say. The caller holds every key of
-- the leads, the leads and what had been merged into them, and the keys of the contacts' events: nobody is about to find
-- them, or to give an answer read before. Locks in the order of all writers: contacts before pairs.
--
-- Stored answers are passed over that are being given again right now, by somebody who may wait for one of the contacts;
-- finish_erasing_leads() looks for them again.
create or replace function erase_leads(lead_ids bigint[], contact_ids bigint[]) returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- Along indexes also where a plan was made while the tables were small.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
    mine bigint[];
begin
    insert into public.lead_erasures (lead_id)
    select id from public.leads where id = any (lead_ids) and erased_at is null
    on conflict do nothing;
    delete from public.lead_identities where lead_id = any (lead_ids);
    update public.leads
    set external_id = null, phone = null, email = null, name = null, erased_at = clock_timestamp(),
        updated_at = clock_timestamp()
    where (id = any (lead_ids) or merged_into = any (lead_ids)) and erased_at is null;

    mine := array(select id from public.contacts where id = any (contact_ids) and lead_id = any (lead_ids) order by id);
    delete from public.idempotency_keys k
    using (
        select owner, key from public.idempotency_keys where contact_id = any (mine) for update skip locked
    ) free
    where k.owner = free.owner and k.key = free.key;
    perform from public.contacts where id = any (mine) order by id for no key update;
    -- Whoever has read them and wants to change them is to read them again.
    update public.contacts
    set message = null, source_event_id = null, version = version + 1, updated_at = clock_timestamp()
    where id = any (mine) and (message is not null or source_event_id is not null);
    -- A reason is a word of ours where nobody was found, and somebody's own words elsewhere.
    update public.events
    set reason = case
            when reason in ('no_operators', 'all_inactive', 'all_at_limit', 'excluded', 'behind_queue') then reason
        end,
        data = null
    where contact_id = any (mine)
        and (
            data is not null
            or reason not in ('no_operators', 'all_inactive', 'all_at_limit', 'excluded', 'behind_queue'));

    -- A merge may have the pairs to itself; what it writes is to be seen.
    lock table public.possible_duplicates in row exclusive mode;
    delete from public.possible_duplicates where lead_id = any (lead_ids) or other_lead_id = any (lead_ids);
end
$$;
comment on function erase_leads(bigint[], bigint[]) is
    'Takes from leads by whom they are known, and from some of their contacts what these say.';
revoke execute on function erase_leads(bigint[], bigint[]) from public;

-- Called when all contacts have been through erase_leads(): takes from the events of the leads all but the leads' numbers, and
-- returns those leads of which nothing is left that had not been reported before. None are returned while a stored answer
-- is being given again.
create or replace function finish_erasing_leads(lead_ids bigint[]) returns setof bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
    mine bigint[];
    numbers text[];
begin
    mine := array(select id from public.leads where id = any (lead_ids) and erased_at is not null);
    delete from public.idempotency_keys k
    using (
        select a.owner, a.key
        from public.contacts c
        join public.idempotency_keys a on a.contact_id = c.id
        where c.lead_id = any (mine)
        for update of a skip locked
    ) free
    where k.owner = free.owner and k.key = free.key;
    if exists (
        select from public.contacts c join public.idempotency_keys a on a.contact_id = c.id where c.lead_id = any (mine)
    ) then
        return;
    end if;
    numbers := array(select id::text from public.leads where id = any (mine) or merged_into = any (mine));
    update public.events
    set reason = null,
        data = jsonb_build_object('lead_id', data -> 'lead_id')
            || case when data ? 'into' then jsonb_build_object('into', data -> 'into') else '{}' end
    where contact_id is null
        and data ->> 'lead_id' = any (numbers)
        and (reason is not null or data - '{lead_id,into}'::text[] <> '{}');
    return query
        update public.lead_erasures
        set finished_at = clock_timestamp()
        where lead_id = any (mine) and finished_at is null
        returning lead_id;
end
$$;
comment on function finish_erasing_leads(bigint[]) is
    'Takes from the events of erased leads all but numbers; returns the leads of which nothing is left.';
revoke execute on function finish_erasing_leads(bigint[]) from public;

-- The planner's statistics hold frequent values, names among them, and the words of names, until a table is analysed again.
-- Each part is a call of its own, which takes a second at most; the last one settles the erasures that were finished by the
-- moment given, which lies before the first. Returns whether it was done: one session at a time does so.
create or replace function forget_erased_values(part integer, finished_by timestamptz) returns boolean
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if not pg_try_advisory_xact_lock(7109, 0) then
        return false;
    end if;
    if part = 1 then
        -- With its columns named, the words of names would be left as they are.
        analyze public.leads;
    elsif part = 2 then
        analyze public.lead_identities (value);
    elsif part = 3 then
        analyze public.contacts (message, source_event_id);
    else
        analyze public.idempotency_keys (key, fingerprint, body);
        delete from public.lead_erasures where finished_at <= finished_by;
    end if;
    return true;
end
$$;
comment on function forget_erased_values(integer, timestamptz) is
    'Takes the values of erased leads out of the planner''s statistics, in parts 1 to 4; instances call it now and then.';
revoke execute on function forget_erased_values(integer, timestamptz) from public;

-- Looks at the next thousand leads and returns up to `most` of those whose contacts have all been closed for so many days, or
-- that have none and are that old. Leads are looked at one after the other and then from the beginning, by one session at a
-- time: what is due is found within the hour or two that a million takes, without an index of its own and at 1000 look-ups
-- each time.
create or replace function find_expired_leads(days integer, most integer) returns bigint[]
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
    cutoff constant timestamptz := clock_timestamp() - make_interval(days => days);
    reached bigint;
    last_id bigint;
    looked_at integer;
    old_enough integer;
    due bigint[];
begin
    select last_lead_id into reached from public.lead_expiry for update skip locked;
    if not found then
        return '{}';
    end if;
    due := array(
        select page.id
        from (
            select l.id, l.created_at, l.merged_into, l.erased_at
            from public.leads l
            where l.id > reached
            order by l.id
            limit 1000
        ) page
        where page.created_at < cutoff and page.merged_into is null and page.erased_at is null
            and not exists (
                select from public.contacts c
                where c.lead_id = page.id and (c.status <> 'closed' or c.closed_at >= cutoff))
        order by page.id
        limit most);
    if cardinality(due) = most then
        last_id := due[most];
    else
        select max(page.id), count(*), count(*) filter (where page.created_at < cutoff)
        into last_id, looked_at, old_enough
        from (select l.id, l.created_at from public.leads l where l.id > reached order by l.id limit 1000) page;
        -- Numbers and times grow together: behind leads that are too young there are only younger ones.
        if looked_at < 1000 or old_enough = 0 then
            last_id := 0;
        end if;
    end if;
    update public.lead_expiry set last_lead_id = last_id where last_lead_id <> last_id;
    return due;
end
$$;
comment on function find_expired_leads(integer, integer) is
    'The next leads whose contacts have all been closed for so many days; instances call it every few seconds.';
revoke execute on function find_expired_leads(integer, integer) from public;

-- Instances may run before `migrate --roles` has been through once more.
do $$
begin
    if exists (select from pg_roles where rolname = 'leads_app') then
        grant select on lead_erasures to leads_app;
        grant execute on function erase_leads(bigint[], bigint[]) to leads_app;
        grant execute on function finish_erasing_leads(bigint[]) to leads_app;
        grant execute on function forget_erased_values(integer, timestamptz) to leads_app;
        grant execute on function find_expired_leads(integer, integer) to leads_app;
    end if;
end
$$;
