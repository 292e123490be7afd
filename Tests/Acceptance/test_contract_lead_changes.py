"""Leads that are changed, merged and suspected to be the same."""

import threading
from urllib.parse import quote

import pytest

from client import unique
from pages import next_page
from shapes import check_contact, check_lead, check_possible_duplicate, fault, missing, must_be_error, must_have_faults, not_parsed, not_string, too_long
from waiting import eventually

PATH = "/api/v1/leads"
KEYS = ("name", "phone", "email", "external_id")


@pytest.fixture
def source(api) -> int:
    return api.source()["id"]


def read(api, id: int) -> dict:
    return check_lead(api.read("leads", id))


def phone(number: int) -> str:
    return f"+7900777{number:04}"


def events(api, kind: str) -> list[dict]:
    found, path = [], "/api/v1/events?limit=1000"
    while path:
        page = api.get(path).must_be(200)
        found += [event for event in page.json if event["kind"] == kind]
        path = next_page(page)
    return found


# Changing

def test_a_lead_is_changed_field_by_field(api, source):
    first = api.contact(source, lead_phone=phone(1), lead_name="Анна")
    lead = read(api, first["lead_id"])
    assert lead["updated_at"] is None
    for field, value in {"name": "  Анна Ким ", "phone": "8 (900) 777-00-02", "email": " A@Example.com",
                         "external_id": "crm 1"}.items():
        changed = check_lead(api.change_lead(lead["id"], **{field: value}))
        assert changed[field] == value and changed["updated_at"] > changed["created_at"]
        assert changed == lead | {field: value, "updated_at": changed["updated_at"], "contacts": changed["contacts"]}
        assert changed == read(api, lead["id"])
        lead = changed
    assert api.read("contacts", first["id"])["lead"]["name"] == "  Анна Ким "
    for keys in ({"lead_phone": phone(1)}, {"lead_phone": phone(2)}, {"lead_email": "a@example.com"},
                 {"lead_external_id": " crm 1"}):
        assert api.contact(source, **keys)["lead_id"] == lead["id"], keys


def test_nulls_and_fields_left_out_stay(api, source):
    lead = read(api, api.contact(source, lead_phone=phone(10), lead_name="A", lead_email="null@example.com")["lead_id"])
    for body in ({}, dict.fromkeys(KEYS), {"name": None, "id": 5, "contact_count": 7},
                 {key: lead[key] for key in ("name", "phone", "email")}, {"external_id": ""}):
        assert api.patch(f"{PATH}/{lead['id']}", body).must_be(200).json == lead
    assert all(event["data"]["lead_id"] != lead["id"] for event in events(api, "lead_changed"))


def test_an_empty_text_removes_what_there_was_and_what_it_was_recognised_by(api, source):
    keys = {"lead_phone": phone(20), "lead_email": "gone@example.com", "lead_external_id": "gone"}
    id = api.contact(source, lead_name="A", **keys)["lead_id"]
    lead = api.change_lead(id, **dict.fromkeys(KEYS, ""))
    assert [lead[key] for key in KEYS] == [None] * 4
    for name, value in keys.items():
        assert api.contact(source, **{name: value})["lead_id"] != id
    assert api.get(f"{PATH}/by-external/gone").json["id"] != id


def test_what_is_no_key_is_shown_and_takes_nothing(api, source):
    id = api.contact(source, lead_phone=phone(30))["lead_id"]
    for given in ({"phone": "call my wife"}, {"email": "nobody at home"}, {"external_id": " \t"}):
        assert api.change_lead(id, **given) | given == read(api, id)
    assert api.contact(source, lead_phone=phone(30))["lead_id"] == id
    for given in ({"lead_phone": "call my wife"}, {"lead_email": "nobody at home"}, {"lead_external_id": " \t"}):
        assert api.contact(source, **given)["lead_id"] != id


