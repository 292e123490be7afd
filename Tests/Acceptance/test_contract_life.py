"""The life of a contact: every action on every state, by each way there is to ask for it, and what is remembered."""

import re

import pytest

from client import unique
from shapes import (check_contact, is_timestamp, missing, must_be_error, must_have_faults, not_integer, too_large,
                    too_small)

PATH = "/api/v1/contacts"
UNKNOWN = 999_999_999
EVENT = ["id", "contact_id", "kind", "from_operator_id", "to_operator_id", "reason", "actor", "at", "data"]
QUEUE_ROW = ["source_id", "source_name", "reason", "count", "oldest_at", "oldest_age_seconds", "unblock"]
EXPLANATION = [
    "contact_id", "decided_at", "strategy", "rule", "outcome", "operator_id", "reason", "draw", "candidates",
    "reproduced", "sentence",
]
CANDIDATE = ["operator_id", "name", "weight", "load", "max_load", "eligible", "excluded", "probability"]
RUSSIAN = re.compile("[а-яё]", re.IGNORECASE)


def act(api, contact: int, action: str, body=..., if_match=None, language="en"):
    headers = {"Accept-Language": language} | ({"If-Match": if_match} if if_match else {})
    return api.post(f"{PATH}/{contact}/{action}", body, headers=headers)


def patch(api, contact: int, if_match=None, **fields):
    return api.patch(f"{PATH}/{contact}", fields, headers={"If-Match": if_match} if if_match else None)


def bulk(api, action: str, ids: list[int], **fields) -> list[dict]:
    return api.post(f"{PATH}/bulk", {"action": action, "ids": ids} | fields).must_be(200).json


def assign(api, contact: int, operator: int, **fields) -> dict:
    return check_contact(act(api, contact, "assign", {"operator_id": operator} | fields).must_be(200).json)


def release(api, contact: int) -> dict:
    return check_contact(act(api, contact, "release").must_be(200).json)


def read(api, contact: int) -> dict:
    return check_contact(api.read("contacts", contact))


def history(api, contact: int) -> list[dict]:
    events = api.read(f"contacts/{contact}/history")
    for event in events:
        assert list(event) == EVENT and event["contact_id"] == contact and is_timestamp(event["at"])
        assert list(event["actor"]) == ["kind", "id", "name"]
    assert [event["id"] for event in events] == sorted({event["id"] for event in events})
    return events


def moves(api, contact: int) -> list[tuple]:
    return [(event["kind"], event["from_operator_id"], event["to_operator_id"]) for event in history(api, contact)]


def explain(api, contact: int, language="en") -> dict:
    shown = api.get(f"{PATH}/{contact}/explain", headers={"Accept-Language": language}).must_be(200).json
    assert list(shown) == EXPLANATION and shown["contact_id"] == contact and is_timestamp(shown["decided_at"])
    assert all(list(each) == CANDIDATE for each in shown["candidates"])
    return shown


class Scene:
    """A contact in a state: its operator is `own`; `other` can be given it by hand; `absent` has a weight too."""

    def __init__(self, api, state: str):
        self.api = api
        self.own, self.other = (api.operator()["id"] for _ in range(2))
        self.absent = api.operator(is_active=False)["id"]
        self.source = api.source({self.absent: 1} if state == "new" else {self.own: 1, self.absent: 1})["id"]
        self.contact = api.contact(self.source, priority=3, message="Здравствуйте")["id"]
        if state == "closed":
            api.close_contact(self.contact)
        self.before = read(api, self.contact)
        assert self.before["status"] == state
        self.events = history(api, self.contact)

    def must_be_unchanged(self) -> None:
        assert read(self.api, self.contact) == self.before
        assert history(self.api, self.contact) == self.events

    def must_have_changed(self, **fields) -> dict:
        """One step of the version, and these fields; the events of the step."""
        after = read(self.api, self.contact)
        assert after["version"] == self.before["version"] + 1 and is_timestamp(after["updated_at"])
        assert {key: after[key] for key in fields} == fields
        events = history(self.api, self.contact)
        assert events[:len(self.events)] == self.events
        return events[len(self.events):]


@pytest.fixture(params=["new", "active", "closed"])
def scene(api, request) -> Scene:
    return Scene(api, request.param)


# Every action on every state

NOTHING = "nothing changes"
TABLE = [
    ("close", "new", ("closed", None, "closed")),
    ("close", "active", ("closed", "own", "closed")),
    ("close", "closed", NOTHING),
    ("reopen", "new", NOTHING),
    ("reopen", "active", NOTHING),
    ("reopen", "closed", ("active", "own", "reopened")),
    ("assign", "new", ("active", "other", "assigned")),
    ("assign", "active", ("active", "other", "transferred")),
    ("assign", "closed", "contact_closed"),
    ("transfer", "new", "contact_unassigned"),
    ("transfer", "active", ("active", "other", "transferred")),
    ("transfer", "closed", "contact_closed"),
    ("release", "new", NOTHING),
    ("release", "active", ("new", None, "released")),
    ("release", "closed", "contact_closed"),
]


def by_itself(scene: Scene, action: str) -> tuple:
    body = {"operator_id": scene.other, "reason": None} if action in ("assign", "transfer") else ...
    answer = act(scene.api, scene.contact, action, body)
    return answer.status, answer.json if answer.status == 200 else None, answer.json.get("code")


def by_patch(scene: Scene, action: str) -> tuple:
    fields = {"close": {"status": "closed"}, "reopen": {"status": "active"}, "assign": {"operator_id": scene.other},
              "release": {"operator_id": None}}[action]
    answer = patch(scene.api, scene.contact, **fields)
    return answer.status, answer.json if answer.status == 200 else None, answer.json.get("code")


def in_bulk(scene: Scene, action: str) -> tuple:
    [item] = bulk(scene.api, action, [scene.contact], operator_id=scene.other)
    assert item["id"] == scene.contact
    return item["status"], item["contact"], item.get("code")


