"""Where does the time of a registration go?"""

from rig import load, report

PROGRAMS = ["leads-crm"]

# What a statement takes is measured by the clock: whatever else wants the core meanwhile is in it.
STATEMENTS = """
    with s as (
        select translate(regexp_replace(query, '\\s+', ' ', 'g'), '|', ' ') as query, calls, total_exec_time * 1000 as us
        from pg_stat_statements
        where dbid = (select oid from pg_database where datname = current_database())
    ), t as (
        select sum(us) as us, sum(calls) filter (where query ilike 'insert into contacts%') as transactions from s
    )
    select query, s.us / {contacts}, 100 * s.us / t.us, calls / t.transactions, {contacts} / t.transactions
    from s, t
    where s.us >= t.us / 100
    order by s.us desc"""
LONG = 90


def ask(rig, seconds, turns):
    report.question("Where does the time of a registration go? (µs a contact)")
    with rig.preloading("pg_stat_statements"), rig.database("profile") as database, database.instance() as instance:
        database.sql("create extension pg_stat_statements")
        database.script("reference-rows.sql")
        source = instance.source(10)
        for clients in (1, 64, 256):
            load.register(instance.url, source, clients, 1)
            database.tidy()
            database.sql("select pg_stat_statements_reset()")
            threads, stored = rig.threads(instance), contacts(database)
            measured = load.register(instance.url, source, clients, seconds)
            stored = contacts(database) - stored
            spent = {name: (used - threads.get(name, 0)) / stored * 1_000_000 for name, used in rig.threads(instance).items()}
            statements = [line.split("|") for line in database.sql(STATEMENTS.format(contacts=stored)).splitlines()]
            report.say(f"{clients} clients: {measured.rate:.0f}/s, {float(statements[0][4]):.1f} contacts a transaction")
            report.say(f"  {sum(spent.values()):6.1f}          processor time in all")
            for name, cost in sorted(spent.items(), key=lambda item: -item[1]):
                if cost >= 0.5:
                    report.say(f"  {cost:6.1f}          {name}")
            report.say("  statements with their triggers, by the clock; share of them; how often a transaction")
            for query, cost, share, calls, _ in statements:
                report.say(f"  {float(cost):6.1f}  {float(share):3.0f} %   {float(calls):4.1f}  "
                           + (query if len(query) <= LONG else query[:LONG - 1] + "…"))
        for rows in (1, 32, 119):
            report.turns(rig, turns, {
                f"plain insert of leads, identities, contacts, {rows} at a time": lambda: load.reference(
                    database, source, 1, seconds, "reference-rows.pgbench", rows=rows).times(rows),
                f"the same with events and decisions, {rows} at a time": lambda: load.reference(
                    database, source, 1, seconds, "reference-all-rows.pgbench", rows=rows).times(rows),
            }, before=database.tidy)
        report.fault(database.fault())


def contacts(database) -> int:
    return int(database.sql("select count(*) from contacts"))
