"""Contacts: registration, finding the lead, waiting, closing and reopening."""

import subprocess

import pytest

from client import unique
from shapes import (check_contact, fractional, is_timestamp, missing, must_be_error, must_have_faults, not_integer,
                    not_object, not_parsed, not_string, too_large, too_long, too_small)
from waiting import eventually

PATH = "/api/v1/contacts"
AT_ONCE = 1.0  # seconds: capacity that appears is used at once, not by a sweep


def become_active(api, *ids: int) -> list[dict]:
    def read():
        return [check_contact(api.read("contacts", id)) for id in ids]

    eventually(lambda: all(contact["status"] == "active" for contact in read()), AT_ONCE,
               lambda: f"not all placed: {[(contact['id'], contact['status']) for contact in read()]}")
    return read()


def still_wait(api, *ids: int) -> None:
    assert [api.read("contacts", id)["status"] for id in ids] == ["new"] * len(ids)


# Registration

@pytest.mark.parametrize("path", [PATH, PATH + "/"])
def test_a_contact_goes_to_the_only_operator(api, path):
    source, operator = api.staffed_source(description="Бот")
    body = {"source_id": source["id"], "lead_phone": "+7 900 765-43-21", "lead_email": "Anna@Example.com",
            "lead_external_id": unique("user"), "lead_name": "Анна", "message": "Здравствуйте", "priority": 3,
            "unknown": {"ignored": True}}
    contact = check_contact(api.post(path, body).must_be(201).json)
    shown = {key: contact[key] for key in body if key in contact}
    assert shown == {key: body[key] for key in shown} and len(shown) == 6
    assert (contact["status"], contact["operator_id"], contact["closed_at"]) == ("active", operator["id"], None)
    assert contact["operator"] == operator | {"current_load": 1, "updated_at": contact["operator"]["updated_at"]}
    assert contact["source"] == {key: source[key] for key in ("id", "name", "description", "created_at")}
    assert contact["lead"]["name"] == "Анна" and contact["lead"]["contact_count"] == 1
    assert (contact["lead"]["phone"], contact["lead"]["email"]) == (body["lead_phone"], body["lead_email"])
    assert contact["lead"]["external_id"] == body["lead_external_id"]


def test_a_contact_needs_nothing_but_a_source(api):
    source, _ = api.staffed_source()
    contact = check_contact(api.contact(source["id"]))
    for key in ("message", "source_event_id", "waiting_reason", "closed_at", "lead_external_id", "lead_email",
                "lead_phone"):
        assert contact[key] is None
    assert contact["priority"] == 0
    assert [contact["lead"][key] for key in ("external_id", "phone", "email", "name")] == [None] * 4


def test_nulls_are_the_same_as_nothing(api):
    source, _ = api.staffed_source()
    fields = ("lead_external_id", "lead_phone", "lead_email", "lead_name", "message", "source_event_id")
    contact = check_contact(api.contact(source["id"], **dict.fromkeys(fields)))
    assert contact["status"] == "active" and contact["message"] is None


def test_a_contact_reads_as_it_was_answered(api):
    source, _ = api.staffed_source()
    answer = api.post(PATH, {"source_id": source["id"], "message": "Привет 😀"}).must_be(201)
    for slash in ("", "/"):
        assert api.get(f"{PATH}/{answer.json['id']}{slash}").must_be(200).text == answer.text
    assert "Привет 😀" in answer.text


@pytest.mark.parametrize("given, meant", [("7", 7), (7.0, 7), (0, 0), (9, 9)])
def test_priorities_are_read_as_pydantic_reads_them(api, given, meant):
    assert api.contact(api.source()["id"], priority=given)["priority"] == meant


def test_a_message_of_16_kib_is_kept(api):
    message = "x" * 16_384
    assert api.contact(api.source()["id"], message=message)["message"] == message