@pytest.mark.parametrize("ask", [by_itself, by_patch, in_bulk])
@pytest.mark.parametrize("action, state, outcome", TABLE)
def test_each_action_does_in_each_state_what_the_table_says(api, action, state, outcome, ask):
    if (ask, action) == (by_patch, "transfer"):
        pytest.skip("PATCH assigns; it does not ask for a transfer")
    scene = Scene(api, state)
    status, shown, code = ask(scene, action)
    if isinstance(outcome, str) and outcome != NOTHING:
        assert (status, shown, code) == (409, None, outcome)
        scene.must_be_unchanged()
        return
    assert status == 200 and check_contact(shown) == read(api, scene.contact)
    if outcome == NOTHING:
        scene.must_be_unchanged()
        return
    state, operator, kind = outcome
    holder = getattr(scene, operator) if operator else None
    [event] = scene.must_have_changed(status=state, operator_id=holder, priority=3, message="Здравствуйте")
    assert event["kind"] == kind and event["from_operator_id"] == scene.before["operator_id"]
    assert event["to_operator_id"] == (holder if state == "active" else None)
    assert event["actor"] == {"kind": "api", "id": None, "name": None}
    loads = {id: api.load(id) for id in (scene.own, scene.other)}
    assert loads == {id: int(state == "active" and id == holder) for id in loads}


@pytest.mark.parametrize("action", ["close", "reopen", "assign", "transfer", "release"])
@pytest.mark.parametrize("language, detail", [("en", "Contact not found"), ("ru", "Обращение не найдено")])
def test_every_action_on_an_unknown_contact_is_a_404(api, action, language, detail):
    body = {"operator_id": api.operator()["id"]} if action in ("assign", "transfer") else ...
    must_be_error(act(api, UNKNOWN, action, body, language=language), 404, detail, "contact_not_found")


def test_reading_and_changing_an_unknown_contact_is_a_404(api):
    for answer in (patch(api, UNKNOWN, priority=1), patch(api, UNKNOWN), api.get(f"{PATH}/{UNKNOWN}/history"),
                   api.get(f"{PATH}/{UNKNOWN}/explain")):
        must_be_error(answer, 404, "Contact not found", "contact_not_found")


# By hand

@pytest.mark.parametrize("action, state", [("assign", "new"), ("assign", "active"), ("transfer", "active")])
def test_nobody_is_given_a_contact_who_is_unknown_archived_inactive_or_full(api, action, state):
    scene = Scene(api, state)
    archived = api.operator()["id"]
    api.archive_operator(archived)
    full, inactive_and_full = api.operator(max_load=1)["id"], api.operator(max_load=1)["id"]
    for id in (full, inactive_and_full):
        api.contact(api.source({id: 1})["id"])
    api.change_operator(inactive_and_full, is_active=False)
    for operator, status, code in ((UNKNOWN, 404, "operator_not_found"), (archived, 404, "operator_not_found"),
                                   (scene.absent, 409, "operator_inactive"), (full, 409, "operator_at_limit"),
                                   (inactive_and_full, 409, "operator_inactive")):
        must_be_error(act(api, scene.contact, action, {"operator_id": operator}), status, None, code)
        [item] = bulk(api, action, [scene.contact], operator_id=operator)
        assert (item["status"], item["code"], item["contact"]) == (status, code, None)
        must_be_error(patch(api, scene.contact, operator_id=operator), status, None, code)
    for operator in (UNKNOWN, archived):
        answer = act(api, scene.contact, action, {"operator_id": operator, "force": True})
        must_be_error(answer, 404, None, "operator_not_found")
    scene.must_be_unchanged()


@pytest.mark.parametrize("action, state", [("assign", "new"), ("assign", "active"), ("transfer", "active")])
@pytest.mark.parametrize("obstacle", ["inactive", "full"])
def test_force_overrides_both_and_is_recorded(api, action, state, obstacle):
    scene = Scene(api, state)
    operator = api.operator(max_load=1, is_active=obstacle != "inactive")["id"]
    if obstacle == "full":
        api.contact(api.source({operator: 1})["id"])
    body = {"operator_id": operator, "force": True, "reason": "знает его"}
    shown = check_contact(act(api, scene.contact, action, body).must_be(200).json)
    assert shown["operator_id"] == operator
    [event] = scene.must_have_changed(operator_id=operator, status="active")
    assert event["data"]["forced"] is True and event["reason"] == "знает его"
    assert api.load(operator) == 1 + (obstacle == "full")


def test_force_that_was_not_needed_is_not_recorded(api):
    scene = Scene(api, "active")
    assign(api, scene.contact, scene.other, force=True)
    [event] = scene.must_have_changed(operator_id=scene.other)
    assert "forced" not in (event["data"] or {}) and event["reason"] is None


def test_a_place_given_by_force_is_not_given_again_when_it_is_left(api):
    source, operator = api.staffed_source(max_load=1)
    first, forced, waiting = (api.contact(source["id"])["id"] for _ in range(3))
    assign(api, forced, operator["id"], force=True)
    api.close_contact(first)
    assert read(api, waiting)["status"] == "new" and api.load(operator["id"]) == 1
    api.close_contact(forced)
    assert read(api, waiting)["operator_id"] == operator["id"]


def test_assigning_the_same_operator_again_changes_nothing(api):
    scene = Scene(api, "active")
    api.change_operator(scene.own, max_load=1)
    for action in ("assign", "transfer"):
        assert act(api, scene.contact, action, {"operator_id": scene.own}).must_be(200).json["version"] == 1
        assert act(api, scene.contact, action, {"operator_id": scene.own, "force": True}).must_be(200)
    patch(api, scene.contact, operator_id=scene.own).must_be(200)
    assert history(api, scene.contact) == scene.events and read(api, scene.contact)["version"] == 1


def test_the_place_left_by_a_transfer_is_used_at_once(api):
    source, operator = api.staffed_source(max_load=1)
    leaving, waiting = (api.contact(source["id"])["id"] for _ in range(2))
    assign(api, leaving, api.operator()["id"])
    assert read(api, waiting)["operator_id"] == operator["id"]


def test_a_reason_is_kept_up_to_500_characters(api):
    scene = Scene(api, "active")
    body = {"operator_id": scene.other}
    act(api, scene.contact, "assign", body | {"reason": "я" * 500}).must_be(200)
    act(api, scene.contact, "release", {"reason": "r" * 500}).must_be(200)
    assert [event["reason"] for event in history(api, scene.contact)[1:3]] == ["я" * 500, "r" * 500]
    for action, body in (("release", {}), ("assign", body), ("transfer", body)):
        [found] = act(api, scene.contact, action, body | {"reason": "r" * 501}).must_be(422).json["detail"]
        assert (found["type"], found["loc"]) == ("string_too_long", ["body", "reason"])


