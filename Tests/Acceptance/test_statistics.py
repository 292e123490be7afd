"""GET /stats/distribution, /contacts/stats/distribution and /operators/{id}/stats."""

from collections import Counter
from random import Random

import pytest

from client import unique
from load import generator, in_parallel
from shapes import (CONTACT_DISTRIBUTION, OPERATOR_STATISTICS, SOURCE_STATISTICS, STATISTICS, SUMMARY,
                    check_statistics_of_an_operator, must_be_error)
from waiting import eventually

PATH = "/api/v1/stats/distribution"


def statistics(api, slash: str = "") -> dict:
    answer = api.get(PATH + slash).must_be(200).json
    assert list(answer) == STATISTICS
    assert list(answer["summary"]) == SUMMARY
    assert all(list(row) == OPERATOR_STATISTICS for row in answer["by_operator"])
    assert all(list(row) == SOURCE_STATISTICS for row in answer["by_source"])
    return answer


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_empty_system_has_empty_statistics(empty_api, slash):
    assert statistics(empty_api, slash) == {
        "by_operator": [], "by_source": [], "summary": dict.fromkeys(SUMMARY, 0),
    }


def test_the_statistics_count_what_is_there(empty_api):
    api = empty_api
    busy, idle = api.operator(name="Анна", max_load=3), api.operator(name="Bob", is_active=False)
    source, other = api.source({busy["id"]: 1}, name="Бот"), api.source({busy["id"]: 1}, name="Form")
    contacts = [api.contact(source["id"], lead_phone="+79001234567") for _ in range(2)]
    api.contact(other["id"])
    api.close_contact(contacts[0]["id"])
    assert statistics(api) == {
        "by_operator": [
            {"operator_id": busy["id"], "operator_name": "Анна", "total_contacts": 3, "active_contacts": 2,
             "load_percentage": 66.67, "max_load": 3},
            {"operator_id": idle["id"], "operator_name": "Bob", "total_contacts": 0, "active_contacts": 0,
             "load_percentage": 0.0, "max_load": 10},
        ],
        "by_source": [
            {"source_id": source["id"], "source_name": "Бот", "total_contacts": 2},
            {"source_id": other["id"], "source_name": "Form", "total_contacts": 1},
        ],
        "summary": {"total_leads": 2, "total_contacts": 3, "active_contacts": 2, "operators_online": 1,
                    "operators_total": 2},
    }


def test_waiting_contacts_belong_to_their_source_but_to_no_operator(empty_api):
    source, _ = empty_api.staffed_source(max_load=1)
    for _ in range(3):
        empty_api.contact(source["id"])
    shown = statistics(empty_api)
    assert [(row["total_contacts"], row["load_percentage"]) for row in shown["by_operator"]] == [(1, 100.0)]
    assert shown["by_source"][0]["total_contacts"] == 3
    assert shown["summary"]["total_contacts"] == 3


def test_the_statistics_agree_with_the_operators(empty_api):
    operators = [empty_api.operator(max_load=limit)["id"] for limit in (1, 4, 7)]
    source = empty_api.source(dict.fromkeys(operators, 1))["id"]
    for _ in range(9):
        empty_api.contact(source)
    shown = {row["operator_id"]: row for row in statistics(empty_api)["by_operator"]}
    for operator in empty_api.read("operators"):
        row = shown[operator["id"]]
        assert row["active_contacts"] == operator["current_load"]
        assert row["load_percentage"] == round(100 * operator["current_load"] / operator["max_load"], 2)


# One operator's

def of_operator(api, id: int, slash: str = "") -> dict:
    return check_statistics_of_an_operator(api.get(f"/api/v1/operators/{id}/stats{slash}").must_be(200).json)


def test_an_operators_statistics_count_by_source_what_it_has_and_had(api):
    operator = api.operator(name="Анна", max_load=4)
    bot, form, _ = (api.source({operator["id"]: 1}, name=unique(name)) for name in ("Бот", "Form", "Silent"))
    named = {key: operator[key] for key in ("id", "name", "is_active", "max_load", "current_load")}
    assert of_operator(api, operator["id"]) == {
        "operator": named, "contacts_total": 0, "contacts_active": 0, "by_source": []}
    ids = [api.contact(source["id"])["id"] for source in (bot, form, bot, bot, form)]
    assert api.read("contacts", ids[4])["status"] == "new"
    by_source = [{"source_id": bot["id"], "source_name": bot["name"], "count": 3},
                 {"source_id": form["id"], "source_name": form["name"], "count": 1}]
    for slash in ("", "/"):
        assert of_operator(api, operator["id"], slash) == {
            "operator": named | {"current_load": 4}, "contacts_total": 4, "contacts_active": 4, "by_source": by_source}


