"""How long does one client wait, one request at a time?"""

from rig import load, report

PROGRAMS = ["leads-crm", "http-floor"]


def ask(rig, seconds, turns):
    report.question("How long does a lone client wait for POST /contacts? (p50 in ms)")
    with rig.database("alone") as database, database.instance() as instance, rig.floor() as floor:
        database.script("reference.sql")
        source = instance.source(10)
        measured = report.turns(rig, turns, {
            "pgbench, 1 connection": lambda: load.reference(database, source, 1, seconds, latencies=True),
            "trivial GET, 1 client": lambda: load.wrk(floor.url + "/trivial", 1, seconds),
            "POST /contacts, 1 client": lambda: load.register(instance.url, source, 1, seconds),
        }, before=database.tidy)
        by_hand, trivial, post = ([turn.p50 for turn in side] for side in measured.values())
        report.ratio("p50 of a lone POST against pgbench alone + trivial GET", post,
                     [a + b for a, b in zip(by_hand, trivial)], at_most=2)