@pytest.mark.parametrize("action", ["assign", "transfer"])
def test_a_faulty_assignment_is_a_422_with_all_faults(api, action):
    contact = api.contact(api.source()["id"])["id"]
    must_have_faults(act(api, contact, action, {}), missing(["body", "operator_id"], {}))
    must_have_faults(act(api, contact, action, {"operator_id": None}), not_integer(["body", "operator_id"], None))
    found = act(api, contact, action, {"operator_id": "x", "force": "perhaps", "reason": 1}).must_be(422).json["detail"]
    assert [(each["type"], each["loc"][1]) for each in found] == [
        ("int_parsing", "operator_id"), ("bool_parsing", "force"), ("string_type", "reason")]


@pytest.mark.parametrize("code", ["contact_closed", "contact_unassigned", "operator_inactive", "operator_at_limit",
                                  "version_conflict", "operator_not_found"])
def test_every_refusal_is_said_in_english_and_in_russian(api, code):
    scene = Scene(api, {"contact_closed": "closed", "contact_unassigned": "new"}.get(code, "active"))
    full = api.operator(max_load=1)["id"]
    api.contact(api.source({full: 1})["id"])
    operator = {"operator_inactive": scene.absent, "operator_at_limit": full, "operator_not_found": UNKNOWN}.get(
        code, scene.other)
    said = {}
    for language in ("en", "ru"):
        answer = act(api, scene.contact, "transfer", {"operator_id": operator}, language=language,
                     if_match='"77"' if code == "version_conflict" else None)
        must_be_error(answer, 404 if code == "operator_not_found" else 409, None, code)
        said[language] = answer.json["detail"]
    assert RUSSIAN.search(said["ru"]) and not RUSSIAN.search(said["en"])


# If-Match

CHANGES = ["close", "reopen", "assign", "transfer", "release", "PATCH"]
NO_VERSION = ['"one"', '""', "yesterday", '"1', 'W/"one"', '"-1"', '"9223372036854775808"']


def change(scene: Scene, action: str, if_match: str):
    if action == "PATCH":
        return patch(scene.api, scene.contact, if_match, priority=7)
    body = {"operator_id": scene.other} if action in ("assign", "transfer") else ...
    return act(scene.api, scene.contact, action, body, if_match)


@pytest.mark.parametrize("action", CHANGES)
@pytest.mark.parametrize("if_match", ['"{}"', "*"])
def test_with_the_right_version_a_change_is_made(api, action, if_match):
    scene = Scene(api, "closed" if action == "reopen" else "active")
    answer = change(scene, action, if_match.format(scene.before["version"]))
    assert check_contact(answer.must_be(200).json)["version"] == scene.before["version"] + 1


@pytest.mark.parametrize("action", CHANGES)
@pytest.mark.parametrize("if_match", ['"0"', '"2"', *NO_VERSION])
def test_with_another_version_or_none_nothing_is_changed(api, action, if_match):
    scene = Scene(api, "active")
    must_be_error(change(scene, action, if_match), 409, None, "version_conflict")
    scene.must_be_unchanged()


def test_a_stale_version_is_refused_also_where_nothing_would_change(scene):
    same = {"new": "release", "active": "reopen", "closed": "close"}[scene.before["status"]]
    right, stale = (f'"{scene.before["version"] + more}"' for more in (0, 1))
    must_be_error(act(scene.api, scene.contact, same, if_match=stale), 409, None, "version_conflict")
    must_be_error(patch(scene.api, scene.contact, stale), 409, None, "version_conflict")
    scene.must_be_unchanged()
    assert act(scene.api, scene.contact, same, if_match=right).must_be(200).json == scene.before


def test_a_placement_by_the_queue_makes_a_version_stale(api):
    source, _ = api.staffed_source(max_load=1)
    first, waiting = (api.contact(source["id"])["id"] for _ in range(2))
    api.close_contact(first)
    must_be_error(act(api, waiting, "close", if_match='"1"'), 409, None, "version_conflict")
    assert act(api, waiting, "close", if_match='"2"').must_be(200).json["version"] == 3


# PATCH

@pytest.mark.parametrize("fields", [
    {}, {"priority": 3}, {"message": None}, {"message": "Здравствуйте"}, {"unknown": 1},
])
def test_a_patch_that_says_nothing_new_changes_nothing(scene, fields):
    assert patch(scene.api, scene.contact, **fields).must_be(200).json == scene.before
    scene.must_be_unchanged()


def test_priority_and_message_change_in_any_state_in_one_step(scene):
    shown = check_contact(patch(scene.api, scene.contact, priority="9", message="Позвоните").must_be(200).json)
    events = scene.must_have_changed(priority=9, message="Позвоните", status=scene.before["status"])
    assert shown == read(scene.api, scene.contact)
    assert {event["kind"] for event in events} == {"priority_changed", "message_changed"} and len(events) == 2
    [changed] = [event for event in events if event["kind"] == "priority_changed"]
    assert changed["data"] == {"from": 3, "to": 9}


def test_an_empty_message_removes_it(scene):
    patch(scene.api, scene.contact, message="").must_be(200)
    assert [event["kind"] for event in scene.must_have_changed(message=None)] == ["message_changed"]
    patch(scene.api, scene.contact, message="").must_be(200)
    assert read(scene.api, scene.contact)["version"] == scene.before["version"] + 1


@pytest.mark.parametrize("state, fields, expected, kinds", [
    ("active", {"status": "closed"}, ("closed", "own"), {"closed"}),
    ("new", {"status": "closed"}, ("closed", None), {"closed"}),
    ("closed", {"status": "active"}, ("active", "own"), {"reopened"}),
    ("active", {"operator_id": "other"}, ("active", "other"), {"transferred"}),
    ("new", {"operator_id": "other"}, ("active", "other"), {"assigned"}),
    ("active", {"operator_id": None}, ("new", None), {"released"}),
])
def test_all_parts_of_a_patch_are_one_step(api, state, fields, expected, kinds):
    scene = Scene(api, state)
    sent = {key: getattr(scene, value) if value == "other" else value for key, value in fields.items()}
    patch(api, scene.contact, priority=5, message="Срочно", **sent).must_be(200)
    status, operator = expected
    events = scene.must_have_changed(
        status=status, operator_id=getattr(scene, operator) if operator else None, priority=5, message="Срочно")
    assert {event["kind"] for event in events} == kinds | {"priority_changed", "message_changed"}
    assert len(events) == 3