@pytest.mark.parametrize("body, faults", [
    ({}, [missing(["body", "source_id"], {})]),
    ({"source_id": None}, [not_integer(["body", "source_id"], None)]),
    ({"source_id": "a"}, [not_parsed(["body", "source_id"], "a")]),
    ({"source_id": 1.5}, [fractional(["body", "source_id"], 1.5)]),
    ({"source_id": 1, "priority": 10}, [too_large(["body", "priority"], 10, 9)]),
    ({"source_id": 1, "priority": -1}, [too_small(["body", "priority"], -1, 0)]),
    ({"source_id": 1, "lead_name": "x" * 201}, [too_long(["body", "lead_name"], "x" * 201, 200)]),
    ({"source_id": 1, "lead_external_id": "x" * 256}, [too_long(["body", "lead_external_id"], "x" * 256, 255)]),
    ({"source_id": 1, "lead_phone": "1" * 256}, [too_long(["body", "lead_phone"], "1" * 256, 255)]),
    ({"source_id": 1, "lead_email": "x" * 256}, [too_long(["body", "lead_email"], "x" * 256, 255)]),
    ({"lead_external_id": 1, "lead_phone": 2, "lead_email": 3, "lead_name": 4, "message": 5},
     [missing(["body", "source_id"],
              {"lead_external_id": 1, "lead_phone": 2, "lead_email": 3, "lead_name": 4, "message": 5}),
      not_string(["body", "lead_external_id"], 1), not_string(["body", "lead_phone"], 2),
      not_string(["body", "lead_email"], 3), not_string(["body", "lead_name"], 4),
      not_string(["body", "message"], 5)]),
    ([], [not_object(["body"], [])]),
])
def test_a_faulty_registration_is_a_422_with_all_faults(api, database, body, faults):
    before = database.count("leads"), database.count("contacts")
    must_have_faults(api.post(PATH, body), *faults)
    assert (database.count("leads"), database.count("contacts")) == before


def test_a_message_over_16_kib_is_a_422(api):
    body = {"source_id": api.source()["id"], "message": "x" * 16_385}
    [found] = api.post(PATH, body).must_be(422).json["detail"]
    assert (found["type"], found["loc"]) == ("string_too_long", ["body", "message"])


@pytest.mark.parametrize("field", ["lead_external_id", "lead_phone", "lead_email", "lead_name", "message"])
def test_a_nul_is_refused_and_never_cuts_a_value_short(api, database, field):
    source = api.source()["id"]
    before = database.count("leads")
    [found] = api.post(PATH, {"source_id": source, field: "A\u0000x"}).must_be(422).json["detail"]
    assert found["loc"] == ["body", field]
    assert database.count("leads") == before


def test_an_unknown_source_is_a_404_and_makes_no_lead(api, database):
    before = database.count("leads"), database.count("contacts")
    body = {"source_id": 999999, "lead_phone": "+79001112299", "lead_external_id": unique("nobody")}
    must_be_error(api.post(PATH, body), 404, "Source not found", "source_not_found")
    assert (database.count("leads"), database.count("contacts")) == before


def test_an_unknown_contact_is_a_404(api):
    for method, suffix, body in (("GET", "", ...), ("POST", "/close", ...), ("POST", "/reopen", ...),
                                 ("PATCH", "/status", {"is_active": False})):
        must_be_error(api.request(method, f"{PATH}/999999{suffix}", body), 404, "Contact not found", "contact_not_found")


# Finding the lead

def lead_of(api, **keys) -> dict:
    if not hasattr(api, "any_source"):
        api.any_source = api.source()["id"]
    return check_contact(api.contact(api.any_source, **keys))["lead"]


def test_a_lead_returns_by_its_external_id(api):
    id = unique("Client")
    first, second = lead_of(api, lead_external_id=id), lead_of(api, lead_external_id=f"  {id} ")
    assert second["id"] == first["id"] and second["contact_count"] == 2
    assert lead_of(api, lead_external_id=id.lower())["id"] != first["id"]


