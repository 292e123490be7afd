"""What does reading a contact cost beside an answer without a database?"""

from rig import load, report

PROGRAMS = ["leads-crm", "http-floor"]
# Of how many contacts one is read: so many that those who ask at a time hardly ever want the same.
CONTACTS = 1000


def ask(rig, seconds, turns):
    report.question(f"How many contacts a second are read by id? (64 clients, {CONTACTS} contacts)")
    with rig.database("reading") as database, database.instance() as instance, rig.floor() as floor:
        source = instance.source(10)
        load.register(instance.url, source, 64, 1)
        database.tidy()
        there = int(database.sql(f"select count(*) from contacts where id between 1 and {CONTACTS}"))
        report.fault("" if there == CONTACTS else f"{there} contacts instead of {CONTACTS}")
        measured = report.turns(rig, turns, {
            "trivial GET": lambda: load.wrk(floor.url + "/trivial", 64, seconds),
            "GET /contacts/{id}": lambda: load.wrk(
                instance.url, 64, seconds, "read.lua", "/api/v1/contacts/", CONTACTS),
            "the same one again and again": lambda: load.wrk(f"{instance.url}/api/v1/contacts/1", 64, seconds),
            "GET /leads/{id}": lambda: load.wrk(instance.url, 64, seconds, "read.lua", "/api/v1/leads/", CONTACTS),
        })
        trivial, read, same, lead = ([turn.rate for turn in side] for side in measured.values())
        report.ratio("GET /contacts/{id} against trivial GET", read, trivial, at_least=0.4)
        report.ratio("  the same one again and again", same, trivial)
        report.ratio("  GET /leads/{id}", lead, trivial)