@pytest.mark.parametrize("field, mine, theirs", [
    ("phone", phone(40), "8 900 777 00 41"), ("email", "mine@example.com", " THEIRS@example.com"),
    ("external_id", "mine 40", "theirs 40 "),
])
def test_the_key_of_another_lead_is_a_409_that_names_that_lead_and_no_more(api, source, field, mine, theirs):
    owner = api.contact(source, lead_phone=phone(41), lead_email="theirs@example.com", lead_external_id="theirs 40")["lead_id"]
    id = api.contact(source, **{f"lead_{field}": mine})["lead_id"]
    before = read(api, id)
    answer = api.patch(f"{PATH}/{id}", {"name": "not this either", field: theirs})
    must_be_error(answer, 409, f"Lead {owner} is recognised by this; change that one first, or merge the two", "lead_key_taken")
    assert read(api, id) == before
    russian = api.patch(f"{PATH}/{id}", {field: theirs}, headers={"Accept-Language": "ru"})
    assert str(owner) in russian.json["detail"] and theirs.strip() not in russian.json["detail"]
    api.change_lead(owner, **{field: ""})
    assert api.change_lead(id, **{field: theirs})[field] == theirs


def test_a_change_is_an_event_that_tells_no_values(api, source):
    id = api.contact(source, lead_phone=phone(50))["lead_id"]
    api.change_lead(id, external_id="secret 50", phone=phone(51), name="Secret")
    [event] = [event for event in events(api, "lead_changed") if event["data"]["lead_id"] == id]
    assert event["data"] == {"lead_id": id, "fields": ["name", "phone", "external_id"]}
    assert event["contact_id"] is None and event["actor"]["kind"] == "api"


def test_faults_of_a_change_are_told_at_once(api, source):
    id = api.contact(source)["lead_id"]
    must_have_faults(
        api.patch(f"{PATH}/{id}", {"name": 5, "phone": "9" * 256, "email": [], "external_id": {}}),
        not_string(["body", "name"], 5), too_long(["body", "phone"], "9" * 256, 255), not_string(["body", "email"], []),
        not_string(["body", "external_id"], {}))
    must_have_faults(api.patch(f"{PATH}/x", {"name": 5}), not_parsed(["path", "lead_id"], "x"), not_string(["body", "name"], 5))
    must_be_error(api.patch(f"{PATH}/999999", {"name": "A"}), 404, "Lead not found", "lead_not_found")


# Merging

def test_a_merged_lead_gives_the_other_all_it_has(api, database):
    source, operator = api.staffed_source(max_load=2)
    kept = api.contact(source["id"], lead_external_id="kept", lead_email="kept@example.com")["lead_id"]
    contacts = [api.contact(source["id"], lead_external_id="away", lead_phone=phone(60), lead_name="Anna",
                            lead_email="away@example.com") for _ in range(2)]
    away = contacts[0]["lead_id"]
    assert [contact["status"] for contact in contacts] == ["active", "new"]
    lead = check_lead(api.merge_lead(away, into=kept))
    assert (lead["id"], lead["contact_count"], len(lead["contacts"])) == (kept, 3, 3)
    assert [lead[key] for key in KEYS] == ["Anna", phone(60), "kept@example.com", "kept"]
    for contact in contacts:
        now = check_contact(api.read("contacts", contact["id"]))
        assert now == contact | {key: now[key] for key in ("lead", "lead_id", "lead_phone", "lead_email", "lead_external_id", "operator")}
    assert api.load(operator["id"]) == 2
    # The next place goes to the contact that waited, whoever's it is.
    api.close_contact(contacts[0]["id"])
    assert api.read("contacts", contacts[1]["id"])["status"] == "active"
    for keys in ({"lead_external_id": "away"}, {"lead_phone": phone(60)}, {"lead_email": "away@example.com"}):
        assert api.contact(source["id"], **keys)["lead_id"] == kept
    [event] = [event for event in events(api, "lead_merged") if event["data"]["into"] == kept]
    assert event["data"] == {"lead_id": away, "into": kept} and event["contact_id"] is None
    assert database.broken_loads() == []


def test_the_number_of_a_merged_lead_leads_to_the_other(api, source):
    kept, away, gone = (api.contact(source, lead_external_id=unique("old"))["lead_id"] for _ in range(3))
    external_id = read(api, gone)["external_id"]
    api.merge_lead(gone, into=away)
    lead = api.merge_lead(away, into=kept)
    for id in (away, gone):
        assert read(api, id) == lead
        assert api.get(f"{PATH}/{id}/contacts").must_be(200).json == lead["contacts"]
        assert api.get(f"/api/v1/contacts?lead_id={id}").must_be(200).json == lead["contacts"]
    assert api.get(f"{PATH}/by-external/{quote(external_id)}").must_be(200).json == lead
    lead = api.change_lead(gone, name="By the old number")
    assert (lead["id"], read(api, kept)["name"]) == (kept, "By the old number")
    for pair in ((gone, kept), (kept, gone), (away, gone), (gone, away)):
        assert api.merge_lead(pair[0], into=pair[1]) == lead


