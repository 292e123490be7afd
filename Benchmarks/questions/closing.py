"""What does closing contacts cost registration on the same operators?"""

from rig import load, report

PROGRAMS = ["leads-crm"]


def ask(rig, seconds, turns):
    report.question("How many contacts a second are registered while as many are closed? (64 clients, the same 10 operators)")
    with rig.database("closing") as database, database.instance() as instance:
        source = instance.source(10)

        def side(*arguments):
            def measure():
                measured = load.wrk(instance.url, 64, seconds, "register.lua", source, load.word(), *arguments, count=True)
                registered, closed, _ = measured.counted
                # What is counted is registrations: an answered closing is not one.
                return measured.times(registered / (registered + closed))
            return measure

        measured = report.turns(rig, turns, {
            "registering alone": side(),
            "registering and closing 1:1, registered": side("close"),
        }, before=database.tidy)
        alone, mixed = ([turn.rate for turn in each] for each in measured.values())
        report.ratio("registrations beside as many closings against registrations alone", mixed, alone, at_least=0.5)
        report.costs("with closings", *reversed(measured.values()))
        report.ratio("… all changes, closings counted too", [2 * rate for rate in mixed], alone)
        report.fault(database.fault())
