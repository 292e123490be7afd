"""Every SQL statement of the acceptance tests. It looks at the tables as an outsider; the server is not involved."""

import contextlib
import datetime
import hashlib
from dataclasses import dataclass

import psycopg
import psycopg.sql

# In one statement, hence in one snapshot: every operator whose stored load is over its limit or not the recount.
BROKEN_LOADS = """
select l.operator_id, l.load, l.max_load, l.ceiling, coalesce(c.active, 0) as active
from operator_loads l
left join (
    select operator_id, count(*) as active
    from contacts
    where status = 'active'
    group by operator_id
) c using (operator_id)
where l.load > l.max_load
   or l.load > l.ceiling
   or l.load <> coalesce(c.active, 0)
"""

# Contacts that wait although an operator of their source could take them.
STRANDED = """
select distinct c.id
from contacts c
join weights w on w.source_id = c.source_id
join operators o on o.id = w.operator_id
join operator_loads l on l.operator_id = w.operator_id
where c.status = 'new'
  and o.archived_at is null
  and l.is_active
  and l.load < l.max_load
  and (c.released_by is null or o.id <> all (c.released_by) or c.released_by @> array(
        select operator_id from weights where source_id = c.source_id))
order by c.id
"""

# Neighbours in a source's order of arrival that were placed in the opposite order, by different transactions.
# Whoever places a contact holds all operators of its source, so events of one source are numbered in order.
OVERTAKINGS = """
with placements as (
    select c.source_id, c.id, c.arrival, e.id as event_id, e.xmin::text as written_by
    from contacts c
    join lateral (
        select id, xmin
        from events
        where contact_id = c.id
          and to_operator_id is not null
        order by id
        limit 1
    ) e on true
), neighbours as (
    select
        source_id,
        id,
        event_id,
        written_by,
        lag(id) over arrivals as earlier_id,
        lag(event_id) over arrivals as earlier_event_id,
        lag(written_by) over arrivals as earlier_written_by
    from placements
    window arrivals as (partition by source_id order by arrival)
)
select source_id, earlier_id, id
from neighbours
where earlier_event_id > event_id
  and earlier_written_by <> written_by
"""

# The numbers of the statistics, counted from the rows themselves.
CONTACTS_BY_OPERATOR = """
select o.id, count(c.id), count(c.id) filter (where c.status = 'active')
from operators o
left join contacts c on c.operator_id = o.id
where o.archived_at is null
group by o.id
order by o.id
"""
CONTACTS_BY_SOURCE = """
select s.id, count(c.id) from sources s left join contacts c on c.source_id = s.id group by s.id order by s.id
"""
CONTACTS_BY_SOURCE_AND_OPERATOR = """
select source_id, operator_id, count(*) from contacts group by 1, 2 order by 1, 2 nulls last
"""
SUMMARY = """
select
    (select count(*) from leads where merged_into is null),
    (select count(*) from contacts),
    (select count(*) from contacts where status <> 'closed'),
    (select count(*) from operators o join operator_loads l on l.operator_id = o.id
        where o.archived_at is null and l.is_active),
    (select count(*) from operators where archived_at is null)
"""

# The numbers of the overview, likewise. Contacts that somebody has are of the day they were given to that operator.
TODAY_BY_OPERATOR = """
select o.id, count(c.id)
from operators o
left join contacts c on c.operator_id = o.id and coalesce(c.assigned_at, c.created_at) >= %s
where o.archived_at is null
group by o.id
order by o.id
"""
TODAY_BY_SOURCE = """
select s.id, count(c.id) filter (where c.created_at >= %s), count(c.id) filter (where c.status = 'new')
from sources s
left join contacts c on c.source_id = s.id
group by s.id
order by s.id
"""
GIVEN = """
select operator_id, count(*)
from contacts
where source_id = %s and operator_id is not null
    and coalesce(assigned_at, created_at) >= %s and coalesce(assigned_at, created_at) < %s
group by operator_id
order by operator_id
"""

PLACED = "select count(distinct contact_id) from events where to_operator_id is not null"


