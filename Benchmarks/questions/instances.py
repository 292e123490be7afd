"""What do three instances do for one hot source, and does the limit hold?"""

from rig import load, report

PROGRAMS = ["leads-crm"]
PLACES = 2000


def ask(rig, seconds, turns):
    report.question("How many contacts a second do three instances behind HAProxy register for one source? (192 clients)")
    with rig.database("instances") as database, database.instance() as first:
        source = first.source(10)
        with database.instance() as second, database.instance() as third, \
                rig.balancer([first, second, third]) as balanced:
            measured = report.turns(rig, turns, {
                "one instance, 64 clients": lambda: load.register(first.url, source, 64, seconds),
                "three behind HAProxy, 192 clients": lambda: load.register(balanced, source, 192, seconds),
            }, before=database.tidy)
            one, three = ([turn.rate for turn in side] for side in measured.values())
            report.ratio("three instances behind HAProxy against one", three, one, at_least=0.6)
            report.costs("three instances", *reversed(measured.values()))

            # The limit is not tested by a limit that is never reached.
            scarce = first.source(10, limit=PLACES // 10)
            for _ in range(10):
                load.register(balanced, scarce, 192, 1)
                taken, waiting = (int(n) for n in database.sql(
                    f"select count(*) filter (where status = 'active'), count(*) filter (where status = 'new')"
                    f" from contacts where source_id = {scarce}").split("|"))
                if waiting:
                    break
            report.say(f"a source with {PLACES} places: {taken} taken, {waiting} contacts wait")
            if taken != PLACES:
                report.fault(f"{taken} places taken of {PLACES}")
        report.fault(database.fault())
