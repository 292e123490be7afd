"""GET /sources/{id}/shares: who is to get how much of a source, and who got it."""

import datetime
import math
from urllib.parse import quote

import pytest

from shapes import SOURCE_SHARE, must_be_error

Z = 1.959963984540054


def shares(api, source: int, **period) -> list[dict]:
    query = "&".join(f"{name.rstrip('_')}={quote(moment)}" for name, moment in period.items())
    rows = api.get(f"/api/v1/sources/{source}/shares?{query}").must_be(200).json
    assert all(list(row) == SOURCE_SHARE for row in rows)
    assert [row["operator_id"] for row in rows] == sorted(row["operator_id"] for row in rows)
    return rows


def wilson(p: float, n: int) -> tuple[float, float]:
    if n == 0:
        return 0, 1
    middle, spread = p + Z * Z / (2 * n), Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return pytest.approx((middle - spread) / (1 + Z * Z / n), abs=1e-12), pytest.approx((middle + spread) / (1 + Z * Z / n), abs=1e-12)


def row(operator: dict, weight: int, target: float, contacts: int, all: int) -> dict:
    low, high = wilson(target, all)
    return {"operator_id": operator["id"], "name": operator["name"], "weight": weight, "target_share": pytest.approx(target),
            "actual_share": pytest.approx(contacts / all) if all else None, "contacts": contacts, "low": low, "high": high}


def test_a_source_without_operators_has_no_shares(api):
    assert shares(api, api.source()["id"]) == []


def test_shares_are_those_of_the_weights_and_of_the_contacts(api):
    anna, bob, idle = api.operator(name="Анна", max_load=3), api.operator(max_load=9), api.operator(is_active=False)
    source = api.source({anna["id"]: 10, bob["id"]: 30, idle["id"]: 60}, strategy="least_loaded")["id"]
    assert shares(api, source) == [row(anna, 10, 0.25, 0, 0), row(bob, 30, 0.75, 0, 0), row(idle, 60, 0, 0, 0)]
    ids = [api.contact(source)["id"] for _ in range(13)]  # the last one waits
    assert shares(api, source) == [row(anna, 10, 0.25, 3, 12), row(bob, 30, 0.75, 9, 12), row(idle, 60, 0, 0, 12)]
    api.close_contact(ids[12])  # while it waits: nobody got it
    api.post(f"/api/v1/contacts/{ids[0]}/transfer", {"operator_id": idle["id"], "force": True}).must_be(200)
    shown = {each["operator_id"]: each["contacts"] for each in shares(api, source)}
    assert sum(shown.values()) == 12 and shown[idle["id"]] == 1


def test_who_has_no_weight_any_more_is_there_for_what_came_before(api):
    anna, bob, carl = (api.operator(max_load=100) for _ in range(3))
    source = api.source({anna["id"]: 1}, strategy="round_robin")["id"]
    for _ in range(4):
        api.close_contact(api.contact(source)["id"])
    api.put(f"/api/v1/sources/{source}/distribution", {"operator_weights": [
        {"operator_id": bob["id"], "source_id": source, "weight": 3}, {"operator_id": carl["id"], "source_id": source}]}).must_be(200)
    expected = [row(anna, 0, 0, 4, 4), row(bob, 3, 0.75, 0, 4), row(carl, 1, 0.25, 0, 4)]
    assert shares(api, source) == expected
    api.archive_operator(anna["id"])
    assert shares(api, source) == expected


def test_only_contacts_of_that_time_count(api, database):
    anna, bob = api.operator(max_load=100), api.operator(max_load=100)
    source = api.source({anna["id"]: 1, bob["id"]: 1}, strategy="round_robin")["id"]
    ids = [api.contact(source)["id"] for _ in range(6)]
    begin = datetime.datetime(2026, 3, 7, 12, 0, tzinfo=datetime.UTC)
    moments = [begin - datetime.timedelta(seconds=1), begin, begin + datetime.timedelta(minutes=14), begin + datetime.timedelta(minutes=15),
               begin + datetime.timedelta(days=2)]
    with database.connect() as connection:
        for moment, id in zip(moments, ids):
            connection.execute("update contacts set created_at = %s, assigned_at = %s, first_assigned_at = %s where id = %s",
                               (moment, moment, moment, id))

    def counted(**period) -> int:
        return sum(each["contacts"] for each in shares(api, source, **period))

    at = lambda minutes: (begin + datetime.timedelta(minutes=minutes)).isoformat()
    assert counted() == 1  # of the last seven days
    assert counted(from_="2020-01-01") == 6
    assert counted(from_=at(0)) == counted(from_=at(10)) == 5
    assert counted(from_=at(0), to=at(15)) == counted(from_=at(5), to=at(6)) == 2
    assert counted(from_=at(0), to=at(15.1)) == 3
    assert counted(to=at(0)) == 1 and counted(to=at(60 * 24 * 7)) == 4
    assert counted(from_=at(60), to=at(0)) == 0
    # In any zone.
    assert counted(from_="2026-03-07T17:30:00+05:30", to="2026-03-07T17:45:00+05:30") == 2


def test_a_lucky_draw_is_within_the_band(api):
    """Of 400 by chance, seen by chance: outside of three bands at once, one time in thousands of millions."""
    operators = [api.operator(max_load=1000) for _ in range(3)]
    source = api.source({operator["id"]: weight for operator, weight in zip(operators, (1, 2, 5))})["id"]
    for _ in range(4):
        api.post("/api/v1/contacts/batch", [{"source_id": source}] * 100).must_be(200)
    shown = shares(api, source)
    assert [each["contacts"] for each in shown] and sum(each["contacts"] for each in shown) == 400
    for each in shown:
        assert 0 <= each["low"] < each["target_share"] < each["high"] <= 1
        width = each["high"] - each["low"]
        assert each["low"] - 3 * width < each["actual_share"] < each["high"] + 3 * width


def test_faults(api):
    must_be_error(api.get("/api/v1/sources/999999/shares"), 404, "Source not found", "source_not_found")
    answer = api.get("/api/v1/sources/x/shares?from=monday&to=99").must_be(422)
    assert [fault["loc"] for fault in answer.json["detail"]] == [["path", "source_id"], ["query", "from"], ["query", "to"]]