def test_an_operators_statistics_follow_closing_and_reopening(api):
    source, operator = api.staffed_source(max_load=2)
    first, second, waiting = (api.contact(source["id"])["id"] for _ in range(3))

    def numbers() -> tuple[int, int]:
        shown = of_operator(api, operator["id"])
        return shown["contacts_total"], shown["contacts_active"]

    assert numbers() == (2, 2)
    api.close_contact(first)  # its place goes to the waiting one
    assert numbers() == (3, 2)
    api.close_contact(second)
    assert numbers() == (3, 1)
    api.reopen_contact(first)
    assert numbers() == (3, 2)
    api.reopen_contact(second)  # nobody is free: it waits and is nobody's
    assert api.read("contacts", second)["status"] == "new"
    assert numbers() == (2, 2)
    api.change_operator(operator["id"], is_active=False, requeue=True)
    assert numbers() == (0, 0)
    assert of_operator(api, operator["id"])["operator"]["is_active"] is False


def test_an_operators_statistics_agree_with_its_contacts(api):
    operators = [api.operator(max_load=limit)["id"] for limit in (2, 3, 9)]
    sources = [api.source(dict.fromkeys(operators[start:], 1))["id"] for start in (0, 1)]
    for number in range(24):
        contact = api.contact(sources[number % 2])
        if number % 4 == 0 and contact["operator_id"]:
            api.close_contact(contact["id"])
    for id in operators:
        mine = api.get(f"/api/v1/contacts?operator_id={id}&limit=1000").json
        shown = of_operator(api, id)
        assert shown["contacts_total"] == len(mine)
        assert shown["contacts_active"] == sum(contact["status"] == "active" for contact in mine)
        assert {row["source_id"]: row["count"] for row in shown["by_source"]} == Counter(
            contact["source_id"] for contact in mine)


def test_the_statistics_of_an_unknown_operator_are_a_404(api):
    for id in (999999, 0, -1):
        must_be_error(api.get(f"/api/v1/operators/{id}/stats"), 404, "Operator not found", "operator_not_found")


# GET /contacts/stats/distribution

def of_contacts(api, *sources: int) -> list[dict]:
    """The rows of these sources, or all."""
    rows = api.get("/api/v1/contacts/stats/distribution").must_be(200).json
    assert all(list(row) == CONTACT_DISTRIBUTION for row in rows)
    return [row for row in rows if not sources or row["source_id"] in sources]


def test_contacts_are_counted_by_source_and_operator(empty_api):
    api = empty_api
    assert of_contacts(api) == []
    anna, bob = api.operator(name="Анна", max_load=2), api.operator(name="Bob", max_load=1)
    bot, form = api.source({anna["id"]: 1}, name="Бот"), api.source({bob["id"]: 1}, name="Form")
    api.source({anna["id"]: 1}, name="Silent")
    assert of_contacts(api) == []
    contacts = [api.contact(source["id"])["id"] for source in (form, bot, form, bot, bot, bot)]

    def row(source, operator, count):
        return {"source_id": source["id"], "source_name": source["name"], "operator_id": operator and operator["id"],
                "operator_name": operator and operator["name"], "contacts_count": count}

    assert of_contacts(api) == [row(bot, anna, 2), row(bot, None, 2), row(form, bob, 1), row(form, None, 1)]
    api.close_contact(contacts[2])  # while it waited: it remains nobody's
    api.close_contact(contacts[1])  # the first that waits for the bot takes the place
    assert of_contacts(api) == [row(bot, anna, 3), row(bot, None, 1), row(form, bob, 1), row(form, None, 1)]
    api.change_operator(bob["id"], is_active=False, requeue=True)
    assert of_contacts(api) == [row(bot, anna, 3), row(bot, None, 1), row(form, None, 2)]
    assert api.get("/api/v1/contacts/stats/distribution/").must_be(200).json == of_contacts(api)


def test_an_archived_operator_is_still_counted_for_what_it_closed(api):
    source, operator = api.staffed_source()
    closed, _ = (api.contact(source["id"])["id"] for _ in range(2))
    api.close_contact(closed)
    api.archive_operator(operator["id"])
    assert [(row["operator_id"], row["operator_name"], row["contacts_count"]) for row in of_contacts(api, source["id"])] == [
        (operator["id"], operator["name"], 1), (None, None, 1)]


