"""What does telling callers apart cost a registration?"""

from rig import load, report

PROGRAMS = ["leads-crm"]


def ask(rig, seconds, turns):
    report.question("What does the check of a key cost a registration? (an instance that is open and one that is closed, on one database)")
    with rig.database("access") as database, database.instance(LEADS_ACCESS="open") as opened, \
            database.instance(LEADS_ACCESS="closed") as closed:
        source = opened.source(10)
        key = opened.api("POST", "/keys", {"name": "bench", "role": "intake"})["key"]
        for clients in (1, 8, 64):
            measured = report.turns(rig, turns, {
                f"open, {clients} clients": lambda: load.register(opened.url, source, clients, seconds),
                f"with a key, {clients} clients": lambda: load.register(closed.url, source, clients, seconds, key=key),
            }, before=database.tidy)
            without, checked = ([turn.rate for turn in each] for each in measured.values())
            report.ratio(f"with a key against open, {clients} clients", checked, without, at_least=0.97)