@pytest.mark.parametrize("state, operator, code", [
    ("closed", "other", "contact_closed"), ("closed", None, "contact_closed"),
    ("active", "absent", "operator_inactive"), ("new", "absent", "operator_inactive"),
])
def test_when_one_part_of_a_patch_is_refused_nothing_is_changed(api, state, operator, code):
    scene = Scene(api, state)
    id = getattr(scene, operator) if operator else None
    must_be_error(patch(api, scene.contact, operator_id=id, priority=9, message="x"), 409, None, code)
    scene.must_be_unchanged()


@pytest.mark.parametrize("operator", [None, "other"])
@pytest.mark.parametrize("status", ["active", "closed"])
def test_a_patch_of_status_and_operator_at_once_is_a_422(scene, status, operator):
    body = {"status": status, "operator_id": scene.other if operator else None}
    [found] = patch(scene.api, scene.contact, **body).must_be(422).json["detail"]
    assert (found["type"], found["loc"]) == ("value_error", ["body"])
    scene.must_be_unchanged()


def test_a_faulty_patch_is_a_422_with_all_faults(scene):
    found = patch(scene.api, scene.contact, operator_id="x", priority=10, message=1).must_be(422).json["detail"]
    assert [(each["type"], each["loc"][1]) for each in found] == [
        ("int_parsing", "operator_id"), ("less_than_equal", "priority"), ("string_type", "message")]
    [found] = patch(scene.api, scene.contact, status="gone").must_be(422).json["detail"]
    assert (found["type"], found["loc"]) == ("literal_error", ["body", "status"])
    must_have_faults(patch(scene.api, scene.contact, priority=10), too_large(["body", "priority"], 10, 9))
    must_have_faults(patch(scene.api, scene.contact, priority=-1), too_small(["body", "priority"], -1, 0))
    [found] = patch(scene.api, scene.contact, message="x" * 16_385).must_be(422).json["detail"]
    assert (found["type"], found["loc"]) == ("string_too_long", ["body", "message"])
    scene.must_be_unchanged()


def test_the_priority_of_a_waiting_contact_changes_its_place(api):
    source, operator = api.staffed_source(max_load=1)
    current, first, second, third = (api.contact(source["id"], priority=2)["id"] for _ in range(4))
    patch(api, third, priority=9).must_be(200)
    patch(api, first, priority=1).must_be(200)
    patch(api, second, priority=1).must_be(200)
    for expected in (third, first, second):
        api.close_contact(current)
        assert read(api, expected)["operator_id"] == operator["id"]
        current = expected


# Bulk

def test_a_bulk_answers_each_item_in_order_and_does_what_it_can(api):
    scenes = {state: Scene(api, state) for state in ("new", "active", "closed")}
    ids = [scenes["closed"].contact, UNKNOWN, scenes["active"].contact, scenes["new"].contact, scenes["active"].contact]
    operator = api.operator()["id"]
    items = bulk(api, "assign", ids, operator_id=operator, reason="вместе")
    assert [(item["id"], item["status"], item.get("code")) for item in items] == [
        (ids[0], 409, "contact_closed"), (UNKNOWN, 404, "contact_not_found"), (ids[2], 200, None), (ids[3], 200, None),
        (ids[4], 200, None)]
    assert all(item["detail"] and item["contact"] is None for item in items[:2])
    assert items[2]["contact"]["version"] == items[4]["contact"]["version"] == 2
    assert api.load(operator) == 2
    assert history(api, ids[3])[-1]["reason"] == "вместе"
    scenes["closed"].must_be_unchanged()


def test_a_bulk_stops_giving_at_the_limit_unless_forced(api):
    source, operator = api.source()["id"], api.operator(max_load=2)["id"]
    ids = [api.contact(source)["id"] for _ in range(4)]
    items = bulk(api, "assign", ids, operator_id=operator)
    assert [item.get("code") for item in items] == [None, None, "operator_at_limit", "operator_at_limit"]
    assert [item["status"] for item in bulk(api, "assign", ids, operator_id=operator, force=True)] == [200] * 4
    assert api.load(operator) == 4
    assert [history(api, id)[-1]["data"].get("forced") for id in ids[2:]] == [True, True]


def test_a_bulk_change_of_priority(scene):
    items = bulk(scene.api, "priority", [scene.contact, scene.contact], priority=8)
    assert [item["contact"]["priority"] for item in items] == [8, 8]
    [event] = scene.must_have_changed(priority=8)
    assert event["data"] == {"from": 3, "to": 8}


def test_what_a_bulk_closes_makes_room_for_those_who_wait(api):
    source, operator = api.staffed_source(max_load=3)
    ids = [api.contact(source["id"])["id"] for _ in range(5)]
    assert [item["contact"]["status"] for item in bulk(api, "close", ids[:3])] == ["closed"] * 3
    assert [read(api, id)["operator_id"] for id in ids[3:]] == [operator["id"]] * 2


def test_the_refusals_of_a_bulk_are_in_the_language_asked_for(api):
    body = {"action": "close", "ids": [UNKNOWN]}
    [item] = api.post(f"{PATH}/bulk", body, headers={"Accept-Language": "ru"}).must_be(200).json
    assert item == {"id": UNKNOWN, "status": 404, "contact": None, "detail": "Обращение не найдено",
                    "code": "contact_not_found"}


