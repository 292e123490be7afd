"""How long does the engine take to decide who gets a contact?"""

import statistics

from rig import report
from rig.servers import BINARIES, run

PROGRAMS = ["distribution-decision"]


def ask(rig, seconds, turns):
    report.question("How long does the engine take to decide who gets a contact? (ns of processor time, building it counted in)")
    times: dict[str, list[list[float]]] = {}
    for _ in range(max(3, turns)):
        for line in run(BINARIES / "distribution-decision").splitlines():
            strategy, *numbers = line.split()
            times.setdefault(strategy, []).append([float(number) for number in numbers])
    report.say(f"{'strategy':<20}{'10, one decision':>18}{'10, batch of 512':>18}{'10 000, of 512':>18}")
    for strategy, each in times.items():
        medians = [statistics.median(column) for column in zip(*each)]
        report.say(f"{strategy:<20}" + "".join(f"{value:18.0f}" for value in medians))
    one, _, large = (max(statistics.median(c) for c in column) for column in zip(*[list(zip(*e)) for e in times.values()]))
    report.figure(f"the slowest, among 10: {one:.0f} ns", one, at_most=2000, unit=" ns")
    report.figure(f"the slowest, among 10 000 in batches of 512: {large:.0f} ns", large, at_most=20000, unit=" ns")