@pytest.mark.parametrize("region, notations", [
    (901, ["8 (901) 123-45-67", "+7 901 123-45-67", "79011234567", "+79011234567", "8-901-123-45-67",
           "  8 901 1234567 ", "tel:+7-901-123-45-67"]),
    ("abroad", ["+44 20 7946 0018", "+442079460018", "+44 (0)20 7946 0018"]),
])
def test_a_lead_returns_by_its_phone_in_any_notation(api, region, notations):
    first, *others = [lead_of(api, lead_phone=notation) for notation in notations]
    assert [other["id"] for other in others] == [first["id"]] * len(others)
    assert others[-1]["phone"] == notations[0]


def test_a_lead_returns_by_its_email_in_any_case(api):
    first = lead_of(api, lead_email="Maria.Petrova@Example.COM")
    for notation in ("maria.petrova@example.com", " MARIA.PETROVA@example.com "):
        assert lead_of(api, lead_email=notation)["id"] == first["id"]
    assert first["email"] == "Maria.Petrova@Example.COM"
    assert lead_of(api, lead_email="mariapetrova@example.com")["id"] != first["id"]


def test_one_key_in_common_is_enough(api):
    first = lead_of(api, lead_external_id=unique("x"), lead_phone="+79021110001", lead_email="one@one.ru")
    assert lead_of(api, lead_phone="89021110001", lead_email="other@one.ru")["id"] == first["id"]
    assert lead_of(api, lead_phone="+79021110002", lead_email="one@one.ru")["id"] == first["id"]


def test_a_weaker_key_is_ignored_when_the_external_ids_differ(api):
    first = lead_of(api, lead_external_id=unique("wife"), lead_phone="+79031110001", lead_email="home@one.ru")
    by_phone = lead_of(api, lead_external_id=unique("husband"), lead_phone="+79031110001")
    by_email = lead_of(api, lead_external_id=unique("son"), lead_email="home@one.ru")
    assert len({first["id"], by_phone["id"], by_email["id"]}) == 3


def test_of_keys_of_two_leads_the_stronger_wins(api):
    id = unique("strong")
    external, phone, email = (lead_of(api, **keys)["id"] for keys in (
        {"lead_external_id": id}, {"lead_phone": "+79041110001"}, {"lead_email": "strong@one.ru"}))
    assert lead_of(api, lead_phone="+79041110001", lead_email="strong@one.ru")["id"] == phone
    assert lead_of(api, lead_external_id=id, lead_phone="+79041110001", lead_email="strong@one.ru")["id"] == external
    assert lead_of(api, lead_email="strong@one.ru")["id"] == email


def test_a_match_fills_what_was_empty_and_overwrites_nothing(api):
    first = lead_of(api, lead_phone="+79051110001")
    id = unique("filled")
    second = lead_of(api, lead_phone="+79051110001", lead_external_id=id, lead_email="filled@one.ru", lead_name="Инна")
    third = lead_of(api, lead_external_id=id, lead_phone="+79051110002", lead_email="new@one.ru", lead_name="Ольга")
    assert first["id"] == second["id"] == third["id"]
    for lead in (second, third):
        assert (lead["external_id"], lead["phone"], lead["email"]) == (id, "+79051110001", "filled@one.ru")
        assert lead["name"] == "Инна"


def test_a_further_phone_or_email_identifies_the_lead_too(api):
    id = unique("moved")
    first = lead_of(api, lead_external_id=id, lead_phone="+79061110001", lead_email="old@one.ru")
    lead_of(api, lead_external_id=id, lead_phone="+79061110002", lead_email="young@one.ru")
    for keys in ({"lead_phone": "89061110001"}, {"lead_phone": "8 906 111-00-02"}, {"lead_email": "young@one.ru"},
                 {"lead_email": "old@one.ru"}):
        assert lead_of(api, **keys)["id"] == first["id"]


def test_without_keys_every_contact_has_an_anonymous_lead_of_its_own(api):
    first, second = lead_of(api, lead_name="Гость"), lead_of(api, lead_name="Гость")
    assert first["id"] != second["id"] and first["name"] == "Гость"