@pytest.mark.parametrize("body, type, loc", [
    ({"ids": [1]}, "missing", ["body", "action"]),
    ({"action": "burn", "ids": [1]}, "literal_error", ["body", "action"]),
    ({"action": "close"}, "missing", ["body", "ids"]),
    ({"action": "close", "ids": []}, "too_short", ["body", "ids"]),
    ({"action": "close", "ids": list(range(1, 1002))}, "too_long", ["body", "ids"]),
    ({"action": "close", "ids": 1}, "list_type", ["body", "ids"]),
    ({"action": "close", "ids": [1, "x"]}, "int_parsing", ["body", "ids", 1]),
    ({"action": "assign", "ids": [1]}, "value_error", ["body"]),
    ({"action": "transfer", "ids": [1]}, "value_error", ["body"]),
    ({"action": "priority", "ids": [1]}, "value_error", ["body"]),
    ({"action": "priority", "ids": [1], "priority": 10}, "less_than_equal", ["body", "priority"]),
])
def test_a_faulty_bulk_is_a_422(api, body, type, loc):
    [found] = api.post(f"{PATH}/bulk", body).must_be(422).json["detail"]
    assert (found["type"], found["loc"]) == (type, loc)


def test_a_bulk_of_1000_contacts(api, database):
    source, operator = api.staffed_source(max_load=2000)
    first = api.contact(source["id"])
    database.add_active_contacts(first["lead_id"], source["id"], operator["id"], 999)
    ids = [id for (id,) in database.rows("select id from contacts where source_id = %s order by id desc", source["id"])]
    items = bulk(api, "close", ids)
    assert [item["id"] for item in items] == ids and {item["contact"]["status"] for item in items} == {"closed"}
    assert api.load(operator["id"]) == 0


# Releasing, and who is not chosen again

def test_a_released_contact_goes_to_somebody_else_at_once(api):
    first, second = api.operator()["id"], api.operator(is_active=False)["id"]
    source = api.source({first: 1, second: 1})["id"]
    contact = api.contact(source)
    api.change_operator(second, is_active=True)
    released = release(api, contact["id"])
    assert (released["operator_id"], released["created_at"]) == (second, contact["created_at"])
    assert moves(api, contact["id"]) == [
        ("registered", None, first), ("released", first, None), ("assigned", None, second)]
    actors = [event["actor"]["kind"] for event in history(api, contact["id"])]
    assert actors == ["api", "api", "system"]


def test_a_released_contact_waits_when_nobody_else_can_take_it(api):
    scene = Scene(api, "active")
    released = release(api, scene.contact)
    assert (released["status"], released["waiting_reason"], released["assigned_at"]) == ("new", "excluded", None)
    another = api.contact(scene.source)
    assert another["operator_id"] == scene.own and read(api, scene.contact)["status"] == "new"
    api.change_operator(scene.absent, is_active=True)
    assert read(api, scene.contact)["operator_id"] == scene.absent


def test_a_released_contact_keeps_its_place_before_those_who_came_later(api):
    first, second = api.operator(max_load=1)["id"], api.operator(max_load=1, is_active=False)["id"]
    source = api.source({first: 1, second: 1})["id"]
    released, later = api.contact(source)["id"], api.contact(source)["id"]
    release(api, released)
    assert read(api, later)["operator_id"] == first
    latest = api.contact(source)["id"]
    api.change_operator(second, is_active=True)
    assert [read(api, id)["operator_id"] for id in (released, latest)] == [second, None]


def test_the_place_of_a_released_contact_goes_to_whoever_waits_first(api):
    operator, absent = api.operator(max_load=1)["id"], api.operator(is_active=False)["id"]
    sources = [api.source({operator: 1, absent: 1})["id"] for _ in range(2)]
    released = api.contact(sources[0])["id"]
    low, high = api.contact(sources[0])["id"], api.contact(sources[1], priority=9)["id"]
    release(api, released)
    assert [read(api, id)["operator_id"] for id in (released, low, high)] == [None, None, operator]


def test_when_everybody_has_released_a_contact_nobody_is_excluded(api):
    operators = [api.operator(max_load=1)["id"] for _ in range(2)]
    source = api.source(dict.fromkeys(operators, 1))["id"]
    contact = api.contact(source)
    seen = [contact["operator_id"], release(api, contact["id"])["operator_id"]]
    assert sorted(seen) == operators
    again = release(api, contact["id"])
    assert again["status"] == "active" and again["operator_id"] in operators


def test_the_only_operator_of_a_source_gets_back_what_it_released(api):
    source, operator = api.staffed_source(max_load=1)
    contact = api.contact(source["id"])["id"]
    assert release(api, contact)["operator_id"] == operator["id"]
    waiting = api.contact(source["id"], priority=9)["id"]
    assert release(api, contact)["waiting_reason"] == "all_at_limit"
    assert read(api, waiting)["operator_id"] == operator["id"]


def test_the_place_of_a_contact_that_all_have_released_is_used_when_it_goes_to_another(api, database):
    a, b = (api.operator(max_load=1)["id"] for _ in range(2))
    source, elsewhere = api.source({a: 1, b: 1}, strategy="round_robin")["id"], api.source({a: 1})["id"]
    contact = api.contact(source)["id"]
    assert [release(api, contact)["operator_id"] for _ in range(2)] == [b, a]
    waiting = api.contact(elsewhere)["id"]
    assert release(api, contact)["operator_id"] == b
    assert read(api, waiting)["operator_id"] == a and database.stranded() == []


def test_exclusion_is_lifted_when_the_others_leave_and_returns_with_a_newcomer(api):
    scene = Scene(api, "active")
    release(api, scene.contact)
    api.archive_operator(scene.absent)
    assert read(api, scene.contact)["operator_id"] == scene.own
    newcomer = api.operator(is_active=False)["id"]
    api.distribute(scene.source, {newcomer: 1})
    api.close_contact(scene.contact)
    assert check_contact(api.reopen_contact(scene.contact))["waiting_reason"] == "excluded"


def test_exclusion_is_lifted_when_the_weights_of_the_others_are_taken(api):
    scene = Scene(api, "active")
    release(api, scene.contact)
    api.post(f"/api/v1/sources/{scene.source}/weights", [{"operator_id": scene.own, "weight": 5}]).must_be(200)
    assert read(api, scene.contact)["operator_id"] == scene.own


def test_an_assignment_by_hand_to_whoever_released_it_lifts_the_exclusion(api):
    scene = Scene(api, "active")
    release(api, scene.contact)
    assign(api, scene.contact, scene.own)
    api.close_contact(scene.contact)
    assert check_contact(api.reopen_contact(scene.contact))["operator_id"] == scene.own


