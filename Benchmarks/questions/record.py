"""What does the record of decisions cost a registration?"""

from rig import load, report

PROGRAMS = ["leads-crm"]
TABLES = ["decision_snapshots", "decisions"]


def ask(rig, seconds, turns):
    report.question("What does the record of decisions cost a registration? (32 clients; thrown away by a trigger in turns)")
    with rig.database("record") as database, database.instance() as instance:
        database.sql("create function throw_away() returns trigger language plpgsql as 'begin return null; end'")
        source = instance.source(10)

        def side(thrown: bool):
            def measure():
                for table in TABLES:
                    database.sql(f"create or replace trigger throw_away before insert on {table} "
                                 "for each row execute function throw_away()" if thrown
                                 else f"drop trigger if exists throw_away on {table}")
                return load.register(instance.url, source, 32, seconds)
            return measure

        measured = report.turns(rig, turns, {"thrown away": side(True), "stored": side(False)}, before=database.tidy)
        thrown, stored = ([turn.rate for turn in each] for each in measured.values())
        report.ratio("with the record against without", stored, thrown, at_least=0.85)