@pytest.mark.parametrize("field, value", [
    ("phone", "12"), ("phone", "позвоните мне"), ("phone", "+7 900"), ("email", "not an e-mail"), ("email", "a@b"),
    ("email", "@one.ru"), ("email", "a@b@one.ru"),
])
def test_what_is_no_phone_or_email_is_kept_and_shown_but_matches_nobody(api, field, value):
    source = api.source()["id"]
    first, second = (check_contact(api.contact(source, **{f"lead_{field}": value})) for _ in range(2))
    assert first["lead_id"] != second["lead_id"]
    for contact in (first, second):
        assert contact["lead"][field] == value and contact[f"lead_{field}"] == value


# Waiting

def test_a_contact_waits_when_nobody_is_configured(api):
    contact = check_contact(api.contact(api.source()["id"]))
    assert (contact["status"], contact["is_active"], contact["waiting_reason"]) == ("new", True, "no_operators")
    assert (contact["operator_id"], contact["operator"], contact["assigned_at"]) == (None, None, None)


def test_a_contact_waits_when_all_are_inactive(api):
    source = api.source({api.operator(is_active=False)["id"]: 1, api.operator(is_active=False)["id"]: 5})
    assert check_contact(api.contact(source["id"]))["waiting_reason"] == "all_inactive"


def test_a_contact_waits_when_all_are_at_their_limit(api):
    source, operator = api.staffed_source(max_load=2)
    assert [api.contact(source["id"])["status"] for _ in range(2)] == ["active", "active"]
    assert check_contact(api.contact(source["id"]))["waiting_reason"] == "all_at_limit"
    assert api.load(operator["id"]) == 2


def test_a_waiting_contact_counts_towards_nobody(api):
    source, operator = api.staffed_source(max_load=1)
    api.contact(source["id"])
    waiting = api.contact(source["id"])
    assert api.load(operator["id"]) == 1
    assert check_contact(api.read("contacts", waiting["id"])) == waiting


def test_closing_places_the_oldest_waiting_contact_each_time(api, database):
    source, operator = api.staffed_source(max_load=1)
    current = api.contact(source["id"])["id"]
    queue = [api.contact(source["id"])["id"] for _ in range(4)]
    while queue:
        api.close_contact(current)
        current = queue.pop(0)
        [placed] = become_active(api, current)
        assert placed["operator_id"] == operator["id"] and placed["waiting_reason"] is None
        assert is_timestamp(placed["assigned_at"])
        still_wait(api, *queue)
    assert api.load(operator["id"]) == 1 and database.stranded() == []


def test_higher_priorities_are_placed_first_and_equals_in_order(api):
    source, _ = api.staffed_source(max_load=1)
    current = api.contact(source["id"])["id"]
    low, high, second_high, middle = (api.contact(source["id"], priority=p)["id"] for p in (0, 9, 9, 5))
    for expected in (high, second_high, middle, low):
        api.close_contact(current)
        become_active(api, expected)
        current = expected


def raise_by_patch(api, operator):
    api.change_operator(operator["id"], max_load=3)


def raise_by_load_limit(api, operator):
    api.patch(f"/api/v1/operators/{operator['id']}/load-limit", {"max_load": 3}).must_be(200)


@pytest.mark.parametrize("raise_limit", [raise_by_patch, raise_by_load_limit])
def test_a_raised_limit_places_as_many_as_fit_in_order(api, raise_limit):
    source, operator = api.staffed_source(max_load=1)
    api.contact(source["id"])
    queue = [api.contact(source["id"])["id"] for _ in range(4)]
    raise_limit(api, operator)
    become_active(api, *queue[:2])
    still_wait(api, *queue[2:])
    assert api.load(operator["id"]) == 3


def activate_by_patch(api, operator):
    api.change_operator(operator["id"], is_active=True)


def activate_by_activate(api, operator):
    api.patch(f"/api/v1/operators/{operator['id']}/activate", {"active": True}).must_be(200)


@pytest.mark.parametrize("activate", [activate_by_patch, activate_by_activate])
def test_activating_an_operator_places_waiting_contacts_in_order(api, activate):
    operator = api.operator(is_active=False, max_load=2)
    source = api.source({operator["id"]: 1})
    queue = [api.contact(source["id"])["id"] for _ in range(3)]
    activate(api, operator)
    become_active(api, *queue[:2])
    still_wait(api, queue[2])