def test_a_merged_lead_is_neither_listed_nor_counted(empty_api):
    source = empty_api.source()["id"]
    kept, away = (empty_api.contact(source)["lead_id"] for _ in range(2))
    empty_api.merge_lead(away, into=kept)
    assert [lead["id"] for lead in empty_api.read("leads")] == [kept]
    assert empty_api.read("stats/distribution")["summary"]["total_leads"] == 1


def test_what_cannot_be_merged(api, source):
    id = api.contact(source)["lead_id"]
    must_have_faults(api.post(f"{PATH}/{id}/merge", {"into": id}),
                     fault("value_error", ["body", "into"], "Value error, a lead cannot be merged into itself", id, error={}))
    must_have_faults(api.post(f"{PATH}/x/merge", {}), not_parsed(["path", "lead_id"], "x"), missing(["body", "into"], {}))
    for path, into in ((id, 999999), (999999, id), (0, id)):
        must_be_error(api.post(f"{PATH}/{path}/merge", {"into": into}), 404, "Lead not found", "lead_not_found")


def test_registrations_beside_merges_end_on_the_lead_that_stays(servers, empty_database):
    """Two instances register by the keys of leads that a third merges away, again and again."""
    instances = servers(3)
    api = instances[0].client()
    source = api.source()["id"]
    numbers = range(30)
    leads = [[api.contact(source, lead_phone=phone(1000 + 2 * number + each))["lead_id"] for each in (0, 1)] for number in numbers]
    failures, registered = [], []

    def register(instance):
        client = instance.client()
        for number in numbers:
            for each in (0, 1, 0, 1):
                answer = client.post("/api/v1/contacts", {"source_id": source, "lead_phone": phone(1000 + 2 * number + each)})
                (registered if answer.status == 201 else failures).append(answer)

    def merge():
        client = instances[2].client()
        for number, (left, right) in enumerate(leads):
            eventually(lambda: len(registered) + len(failures) >= 8 * number, 60, "nobody registers")
            pair = (left, right) if number % 2 else (right, left)
            client.merge_lead(pair[0], into=pair[1])

    threads = [threading.Thread(target=register, args=[instance]) for instance in instances[:2]] + [threading.Thread(target=merge)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    shown = api.get(f"{PATH}?limit=1000").must_be(200).json
    assert len(shown) == len(numbers) and all(lead["contact_count"] == 10 for lead in shown)
    assert empty_database.rows("select count(*) from contacts c join leads l on l.id = c.lead_id where l.merged_into is not null") == [(0,)]


# Possible duplicates

def suspects(api, source: int, number: int) -> tuple[int, int]:
    """Two leads with a phone in common."""
    return tuple(api.contact(source, lead_external_id=unique("pair"), lead_phone=phone(number))["lead_id"] for _ in range(2))


def test_pairs_are_listed_until_they_are_merged(empty_api):
    api = empty_api
    source = api.source()["id"]
    pairs = [suspects(api, source, number) for number in range(5)]
    path = f"{PATH}/duplicates"
    listed = [check_possible_duplicate(pair) for pair in api.get(path).must_be(200).json]
    assert [(pair["lead"]["id"], pair["other_lead"]["id"], pair["kind"]) for pair in listed] == [(*pair, "phone") for pair in pairs]
    assert all(pair["lead"] == {key: value for key, value in read(api, pair["lead"]["id"]).items() if key != "contacts"}
               for pair in listed)
    first = api.get(f"{path}/?limit=2").must_be(200)
    assert first.json == listed[:2] and api.get(next_page(first)).json == listed[2:4]
    assert api.get(f"{path}?skip=3").json == listed[3:] and api.get(f"{path}?order=desc&limit=2").json == listed[:2:-1]
    api.merge_lead(pairs[0][1], into=pairs[0][0])
    # A pair follows a lead that is merged elsewhere.
    other = api.contact(source)["lead_id"]
    api.merge_lead(pairs[1][0], into=other)
    left = api.get(path).must_be(200).json
    assert sorted((pair["lead"]["id"], pair["other_lead"]["id"]) for pair in left) == sorted([(pairs[1][1], other), *pairs[2:]])


def test_without_pairs_the_list_is_an_empty_array(empty_api):
    assert empty_api.get(f"{PATH}/duplicates").must_be(200).json == []
