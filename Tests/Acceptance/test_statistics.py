"""GET /stats/distribution."""

import pytest

from shapes import OPERATOR_STATISTICS, SOURCE_STATISTICS, STATISTICS, SUMMARY

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