@pytest.mark.parametrize("leave", ["requeue", "archive", "transfer"])
def test_only_a_release_excludes(api, leave):
    operator, other = api.operator(max_load=1)["id"], api.operator(is_active=False)["id"]
    source = api.source({operator: 1, other: 1})["id"]
    contact = api.contact(source)["id"]
    match leave:
        case "requeue":
            api.change_operator(operator, is_active=False, requeue=True)
            assert read(api, contact)["waiting_reason"] == "all_inactive"
            api.change_operator(operator, is_active=True)
            assert read(api, contact)["operator_id"] == operator
        case "archive":
            api.archive_operator(operator)
            assert read(api, contact)["waiting_reason"] == "all_inactive"
        case "transfer":
            outsider = api.operator()["id"]
            assign(api, contact, outsider)
            release(api, contact)
            assert read(api, contact)["operator_id"] == operator


def test_whoever_cannot_take_the_first_takes_the_next(api):
    operator, absent = api.operator(max_load=2)["id"], api.operator(is_active=False)["id"]
    source = api.source({operator: 1, absent: 1})["id"]
    excluded, current, second, third = (api.contact(source)["id"] for _ in range(4))
    release(api, excluded)
    assert [read(api, id)["operator_id"] for id in (excluded, second, third)] == [None, operator, None]
    api.close_contact(current)
    assert [read(api, id)["operator_id"] for id in (excluded, third)] == [None, operator]


# Operators who leave

def test_deactivating_leaves_the_contacts_unless_they_are_to_be_queued_again(api):
    leaving, staying = api.operator(max_load=3)["id"], api.operator(max_load=2, is_active=False)["id"]
    source = api.source({leaving: 1, staying: 1})["id"]
    ids = [api.contact(source, priority=priority)["id"] for priority in (0, 0, 5)]
    api.change_operator(staying, is_active=True)
    api.change_operator(leaving, is_active=False)
    assert [read(api, id)["operator_id"] for id in ids] == [leaving] * 3
    shown = api.change_operator(leaving, is_active=False, requeue=True)
    assert (shown["is_active"], shown["current_load"]) == (False, 0)
    assert [read(api, id)["operator_id"] for id in ids] == [staying, None, staying]
    assert moves(api, ids[0])[1:] == [("released", leaving, None), ("assigned", None, staying)]
    assert moves(api, ids[1])[1:] == [("released", leaving, None)]


def test_a_lowered_limit_evicts_nobody_and_is_kept_from_then_on(api):
    source, operator = api.staffed_source(max_load=3)
    ids = [api.contact(source["id"])["id"] for _ in range(4)]
    assert api.change_operator(operator["id"], max_load=1)["current_load"] == 3
    for id in ids[:2]:
        api.close_contact(id)
        assert read(api, ids[3])["status"] == "new"
    api.close_contact(ids[2])
    assert read(api, ids[3])["operator_id"] == operator["id"]


# Reopening

def test_a_reopened_contact_that_cannot_go_back_is_placed_behind_those_who_wait(api):
    source, operator = api.staffed_source(max_load=1)
    closed, current, waiting = (api.contact(source["id"])["id"] for _ in range(3))
    api.close_contact(closed)
    assert read(api, current)["status"] == "active"
    api.reopen_contact(closed)
    for expected in (waiting, closed):
        api.close_contact(current)
        assert read(api, expected)["operator_id"] == operator["id"]
        current = expected


def test_a_contact_closed_while_it_waited_is_placed_by_the_strategy_when_reopened(api):
    scene = Scene(api, "new")
    api.close_contact(scene.contact)
    api.change_operator(scene.absent, is_active=True)
    reopened = check_contact(api.reopen_contact(scene.contact))
    assert reopened["operator_id"] == scene.absent
    assert moves(api, scene.contact)[1:] == [("closed", None, None), ("reopened", None, scene.absent)]


def test_the_event_of_a_reopening_that_finds_nobody_says_why(api):
    scene = Scene(api, "closed")
    api.change_operator(scene.own, is_active=False)
    api.reopen_contact(scene.contact)
    event = history(api, scene.contact)[-1]
    assert (event["kind"], event["from_operator_id"], event["to_operator_id"], event["reason"]) == (
        "reopened", scene.own, None, "all_inactive")


# Strategies, as seen from outside

def places(api, source: int, count: int, close: bool = False) -> list[int]:
    seen = []
    for _ in range(count):
        contact = api.contact(source)
        seen.append(contact["operator_id"])
        if close:
            api.close_contact(contact["id"])
    return seen


def test_smooth_weighted_deals_as_nginx_does(api):
    a, b, c = (api.operator(max_load=100)["id"] for _ in range(3))
    source = api.source({a: 5, b: 1, c: 1}, strategy="smooth_weighted")["id"]
    assert places(api, source, 14) == [a, a, b, a, c, a, a] * 2


def test_smooth_weighted_owes_nothing_to_whoever_was_away(api):
    a, b = (api.operator(max_load=100)["id"] for _ in range(2))
    source = api.source({a: 1, b: 1}, strategy="smooth_weighted")["id"]
    assert places(api, source, 3) == [a, b, a]
    api.change_operator(a, is_active=False)
    assert places(api, source, 3) == [b, b, b]
    api.change_operator(a, is_active=True)
    assert places(api, source, 4) == [b, a, b, a]


def test_round_robin_takes_turns_and_begins_with_those_who_had_none(api):
    a, b, c = (api.operator(max_load=100)["id"] for _ in range(3))
    source = api.source({a: 1, c: 9, b: 1}, strategy="round_robin")["id"]
    assert places(api, source, 4) == [a, b, c, a]
    api.change_operator(b, is_active=False)
    assert places(api, source, 3) == [c, a, c]
    api.change_operator(b, is_active=True)
    assert places(api, source, 3) == [b, a, c]
    newcomer = api.operator(max_load=100)["id"]
    api.distribute(source, {newcomer: 1})
    assert places(api, source, 2) == [newcomer, b]


def test_an_assignment_by_hand_is_no_turn(api):
    a, b = (api.operator()["id"] for _ in range(2))
    source = api.source({a: 1, b: 1}, strategy="round_robin")["id"]
    assert places(api, source, 2) == [a, b]
    assign(api, api.contact(source)["id"], b)
    assert places(api, source, 2) == [b, a]


