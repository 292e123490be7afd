"""How much slower do lists, leads and statistics get with age?"""

import datetime
import json
import statistics

from rig import load, report
from rig.sizes import LONG_QUEUE, Sizes

PROGRAMS = ["leads-crm"]
# What looks at contacts that are not closed.
QUEUED = ["/contacts waiting", "/contacts active", "/contacts open", "/contacts of an operator, open", "/queue",
          "/contacts/stats/distribution", "/stats/distribution"]


def targets(contacts: int, searches: bool) -> dict[str, str]:
    """What is read, by what it is; at the same depth in proportion to the size."""
    middle, lead = contacts // 2, contacts // 3 // 2
    lately = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
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
        worst, value = compare(small, large, both, seconds, turns)
        report.figure(f"the most that any of them slows down, {worst}: ×{value:.2f}", value, at_most=1.5, unit="×")
        # Not age, but a queue that nobody serves.
        sizes.lengthen_queue(many)
        report.say(f"The same beside {LONG_QUEUE:,} contacts that wait:")
        worst, value = compare(small, large, {name: paths for name, paths in both.items() if name in QUEUED}, seconds, turns)
        report.figure(f"the most that any of these slows down, {worst}: ×{value:.2f}", value)


def compare(small, large, both: dict[str, tuple[str, str]], seconds, turns) -> tuple[str, float]:
    """Reads everything from both in turns, prints it, and returns what slows down most and by how much."""
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in both}
    for _ in range(max(3, turns)):
        for name, paths in both.items():
            measured[name].append(tuple(p50(instance, path, seconds / 4) for instance, path in zip((small, large), paths)))
    for name, pairs in measured.items():
        a, b = (statistics.median(side) for side in zip(*pairs))
        report.say(f"{name:<44} {a:8.2f} {b:8.2f}   ×{ratio_of(pairs):.2f}"
                   + ("   ABOVE 1.5" if ratio_of(pairs) > 1.5 else ""))
    worst = max(measured, key=lambda name: ratio_of(measured[name]))
    return worst, ratio_of(measured[worst])


def ratio_of(pairs: list[tuple[float, float]]) -> float:
    """Of the medians: at fractions of a millisecond single turns are mostly noise."""
    small, large = (statistics.median(side) for side in zip(*pairs))
    return large / small


def p50(instance, path: str, seconds: float) -> float:
    measured = load.wrk(f"{instance.url}/api/v1{path}", 1, max(1, seconds))
    if measured.bad:
        report.fault(f"{path}: {measured.bad} answers were no success")
    return measured.p50


def has_search(instance) -> bool:
    operation = json.loads(instance.get("/openapi.json")[1])["paths"]["/api/v1/leads"]["get"]
    return any(parameter.get("name") == "q" for parameter in operation.get("parameters", []))
