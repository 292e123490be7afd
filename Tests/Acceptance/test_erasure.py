"""People who are erased: what is left of them anywhere, and how it is asked for."""

import random
import time

import pytest

from client import unique
from database import embedded
from instance import run
from load import Background
from shapes import must_be_error
from waiting import eventually

LEADS = "/api/v1/leads"


class Canary:
    """Somebody whose every word is found nowhere else."""

    def __init__(self):
        number = random.randrange(1_000_000, 10_000_000)
        self.phone, self.given_phone = f"900{number}", f"8 (900) {str(number)[:3]}-{str(number)[3:]}"
        self.name, self.email = f"Kenar{number} Кенарь", f"kenar{number}@example.com"
        self.external, self.event, self.key = f"external-{number}-k", f"event-{number}-k", f"request-{number}-k"
        self.message, self.reason = f"message {number} of a canary", f"reason {number} of a canary"

    @property
    def words(self) -> list[str]:
        """What to look for; names by their words, as the index of names keeps them."""
        return [self.phone, self.given_phone, self.name.split()[0], self.email, self.external, self.event, self.key, self.message,
                self.reason]

    def fields(self, **more) -> dict:
        return {"lead_phone": self.given_phone, "lead_name": self.name, "lead_email": self.email,
                "lead_external_id": self.external, "message": self.message} | more


def traces(database, canaries) -> dict[str, set[str]]:
    """The columns that still hold something of them, by word."""
    return database.columns_with([word for canary in canaries for word in canary.words])


def test_nothing_of_an_erased_person_is_left_in_any_table_or_log(embedded_home, instances):
    data = embedded_home / "data"
    server = instances(None, "--data-directory", str(data), LEADS_LOG_LEVEL="trace", LEADS_SWEEP_SECONDS=1)
    api, database = server.client(), embedded(data)
    source, _ = api.staffed_source(max_load=100)
    id = source["id"]
    first, second, third = canaries = [Canary() for _ in range(3)]

    # Where nothing at all is left, PostgreSQL keeps the last statistics it had.
    api.post("/api/v1/contacts", Canary().fields(source_id=id, source_event_id=unique("event")),
             headers={"Idempotency-Key": unique("key")}).must_be(201)

    # Through every door by which something of a person comes in.
    body = first.fields(source_id=id, source_event_id=first.event)
    contact = api.post("/api/v1/contacts", body, headers={"Idempotency-Key": first.key}).must_be(201).json
    assert api.post("/api/v1/contacts", body, headers={"Idempotency-Key": first.key}).must_be(201).json == contact
    api.post("/api/v1/contacts", body | {"message": second.message}, headers={"Idempotency-Key": first.key}).must_be(422)
    lead = contact["lead_id"]
    results = api.post("/api/v1/contacts/batch", [
        {"source_id": id, "lead_phone": first.given_phone, "message": first.message, "source_event_id": first.event + "2"},
        second.fields(source_id=id, source_event_id=second.event)]).must_be(200).json
    other = results[1]["contact"]["lead_id"]
    assert other != lead
    api.post(f"/api/v1/contacts/{contact['id']}/release", {"reason": first.reason}).must_be(200)
    api.patch(f"/api/v1/contacts/{contact['id']}", {"message": second.message}).must_be(200)
    api.change_lead(lead, name=third.name, phone=third.given_phone, email=third.email, external_id=third.external)
    # Somebody else has the same number, and writes it otherwise.
    api.contact(id, lead_phone="+7 " + " ".join(first.phone), lead_external_id=unique("somebody else"))
    assert {lead, other} & {pair[side]["id"] for pair in api.get(f"{LEADS}/duplicates").json for side in ("lead", "other_lead")}

    # And where nothing is stored, but something might be said about it.
    for path in (f"{LEADS}?q={first.phone}", f"{LEADS}?q={third.email}", f"/api/v1/contacts?q={second.external}",
                 f"{LEADS}/by-external/{third.external}"):
        api.get(path).must_be(200)
    api.get(f"{LEADS}/by-external/{second.key}").must_be(404)
    api.patch(f"{LEADS}/{other}", {"phone": first.given_phone}).must_be(409)
    api.patch(f"{LEADS}/{other}", {"name": [first.name]}).must_be(422)
    api.post("/api/v1/contacts", first.fields(source_id=first.message)).must_be(422)
    with database.forbidden_name(second.name):
        assert api.post("/api/v1/contacts", second.fields(source_id=id, lead_phone=None, lead_email=None,
                                                          lead_external_id=None)).status == 500
    assert database.end_sessions("leads_app") > 0
    eventually(lambda: api.post("/api/v1/contacts", first.fields(source_id=id)).status == 201, 20, "the database stays away")

    api.merge_lead(other, into=lead)
    database.analyse()
    held = set().union(*traces(database, canaries).values())
    assert held >= {"leads.name", "leads.phone", "leads.email", "leads.external_id", "lead_identities.value", "contacts.message",
                    "contacts.source_event_id", "events.reason", "idempotency_keys.key", "idempotency_keys.body"}, held

    must_be_error(api.delete(f"{LEADS}/{lead}"), 409, "The lead has open contacts; close them, or repeat with force",
                  "lead_has_open_contacts")
    api.erase_lead(other, force=True)
    tables = {word: {column for column in columns if not column.startswith("pg_statistic")}
              for word, columns in traces(database, canaries).items()}
    assert not any(tables.values()), tables
    # What the planner knows goes later, when tables are analysed again.
    database.forget_erased_values_at_once()
    eventually(lambda: database.count("lead_erasures") == 0, 20, "the erasure is not settled")
    assert traces(database, canaries) == {}

    for word in (word for canary in canaries for word in canary.words):
        assert word.lower() not in server.output().lower()
        assert word.lower() not in (data / "postgres.log").read_text(errors="replace").lower()
    assert run("check", "--data-directory", str(data))[0] == 0
    assert server.terminate() == 0


