"""How much slower do lists, leads and statistics get with age?"""

import datetime
import json
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
    found = {
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
    if searches:
        found |= {
            "/leads, search by name": f"/leads?q=Lead%20{lead}",
            "/leads, search by phone": f"/leads?q=%2B7900{lead:07}",
            "/leads, search for nothing there": "/leads?q=zzqqx",
        }
    return found


def ask(rig, seconds, turns):
    sizes = Sizes.of(rig)
    report.question(f"How much slower do lists, leads and statistics get from {sizes.small:,} to {sizes.large:,} contacts? "
                    "(p50 in ms, one client)")
    with sizes.filled(sizes.small) as few, sizes.filled(sizes.large) as many, \
            few.instance() as small, many.instance() as large:
        searches = has_search(small)
        few_paths, many_paths = targets(sizes.small, searches), targets(sizes.large, searches)
        both = {name: (path, many_paths[name]) for name, path in few_paths.items()}
        worst, value = compare(small, large, both, seconds / 2)
        report.figure(f"the most that any of them slows down, {worst}: ×{value:.2f}", value, at_most=1.5, unit="×")
        # Not age, but a queue that nobody serves.
        sizes.lengthen_queue(many)
        report.say(f"The same beside {LONG_QUEUE:,} contacts that wait:")
        worst, value = compare(small, large, {name: paths for name, paths in both.items() if name in QUEUED}, seconds / 2)
        report.figure(f"the most that any of these slows down, {worst}: ×{value:.2f}", value)


def compare(small, large, both: dict[str, tuple[str, str]], seconds) -> tuple[str, float]:
    """Prints what everything takes in both, and returns what slows down most and by how much."""
    ratios: dict[str, float] = {}
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
        ratios[name] = b / a
        report.say(f"{name:<44} {a:8.2f} {b:8.2f}   ×{b / a:.2f}" + ("   ABOVE 1.5" if b / a > 1.5 else ""))
    worst = max(ratios, key=lambda name: ratios[name])
    return worst, ratios[worst]


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


def has_search(instance) -> bool:
    operation = json.loads(instance.get("/openapi.json")[1])["paths"]["/api/v1/leads"]["get"]
    return any(parameter.get("name") == "q" for parameter in operation.get("parameters", []))
