"""A client of each reference goes through all it does, unchanged, through HAProxy before three instances.

Only what such a client relies on is looked at; the whole contract is tested elsewhere. Its ids are those of an empty
database, as in the README of reference B.
"""

import collections

import pytest

from balancer import Trio
from client import Client

CONTACTS = 40


@pytest.fixture
def client(instances, empty_database):
    """Plain HTTP to the balancer, over one connection."""
    trio = Trio(instances, empty_database)
    client = trio.balancer.client()
    yield client
    client.close()
    trio.end()


def does(client: Client, method: str, path: str, body=..., status: int = 200, **options):
    return client.request(method, "/api/v1" + path, body, **options).must_be(status).json


def test_a_client_of_reference_a_goes_through_its_day(client):
    """A's collections end in a slash; leads have external ids, weights are a bare list, contacts have a status."""
    anna = does(client, "POST", "/operators/", {"name": "Anna", "is_active": True, "max_load": 2}, 201)
    boris = does(client, "POST", "/operators/", {"name": "Boris"}, 201)
    assert (anna["id"], boris["id"], boris["is_active"], boris["max_load"]) == (1, 2, True, 10)
    assert [each["name"] for each in does(client, "GET", "/operators/")] == ["Anna", "Boris"]
    boris = does(client, "PATCH", "/operators/2", {"max_load": 1})
    assert (boris["name"], boris["max_load"]) == ("Boris", 1)
    assert does(client, "GET", "/operators/2")["max_load"] == 1
    assert does(client, "GET", "/operators/9", status=404)["detail"] == "Operator not found"

    bot = does(client, "POST", "/sources/", {"name": "bot", "description": "Telegram"}, 201)["id"]
    does(client, "POST", "/sources/", {"name": "bot"}, 400)
    assert [each["name"] for each in does(client, "GET", "/sources/")] == ["bot"]
    does(client, "POST", f"/sources/{bot}/weights", [{"operator_id": 1, "weight": 5}])
    set_to = does(client, "POST", f"/sources/{bot}/weights", [{"operator_id": 1, "weight": 1}, {"operator_id": 2}])
    assert [(each["operator_id"], each["weight"]) for each in set_to] == [(1, 1), (2, 1)]
    assert does(client, "GET", f"/sources/{bot}/weights") == set_to
    does(client, "POST", f"/sources/{bot}/weights", [{"operator_id": 9}], 404)
    assert does(client, "GET", f"/sources/{bot}/weights") == set_to
    assert len(does(client, "GET", f"/sources/{bot}")["operator_weights"]) == 2

    made = [does(client, "POST", "/contacts/", {
        "lead_external_id": f"tg-{number % 2}", "lead_phone": None, "lead_email": f"lead{number % 2}@example.com",
        "source_id": bot, "message": f"Question {number}"}, 201) for number in range(4)]
    assert made[0]["lead_id"] == made[2]["lead_id"] != made[1]["lead_id"]
    assert made[0]["lead_external_id"] == "tg-0" and made[0]["lead_email"] == "lead0@example.com"
    assert collections.Counter(each["operator_id"] for each in made) == {1: 2, 2: 1, None: 1}
    assert [each["status"] for each in made] == ["active", "active", "active", "new"]
    does(client, "POST", "/contacts/", {"lead_external_id": "tg-0", "source_id": 9}, 404)

    assert [each["id"] for each in does(client, "GET", "/contacts/")] == [each["id"] for each in made]
    assert does(client, "GET", f"/contacts/{made[1]['id']}")["message"] == "Question 1"
    by_boris = does(client, "GET", "/contacts/?operator_id=2&status=active")
    assert len(by_boris) == 1
    assert "message" in does(client, "PATCH", f"/contacts/{by_boris[0]['id']}/status", {"status": "closed"})
    assert does(client, "GET", f"/contacts/{by_boris[0]['id']}")["status"] == "closed"
    assert does(client, "GET", f"/contacts/{made[3]['id']}")["operator_id"] == 2

    leads = does(client, "GET", "/leads/")
    assert [(each["external_id"], len(each["contacts"])) for each in leads] == [("tg-0", 2), ("tg-1", 2)]
    lead = does(client, "GET", "/leads/by-external/tg-1")
    assert lead["id"] == leads[1]["id"] == does(client, "GET", f"/leads/{lead['id']}")["id"]
    assert {each["message"] for each in lead["contacts"]} == {"Question 1", "Question 3"}
    assert does(client, "GET", "/leads/by-external/none", status=404)["detail"] == "Lead not found"


