"""Sources and weights: every row of the contract's table."""

import pytest

from client import unique
from shapes import (DISTRIBUTION_ROW, SOURCE_WITH_WEIGHTS, WEIGHT_ROW, check_source, is_timestamp, missing,
                    must_be_error, must_have_faults, not_list, not_object, not_parsed, not_string, too_large,
                    too_long, too_short, too_small)

PATH = "/api/v1/sources"
STRATEGIES = ["weighted_random", "weighted_capacity"]
WEIGHTS = ["body", "operator_weights"]


def weights_of(api, source_id: int) -> dict[int, int]:
    rows = api.read(f"sources/{source_id}/distribution")
    return {row["operator_id"]: row["weight"] for row in rows}


@pytest.mark.parametrize("path", [PATH, PATH + "/"])
def test_a_new_source_is_weighted_random_and_forgets_leads_at_once(api, path):
    name = unique("Источник")
    source = check_source(api.post(path, {"name": name}).must_be(201).json)
    assert source | {"id": 0, "created_at": ""} == {
        "id": 0, "name": name, "description": None, "strategy": "weighted_random", "sticky_days": 0,
        "created_at": "", "updated_at": None,
    }


def test_a_new_source_has_what_was_asked_for_and_reads_the_same(api):
    fields = {"name": unique("Bot"), "description": "Бот №1", "strategy": "weighted_capacity", "sticky_days": 30}
    made = api.source(**fields)
    assert {key: made[key] for key in fields} == fields
    for slash in ("", "/"):
        read = check_source(api.get(f"{PATH}/{made['id']}{slash}").must_be(200).json, SOURCE_WITH_WEIGHTS)
        assert read == made | {"operator_weights": []}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_is_known(api, strategy):
    assert api.source(strategy=strategy)["strategy"] == strategy


@pytest.mark.parametrize("body, faults", [
    ({}, [missing(["body", "name"], {})]),
    ({"name": None}, [not_string(["body", "name"], None)]),
    ({"name": ""}, [too_short(["body", "name"], "")]),
    ({"name": "x" * 201}, [too_long(["body", "name"], "x" * 201, 200)]),
    ({"name": 1, "description": 2, "sticky_days": -1},
     [not_string(["body", "name"], 1), not_string(["body", "description"], 2),
      too_small(["body", "sticky_days"], -1, 0)]),
    ({"name": "long", "description": "ы" * 2001}, [too_long(["body", "description"], "ы" * 504 + "…", 2000)]),
    ([], [not_object(["body"], [])]),
])
def test_a_faulty_new_source_is_a_422_with_all_faults(api, body, faults):
    must_have_faults(api.post(PATH, body), *faults)


def test_an_unknown_strategy_is_a_literal_error(api):
    [found] = api.post(PATH, {"name": unique("Source"), "strategy": "lottery"}).must_be(422).json["detail"]
    assert list(found) == ["type", "loc", "msg", "input", "ctx"]
    assert (found["type"], found["loc"], found["input"]) == ("literal_error", ["body", "strategy"], "lottery")
    assert "'weighted_random'" in found["msg"] and found["msg"] == f"Input should be {found['ctx']['expected']}"


def test_a_description_of_2000_characters_is_kept(api):
    assert api.source(description="ы" * 2000)["description"] == "ы" * 2000


@pytest.mark.parametrize("language, detail", [
    ("ru", "Источник с таким именем уже существует"), ("en", None),
])
def test_a_name_that_exists_is_a_400(api, database, language, detail):
    name = api.source()["name"]
    before = database.count("sources")
    for form in (name, f"  {name} "):
        must_be_error(api.post(PATH, {"name": form}, headers={"Accept-Language": language}), 400, detail)
    assert database.count("sources") == before


def test_a_source_cannot_be_renamed_to_a_name_that_exists(api):
    taken, source = api.source(), api.source()
    must_be_error(api.patch(f"{PATH}/{source['id']}", {"name": taken["name"]}), 400)
    assert api.read("sources", source["id"])["name"] == source["name"]


def test_a_source_may_keep_its_own_name(api):
    source = api.source()
    assert api.patch(f"{PATH}/{source['id']}", {"name": source["name"]}).must_be(200).json["name"] == source["name"]


@pytest.mark.parametrize("change", [{"description": "Другое"}, {"strategy": "weighted_capacity"}, {"sticky_days": 7}])
def test_a_change_touches_only_what_it_names(api, change):
    before = api.source(description="Первое")
    after = check_source(api.patch(f"{PATH}/{before['id']}", change).must_be(200).json)
    assert is_timestamp(after["updated_at"])
    assert after == before | change | {"updated_at": after["updated_at"]}
    assert api.read("sources", before["id"]) == after | {"operator_weights": []}


