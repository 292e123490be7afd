"""Operators: every row of the contract's table."""

import pytest

from client import unique
from shapes import (check_contact, check_operator, fractional, is_timestamp, missing, must_be_error, must_have_faults,
                    not_boolean, not_integer, not_object, not_parsed, not_string, too_large, too_long, too_short,
                    too_small, unclear_boolean)

PATH = "/api/v1/operators"
NAME, ACTIVE, MAX_LOAD = ["body", "name"], ["body", "is_active"], ["body", "max_load"]


@pytest.mark.parametrize("path", [PATH, PATH + "/"])
def test_a_new_operator_is_active_with_a_limit_of_ten(api, path):
    operator = check_operator(api.post(path, {"name": "Анна"}).must_be(201).json)
    assert operator | {"id": 0, "created_at": ""} == {
        "id": 0, "name": "Анна", "is_active": True, "max_load": 10, "current_load": 0, "created_at": "",
        "updated_at": None,
    }
    assert operator["id"] >= 1


def test_a_new_operator_has_what_was_asked_for_and_reads_the_same(api):
    made = api.post(PATH, {"name": "Bob", "is_active": False, "max_load": 7, "unknown": [1]}).must_be(201)
    assert (made.json["name"], made.json["is_active"], made.json["max_load"]) == ("Bob", False, 7)
    for slash in ("", "/"):
        assert api.get(f"{PATH}/{made.json['id']}{slash}").must_be(200).text == made.text


def test_answers_are_json_and_leave_letters_as_they_are(api):
    answer = api.post(PATH, {"name": "Оператор 😀 \"1\" \\ \u2028 !"}).must_be(201)
    assert answer.headers["Content-Type"].startswith("application/json")
    assert "Оператор 😀 \\\"1\\\" \\\\ \u2028 !" in answer.text
    assert answer.json["name"] == "Оператор 😀 \"1\" \\ \u2028 !"


def test_two_operators_may_have_one_name(api):
    assert api.operator(name="Twin")["id"] != api.operator(name="Twin")["id"]


def test_names_are_trimmed(api):
    assert api.operator(name="  \t Анна Б. \n ")["name"] == "Анна Б."


@pytest.mark.parametrize("name", ["x", "ы" * 200, "😀" * 200, " " + "x" * 200 + " "])
def test_names_of_up_to_200_characters_are_kept(api, name):
    assert api.operator(name=name)["name"] == name.strip()


@pytest.mark.parametrize("given, meant", [
    ({"max_load": "7"}, 7), ({"max_load": 7.0}, 7), ({"max_load": 1}, 1), ({"max_load": 1_000_000}, 1_000_000),
])
def test_limits_are_read_as_pydantic_reads_them(api, given, meant):
    assert api.operator(**given)["max_load"] == meant


@pytest.mark.parametrize("given, meant", [
    ("yes", True), ("true", True), ("on", True), ("1", True), (1, True), ("T", True), ("y", True),
    ("no", False), ("False", False), ("off", False), ("0", False), (0, False), ("f", False), ("n", False),
])
def test_booleans_are_read_as_pydantic_reads_them(api, given, meant):
    assert api.operator(is_active=given)["is_active"] is meant


@pytest.mark.parametrize("body, faults", [
    ({}, [missing(NAME, {})]),
    ({"max_load": 5, "x": "ы"}, [missing(NAME, {"max_load": 5, "x": "ы"})]),
    ({"name": None}, [not_string(NAME, None)]),
    ({"name": 5}, [not_string(NAME, 5)]),
    ({"name": ["a"]}, [not_string(NAME, ["a"])]),
    ({"name": ""}, [too_short(NAME, "")]),
    ({"name": "ы" * 201}, [too_long(NAME, "ы" * 201, 200)]),
    ({"name": "a", "max_load": 0}, [too_small(MAX_LOAD, 0, 1)]),
    ({"name": "a", "max_load": -1}, [too_small(MAX_LOAD, -1, 1)]),
    ({"name": "a", "max_load": 1_000_001}, [too_large(MAX_LOAD, 1_000_001, 1_000_000)]),
    ({"name": "a", "max_load": 7.5}, [fractional(MAX_LOAD, 7.5)]),
    ({"name": "a", "max_load": "seven"}, [not_parsed(MAX_LOAD, "seven")]),
    ({"name": "a", "max_load": "7.5"}, [not_parsed(MAX_LOAD, "7.5")]),
    ({"name": "a", "max_load": None}, [not_integer(MAX_LOAD, None)]),
    ({"name": "a", "max_load": {}}, [not_integer(MAX_LOAD, {})]),
    ({"name": "a", "is_active": "maybe"}, [unclear_boolean(ACTIVE, "maybe")]),
    ({"name": "a", "is_active": 2}, [unclear_boolean(ACTIVE, 2)]),
    ({"name": "a", "is_active": None}, [not_boolean(ACTIVE, None)]),
    ({"name": "a", "is_active": []}, [not_boolean(ACTIVE, [])]),
    ({"name": 5, "is_active": "maybe", "max_load": 0},
     [not_string(NAME, 5), unclear_boolean(ACTIVE, "maybe"), too_small(MAX_LOAD, 0, 1)]),
    ([], [not_object(["body"], [])]),
    ("name", [not_object(["body"], "name")]),
    (7, [not_object(["body"], 7)]),
])
def test_a_faulty_new_operator_is_a_422_with_all_faults(api, database, body, faults):
    before = database.count("operators")
    must_have_faults(api.post(PATH, body), *faults)
    assert database.count("operators") == before


