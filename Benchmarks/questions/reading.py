"""What does reading a contact cost beside an answer without a database?"""

from rig import load, report

PROGRAMS = ["leads-crm", "http-floor"]


def ask(rig, seconds, turns):
    report.question("How many contacts a second are read by id? (64 clients)")
    with rig.database("reading") as database, database.instance() as instance, rig.floor() as floor:
        source = instance.source(10)
        contact = instance.api("POST", "/contacts", {
            "source_id": source, "lead_external_id": "bench", "lead_name": "Lead", "message": "hello"})["id"]
        load.register(instance.url, source, 64, 1)
        database.tidy()
        measured = report.turns(rig, turns, {
            "trivial GET": lambda: load.wrk(floor.url + "/trivial", 64, seconds),
            "GET /contacts/{id}": lambda: load.wrk(f"{instance.url}/api/v1/contacts/{contact}", 64, seconds),
        })
        trivial, read = ([turn.rate for turn in side] for side in measured.values())
        report.ratio("GET /contacts/{id} against trivial GET", read, trivial, at_least=0.4)
