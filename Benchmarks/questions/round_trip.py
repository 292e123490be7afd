"""How fast is `select $1` through our libpq wrapper?"""

import tempfile

from rig import load, report
from rig.servers import BINARIES, run

PROGRAMS = ["postgres-round-trip"]


def ask(rig, seconds, turns):
    report.question("How fast is `select $1` through our libpq wrapper? (queries/s; the latency is the mean, in ms)")
    with rig.database("round_trip") as database:
        for tasks in (64, 1):
            def ours():
                rate, microseconds = run(BINARIES / "postgres-round-trip", tasks, max(1, round(seconds)),
                                         environment={"DATABASE_URL": database.url}).split()
                return load.Measured(float(rate), float(microseconds) / 1000, float(microseconds) / 1000)

            measured = report.turns(rig, turns, {
                f"pgbench, {tasks}": lambda: load.reference(database, 1, tasks, seconds, "select.pgbench"),
                f"ours, {tasks} tasks": ours,
            })
            theirs, mine = ([turn.rate for turn in side] for side in measured.values())
            report.ratio(f"queries a second against pgbench -M prepared, {tasks}", mine, theirs)