def test_least_loaded_takes_the_smallest_load_then_the_largest_room_then_the_longest_idle(api):
    small, large = api.operator(max_load=5)["id"], api.operator(max_load=9)["id"]
    source = api.source({small: 9, large: 1}, strategy="least_loaded")["id"]
    assert places(api, source, 4) == [large, small, large, small]
    twins = [api.operator(max_load=5)["id"] for _ in range(2)]
    source = api.source(dict.fromkeys(twins, 1), strategy="least_loaded")["id"]
    first, *others = places(api, source, 5, close=True)
    second = next(id for id in twins if id != first)
    assert others == [second, first, second, first]


def test_most_free_takes_the_largest_share_of_free_places(api):
    small, large = api.operator(max_load=2)["id"], api.operator(max_load=5)["id"]
    source = api.source({small: 1, large: 1}, strategy="most_free")["id"]
    assert places(api, source, 7) == [large, small, large, large, small, large, large]


# Returning leads

@pytest.fixture
def known(api):
    """A lead whose latest contact is with `last`, though the strategy of `source` prefers `idle`."""

    class Known:
        last, idle = (api.operator()["id"] for _ in range(2))
        key = {"lead_external_id": unique("known")}
        source = api.source({last: 1, idle: 1}, strategy="least_loaded", sticky_days=30)["id"]
        elsewhere = api.source({last: 1})["id"]
        contact = api.contact(elsewhere, **key)["id"]

    return Known


def test_a_returning_lead_goes_to_its_last_operator(api, known):
    assert [api.contact(known.source, **known.key)["operator_id"] for _ in range(3)] == [known.last] * 3
    assert api.contact(known.source)["operator_id"] == known.idle


@pytest.mark.parametrize("days, operator", [(29, "last"), (31, "idle")])
def test_a_lead_is_remembered_for_as_many_days_as_the_source_says(api, database, known, days, operator):
    database.age_contact(known.contact, days)
    assert api.contact(known.source, **known.key)["operator_id"] == getattr(known, operator)


def test_a_source_that_is_not_sticky_remembers_nobody(api, known):
    api.patch(f"/api/v1/sources/{known.source}", {"sticky_days": 0}).must_be(200)
    assert api.contact(known.source, **known.key)["operator_id"] == known.idle


@pytest.mark.parametrize("event, operator", [("close", "last"), ("transfer", "idle")])
def test_the_last_operator_is_the_one_the_latest_contact_has_or_had(api, known, event, operator):
    api.distribute(known.elsewhere, {api.operator(is_active=False)["id"]: 1})
    body = {"operator_id": known.idle} if event == "transfer" else ...
    act(api, known.contact, event, body).must_be(200)
    burden = api.contact(api.source({getattr(known, operator): 1})["id"])
    assert burden["status"] == "active"
    assert api.contact(known.source, **known.key)["operator_id"] == getattr(known, operator)


def test_contacts_that_nobody_ever_had_are_passed_over(api, known):
    assert api.contact(api.source()["id"], **known.key)["status"] == "new"
    assert api.contact(known.source, **known.key)["operator_id"] == known.last


@pytest.mark.parametrize("obstacle", ["inactive", "full", "without weight", "archived"])
def test_a_last_operator_that_cannot_take_it_is_passed_over(api, known, obstacle):
    match obstacle:
        case "inactive":
            api.change_operator(known.last, is_active=False)
        case "full":
            api.change_operator(known.last, max_load=1)
        case "without weight":
            api.post(f"/api/v1/sources/{known.source}/weights", [{"operator_id": known.idle}]).must_be(200)
        case "archived":
            api.archive_operator(known.last)
    assert api.contact(known.source, **known.key)["operator_id"] == known.idle


def test_a_returning_lead_does_not_overtake_those_who_wait(servers, empty_database):
    [server] = servers(1, LEADS_SWEEP_SECONDS=3600)
    api = server.client()
    source, operator = api.staffed_source(max_load=1, sticky_days=30)
    first, waiting = api.contact(source["id"], lead_external_id="known"), api.contact(source["id"])
    empty_database.raise_limit(operator["id"], 2)
    returning = api.contact(source["id"], lead_external_id="known")
    assert returning["lead_id"] == first["lead_id"] and returning["status"] == "new"
    assert read(api, waiting["id"])["operator_id"] == operator["id"]


def test_a_returning_lead_costs_no_credit_but_a_turn(api, known):
    a, b = sorted((known.last, known.idle))
    for strategy, expected in (("smooth_weighted", [a, b, a, b]), ("round_robin", None)):
        source = api.source({a: 1, b: 1}, strategy=strategy, sticky_days=30)["id"]
        assert api.contact(source, **known.key)["operator_id"] == known.last
        assert places(api, source, 4) == (expected or [known.idle, known.last] * 2)


# History and events

def test_history_tells_a_life_from_the_beginning(api):
    operator, other = api.operator()["id"], api.operator()["id"]
    source = api.source()["id"]
    contact = api.contact(source)["id"]
    api.distribute(source, {operator: 1})
    assign(api, contact, other, reason="знакомы")
    api.close_contact(contact)
    api.reopen_contact(contact)
    told = [(event["kind"], event["from_operator_id"], event["to_operator_id"], event["reason"], event["actor"]["kind"])
            for event in history(api, contact)]
    assert told == [
        ("registered", None, None, "no_operators", "api"), ("assigned", None, operator, None, "system"),
        ("transferred", operator, other, "знакомы", "api"), ("closed", other, None, None, "api"),
        ("reopened", other, operator, None, "api")]


def test_changes_of_operators_and_weights_are_events(api):
    source, operator = api.staffed_source(max_load=10)
    before = api.get("/api/v1/events?limit=1000").must_be(200).json
    last = before[-1]["id"] if before else 0
    while len(before) == 1000:
        before = api.get(f"/api/v1/events?limit=1000&after={last}").must_be(200).json
        last = before[-1]["id"] if before else last
    id = operator["id"]
    api.change_operator(id, max_load=5)
    api.change_operator(id, max_load=5)
    api.change_operator(id, is_active=False)
    api.distribute(source["id"], {id: 4})
    api.archive_operator(id)
    events = [event for event in api.get(f"/api/v1/events?after={last}").must_be(200).json
              if id in (event["from_operator_id"], event["to_operator_id"]) or event["kind"] == "weights_changed"]
    assert all(list(event) == EVENT and event["contact_id"] is None for event in events)
    assert [event["kind"] for event in events] == [
        "operator_changed", "operator_changed", "weights_changed", "operator_archived"]
    assert events[0]["to_operator_id"] == id and events[0]["data"] == {"max_load": {"from": 10, "to": 5}}
    assert events[1]["data"] == {"is_active": {"from": True, "to": False}}


