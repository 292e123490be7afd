"""What do 1 000 operators on a source cost instead of 10?"""

from rig import load, report

PROGRAMS = ["leads-crm"]


def ask(rig, seconds, turns):
    report.question("How many contacts a second does a source with 1 000 operators take? (64 clients)")
    with rig.database("pool") as database, database.instance() as instance:
        small, large = instance.source(10), instance.source(1000)
        measured = report.turns(rig, turns, {
            "10 operators": lambda: load.register(instance.url, small, 64, seconds),
            "1 000 operators": lambda: load.register(instance.url, large, 64, seconds),
        }, before=database.tidy)
        few, many = ([turn.rate for turn in side] for side in measured.values())
        report.ratio("1 000 operators against 10", many, few, at_least=0.7)
        report.costs("many operators", *reversed(measured.values()))
        report.fault(database.fault())
