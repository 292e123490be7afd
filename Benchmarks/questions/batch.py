"""What do batches cost beside a plain insert of the same rows?"""

from rig import load, report

PROGRAMS = ["leads-crm"]
SIZE = 500


def ask(rig, seconds, turns):
    report.question(f"How many contacts a second go in by POST /contacts/batch of {SIZE}? (2 connections; rows/s, ms a batch)")
    with rig.database("batch") as database, database.instance() as instance:
        source = instance.source(10)
        database.script("reference-rows.sql")

        def of_contacts(measured):
            measured.rate *= SIZE
            return measured

        def batches():
            before = int(database.sql("select count(*) from contacts"))
            measured = of_contacts(load.wrk(instance.url, 2, seconds, "batch.lua", source, load.word(), threads=2))
            # Items fail alone, in an answer that is a success.
            stored = int(database.sql("select count(*) from contacts")) - before
            if stored < 0.9 * measured.rate * seconds:
                report.fault(f"only {stored} contacts were stored of {measured.rate * seconds:.0f}")
            return measured

        measured = report.turns(turns, {
            "plain insert of leads, identities, contacts": lambda: of_contacts(
                load.reference(database, source, 2, seconds, "reference-rows.pgbench")),
            "the same with events and decisions": lambda: of_contacts(
                load.reference(database, source, 2, seconds, "reference-all-rows.pgbench")),
            "POST /contacts/batch": batches,
        }, before=database.tidy)
        rows, all_rows, ours = ([turn.rate for turn in side] for side in measured.values())
        report.ratio("POST /contacts/batch against a plain insert of leads, identities and contacts", ours, rows, at_least=0.4)
        report.ratio("… against a plain insert of all rows that a batch makes", ours, all_rows)
        report.fault(database.fault())