# The queue

def queue_of(api, source: int, language="en") -> list[dict]:
    rows = api.get("/api/v1/queue", headers={"Accept-Language": language}).must_be(200).json
    assert all(list(row) == QUEUE_ROW and is_timestamp(row["oldest_at"]) for row in rows)
    groups = [(row["source_id"], row["reason"]) for row in rows]
    assert groups == sorted(set(groups))
    return [row for row in rows if row["source_id"] == source]


def waiting_for(api, reason: str) -> int:
    """A source in which two contacts wait for this reason."""
    match reason:
        case "no_operators":
            source = api.source()["id"]
        case "all_inactive":
            source = api.source({api.operator(is_active=False)["id"]: 1})["id"]
        case "all_at_limit":
            source = api.staffed_source(max_load=1)[0]["id"]
            api.contact(source)
        case "excluded":
            source = api.source({api.operator()["id"]: 1, api.operator(is_active=False)["id"]: 1})["id"]
            for id in [api.contact(source)["id"] for _ in range(2)]:
                release(api, id)
            return source
    for _ in range(2):
        api.contact(source)
    return source


@pytest.mark.parametrize("reason", ["no_operators", "all_inactive", "all_at_limit", "excluded"])
def test_the_queue_says_how_many_wait_since_when_why_and_what_would_help(api, reason):
    source = waiting_for(api, reason)
    [row], [russian] = queue_of(api, source), queue_of(api, source, "ru")
    assert (row["reason"], row["count"], row["source_name"]) == (reason, 2, api.read("sources", source)["name"])
    assert 0 <= row["oldest_age_seconds"] < 60
    assert row["unblock"] and not RUSSIAN.search(row["unblock"]) and RUSSIAN.search(russian["unblock"])
    for text in (row["unblock"], russian["unblock"]):
        assert text == text.strip() and text.endswith(".")


def test_each_reason_has_a_sentence_of_its_own(api):
    reasons = ("no_operators", "all_inactive", "all_at_limit", "excluded")
    for language in ("en", "ru"):
        assert len({queue_of(api, waiting_for(api, reason), language)[0]["unblock"] for reason in reasons}) == 4


def test_a_source_whose_contacts_wait_for_different_reasons_has_a_row_for_each(api):
    operator, absent = api.operator(max_load=1)["id"], api.operator(is_active=False)["id"]
    source = api.source({operator: 1, absent: 1})["id"]
    contact = api.contact(source)["id"]
    release(api, contact)
    assert [(row["reason"], row["count"]) for row in queue_of(api, source)] == [("excluded", 1)]
    api.contact(source)
    api.contact(source)
    assert [(row["reason"], row["count"]) for row in queue_of(api, source)] == [("all_at_limit", 2)]


def test_nobody_waits_in_the_queue_of_a_source_that_is_served(api):
    source, _ = api.staffed_source()
    api.close_contact(api.contact(source["id"])["id"])
    api.contact(source["id"])
    assert queue_of(api, source["id"]) == []


# Explaining

def test_an_explanation_shows_who_was_considered_and_why_this_one(api):
    chosen, inactive = api.operator(max_load=7)["id"], api.operator(is_active=False)["id"]
    source = api.source({chosen: 3, inactive: 5})["id"]
    contact = api.contact(source)["id"]
    shown = explain(api, contact)
    assert (shown["strategy"], shown["operator_id"], shown["reason"]) == ("weighted_random", chosen, None)
    first, second = shown["candidates"]
    assert [first[key] for key in CANDIDATE if key != "name"] == [chosen, 3, 0, 7, True, None, 1]
    assert [second[key] for key in ("operator_id", "weight", "eligible")] == [inactive, 5, False]
    assert second["excluded"] and not second["probability"]


@pytest.mark.parametrize("reason", ["no_operators", "all_inactive", "all_at_limit", "excluded"])
def test_an_explanation_of_waiting_gives_the_reason(api, reason):
    source = waiting_for(api, reason)
    contact = api.get(f"{PATH}?source_id={source}&status=new").json[0]["id"]
    shown = explain(api, contact)
    assert (shown["operator_id"], shown["reason"]) == (None, reason)
    assert not any(each["eligible"] for each in shown["candidates"])


def test_the_probabilities_of_a_random_strategy_are_the_shares(api):
    a, b, c = (api.operator(max_load=max_load)["id"] for max_load in (10, 10, 20))
    for strategy, expected in (("weighted_random", [0.25, 0.5, 0.25]), ("weighted_capacity", [0.2, 0.4, 0.4])):
        for id in [each["id"] for each in api.get(f"{PATH}?operator_id={a}").json]:
            api.close_contact(id)
        source = api.source({a: 1, b: 2, c: 1}, strategy=strategy)["id"]
        contact = api.contact(source)["id"]
        seen = [each["probability"] for each in explain(api, contact)["candidates"]]
        assert seen == pytest.approx(expected, abs=1e-6)
        api.close_contact(contact)


def test_an_explanation_names_the_rule(api, known):
    def rule() -> str:
        return explain(api, contact)["rule"]

    contact = api.contact(known.source, **known.key)["id"]
    assert rule() == "sticky"
    api.close_contact(contact)
    api.reopen_contact(contact)
    assert rule() == "returned"
    release(api, contact)
    assert (rule(), read(api, contact)["operator_id"]) == ("strategy", known.idle)
    assign(api, contact, known.last, force=True)
    assert rule() == "manual"
    api.change_operator(known.idle, is_active=False)
    assign(api, contact, known.idle, force=True)
    assert rule() == "forced"


def test_the_sentence_is_in_the_language_asked_for(api):
    for contact in (Scene(api, "active").contact, Scene(api, "new").contact):
        english, russian = (explain(api, contact, language)["sentence"] for language in ("en", "ru"))
        assert english and not RUSSIAN.search(english) and RUSSIAN.search(russian)