DECISIONS = """
select s.id, s.source_id, s.strategy, s.operator_ids, s.weights, s.loads, s.max_loads, s.are_active,
    d.operator_id, d.rule, d.draw, d.excluded
from decisions d
join decision_snapshots s on s.id = d.snapshot_id
order by s.id, d.ordinal
"""


@dataclass
class Decision:
    operator: int | None
    rule: str
    draw: int | None
    excluded: list[int] | None


@dataclass
class Snapshot:
    """The candidates of a source as they stood, and the decisions on them in order."""

    source: int
    strategy: str
    operators: list[int]
    weights: list[int]
    loads: list[int]
    limits: list[int]
    are_active: list[bool]
    decisions: list[Decision]


FILL = """
insert into operators (name) select 'Operator ' || n from generate_series(1, {operators}) n;
insert into operator_loads (operator_id, max_load) select id, 10 from operators;
insert into sources (name) select 'Source ' || n from generate_series(1, {sources}) n;
insert into leads (name) select 'Lead ' || n from generate_series(1, {leads}) n;
insert into contacts (lead_id, source_id, operator_id, status, created_at, assigned_at, first_assigned_at, closed_at)
select 1 + n % {leads}, 1 + n % {sources}, 1 + n % {operators}, 'closed', t, t, t, t
from generate_series({contacts}, 1, -1) n, lateral (select clock_timestamp() - n * interval '1 second' as t) times;
analyze
"""


def embedded(data, role: str = "postgres") -> "Database":
    """The one that an instance runs in its data directory."""
    return Database(f"host={data / 'run'} user={role} dbname=leads")