def test_null_leaves_a_description_and_the_empty_string_clears_it(api):
    source = api.source(description="Первое")
    unchanged = {"name": None, "description": None, "strategy": None, "sticky_days": None}
    assert api.patch(f"{PATH}/{source['id']}/", unchanged).must_be(200).json["description"] == "Первое"
    assert api.patch(f"{PATH}/{source['id']}", {"description": ""}).must_be(200).json["description"] is None


def test_the_list_is_an_array_ordered_by_id_and_cut_by_skip_and_limit(empty_api):
    ids = [empty_api.source()["id"] for _ in range(4)]
    for query, expected in (("", ids), ("/", ids), ("?skip=1&limit=2", ids[1:3]), ("/?limit=1", ids[:1])):
        listed = empty_api.get(PATH + query).must_be(200).json
        assert [check_source(source)["id"] for source in listed] == expected


def test_a_faulty_list_query_is_a_422(api):
    must_have_faults(api.get(f"{PATH}?skip=-1"), too_small(["query", "skip"], "-1", 0))
    must_have_faults(api.get(f"{PATH}?limit=1001"), too_large(["query", "limit"], "1001", 1000))


@pytest.mark.parametrize("method, suffix, body", [
    ("GET", "", ...), ("PATCH", "", {"name": "x"}), ("GET", "/distribution", ...),
    ("POST", "/distribution", {"operator_weights": []}), ("PUT", "/distribution", {"operator_weights": []}),
    ("GET", "/weights", ...), ("POST", "/weights", []),
])
def test_an_unknown_source_is_a_404(api, method, suffix, body):
    must_be_error(api.request(method, f"{PATH}/999999{suffix}", body), 404, "Source not found", "source_not_found")


@pytest.mark.parametrize("method, status", [("POST", 201), ("PUT", 200)])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_distribution_answers_with_its_rows_in_the_order_sent(api, method, status, slash):
    source, first, second = api.source(), api.operator(), api.operator()
    sent = [{"operator_id": second["id"], "source_id": source["id"], "weight": 30},
            {"operator_id": first["id"], "source_id": source["id"]}]
    path = f"{PATH}/{source['id']}/distribution{slash}"
    rows = api.request(method, path, {"operator_weights": sent}).must_be(status).json
    for row in rows:
        assert list(row) == DISTRIBUTION_ROW and is_timestamp(row["created_at"])
    assert [(row["operator_id"], row["source_id"], row["weight"]) for row in rows] == [
        (second["id"], source["id"], 30), (first["id"], source["id"], 1)]
    read = api.get(path).must_be(200).json
    assert sorted(read, key=lambda row: row["id"]) == sorted(rows, key=lambda row: row["id"])


def test_a_source_shows_its_weights_with_their_operators(api):
    first, second = api.operator(), api.operator()
    source = api.source({first["id"]: 10, second["id"]: 30})
    shown = check_source(api.read("sources", source["id"]), SOURCE_WITH_WEIGHTS)["operator_weights"]
    assert {row["operator_id"]: row["weight"] for row in shown} == {first["id"]: 10, second["id"]: 30}
    assert {row["operator"]["id"]: row["operator"] for row in shown} == {first["id"]: first, second["id"]: second}


def test_posting_a_distribution_keeps_the_weights_of_operators_left_out(api):
    first, second, third = (api.operator()["id"] for _ in range(3))
    source = api.source({first: 1, second: 2})["id"]
    kept = {row["operator_id"]: row["id"] for row in api.read(f"sources/{source}/distribution")}
    api.distribute(source, {second: 20, third: 30})
    assert weights_of(api, source) == {first: 1, second: 20, third: 30}
    after = {row["operator_id"]: row["id"] for row in api.read(f"sources/{source}/distribution")}
    assert kept.items() <= after.items()


def test_posting_an_empty_distribution_changes_nothing(api):
    operator = api.operator()["id"]
    source = api.source({operator: 5})["id"]
    assert api.post(f"{PATH}/{source}/distribution", {"operator_weights": []}).must_be(201).json == []
    assert weights_of(api, source) == {operator: 5}


