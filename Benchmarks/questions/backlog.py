"""Do five million old contacts and a long queue slow registration down?"""

from rig import load, report
from rig.sizes import LONG_QUEUE, Sizes

PROGRAMS = ["leads-crm"]


def ask(rig, seconds, turns):
    sizes = Sizes.of(rig)
    report.question(f"How many contacts a second are registered beside {sizes.large:,} old ones and {LONG_QUEUE:,} that wait? "
                    "(64 clients)")
    with sizes.filled(sizes.large) as full, rig.database("backlog") as empty, \
            full.instance() as beside, empty.instance() as alone:
        sizes.lengthen_queue(full)
        waiting = int(full.sql("select count(*) from contacts where status = 'new'"))
        report.say(f"{full.sql('select count(*) from contacts')} contacts, {waiting} of them wait for operators who are full")
        ours, theirs = beside.source(10), alone.source(10)
        measured = report.turns(rig, turns, {
            "nothing there": lambda: load.register(alone.url, theirs, 64, seconds),
            "beside the old ones": lambda: load.register(beside.url, ours, 64, seconds),
        }, before=lambda: (full.tidy(), empty.tidy()))
        none, many = ([turn.rate for turn in side] for side in measured.values())
        report.ratio("beside old and waiting contacts against an empty database", many, none, at_least=0.8)
        report.costs("beside them", *reversed(measured.values()))
        # In the very source where they wait, a newcomer is told to.
        full_source = full.sql("select source_id from contacts where status = 'new' limit 1")
        empty_source = alone.source(1, limit=1)
        measured = report.turns(rig, turns, {
            "joining an empty queue": lambda: load.register(alone.url, empty_source, 64, seconds),
            "joining the queue of those who wait": lambda: load.register(beside.url, full_source, 64, seconds),
        }, before=lambda: (full.tidy(), empty.tidy()))
        short, long = ([turn.rate for turn in side] for side in measured.values())
        report.ratio("joining a long queue against joining one that begins empty", long, short)
        sizes.spoil(full)