class Database:
    """One database, looked at with connections of the tests' own."""

    def __init__(self, dsn: str):
        self.dsn = dsn

    @contextlib.contextmanager
    def connect(self, autocommit: bool = True):
        with contextlib.closing(psycopg.connect(self.dsn, autocommit=autocommit, connect_timeout=5)) as connection:
            yield connection

    def everything(self) -> str:
        """What every column of every table holds, as text; bytes as they are and as hexadecimal digits."""
        texts = []
        with self.connect() as connection:
            tables = connection.execute(
                "select c.oid::regclass::text from pg_class c where c.relkind in ('r', 'p', 'm') and c.relnamespace in "
                "('public'::regnamespace, 'report'::regnamespace)").fetchall()
            for (table,) in tables:
                for row in connection.execute(f"select t.* from {table} t"):
                    texts += [f"{value.decode(errors='replace')} {value.hex()}" if isinstance(value, bytes) else str(value) for value in row]
        return "\n".join(texts)

    def run_out(self, person_id: int, *, link: bool = False, used_for: str | None = None, lasting: str | None = None) -> None:
        """Has a person's links end, or sessions that were not used or lasted for so long; instances look at it again."""
        with self.connect() as connection:
            if link:
                connection.execute("update person_links set expires_at = clock_timestamp() - interval '1 second' where person_id = %s", [person_id])
            for column, age in (("used_at", used_for), ("created_at", lasting)):
                if age:
                    connection.execute(f"update sessions set {column} = clock_timestamp() - %s::interval where person_id = %s", [age, person_id])
            connection.execute("update access_version set version = version + 1")

    def forget_failures(self) -> None:
        """Has failures to sign in be a quarter of an hour old."""
        with self.connect() as connection:
            connection.execute("update sign_in_failures set at = at - interval '15 minutes'")

    def failure_addresses(self) -> set[str]:
        return {address for (address,) in self.rows("select distinct address from sign_in_failures")}

    def rows(self, statement: str, *parameters) -> list[tuple]:
        with self.connect() as connection:
            return connection.execute(statement, parameters or None).fetchall()

    def value(self, statement: str, *parameters):
        return self.rows(statement, *parameters)[0][0]

    def count(self, table: str) -> int:
        return self.value(f"select count(*) from {table}")

    def fill(self, operators: int, sources: int, leads: int, contacts: int) -> None:
        """Closed contacts, one a second up to now, spread evenly."""
        with self.connect() as connection:
            connection.execute(FILL.format(operators=operators, sources=sources, leads=leads, contacts=contacts))

    def broken_loads(self) -> list[tuple]:
        return self.rows(BROKEN_LOADS)

    def stranded(self) -> list[int]:
        return [id for (id,) in self.rows(STRANDED)]

    def overtakings(self) -> list[tuple]:
        return self.rows(OVERTAKINGS)

    def placed_by_event(self) -> int:
        return self.value(PLACED)

    def load_drift(self) -> list[tuple]:
        return self.rows("select * from report.load_drift")

    def tally_drift(self) -> list[tuple]:
        return self.rows("select * from report.tally_drift")

    def quarter_drift(self) -> list[tuple]:
        return self.rows("select * from report.quarter_drift")

    def event_drift(self) -> list[tuple]:
        return self.rows("select * from report.event_drift")

    def contacts_by_operator(self) -> list[tuple]:
        """Operator, all it has or had last, those it has now."""
        return self.rows(CONTACTS_BY_OPERATOR)

    def contacts_in_order(self, source_id: int) -> list[tuple]:
        """Of a source, as they came: what was said by whom."""
        return self.rows("""
            select l.name, l.phone, l.email, l.external_id, c.message, c.priority
            from contacts c
            join leads l on l.id = c.lead_id
            where c.source_id = %s
            order by c.arrival
        """, source_id)

    def contacts_by_source(self) -> list[tuple]:
        return self.rows(CONTACTS_BY_SOURCE)

    def contacts_by_source_and_operator(self) -> list[tuple]:
        return self.rows(CONTACTS_BY_SOURCE_AND_OPERATOR)

    def summary(self) -> tuple:
        """Leads, contacts, open contacts, operators switched on, operators."""
        return self.rows(SUMMARY)[0]

    def today_by_operator(self, since) -> list[tuple]:
        """Operator, contacts given to it since then that it has or had last."""
        return self.rows(TODAY_BY_OPERATOR, since)

    def today_by_source(self, since) -> list[tuple]:
        """Source, contacts registered since then, contacts that wait."""
        return self.rows(TODAY_BY_SOURCE, since)

    def given(self, source_id: int, begin, end) -> list[tuple]:
        """Operator, contacts of the source given to it in that time that it has or had last."""
        return self.rows(GIVEN, source_id, begin, end)

    def registered_by_minute(self, begin, end) -> dict:
        """Of those minutes in which there are any."""
        return dict(self.rows("""
            select date_trunc('minute', created_at), count(*) from contacts where created_at >= %s and created_at < %s group by 1
        """, begin, end))

    def status_of_contacts(self) -> dict[int, str]:
        return dict(self.rows("select id, status::text from contacts"))

    def ids_by_message(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for message, id in self.rows("select message, id from contacts"):
            found.setdefault(message, []).append(id)
        return found

    def waiting_reasons(self) -> dict[str, int]:
        return dict(self.rows("select waiting_reason, count(*) from contacts where status = 'new' group by 1"))

    def decisions(self) -> list[Snapshot]:
        """All that is on record of decisions, in the order in which they were written down."""
        found: dict[int, Snapshot] = {}
        for id, *candidates, operator, rule, draw, excluded in self.rows(DECISIONS):
            snapshot = found.setdefault(id, Snapshot(*candidates, decisions=[]))
            snapshot.decisions.append(Decision(operator, rule, draw, excluded))
        return list(found.values())

    def columns_with(self, words: list[str]) -> dict[str, set[str]]:
        """Where words stand, as `table.column`: in every table there is, PostgreSQL's own and its statistics included. Those
        that stand nowhere are left out."""
        found: dict[str, set[str]] = {}
        looking = "select distinct word from (select {what} as there from {table} it offset 0) row, unnest(%s::text[]) word where "
        with self.connect() as connection:
            tables: dict[tuple, list] = {}
            for schema, table, column, kind in connection.execute("""
                select c.table_schema, c.table_name, c.column_name, c.data_type
                from information_schema.columns c
                join information_schema.tables t using (table_schema, table_name)
                where t.table_type = 'BASE TABLE'
            """):
                tables.setdefault((schema, table), []).append((column, kind))
            assert len(tables) > 80

            def look(table: tuple, what: str, condition: str, column: str = "") -> set[str]:
                statement = psycopg.sql.SQL(looking.replace("{what}", what) + condition).format(
                    table=psycopg.sql.Identifier(*table), column=psycopg.sql.Identifier("it", column))
                return {word for (word,) in connection.execute(statement, (words,))}

            for table, columns in tables.items():
                is_here = look(table, "lower(it::text)", "strpos(there, lower(word)) > 0")
                for column, kind in columns:
                    # Bytes are looked for as such; of anything else, what it looks like.
                    here = look(table, "{column}", "position(convert_to(word, 'UTF8') in there) > 0", column) if kind == "bytea" else \
                        look(table, "lower({column}::text)", "strpos(there, lower(word)) > 0", column) if is_here else set()
                    for word in here:
                        found.setdefault(word, set()).add(f"{table[1]}.{column}")
        return found

    def end_sessions(self, role: str) -> int:
        """Of everybody who is connected as that role; how many there were."""
        return self.value("""
            select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity
            where datname = current_database() and usename = %s
        """, role)

    @contextlib.contextmanager
    def forbidden_name(self, name: str):
        """A rule the product knows nothing of: PostgreSQL shows whole rows that break it."""
        with self.connect() as connection:
            # The rule itself is not to be found as the name.
            connection.execute("alter table leads add constraint leads_nobody check (md5(name) <> "
                               f"'{hashlib.md5(name.encode()).hexdigest()}') not valid")
            yield
            connection.execute("alter table leads drop constraint leads_nobody")

    def analyse(self) -> None:
        with self.connect() as connection:
            connection.execute("analyze")

    def age_closings(self, lead_id: int, days: int) -> None:
        """As if a lead's contacts had been closed so many days earlier, and all before that too."""
        with self.connect() as connection:
            connection.execute("""
                update contacts
                set created_at = created_at - d.age, assigned_at = assigned_at - d.age,
                    first_assigned_at = first_assigned_at - d.age, closed_at = closed_at - d.age
                from (select make_interval(days => %s) as age) d
                where lead_id = %s
            """, (days, lead_id))
            connection.execute("update leads set created_at = created_at - make_interval(days => %s) where id = %s",
                               (days, lead_id))

    def words_of_lead(self, id: int) -> int:
        """In how many rows something of a lead or its contacts can be read."""
        return self.value("""
            with lead as (select %s::bigint as id)
            select (select count(*) from leads join lead using (id) where coalesce(name, phone, email, external_id) is not null)
                + (select count(*) from lead_identities i join lead l on l.id = i.lead_id)
                + (select count(*) from contacts c join lead l on l.id = c.lead_id where coalesce(message, source_event_id) is not null)
                + (select count(*) from contacts c join lead l on l.id = c.lead_id join idempotency_keys k on k.contact_id = c.id)
        """, id)

    def erased_leads(self) -> list[int]:
        return [id for (id,) in self.rows("select id from leads where erased_at is not null order by id")]

    def forget_erased_values_at_once(self) -> None:
        """As if all erasures had been over for long."""
        with self.connect() as connection:
            connection.execute("update lead_erasures set finished_at = finished_at - interval '1 hour'")

    def owners(self) -> list[tuple]:
        """Of the tables, views, sequences and functions of the product."""
        return self.rows("""
            select distinct pg_get_userbyid(relowner)
            from pg_class
            where relnamespace in ('public'::regnamespace, 'report'::regnamespace) and relkind in ('r', 'v', 'S')
            union
            select pg_get_userbyid(proowner)
            from pg_proc
            where pronamespace in ('public'::regnamespace, 'report'::regnamespace)
        """)

    def roles_connected(self) -> set[str]:
        """As whom others are connected to this database."""
        return {role for (role,) in self.rows("""
            select distinct usename from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
        """)}

    def access_rules(self) -> list[tuple]:
        """Kind and method of each line of pg_hba.conf."""
        return self.rows("select type, auth_method from pg_hba_file_rules")

    def break_load(self, operator_id: int) -> None:
        """A counter that is wrong, as no instance leaves it."""
        with self.connect() as connection:
            connection.execute("update operator_loads set load = load + 1 where operator_id = %s", (operator_id,))

    def deadlocks(self) -> int:
        return self.value("select deadlocks from pg_stat_database where datname = current_database()")

    def sessions(self) -> int:
        """Sessions of others on this database."""
        return self.value("""
            select count(*) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
        """)

    def open_transactions(self) -> list[tuple]:
        """What others hold or wait for: their open transactions and their advisory locks of the session."""
        return self.rows("""
            select a.pid, a.state, a.query, count(l.pid) as locks
            from pg_stat_activity a
            left join pg_locks l on l.pid = a.pid
            where a.datname = current_database() and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
            group by 1, 2, 3, a.xact_start
            having a.xact_start is not null or count(l.pid) > 0
        """)

    def blocked_sessions(self) -> int:
        """Sessions that wait for a lock somebody else holds."""
        return self.value("""
            select count(*) from pg_stat_activity
            where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0
        """)

    def add_waiting_contacts(self, lead_id: int, source_id: int, count: int) -> None:
        """Contacts that nobody registered, for where there must be many."""
        with self.connect() as connection:
            connection.execute("""
                with added as (
                    insert into contacts (lead_id, source_id, status, waiting_reason, waiting_since)
                    select %s, %s, 'new', 'no_operators', clock_timestamp() from generate_series(1, %s)
                    returning id
                )
                insert into events (contact_id, kind, reason) select id, 'registered', 'no_operators' from added
            """, (lead_id, source_id, count))

    def never_analyse_leads(self) -> None:
        """The planner hears nothing of those that come."""
        with self.connect() as connection:
            connection.execute("alter table leads set (autovacuum_enabled = false)")

    def add_leads(self, count: int) -> None:
        with self.connect() as connection:
            connection.execute("insert into leads (name) select 'many' from generate_series(1, %s)", (count,))

    def add_closed_contacts(self, lead_id: int, source_id: int, operator_id: int, count: int) -> None:
        """A past that nobody went through."""
        with self.connect() as connection:
            connection.execute("""
                insert into contacts (lead_id, source_id, operator_id, status, assigned_at, first_assigned_at, closed_at)
                select %s, %s, %s, 'closed', now(), now(), now() from generate_series(1, %s)
            """, (lead_id, source_id, operator_id, count))
            connection.execute("vacuum analyze contacts")

    def rows_read(self) -> int:
        """Rows of contacts and leads, and entries of their indexes, read since the statistics were reset. Sessions
        report when they end."""
        return self.value("""
            select (coalesce((
                select sum(seq_tup_read) from pg_stat_user_tables where relname in ('contacts', 'leads')
            ), 0) + coalesce((
                select sum(greatest(idx_tup_read, idx_tup_fetch)) from pg_stat_user_indexes
                where relname in ('contacts', 'leads')
            ), 0))::bigint
        """)

    def reset_statistics(self) -> None:
        self.value("select pg_stat_reset()")

    def raise_limit(self, operator_id: int, max_load: int) -> None:
        """By hand, so that no instance hears of the capacity."""
        with self.connect() as connection:
            connection.execute("update operator_loads set max_load = %s where operator_id = %s", (max_load, operator_id))

    def add_active_contacts(self, lead_id: int, source_id: int, operator_id: int, count: int) -> None:
        """Contacts that nobody assigned, for where an operator must have many."""
        with self.connect() as connection:
            connection.execute("""
                insert into contacts (lead_id, source_id, operator_id, status, assigned_at, first_assigned_at)
                select %s, %s, %s, 'active', now(), now() from generate_series(1, %s)
            """, (lead_id, source_id, operator_id, count))

    def age_contact(self, id: int, days: int) -> None:
        """As if it had been registered so many days earlier."""
        with self.connect() as connection:
            connection.execute("update contacts set created_at = created_at - make_interval(days => %s) where id = %s",
                               (days, id))

    def move_back(self, id: int, **ago) -> None:
        """As if all of it had happened so much earlier."""
        with self.connect() as connection:
            connection.execute("""
                update contacts
                set created_at = created_at - %(ago)s, assigned_at = assigned_at - %(ago)s,
                    first_assigned_at = first_assigned_at - %(ago)s, waiting_since = waiting_since - %(ago)s,
                    closed_at = closed_at - %(ago)s
                where id = %(id)s
            """, {"id": id, "ago": datetime.timedelta(**ago)})

    @contextlib.contextmanager
    def operator_held(self, operator_id: int):
        """Somebody else's transaction holds the row that registration must lock, until released or the block ends."""
        with self.connect(autocommit=False) as connection:
            connection.execute("select 1 from operator_loads where operator_id = %s for update", (operator_id,))
            try:
                yield connection.rollback
            finally:
                connection.rollback()

    @contextlib.contextmanager
    def lead_held(self, lead_id: int):
        """Somebody edits a lead by hand, until released or the block ends."""
        with self.connect(autocommit=False) as connection:
            connection.execute("select 1 from leads where id = %s for update", (lead_id,))
            try:
                yield connection.rollback
            finally:
                connection.rollback()

    @contextlib.contextmanager
    def key_held(self, number: int):
        """Somebody else's transaction holds a key of a request; see `locked_keys`."""
        with self.connect(autocommit=False) as connection:
            connection.execute("select pg_advisory_xact_lock(%s)", (number,))
            try:
                yield connection.rollback
            finally:
                connection.rollback()

    def locked_keys(self) -> set[int]:
        """The numbers by which requests' keys are locked at the moment, by whomever."""
        return {number for (number,) in self.rows("""
            select (classid::bigint << 32) | objid::bigint from pg_locks
            where locktype = 'advisory' and objsubid = 1 and granted
                and database = (select oid from pg_database where datname = current_database())
        """)}

    def idempotency_keys(self) -> dict[str, int]:
        """How often each key's answer was given again."""
        return dict(self.rows("select key, replays from idempotency_keys"))

    def row_version(self, key: str) -> tuple:
        """Changes with every write to the row of a key."""
        return self.rows("select xmin::text, ctid::text from idempotency_keys where key = %s", key)[0]

    def commits_of(self, key: str, contact_id: int) -> set[str]:
        """The transactions that stored a new contact, its event and the answer to the key it came with."""
        return {xmin for (xmin,) in self.rows("""
            select xmin::text from idempotency_keys where key = %s
            union all select xmin::text from contacts where id = %s
            union all select xmin::text from events where contact_id = %s
        """, key, contact_id, contact_id)}

    def contact_versions(self) -> set[str]:
        """The transactions that wrote contacts last."""
        return {xmin for (xmin,) in self.rows("select distinct xmin::text from contacts")}

    def age_idempotency_keys(self, key: str, hours: int) -> None:
        """As if it had been used so many hours earlier."""
        with self.connect() as connection:
            connection.execute(
                "update idempotency_keys set created_at = created_at - make_interval(hours => %s) where key = %s",
                (hours, key))

    def expire_links(self) -> None:
        """As if those who were invited had waited too long."""
        self.rows("update person_links set expires_at = clock_timestamp() returning true")

    def set_read_only(self, is_read_only: bool) -> None:
        """For sessions that begin from now on; those there are have to begin again."""
        with self.connect() as connection:
            connection.execute("set default_transaction_read_only = off")
            name = connection.execute("select quote_ident(current_database())").fetchone()[0]
            connection.execute(f"alter database {name} set default_transaction_read_only = {is_read_only}")
            terminate_others(connection)

    def poison(self, message: str) -> None:
        """From now on no contact with this message can be stored."""
        with self.connect() as connection:
            connection.execute("""
                create function poisoned() returns trigger language plpgsql as $$
                begin raise exception 'poisoned'; end $$
            """)
            quoted = connection.execute("select quote_literal(%s::text)", (message,)).fetchone()[0]
            connection.execute(f"""
                create trigger poisoned before insert on contacts for each row
                when (new.message like {quoted}) execute function poisoned()
            """)


def terminate_others(connection: psycopg.Connection) -> int:
    """pg_terminate_backend for every other session on the connection's database."""
    return connection.execute("""
        select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
    """).fetchone()[0]
