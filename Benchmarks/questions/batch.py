"""What do batches cost beside a plain insert of the same rows?"""

from rig import load, report

PROGRAMS = ["leads-crm"]
SIZE = 500


def ask(rig, seconds, turns):
    report.question(f"How many contacts a second go in by POST /contacts/batch of {SIZE}? (2 connections; rows/s, ms a batch)")
    with rig.database("batch") as database, database.instance() as instance:
        source = instance.source(10)
        database.script("reference-rows.sql")

        def batches():
            before = int(database.sql("select count(*) from contacts"))
            measured = load.wrk(instance.url, 2, seconds, "batch.lua", source, load.word(), threads=2).times(SIZE)
            # Items fail alone, in an answer that is a success.
            stored = int(database.sql("select count(*) from contacts")) - before
            if stored < 0.9 * measured.rate * seconds:
                report.fault(f"only {stored} contacts were stored of {measured.rate * seconds:.0f}")
            return measured

        measured = report.turns(rig, turns, {
            "plain insert of leads, identities, contacts": lambda: load.reference(
                database, source, 2, seconds, "reference-rows.pgbench", rows=SIZE).times(SIZE),
            "the same with events and decisions": lambda: load.reference(
                database, source, 2, seconds, "reference-all-rows.pgbench", rows=SIZE).times(SIZE),
            "POST /contacts/batch": batches,
        }, before=database.tidy)
        rows, all_rows, ours = ([turn.rate for turn in side] for side in measured.values())
        report.ratio("POST /contacts/batch against a plain insert of leads, identities and contacts", ours, rows, at_least=0.4)
        report.ratio("… against a plain insert of all rows that a batch makes", ours, all_rows)
        sides = list(measured.values())
        report.costs("leads, identities and contacts", sides[2], sides[0])
        report.fault(database.fault())