@pytest.mark.parametrize("method, suffix, wrap", [
    ("POST", "distribution", lambda row: {"operator_weights": [row]}),
    ("PUT", "distribution", lambda row: {"operator_weights": [row]}),
    ("POST", "weights", lambda row: [row]),
])
def test_setting_weights_places_waiting_contacts_in_order(api, method, suffix, wrap):
    source, operator = api.source()["id"], api.operator(max_load=2)
    queue = [api.contact(source)["id"] for _ in range(3)]
    row = {"operator_id": operator["id"], "source_id": source, "weight": 1}
    assert api.request(method, f"/api/v1/sources/{source}/{suffix}", wrap(row)).status in (200, 201)
    become_active(api, *queue[:2])
    still_wait(api, queue[2])


def test_capacity_is_used_by_waiting_contacts_of_another_source(api):
    operator = api.operator(max_load=1)
    first, second = api.source({operator["id"]: 1})["id"], api.source({operator["id"]: 1})["id"]
    current, waiting = api.contact(first)["id"], api.contact(second)["id"]
    still_wait(api, waiting)
    api.close_contact(current)
    become_active(api, waiting)


def test_one_blocked_source_does_not_block_another(api):
    blocked, free = api.source()["id"], api.staffed_source()[0]["id"]
    assert api.contact(blocked)["status"] == "new"
    assert api.contact(free)["status"] == "active"


def test_the_waiting_reason_follows_what_is_configured(api):
    source, operator = api.source()["id"], api.operator(is_active=False)
    waiting = api.contact(source)
    assert waiting["waiting_reason"] == "no_operators"
    api.distribute(source, {operator["id"]: 1})
    eventually(lambda: api.read("contacts", waiting["id"])["waiting_reason"] == "all_inactive", 10,
               "the reason stays no_operators")


# Closing and reopening

@pytest.mark.parametrize("slash", ["", "/"])
def test_closing_frees_the_operator(api, slash):
    source, operator = api.staffed_source()
    before = api.contact(source["id"])
    closed = check_contact(api.post(f"{PATH}/{before['id']}/close{slash}").must_be(200).json)
    assert (closed["status"], closed["is_active"], closed["operator_id"]) == ("closed", False, operator["id"])
    assert closed["version"] > before["version"] and closed["assigned_at"] == before["assigned_at"]
    assert api.load(operator["id"]) == 0
    assert api.read("contacts", before["id"]) == closed


def test_closing_twice_changes_nothing(api, database):
    source, operator = api.staffed_source()
    first, second = api.contact(source["id"])["id"], api.contact(source["id"])["id"]
    closed = api.close_contact(first)
    assert api.close_contact(first) == closed
    assert api.patch(f"{PATH}/{first}/status", {"is_active": False}).must_be(200)
    assert api.read("contacts", first) == closed
    assert api.load(operator["id"]) == 1 and api.read("contacts", second)["status"] == "active"
    assert database.broken_loads() == []


def test_a_waiting_contact_can_be_closed_and_is_not_placed_later(api):
    source, _ = api.staffed_source(max_load=1)
    current = api.contact(source["id"])["id"]
    given_up, next_one = api.contact(source["id"])["id"], api.contact(source["id"])["id"]
    closed = check_contact(api.close_contact(given_up))
    assert (closed["status"], closed["operator_id"], closed["waiting_reason"]) == ("closed", None, None)
    api.close_contact(current)
    become_active(api, next_one)
    assert api.read("contacts", given_up)["status"] == "closed"


@pytest.mark.parametrize("slash", ["", "/"])
def test_reopening_returns_the_contact_to_its_operator(api, slash):
    operators = [api.operator()["id"] for _ in range(3)]
    source = api.source(dict.fromkeys(operators, 1))["id"]
    for _ in range(6):
        before = api.contact(source)
        closed = api.close_contact(before["id"])
        again = check_contact(api.post(f"{PATH}/{before['id']}/reopen{slash}").must_be(200).json)
        assert (again["status"], again["operator_id"]) == ("active", before["operator_id"])
        assert again["version"] > closed["version"]
    assert sum(api.load(id) for id in operators) == 6


