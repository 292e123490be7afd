"""DELETE /operators/{id}: the operator is archived. It leaves everything but history, and its contacts go to others."""

import pytest

from load import Background, in_parallel
from shapes import SOURCE_WITH_WEIGHTS, check_contact, check_source, check_statistics_of_an_operator, must_be_error
from waiting import eventually

PATH = "/api/v1/operators"
AT_ONCE = 1.0  # seconds: capacity is used at once, not by a sweep


def listed(api, collection: str) -> list[int]:
    return [each["id"] for each in api.get(f"/api/v1/{collection}?limit=1000").must_be(200).json]


def must_be_unknown(answer) -> None:
    must_be_error(answer, 404, "Operator not found", "operator_not_found")


@pytest.fixture
def archived(api) -> int:
    """An operator who had a weight and was archived."""
    _, operator = api.staffed_source()
    api.archive_operator(operator["id"])
    return operator["id"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_deleting_an_operator_says_so_once(api, slash):
    id = api.operator()["id"]
    assert api.delete(f"{PATH}/{id}{slash}").must_be(200).json == {"message": "Operator deleted successfully"}
    must_be_unknown(api.delete(f"{PATH}/{id}{slash}"))


def test_deleting_an_unknown_operator_is_a_404(api, database):
    before = database.value("select count(*) from events")
    for id in (999999, 0, -1):
        must_be_unknown(api.delete(f"{PATH}/{id}"))
    assert database.value("select count(*) from events") == before


def test_a_body_sent_along_is_ignored(api):
    id = api.operator()["id"]
    api.request("DELETE", f"{PATH}/{id}", {"reason": "gone"}).must_be(200)


@pytest.mark.parametrize("method, suffix, body", [
    ("GET", "", ...), ("GET", "/stats", ...), ("PATCH", "", {"name": "x"}), ("PUT", "", {"is_active": True}),
    ("PATCH", "/activate", {"active": True}), ("PATCH", "/load-limit", {"max_load": 5}),
])
def test_an_archived_operator_is_a_404(api, database, archived, method, suffix, body):
    must_be_unknown(api.request(method, f"{PATH}/{archived}{suffix}", body))
    assert database.value("select is_active from operator_loads where operator_id = %s", archived) is False


def test_an_archived_operator_is_in_no_list_and_no_total(empty_api):
    api = empty_api
    source, operator = api.staffed_source()
    other = api.operator()["id"]
    api.contact(source["id"])
    api.archive_operator(operator["id"])
    for query in ("", "?is_active=true", "?is_active=false", "?order=desc", "?cursor=0", "?skip=0"):
        expected = [] if "false" in query else [other]
        assert [each["id"] for each in api.get(f"{PATH}{query}").must_be(200).json] == expected, query
    statistics = api.read("stats/distribution")
    assert [row["operator_id"] for row in statistics["by_operator"]] == [other]
    assert [statistics["summary"][key] for key in ("operators_online", "operators_total")] == [1, 1]
    assert [statistics["summary"][key] for key in ("total_contacts", "active_contacts")] == [1, 1]


def test_the_weights_of_an_archived_operator_are_gone_and_its_sources_still_read(api, database):
    operators = [api.operator()["id"] for _ in range(2)]
    sources = [api.source(dict.fromkeys(operators, 3))["id"], api.source({operators[0]: 1})["id"]]
    api.archive_operator(operators[0])
    for source, left in zip(sources, ([operators[1]], [])):
        shown = check_source(api.read("sources", source), SOURCE_WITH_WEIGHTS)
        assert [row["operator_id"] for row in shown["operator_weights"]] == left
        for suffix in ("distribution", "weights"):
            rows = api.get(f"/api/v1/sources/{source}/{suffix}").must_be(200).json
            assert [row["operator_id"] for row in rows] == left
        assert source in listed(api, "sources")
    assert database.rows("select id from weights where operator_id = %s", operators[0]) == []
    api.contact(sources[0])
    assert api.contact(sources[1])["waiting_reason"] == "no_operators"


@pytest.mark.parametrize("method, suffix, wrap", [
    ("POST", "distribution", lambda rows: {"operator_weights": rows}),
    ("PUT", "distribution", lambda rows: {"operator_weights": rows}), ("POST", "weights", lambda rows: rows),
])
def test_an_archived_operator_gets_no_weight_and_nothing_is_stored(api, archived, method, suffix, wrap):
    other = api.operator()["id"]
    source = api.source()["id"]
    rows = [{"operator_id": id, "source_id": source, "weight": 2} for id in (other, archived)]
    answer = api.request(method, f"/api/v1/sources/{source}/{suffix}", wrap(rows))
    must_be_error(answer, 404, f"Operator with id {archived} not found", "operator_not_found")
    assert api.read("sources", source)["operator_weights"] == []


def test_the_contacts_of_an_archived_operator_are_at_once_with_whoever_can_take_them(api, database):
    leaving, staying = api.operator(max_load=5)["id"], api.operator(max_load=3, is_active=False)["id"]
    source = api.source({leaving: 1, staying: 1})["id"]
    ids = [api.contact(source)["id"] for _ in range(5)]
    closed, *open = ids
    api.close_contact(closed)
    api.change_operator(staying, is_active=True)
    api.archive_operator(leaving)
    placed = [check_contact(api.read("contacts", id)) for id in open]
    assert [(each["status"], each["operator_id"]) for each in placed] == [("active", staying)] * 3 + [("new", None)]
    assert placed[3]["waiting_reason"] == "all_at_limit" and placed[3]["assigned_at"] is None
    assert api.load(staying) == 3
    assert database.value("select load from operator_loads where operator_id = %s", leaving) == 0
    assert database.broken_loads() == [] and database.stranded() == []
    api.close_contact(open[0])
    eventually(lambda: api.read("contacts", open[3])["operator_id"] == staying, AT_ONCE, "the last one is forgotten")


def test_with_nobody_left_the_contacts_wait_in_their_old_order(api):
    source, operator = api.staffed_source(max_load=3)
    ids = [api.contact(source["id"])["id"] for _ in range(4)]
    api.archive_operator(operator["id"])
    waiting = [check_contact(api.read("contacts", id)) for id in ids]
    assert {(each["status"], each["operator_id"], each["waiting_reason"]) for each in waiting} == {
        ("new", None, "no_operators")}
    someone = api.operator(max_load=2)["id"]
    api.distribute(source["id"], {someone: 1})
    assert [api.read("contacts", id)["operator_id"] for id in ids] == [someone, someone, None, None]


def test_contacts_of_several_sources_go_to_the_people_of_each(api, database):
    leaving = api.operator(max_load=6)["id"]
    others = [api.operator(max_load=1, is_active=False)["id"] for _ in range(2)]
    sources = [api.source({leaving: 1, other: 1})["id"] for other in others] + [api.source({leaving: 1})["id"]]
    ids = [[api.contact(source)["id"] for _ in range(2)] for source in sources]
    for other in others:
        api.change_operator(other, is_active=True)
    api.archive_operator(leaving)
    where = [[api.read("contacts", id)["operator_id"] for id in each] for each in ids]
    assert where == [[others[0], None], [others[1], None], [None, None]]
    assert database.broken_loads() == [] and database.stranded() == []


def test_a_closed_contact_still_shows_its_archived_operator(api):
    source, operator = api.staffed_source()
    contact = api.contact(source["id"])["id"]
    before = check_contact(api.close_contact(contact))
    api.archive_operator(operator["id"])
    after = check_contact(api.read("contacts", contact))
    assert after["operator_id"] == operator["id"] and after["operator"]["name"] == operator["name"]
    assert after["operator"]["is_active"] is False and after["operator"]["current_load"] == 0
    assert {**after, "operator": None} == {**before, "operator": None}
    assert api.get(f"/api/v1/contacts?operator_id={operator['id']}").json == [after]
    assert api.read("leads", after["lead_id"])["contacts"] == [after]


def test_a_closed_contact_of_an_archived_operator_reopens_with_somebody_else(api):
    leaving, staying = api.operator()["id"], api.operator(is_active=False)["id"]
    source = api.source({leaving: 1, staying: 1})["id"]
    first, second = (api.contact(source)["id"] for _ in range(2))
    for contact in (first, second):
        api.close_contact(contact)
    api.archive_operator(leaving)
    assert check_contact(api.reopen_contact(first))["waiting_reason"] == "all_inactive"
    api.change_operator(staying, is_active=True)
    assert check_contact(api.reopen_contact(second))["operator_id"] == staying
    assert api.read("contacts", first)["operator_id"] == staying


def test_history_keeps_the_archived_operator(api, database):
    source, operator = api.staffed_source()
    contact = api.contact(source["id"])["id"]
    api.archive_operator(operator["id"])
    kinds = database.rows("select kind, contact_id, from_operator_id from events where from_operator_id = %s order by id",
                          operator["id"])
    assert kinds == [("released", contact, operator["id"]), ("operator_archived", None, operator["id"])]
    assert database.rows("select is_archived, load from report.operator_load where operator_id = %s",
                         operator["id"]) == [(True, 0)]


def test_a_contact_released_by_archiving_has_a_new_version_and_its_old_place(api):
    source, operator = api.staffed_source(max_load=1)
    contact, later = api.contact(source["id"]), api.contact(source["id"])
    api.archive_operator(operator["id"])
    released = check_contact(api.read("contacts", contact["id"]))
    assert released["version"] == contact["version"] + 1 and released["created_at"] == contact["created_at"]
    assert released["updated_at"] is not None
    someone = api.operator(max_load=1)["id"]
    api.distribute(source["id"], {someone: 1})
    assert api.read("contacts", contact["id"])["operator_id"] == someone
    assert api.read("contacts", later["id"])["status"] == "new"


def test_more_contacts_than_one_transaction_places_are_all_placed_without_a_sweep(servers, empty_database):
    [server] = servers(1, LEADS_SWEEP_SECONDS=3600)
    api = server.client()
    leaving, staying = (api.operator(max_load=2000)["id"] for _ in range(2))
    source = api.source({leaving: 1})["id"]
    lead = api.contact(source)["lead_id"]
    empty_database.add_active_contacts(lead, source, leaving, 1199)
    api.distribute(source, {staying: 1})
    api.archive_operator(leaving)
    eventually(lambda: api.load(staying) == 1200, 10, lambda: f"{api.load(staying)} of 1200 are placed")
    assert empty_database.stranded() == [] and empty_database.broken_loads() == []
    assert empty_database.load_drift() == [] and empty_database.tally_drift() == []


def test_of_two_who_delete_at_once_one_hears_that_it_is_gone(server, api, database):
    for _ in range(10):
        source, operator = api.staffed_source()
        api.contact(source["id"])
        answers = []
        in_parallel(4, lambda thread, _: answers.append(server.client().delete(f"{PATH}/{operator['id']}").status),
                    range(4), seconds=10)
        assert sorted(answers) == [200, 404, 404, 404]
        assert database.value("select count(*) from events where kind = 'operator_archived' and from_operator_id = %s",
                              operator["id"]) == 1


def test_archiving_while_contacts_arrive_forgets_nobody(servers, empty_database):
    [server], database = servers(1), empty_database
    api = server.client()
    operators = [api.operator(max_load=8)["id"] for _ in range(6)]
    source = api.source(dict.fromkeys(operators, 1))["id"]
    clients = [server.client() for _ in range(6)]

    def archive(stop):
        for operator in operators[:4]:
            known = len(api.get(f"/api/v1/contacts?source_id={source}&limit=1000").json)
            eventually(lambda: stop.is_set() or database.value(
                "select count(*) from contacts where source_id = %s", source) >= known + 5, 10, "no contacts arrive")
            api.archive_operator(operator)

    with Background(archive):
        in_parallel(6, lambda thread, _: clients[thread].contact(source), range(60), seconds=30)
    eventually(lambda: database.stranded() == [], 5, lambda: f"stranded: {database.stranded()}")
    assert database.broken_loads() == [] and database.overtakings() == []
    shown = [api.read("contacts", each["id"])
             for each in api.get(f"/api/v1/contacts?source_id={source}&limit=1000").json]
    assert len(shown) == 60
    assert {each["operator_id"] for each in shown} == {None, *operators[4:]}
    assert sum(each["status"] == "active" for each in shown) == 16
    for operator in operators[4:]:
        assert check_statistics_of_an_operator(api.get(f"{PATH}/{operator}/stats").json)["contacts_active"] == 8