@pytest.mark.parametrize("name", [" ", "\t\n ", "a\u0000b", "\u0000"])
def test_blank_names_and_names_with_a_nul_are_refused(api, name):
    [found] = api.post(PATH, {"name": name}).must_be(422).json["detail"]
    assert found["loc"] == NAME


def test_the_list_is_an_array_ordered_by_id(api):
    made = [api.operator()["id"] for _ in range(3)]
    for slash in ("", "/"):
        listed = api.get(f"{PATH}{slash}?limit=1000").must_be(200).json
        ids = [check_operator(operator)["id"] for operator in listed]
        assert ids == sorted(ids) and set(made) <= set(ids)


def test_the_list_is_filtered_by_activity(api):
    active, idle = api.operator()["id"], api.operator(is_active=False)["id"]
    for words, wanted, unwanted in ((("true", "1", "yes"), active, idle), (("false", "0", "no"), idle, active)):
        for word in words:
            ids = [operator["id"] for operator in api.get(f"{PATH}?is_active={word}&limit=1000").must_be(200).json]
            assert wanted in ids and unwanted not in ids


def test_the_list_is_cut_by_skip_and_limit(empty_api):
    ids = [empty_api.operator()["id"] for _ in range(5)]
    for query, expected in (("", ids), ("?skip=2", ids[2:]), ("?limit=2", ids[:2]), ("?skip=1&limit=3", ids[1:4]),
                            ("?skip=5", []), ("?skip=1000000", []), ("?limit=1000", ids)):
        assert [operator["id"] for operator in empty_api.get(PATH + query).must_be(200).json] == expected


def test_the_list_holds_a_hundred_unless_told_otherwise(empty_api):
    ids = [empty_api.operator()["id"] for _ in range(101)]
    assert [operator["id"] for operator in empty_api.get(PATH).must_be(200).json] == ids[:100]


@pytest.mark.parametrize("query, faults", [
    ("skip=-1", [too_small(["query", "skip"], "-1", 0)]),
    ("limit=0", [too_small(["query", "limit"], "0", 1)]),
    ("limit=1001", [too_large(["query", "limit"], "1001", 1000)]),
    ("skip=a", [not_parsed(["query", "skip"], "a")]),
    ("limit=", [not_parsed(["query", "limit"], "")]),
    ("is_active=perhaps", [unclear_boolean(["query", "is_active"], "perhaps")]),
])
def test_a_faulty_list_query_is_a_422(api, query, faults):
    must_have_faults(api.get(f"{PATH}?{query}"), *faults)


def test_a_list_query_has_all_its_faults_reported(api):
    faults = api.get(f"{PATH}?is_active=q&skip=-1&limit=0").must_be(422).json["detail"]
    assert sorted(fault["loc"][1] for fault in faults) == ["is_active", "limit", "skip"]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("change", [{"name": "Новое имя"}, {"is_active": False}, {"max_load": 3},
                                    {"name": "Both", "max_load": 1_000_000, "is_active": False}])
def test_a_change_touches_only_what_it_names(api, method, change):
    before = api.operator()
    after = check_operator(api.request(method, f"{PATH}/{before['id']}", change).must_be(200).json)
    assert is_timestamp(after["updated_at"]) and after["updated_at"] > before["created_at"]
    assert after == before | change | {"updated_at": after["updated_at"]}
    assert api.read("operators", before["id"]) == after


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("change", [{}, {"name": None}, {"is_active": None, "max_load": None, "name": None}])
def test_null_and_absent_fields_change_nothing(api, method, change):
    before = api.operator(max_load=4)
    after = api.request(method, f"{PATH}/{before['id']}/", change).must_be(200).json
    assert after | {"updated_at": None} == before


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("body, faults", [
    ({"name": "", "max_load": 0}, [too_short(NAME, ""), too_small(MAX_LOAD, 0, 1)]),
    ({"name": 1, "is_active": "q", "max_load": 1_000_001},
     [not_string(NAME, 1), unclear_boolean(ACTIVE, "q"), too_large(MAX_LOAD, 1_000_001, 1_000_000)]),
    ([], [not_object(["body"], [])]),
])
def test_a_faulty_change_is_a_422_and_changes_nothing(api, method, body, faults):
    before = api.operator()
    must_have_faults(api.request(method, f"{PATH}/{before['id']}", body), *faults)
    assert api.read("operators", before["id"]) == before