def test_a_client_of_reference_b_goes_through_its_day(client):
    """B has no slashes at the end; its README, then the other calls of its list."""
    russian = {"headers": {"Accept-Language": "ru"}}
    for name in ("Оператор 1", "Оператор 2"):
        does(client, "POST", "/operators", {"name": name, "is_active": True, "max_load": 5}, 201)
    does(client, "PATCH", "/operators/1/activate", {"active": False})
    assert not does(client, "GET", "/operators/1")["is_active"]
    does(client, "PATCH", "/operators/1/activate", {"active": True})
    does(client, "PATCH", "/operators/2/load-limit", {"max_load": 1000})
    does(client, "PATCH", "/operators/1/load-limit", {"max_load": 1000})
    assert [(each["id"], each["max_load"]) for each in does(client, "GET", "/operators")] == [(1, 1000), (2, 1000)]
    missing = does(client, "PATCH", "/operators/9/load-limit", {"max_load": 1}, 404, **russian)
    assert missing["detail"] == "Оператор не найден"

    does(client, "POST", "/sources", {"name": "telegram_bot", "description": "Бот"}, 201)
    taken = does(client, "POST", "/sources", {"name": "telegram_bot"}, 400, **russian)
    assert taken["detail"] == "Источник с таким именем уже существует"
    weights = [{"operator_id": 1, "source_id": 1, "weight": 10}, {"operator_id": 2, "source_id": 1, "weight": 30}]
    rows = does(client, "POST", "/sources/1/distribution", {"operator_weights": weights}, 201)
    assert [(each["operator_id"], each["source_id"], each["weight"]) for each in rows] == [(1, 1, 10), (2, 1, 30)]
    assert [each["weight"] for each in does(client, "GET", "/sources/1")["operator_weights"]] == [10, 30]

    first = does(client, "POST", "/contacts", {
        "source_id": 1, "lead_phone": "+79001234567", "lead_name": "Иван", "message": "Перезвоните"}, 201)
    assert first["lead"]["phone"] == "+79001234567" and first["lead"]["name"] == "Иван" and first["is_active"]
    assert first["operator"]["id"] in (1, 2) and first["source"]["name"] == "telegram_bot"
    for number in range(1, CONTACTS):
        contact = {"source_id": 1, "lead_phone": f"+7900123{number:04}", "message": f"Вопрос {number}"}
        assert does(client, "POST", "/contacts", contact, 201)["operator_id"] in (1, 2)
    again = {"source_id": 1, "lead_phone": "+79001234567", "message": "Снова я"}
    assert does(client, "POST", "/contacts", again, 201)["lead_id"] == first["lead_id"]

    assert len(does(client, "GET", "/contacts?limit=1000")) == CONTACTS + 1
    assert len(does(client, "GET", "/contacts?skip=30&limit=5")) == 5
    counts = does(client, "GET", "/contacts/stats/distribution")
    assert sum(each["contacts_count"] for each in counts) == CONTACTS + 1
    counted = {each["operator_id"]: each["contacts_count"] for each in counts}
    assert counted.keys() == {1, 2}
    assert {each["source_name"] for each in counts} == {"telegram_bot"}
    lead = does(client, "GET", f"/leads/{first['lead_id']}")
    assert {each["message"] for each in lead["contacts"]} == {"Перезвоните", "Снова я"}
    assert does(client, "GET", "/leads/999", status=404, **russian)["detail"] == "Лид не найден"

    stats = does(client, "GET", f"/operators/{first['operator_id']}/stats")
    assert stats["operator"]["current_load"] == stats["contacts_active"] == counted[first["operator_id"]]
    assert does(client, "PATCH", f"/contacts/{first['id']}/status", {"is_active": False})["message"]
    assert not does(client, "GET", f"/contacts/{first['id']}")["is_active"]
    after = does(client, "GET", f"/operators/{first['operator_id']}/stats")
    assert (after["contacts_active"], after["contacts_total"]) == (stats["contacts_active"] - 1, stats["contacts_total"])

    summary = does(client, "GET", "/stats/distribution")["summary"]
    assert (summary["total_contacts"], summary["active_contacts"]) == (CONTACTS + 1, CONTACTS)
    assert "message" in does(client, "DELETE", "/operators/1")
    assert [each["id"] for each in does(client, "GET", "/operators")] == [2]
    assert does(client, "POST", "/contacts", {"source_id": 1, "lead_name": "Последний"}, 201)["operator_id"] == 2
    assert [each["operator_name"] for each in does(client, "GET", "/stats/distribution")["by_operator"]][-1] == "Оператор 2"