def test_putting_a_distribution_replaces_the_whole_set(api):
    first, second, third = (api.operator()["id"] for _ in range(3))
    source = api.source({first: 1, second: 2})["id"]
    rows = [{"operator_id": id, "source_id": source, "weight": id} for id in (second, third)]
    api.put(f"{PATH}/{source}/distribution", {"operator_weights": rows}).must_be(200)
    assert weights_of(api, source) == {second: second, third: third}
    assert api.put(f"{PATH}/{source}/distribution", {"operator_weights": []}).must_be(200).json == []
    assert weights_of(api, source) == {}


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_of_one_operator_sent_twice_the_last_wins(api, method):
    operator = api.operator()["id"]
    source = api.source()["id"]
    rows = [{"operator_id": operator, "source_id": source, "weight": weight} for weight in (3, 9)]
    answer = api.request(method, f"{PATH}/{source}/distribution", {"operator_weights": rows}).json
    assert answer[-1]["weight"] == 9
    assert weights_of(api, source) == {operator: 9}


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_unknown_operator_is_a_404_and_no_weight_is_stored(api, database, method):
    operator = api.operator()["id"]
    source = api.source({operator: 5})["id"]
    rows = [{"operator_id": id, "source_id": source, "weight": 7} for id in (operator, 999999)]
    answer = api.request(method, f"{PATH}/{source}/distribution", {"operator_weights": rows})
    must_be_error(answer, 404, code="operator_not_found")
    assert database.rows("select operator_id, weight from weights where source_id = %s", source) == [(operator, 5)]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_row_of_another_source_is_a_400_and_no_weight_is_stored(api, method):
    operator, other = api.operator()["id"], api.source()["id"]
    source = api.source({operator: 5})["id"]
    rows = [{"operator_id": operator, "source_id": id, "weight": 7} for id in (source, other)]
    must_be_error(api.request(method, f"{PATH}/{source}/distribution", {"operator_weights": rows}), 400)
    assert weights_of(api, source) == {operator: 5} and weights_of(api, other) == {}


def test_weights_from_one_to_a_million_are_stored(api):
    first, second = api.operator()["id"], api.operator()["id"]
    assert weights_of(api, api.source({first: 1, second: 1_000_000})["id"]) == {first: 1, second: 1_000_000}


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("body, faults", [
    ({}, [missing(WEIGHTS, {})]),
    ({"operator_weights": None}, [not_list(WEIGHTS, None)]),
    ({"operator_weights": {}}, [not_list(WEIGHTS, {})]),
    ({"operator_weights": [1]}, [not_object([*WEIGHTS, 0], 1)]),
    ({"operator_weights": [{"operator_id": 1, "source_id": 1, "weight": 0}]}, [too_small([*WEIGHTS, 0, "weight"], 0, 1)]),
    ({"operator_weights": [{"operator_id": 1, "source_id": 1, "weight": 1_000_001}]},
     [too_large([*WEIGHTS, 0, "weight"], 1_000_001, 1_000_000)]),
    ({"operator_weights": [{"weight": 0}, {"operator_id": "a", "source_id": 1}]},
     [missing([*WEIGHTS, 0, "operator_id"], {"weight": 0}), missing([*WEIGHTS, 0, "source_id"], {"weight": 0}),
      too_small([*WEIGHTS, 0, "weight"], 0, 1), not_parsed([*WEIGHTS, 1, "operator_id"], "a")]),
    ([], [not_object(["body"], [])]),
])
def test_a_faulty_distribution_is_a_422_with_all_faults(api, method, body, faults):
    must_have_faults(api.request(method, f"{PATH}/{api.source()['id']}/distribution", body), *faults)


def test_bare_weights_replace_the_whole_set(api):
    first, second, third = (api.operator()["id"] for _ in range(3))
    source = api.source({first: 1, second: 2})["id"]
    sent = [{"operator_id": third, "weight": 30}, {"operator_id": second}]
    for slash in ("", "/"):
        rows = api.post(f"{PATH}/{source}/weights{slash}", sent).must_be(200).json
        assert [list(row) for row in rows] == [WEIGHT_ROW, WEIGHT_ROW]
        assert [(row["source_id"], row["operator_id"], row["weight"]) for row in rows] == [
            (source, third, 30), (source, second, 1)]
        read = api.get(f"{PATH}/{source}/weights{slash}").must_be(200).json
        assert sorted(read, key=lambda row: row["id"]) == sorted(rows, key=lambda row: row["id"])
    assert weights_of(api, source) == {second: 1, third: 30}


def test_empty_bare_weights_clear_the_set(api):
    source, _ = api.staffed_source()
    assert api.post(f"{PATH}/{source['id']}/weights", []).must_be(200).json == []
    assert api.read(f"sources/{source['id']}/weights") == []


def test_bare_weights_with_an_unknown_operator_change_nothing(api):
    operator = api.operator()["id"]
    source = api.source({operator: 5})["id"]
    answer = api.post(f"{PATH}/{source}/weights", [{"operator_id": operator}, {"operator_id": 999999}])
    must_be_error(answer, 404, "Operator with id 999999 not found", "operator_not_found")
    assert weights_of(api, source) == {operator: 5}


@pytest.mark.parametrize("body, faults", [
    ({}, [not_list(["body"], {})]),
    ([{}, 5], [missing(["body", 0, "operator_id"], {}), not_object(["body", 1], 5)]),
    ([{"operator_id": 1, "weight": 0}], [too_small(["body", 0, "weight"], 0, 1)]),
])
def test_faulty_bare_weights_are_a_422_with_all_faults(api, body, faults):
    must_have_faults(api.post(f"{PATH}/{api.source()['id']}/weights", body), *faults)
