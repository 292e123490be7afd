"""How much slower do lists, leads and statistics get with age?"""

import datetime
import statistics
import time

from rig import load, report
from rig.servers import Failed
from rig.sizes import LONG_QUEUE, Sizes

PROGRAMS = ["leads-crm"]
# What looks at contacts that are not closed.
QUEUED = ["/contacts waiting", "/contacts active", "/contacts open", "/contacts of an operator, open", "/queue",
          "/contacts/stats/distribution", "/stats/distribution"]


def targets(contacts: int, searches: bool) -> dict[str, str]:
    """What is read, by what it is; at the same depth in proportion to the size."""
    middle, lead = contacts // 2, contacts // 3 // 2
    def moment(**ago) -> str:
        return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%SZ")

    lately, past, past_end = moment(hours=3), moment(days=20), moment(days=19)
    return {
        "/contacts": "/contacts?limit=100",
        "/contacts, latest": "/contacts?limit=100&order=desc",
        "/contacts from the middle": f"/contacts?limit=100&cursor={middle}",
        "/contacts waiting": "/contacts?status=new",
        "/contacts active": "/contacts?status=active",
        "/contacts open": "/contacts?is_active=true",
        "/contacts closed, of a source, latest": "/contacts?source_id=3&status=closed&order=desc",
        "/contacts of an operator, from the middle": f"/contacts?operator_id=7&cursor={middle}",
        "/contacts of an operator, open": "/contacts?operator_id=7&is_active=true",
        "/contacts of three hours": f"/contacts?created_from={lately}",
        "/contacts of three hours, latest": f"/contacts?created_from={lately}&order=desc",
        "/contacts of a day, long ago": f"/contacts?created_from={past}&created_to={past_end}",
        "/contacts of a source and an operator": "/contacts?source_id=1&operator_id=6",
        "/contacts of a pair that never met": "/contacts?source_id=3&operator_id=7",
        "/contacts of three hours, of a source": f"/contacts?created_from={lately}&source_id=3",
        "/contacts of a lead": f"/contacts?lead_id={lead}",
        "/contacts/{id}": f"/contacts/{middle}",
        "/contacts/{id}/history": f"/contacts/{middle}/history",
        "/leads": "/leads?limit=100",
        "/leads from the middle": f"/leads?limit=100&cursor={lead}",
        "/leads/{id}": f"/leads/{lead}",
        "/leads/by-external/{id}": f"/leads/by-external/bench-{lead}",
        "/leads/{id}/contacts": f"/leads/{lead}/contacts",
        "/operators": "/operators",
        "/operators/{id}": "/operators/7",
        "/operators/{id}/stats": "/operators/7/stats",
        "/sources": "/sources",
        "/sources/{id}": "/sources/3",
        "/contacts/stats/distribution": "/contacts/stats/distribution",
        "/stats/distribution": "/stats/distribution",
        "/queue": "/queue",
        "/events from the middle": f"/events?after={middle}",
    }


def searches(contacts: int) -> dict[str, str]:
    lead = contacts // 3 // 2
    return {
        "/leads, search by name": f"/leads?q=Lead%20{lead}",
        "/leads, search by phone": f"/leads?q=%2B7900{lead:07}",
        "/leads, search for nothing there": "/leads?q=zzqqx",
    }


def ask(rig, seconds, turns):
    sizes = Sizes.of(rig)
    report.question(f"How much slower do lists, leads and statistics get from {sizes.small:,} to {sizes.large:,} contacts? "
                    "(p50 in ms, one client)")
    with sizes.filled(sizes.small) as few, sizes.filled(sizes.large) as many, \
            few.instance() as small, many.instance() as large:
        def both(what) -> dict[str, tuple[str, str]]:
            many_paths = what(sizes.large)
            return {name: (path, many_paths[name]) for name, path in what(sizes.small).items()}

        slowed = compare(small, large, both(targets), seconds / 2)
        worst = max(slowed, key=lambda name: slowed[name][0])
        report.figure(f"the most that any of them slows down, {worst}: ×{slowed[worst][0]:.2f}", slowed[worst][0], at_most=1.5, unit="×")
        # Who finds more leads has more to choose the latest from.
        found = compare(small, large, both(searches), seconds / 2)
        slowest = max(found, key=lambda name: found[name][1])
        report.figure(f"the slowest search, {slowest}: {found[slowest][1]:.0f} ms", found[slowest][1], at_most=50, unit=" ms")
        # Not age, but a queue that nobody serves.
        sizes.lengthen_queue(many)
        report.say(f"The same beside {LONG_QUEUE:,} contacts that wait:")
        queued = compare(small, large, {name: paths for name, paths in both(targets).items() if name in QUEUED}, seconds / 2)
        worst = max(queued, key=lambda name: queued[name][0])
        report.figure(f"the most that any of these slows down, {worst}: ×{queued[worst][0]:.2f}", queued[worst][0])


def compare(small, large, both: dict[str, tuple[str, str]], seconds) -> dict[str, tuple[float, float]]:
    """Prints what everything takes in both, and returns by how much it slows down and what it takes then, in ms."""
    slowed: dict[str, tuple[float, float]] = {}
    for name, paths in both.items():
        sides = [(small, paths[0]), (large, paths[1])]
        try:
            a, b = p50s(sides, seconds)
            if b > 1.4 * a:
                # The largest of so many is mostly noise: what seems slow is asked twice more, and the median counts.
                a, b = sorted([(a, b), p50s(sides, seconds), p50s(sides, seconds)], key=lambda pair: pair[1] / pair[0])[1]
        except Failed as failure:
            # A statement that reaches its time limit, most likely.
            report.fault(f"{name}: {failure}")
            continue
        slowed[name] = b / a, b
        report.say(f"{name:<44} {a:8.2f} {b:8.2f}   ×{b / a:.2f}" + ("   ABOVE 1.5" if b / a > 1.5 else ""))
    return slowed


def p50s(sides: list[tuple], seconds: float) -> list[float]:
    """What a request takes each side, in milliseconds, one request after the other, the sides taking turns: what else the
    machine does meets both alike."""
    clients = [load.Client(instance.port, f"/api/v1{path}") for instance, path in sides]
    try:
        times: list[list[float]] = [[] for _ in clients]
        begun = time.monotonic()
        while time.monotonic() - begun < seconds or len(times[0]) < 20:
            for client, each in zip(clients, times):
                each.append(client.time())
        # The first ones plan and warm caches.
        return [statistics.median(each[5:]) for each in times]
    finally:
        for client in clients:
            client.close()