def test_an_erased_lead_shows_nothing_and_takes_nothing(api):
    source, operator = api.staffed_source(max_load=5)
    contact = api.contact(source["id"], lead_name="Anna", lead_phone="+79005550101", message="hello", source_event_id="once")
    id, before = contact["lead_id"], api.read("contacts", contact["id"])
    must_be_error(api.delete(f"{LEADS}/{id}", headers={"Accept-Language": "ru"}), 409,
                  "У лида есть открытые обращения; закройте их или повторите с force", "lead_has_open_contacts")
    assert api.read("contacts", contact["id"]) == before
    api.close_contact(contact["id"])
    closed = api.read("contacts", contact["id"])
    for _ in range(2):
        api.erase_lead(id)
    after = api.read("contacts", contact["id"])
    assert after["version"] == closed["version"] + 1 and after["message"] is None and after["source_event_id"] is None
    same = set(after) - {"lead", "lead_phone", "lead_email", "lead_external_id", "message", "source_event_id", "version", "updated_at"}
    assert {name: after[name] for name in same} == {name: closed[name] for name in same}
    lead = api.get(f"{LEADS}/{id}").must_be(200).json
    assert (lead["name"], lead["phone"], lead["email"], lead["external_id"]) == (None, None, None, None)
    assert api.get(f"{LEADS}?q=79005550101").json == []
    must_be_error(api.patch(f"{LEADS}/{id}", {"name": "Anna"}), 409, "The lead has been erased; it takes no new data", "lead_erased")
    again = api.contact(source["id"], lead_phone="+79005550101", source_event_id="once")
    assert again["lead_id"] != id and again["id"] != contact["id"]
    must_be_error(api.post(f"{LEADS}/{id}/merge", {"into": again["lead_id"]}), 409, "The lead has been erased; it takes no new data",
                  "lead_erased")
    [event] = [event for event in api.get("/api/v1/events?limit=1000").json if event["kind"] == "lead_erased"]
    assert event["data"] == {"lead_id": id} and event["contact_id"] is None and event["reason"] is None
    must_be_error(api.delete(f"{LEADS}/999999"), 404, "Lead not found", "lead_not_found")
    api.delete(f"{LEADS}/x?force=perhaps").must_be(422)