def test_reopening_when_all_are_full_queues_the_contact(api):
    source, operator = api.staffed_source(max_load=1)
    first = api.contact(source["id"])["id"]
    api.close_contact(first)
    second = api.contact(source["id"])["id"]
    queued = check_contact(api.reopen_contact(first))
    assert (queued["status"], queued["operator_id"], queued["waiting_reason"]) == ("new", None, "all_at_limit")
    assert api.load(operator["id"]) == 1
    api.close_contact(second)
    become_active(api, first)


def test_reopening_goes_to_another_operator_when_its_own_cannot(api):
    first, second = api.operator(), api.operator(is_active=False)
    source = api.source({first["id"]: 1, second["id"]: 1})["id"]
    contact = api.contact(source)["id"]
    api.close_contact(contact)
    api.change_operator(first["id"], is_active=False)
    api.change_operator(second["id"], is_active=True)
    assert check_contact(api.reopen_contact(contact))["operator_id"] == second["id"]


def test_reopening_an_open_contact_changes_nothing(api):
    source, operator = api.staffed_source(max_load=1)
    active, waiting = api.contact(source["id"]), api.contact(source["id"])
    for contact in (active, waiting):
        assert api.reopen_contact(contact["id"])["version"] == contact["version"]
        assert api.read("contacts", contact["id"]) == contact
    assert api.load(operator["id"]) == 1


@pytest.mark.parametrize("body, word, status", [
    ({"is_active": False}, "inactive", "closed"), ({"status": "closed"}, "inactive", "closed"),
    ({"is_active": True}, "active", "active"), ({"status": "active"}, "active", "active"),
])
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_status_is_set_by_either_word_and_answered_with_a_message(api, slash, body, word, status):
    source, operator = api.staffed_source()
    contact = api.contact(source["id"])["id"]
    if status == "active":
        api.close_contact(contact)
    answer = api.patch(f"{PATH}/{contact}/status{slash}", body).must_be(200)
    assert answer.json == {"message": f"Contact status updated to {word}"}
    assert check_contact(api.read("contacts", contact))["status"] == status
    assert api.load(operator["id"]) == (status == "active")


def test_activating_a_waiting_contact_changes_nothing(api):
    waiting = api.contact(api.source()["id"])
    for body in ({"status": "active"}, {"is_active": True}):
        api.patch(f"{PATH}/{waiting['id']}/status", body).must_be(200)
        assert api.read("contacts", waiting["id"]) == waiting


def test_an_unknown_status_is_a_literal_error(api):
    contact = api.contact(api.source()["id"])
    [found] = api.patch(f"{PATH}/{contact['id']}/status", {"status": "gone"}).must_be(422).json["detail"]
    assert (found["type"], found["loc"], found["input"]) == ("literal_error", ["body", "status"], "gone")
    assert api.read("contacts", contact["id"]) == contact


def test_a_change_of_status_must_say_which(api):
    contact = api.contact(api.source()["id"])
    api.patch(f"{PATH}/{contact['id']}/status", {}).must_be(422)


# Lists