def test_names_are_shown_as_they_are_now(api):
    source, operator = api.staffed_source()
    api.contact(source["id"])
    api.change_operator(operator["id"], name="Новое имя")
    api.patch(f"/api/v1/sources/{source['id']}", {"name": "Другой источник"}).must_be(200)
    [row] = of_contacts(api, source["id"])
    assert (row["source_name"], row["operator_name"]) == ("Другой источник", "Новое имя")


# Against a recount

@pytest.mark.parametrize("sweep", [1, 3600])
def test_after_random_changes_by_many_at_once_all_statistics_are_those_of_a_recount(servers, empty_database, sweep):
    """The changes of running counts are summed up every second by both instances, or never."""
    random = generator(f"statistics, sweep {sweep}")
    instances = servers(2, LEADS_SWEEP_SECONDS=sweep)
    clients = [instances[thread % 2].client() for thread in range(8)]
    api = clients[0]
    operators = [api.operator(max_load=random.randint(2, 8))["id"] for _ in range(6)]
    sources = [api.source({id: random.randint(1, 9) for id in random.sample(operators, 3)})["id"] for _ in range(3)]
    changes = [random.choices(
        ["register", "close", "reopen", "limit", "activity", "requeue", "weights", "archive"],
        weights=[40, 25, 15, 4, 4, 3, 6, 1])[0] for _ in range(300)]
    seeds = [random.random() for _ in changes]
    contacts: list[int] = []

    def change(thread: int, number: int) -> None:
        client, choice = clients[thread], Random(seeds[number])
        operator, source = f"/api/v1/operators/{choice.choice(operators)}", choice.choice(sources)
        known = contacts or [1]
        allowed = {200, 404}
        match changes[number]:
            case "register":
                keys = {"lead_phone": f"+7900555{choice.randint(1000, 1030)}"} if choice.random() < 0.7 else {}
                contacts.append(client.contact(source, priority=choice.randint(0, 2), **keys)["id"])
                return
            case "close" | "reopen" as word:
                answer = client.post(f"/api/v1/contacts/{choice.choice(known)}/{word}")
            case "limit":
                answer = client.patch(operator, {"max_load": choice.randint(1, 9)})
            case "activity":
                answer = client.patch(operator, {"is_active": choice.random() < 0.7})
            case "requeue":
                answer = client.patch(operator, {"is_active": False, "requeue": True})
            case "weights":
                weights = [{"operator_id": id, "weight": 1 + id} for id in choice.sample(operators, choice.randint(0, 3))]
                answer = client.post(f"/api/v1/sources/{source}/weights", weights)
            case "archive":
                answer = client.delete(operator)
        assert answer.status in allowed, (changes[number], answer.status, answer.text)

    in_parallel(len(clients), change, range(len(changes)), seconds=60)
    eventually(lambda: empty_database.stranded() == [], 5, lambda: f"stranded: {empty_database.stranded()}")
    assert empty_database.tally_drift() == [] and empty_database.load_drift() == []
    must_be_the_recount(api, empty_database)
    assert empty_database.deadlocks() == 0


def must_be_the_recount(api, database) -> None:
    shown = statistics(api)
    assert [(row["operator_id"], row["total_contacts"], row["active_contacts"]) for row in shown["by_operator"]] \
        == database.contacts_by_operator()
    assert [(row["source_id"], row["total_contacts"]) for row in shown["by_source"]] == database.contacts_by_source()
    assert tuple(shown["summary"].values()) == database.summary()
    assert [(row["source_id"], row["operator_id"], row["contacts_count"]) for row in of_contacts(api)] \
        == database.contacts_by_source_and_operator()
    for row in shown["by_operator"]:
        own = of_operator(api, row["operator_id"])
        assert (own["contacts_total"], own["contacts_active"]) == (row["total_contacts"], row["active_contacts"])
        assert [(row["source_id"], own["operator"]["id"], row["count"]) for row in own["by_source"]] == [
            each for each in database.contacts_by_source_and_operator() if each[1] == own["operator"]["id"]]


def test_contacts_written_by_sql_are_counted_at_once(empty_api, empty_database):
    source = empty_api.source()["id"]
    lead = empty_api.contact(source)["lead_id"]
    empty_database.add_waiting_contacts(lead, source, 100)
    assert [row["contacts_count"] for row in of_contacts(empty_api)] == [101]
    must_be_the_recount(empty_api, empty_database)