@pytest.mark.parametrize("active, message", [(True, "Operator activated"), (False, "Operator deactivated")])
def test_activate_sets_the_activity_and_says_so(api, active, message):
    id = api.operator(is_active=not active)["id"]
    for slash in ("", "/"):
        answer = api.patch(f"{PATH}/{id}/activate{slash}", {"active": active}).must_be(200)
        assert answer.json == {"message": message}
        assert api.read("operators", id)["is_active"] is active


def test_load_limit_sets_the_limit_and_says_so(api):
    id = api.operator()["id"]
    for slash, limit in (("", 7), ("/", 8)):
        answer = api.patch(f"{PATH}/{id}/load-limit{slash}", {"max_load": limit}).must_be(200)
        assert answer.json == {"message": f"Load limit set to {limit}"}
        assert api.read("operators", id)["max_load"] == limit


@pytest.mark.parametrize("action, body, faults", [
    ("activate", {}, [missing(["body", "active"], {})]),
    ("activate", {"active": None}, [not_boolean(["body", "active"], None)]),
    ("activate", {"active": "q"}, [unclear_boolean(["body", "active"], "q")]),
    ("load-limit", {}, [missing(MAX_LOAD, {})]),
    ("load-limit", {"max_load": None}, [not_integer(MAX_LOAD, None)]),
    ("load-limit", {"max_load": 0}, [too_small(MAX_LOAD, 0, 1)]),
    ("load-limit", {"max_load": 1_000_001}, [too_large(MAX_LOAD, 1_000_001, 1_000_000)]),
])
def test_faulty_actions_are_a_422(api, action, body, faults):
    before = api.operator()
    must_have_faults(api.patch(f"{PATH}/{before['id']}/{action}", body), *faults)
    assert api.read("operators", before["id"]) == before


@pytest.mark.parametrize("method, suffix, body", [
    ("GET", "", ...), ("PATCH", "", {"name": "x"}), ("PUT", "", {"name": "x"}),
    ("PATCH", "/activate", {"active": True}), ("PATCH", "/load-limit", {"max_load": 5}),
])
def test_an_unknown_operator_is_a_404(api, method, suffix, body):
    must_be_error(api.request(method, f"{PATH}/999999{suffix}", body), 404, "Operator not found", "operator_not_found")


def test_the_current_load_is_true_wherever_the_operator_appears(api):
    source, operator = api.staffed_source()
    first, second = api.contact(source["id"]), api.contact(source["id"])
    assert (first["operator"]["current_load"], second["operator"]["current_load"]) == (1, 2)
    assert api.load(operator["id"]) == 2
    assert api.read("contacts", first["id"])["operator"]["current_load"] == 2
    assert api.read("sources", source["id"])["operator_weights"][0]["operator"]["current_load"] == 2
    listed = {each["id"]: each for each in api.get(f"{PATH}?limit=1000").json}
    assert listed[operator["id"]]["current_load"] == 2
    assert api.change_operator(operator["id"], name=unique("Renamed"))["current_load"] == 2
    assert api.close_contact(first["id"])["operator"]["current_load"] == 1


def test_a_lowered_limit_evicts_nobody_and_admits_nobody(api, database):
    source, operator = api.staffed_source(max_load=3)
    contacts = [api.contact(source["id"]) for _ in range(3)]
    lowered = api.change_operator(operator["id"], max_load=1)
    assert (lowered["max_load"], lowered["current_load"]) == (1, 3)
    assert api.contact(source["id"])["waiting_reason"] == "all_at_limit"
    for contact in contacts[:2]:
        api.close_contact(contact["id"])
    assert api.load(operator["id"]) == 1
    assert database.broken_loads() == []


def test_a_deactivated_operator_keeps_its_contacts(api):
    source, operator = api.staffed_source()
    contact = api.contact(source["id"])
    assert api.change_operator(operator["id"], is_active=False)["current_load"] == 1
    assert api.read("contacts", contact["id"])["operator_id"] == operator["id"]


def test_deactivating_with_requeue_puts_the_contacts_back_in_the_queue(api):
    source, operator = api.staffed_source()
    contacts = [api.contact(source["id"])["id"] for _ in range(2)]
    assert api.change_operator(operator["id"], is_active=False, requeue=True)["current_load"] == 0
    for id in contacts:
        waiting = check_contact(api.read("contacts", id))
        assert (waiting["status"], waiting["operator_id"]) == ("new", None)
        assert waiting["waiting_reason"] == "all_inactive"