def test_the_list_is_filtered_by_each_of_its_keys(api):
    source, operator = api.staffed_source(max_load=2)
    closed, active, waiting = (api.contact(source["id"])["id"] for _ in range(3))
    api.close_contact(closed)
    become_active(api, waiting)
    late = api.contact(source["id"])
    mine = f"source_id={source['id']}"
    for query, expected in (
        (mine, [closed, active, waiting, late["id"]]),
        (f"{mine}&status=closed", [closed]),
        (f"{mine}&status=new", [late["id"]]),
        (f"{mine}&status=active", [active, waiting]),
        (f"{mine}&is_active=false", [closed]),
        (f"{mine}&is_active=true", [active, waiting, late["id"]]),
        (f"operator_id={operator['id']}", [closed, active, waiting]),
        (f"operator_id={operator['id']}&is_active=true", [active, waiting]),
        (f"lead_id={late['lead_id']}", [late["id"]]),
        (f"{mine}&created_from={late['created_at']}", [late["id"]]),
        (f"{mine}&created_to=2020-01-01T00:00:00Z", []),
        (f"{mine}&created_from=2020-01-01T00:00:00%2B03:00", [closed, active, waiting, late["id"]]),
        (f"{mine}&skip=1&limit=2", [active, waiting]),
        (f"{mine}&order=desc", [late["id"], waiting, active, closed]),
        (f"{mine}&order=asc&limit=1", [closed]),
        ("source_id=999999", []),
    ):
        for slash in ("", "/"):
            listed = api.get(f"{PATH}{slash}?{query}").must_be(200).json
            assert [check_contact(contact)["id"] for contact in listed] == expected, query


def test_a_listed_contact_is_the_same_as_a_read_one(api):
    source, _ = api.staffed_source(max_load=1)
    for name in ("Первый", "Второй"):
        api.contact(source["id"], lead_name=name, message=f"Это {name}")
    for contact in api.get(f"{PATH}?source_id={source['id']}").json:
        assert api.read("contacts", contact["id"]) == contact


@pytest.mark.parametrize("query, type, name", [
    ("skip=-1", "greater_than_equal", "skip"), ("limit=1001", "less_than_equal", "limit"),
    ("source_id=a", "int_parsing", "source_id"), ("operator_id=1.5", "int_parsing", "operator_id"),
    ("lead_id=x", "int_parsing", "lead_id"), ("status=gone", "literal_error", "status"),
    ("is_active=2", "bool_parsing", "is_active"), ("order=up", "literal_error", "order"),
    ("created_from=yesterday", None, "created_from"), ("created_to=2026-13-01T00:00:00Z", None, "created_to"),
])
def test_a_faulty_list_query_is_a_422(api, query, type, name):
    [found] = api.get(f"{PATH}?{query}").must_be(422).json["detail"]
    assert found["loc"] == ["query", name] and (type is None or found["type"] == type)


# The first steps of reference B's README, sent with curl

README = r"""
set -e
post() { curl --silent --show-error --fail-with-body --max-time 10 "$@"; echo; }
post -X POST "$BASE/api/v1/operators" -H "Content-Type: application/json" \
  -d '{"name": "Иван Петров", "is_active": true, "max_load": 10}'
post -X POST "$BASE/api/v1/operators" -H "Content-Type: application/json" \
  -d '{"name": "Иван Петров", "is_active": true, "max_load": 10}'
post -X POST "$BASE/api/v1/sources" -H "Content-Type: application/json" \
  -d '{"name": "Telegram Bot", "description": "Бот для Telegram"}'
post -X POST "$BASE/api/v1/sources/1/distribution" -H "Content-Type: application/json" \
  -d '{
    "operator_weights": [
      {"operator_id": 1, "source_id": 1, "weight": 10},
      {"operator_id": 2, "source_id": 1, "weight": 30}
    ]
  }'
post -X POST "$BASE/api/v1/contacts" -H "Content-Type: application/json" \
  -d '{
    "source_id": 1,
    "lead_phone": "+79001234567",
    "lead_name": "Петр Сидоров",
    "message": "Хочу узнать о ваших услугах"
  }'
"""


def test_the_first_steps_of_reference_b_work_with_curl(servers):
    [server] = servers(1)
    done = subprocess.run(["bash", "-c", README], env={"BASE": f"http://127.0.0.1:{server.port}", "PATH": "/usr/bin:/bin"},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    contact = check_contact(server.client().read("contacts", 1))
    assert (contact["status"], contact["lead_phone"], contact["lead"]["name"]) == ("active", "+79001234567", "Петр Сидоров")
    assert contact["operator_id"] in (1, 2) and contact["message"] == "Хочу узнать о ваших услугах"
