"""Does registering over HTTP beat a transaction per contact by hand, and what does each layer cost?"""

from rig import load, report

PROGRAMS = ["leads-crm", "http-floor"]


def ask(rig, seconds, turns):
    report.question("How many contacts a second are registered, durably? (10 operators, unique leads, keep-alive; /s and ms)")
    with rig.database("intake") as database, database.instance() as instance, rig.floor() as floor:
        database.script("reference.sql")
        source = instance.source(10)
        measured = report.turns(rig, turns, {
            "pgbench, 64 connections": lambda: load.reference(database, source, 64, seconds),
            "POST /contacts, 64 clients": lambda: load.register(instance.url, source, 64, seconds),
            "pgbench, 150 connections": lambda: load.reference(database, source, 150, seconds),
            "POST /contacts, 256 clients": lambda: load.register(instance.url, source, 256, seconds),
            "trivial GET, no database, 64 clients": lambda: load.wrk(floor.url + "/trivial", 64, seconds),
            "POST that validates, no database, 64 clients": lambda: load.register(floor.url, 1, 64, seconds),
        }, before=database.tidy)
        by_hand, post, by_hand_150, post_256, trivial, validating = (
            [turn.rate for turn in side] for side in measured.values())
        sides = list(measured.values())
        report.ratio("POST /contacts, 64 clients, against pgbench, 64", post, by_hand, at_least=4)
        report.costs("64 clients", sides[1], sides[0])
        report.ratio("POST /contacts, 256 clients, against pgbench, 150", post_256, by_hand_150, at_least=8)
        report.costs("256 clients", sides[3], sides[2])
        report.ratio("POST without the database against trivial GET, 64 clients", validating, trivial, at_least=0.6)
        report.ratio("POST /contacts against POST without the database, 64 clients", post, validating, at_least=0.25)
        answered = measured["POST /contacts, 64 clients"]
        report.ratio("p99 of POST /contacts against its p50, 64 clients",
                     [turn.p99 for turn in answered], [turn.p50 for turn in answered], at_most=4)
        report.fault(database.fault())
