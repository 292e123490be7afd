"""How much memory does an instance need, and does it grow?"""

import os
import statistics
import threading
import time

from rig import load, report

PROGRAMS = ["leads-crm"]


def ask(rig, seconds, turns):
    minutes = float(os.environ.get("MEMORY_MINUTES", "10"))
    report.question(f"How much memory does an instance take at 256 clients over {minutes:g} minutes? (MB resident)")
    with rig.database("memory") as database, database.instance() as instance:
        source = instance.source(10)
        idle = instance.memory()
        seen: list[tuple[float, float]] = []
        begun = time.monotonic()
        over = threading.Event()

        def watch():
            while not over.wait(1):
                seen.append((time.monotonic() - begun, instance.memory()))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            measured = load.register(instance.url, source, 256, minutes * 60)
        finally:
            over.set()
            watcher.join()
        length = seen[-1][0]
        tenths = [[mb for at, mb in seen if n / 10 <= at / length <= (n + 1) / 10] for n in range(10)]
        report.say(f"idle {idle:.0f}; by tenths of the time: {' '.join(f'{max(tenth):.0f}' for tenth in tenths)}   {measured}")
        report.figure(f"most memory: {max(mb for _, mb in seen):.0f} MB", max(mb for _, mb in seen), at_most=150, unit=" MB")
        # The first fifth fills pools and caches. What leaks goes on growing.
        early, late = statistics.median(tenths[2]), statistics.median(tenths[9])
        report.ratio("memory in the last tenth of the time against the third", [late], [early], at_most=1.05)
        report.fault(database.fault())