def test_open_contacts_are_closed_along_with_it_and_others_get_their_places(api):
    source, operator = api.staffed_source(max_load=1)
    active = api.contact(source["id"], lead_phone="+79005550102")
    waiting = api.contact(source["id"], lead_phone="+79005550102")
    third = api.contact(source["id"])
    assert waiting["status"] == third["status"] == "new"
    api.erase_lead(active["lead_id"], force=True)
    assert {api.read("contacts", contact["id"])["status"] for contact in (active, waiting)} == {"closed"}
    eventually(lambda: api.read("contacts", third["id"])["operator_id"] == operator["id"], 5, "the place stays free")


def test_erasures_beside_traffic_of_three_instances_leave_the_database_sound(servers, empty_database):
    instances = servers(3)
    api = instances[0].client()
    source, _ = api.staffed_source(max_load=50)
    people = [f"+7900555{number:04}" for number in range(15)]

    def register(stop):
        client = random.choice(instances).client()
        while not stop.is_set():
            who = random.choice(people)
            client.post("/api/v1/contacts", {"source_id": source["id"], "lead_phone": who, "lead_name": f"Name {who}",
                                             "message": who, "source_event_id": unique("event")},
                        headers={"Idempotency-Key": unique("key")}).must_be(201)

    erased = met = 0
    with Background(register), Background(register), Background(register):
        end = time.monotonic() + 8
        while time.monotonic() < end:
            leads = [lead for lead in api.get(f"{LEADS}?order=desc&limit=15").json if lead["name"]]
            if not leads:
                continue
            lead = random.choice(leads)
            if random.random() < 0.5:
                answer = api.delete(f"{LEADS}/{lead['id']}")
                assert answer.status in (200, 409)
                met += answer.status == 409
            else:
                api.erase_lead(lead["id"], force=True)
                erased += 1
    assert erased >= 3 and met > 0, (erased, met)
    for id in empty_database.erased_leads():
        assert empty_database.words_of_lead(id) == 0
    assert empty_database.deadlocks() == 0
    code, output = run("check", DATABASE_URL=empty_database.dsn)
    assert code == 0, output


def test_leads_are_erased_when_their_time_has_come(instances, new_database):
    database = new_database()
    keeper = instances(database, LEADS_SWEEP_SECONDS=1)
    api = keeper.client()
    source, _ = api.staffed_source(max_load=10)
    old, young, open = (api.contact(source["id"], lead_name=name) for name in ("old", "young", "open"))
    for contact in (old, young):
        api.close_contact(contact["id"])
    database.age_closings(old["lead_id"], 31)
    database.age_closings(young["lead_id"], 29)
    database.age_contact(open["id"], 31)
    # A key that goes with the second sweep goes after the first is over.
    for key in ("first sweep", "second sweep"):
        api.post("/api/v1/contacts", {"source_id": source["id"]}, headers={"Idempotency-Key": key}).must_be(201)
        database.age_idempotency_keys(key, 100)
        eventually(lambda: key not in database.idempotency_keys(), 20, "there is no sweep")
    assert database.erased_leads() == []
    server = instances(database, LEADS_SWEEP_SECONDS=1, LEADS_PERSONAL_DATA_DAYS=30, LEADS_LOG_FORMAT="json")
    eventually(lambda: database.erased_leads() == [old["lead_id"]], 20, "nothing was erased")
    eventually(lambda: '"leads":"1"' in server.output().replace(" ", ""), 5, server.output)
    assert api.get(f"{LEADS}/{young['lead_id']}").json["name"] == "young"
