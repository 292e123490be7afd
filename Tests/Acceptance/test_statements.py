"""No query per row: how many statements a request costs does not depend on how much it finds.

Asked of PostgreSQL itself, which logs every statement of the database used here.
"""

import pytest

from pages import next_page
from statements import StatementLog

FEW, MANY = 1, 100

# Path, and the most statements one request may take besides BEGIN and COMMIT. Reports are told to plan afresh first.
REQUESTS = {
    "operators?limit={n}": 2,
    "operators?is_active=true&limit={n}": 2,
    "sources?limit={n}": 2,
    "contacts?limit={n}": 2,
    "contacts?source_id={source}&limit={n}": 2,
    "contacts?order=desc&limit={n}": 2,
    "contacts?q=f&limit={n}": 3,
    "leads?limit={n}": 3,
    "leads?q=f&limit={n}": 5,
    "leads/{lead}/contacts?limit={n}": 3,
    "leads/duplicates?limit={n}": 2,
    # Numbering what has been committed, and how far that has come, are two.
    "events?limit={n}": 4,
}
BY_ID = {
    "operators/{operator}": 1,
    "operators/{operator}/stats": 3,
    "sources/{source}": 3,
    "sources/{source}/distribution": 2,
    "sources/{source}/weights": 2,
    "sources/{source}/shares": 3,
    "contacts/{contact}": 1,
    "contacts/{contact}/history": 5,
    "leads/{lead}": 1,
    "leads/by-external/{external}": 2,
    "stats/distribution": 4,
    "contacts/stats/distribution": 2,
}


@pytest.fixture(scope="module")
def measured(cluster, new_database, instances):
    """An instance with one of everything, one with a hundred of everything, and how to count what they execute."""
    made = {}
    for number in (FEW, MANY):
        database = new_database()
        StatementLog.switch_on(database)
        server = instances(database, LEADS_SWEEP_SECONDS=3600, LEADS_ACCESS="open")
        made[number] = server, StatementLog(cluster, database), fill(server.client(), number)
    yield made
    for server, _, _ in made.values():
        server.end()


def fill(api, number: int) -> dict:
    """So many operators with weights on the first of so many sources, contacts of the first lead, and other leads."""
    operators = [api.operator(max_load=2)["id"] for _ in range(number)]
    source = api.source(dict.fromkeys(operators, 1))["id"]
    for _ in range(number - 1):
        api.source({operators[0]: 1})
    contacts = [api.contact(source, lead_external_id="first") for _ in range(number)]
    for _ in range(number - 1):
        api.contact(source)
    # As many as are asked for; of none, nothing is read after the search.
    for each in range(number - 1):
        api.contact(source, lead_external_id=f"f{each}")
    for other in range(number + 1):
        api.contact(source, lead_external_id=f"other {other}", lead_phone="+79001234567")
    return {"operator": operators[0], "source": source, "contact": contacts[0]["id"], "lead": contacts[0]["lead_id"],
            "external": "first"}


def executed(measured, number: int, template: str, n: int | None = None) -> list[str]:
    """The statements of the request once it has been made before, so that all is prepared."""
    server, log, ids = measured[number]
    api, path = server.client(), "/api/v1/" + template.format(n=n or number, **ids)
    answer = api.get(path).must_be(200)
    if "limit=" in template:
        assert len(answer.json) == (n or number)
    return log.of(lambda: api.get(path).must_be(200))


@pytest.mark.parametrize("request_", [*REQUESTS, *BY_ID])
def test_a_request_takes_as_many_statements_for_a_hundred_as_for_one(measured, request_):
    few, many = (executed(measured, number, request_) for number in (FEW, MANY))
    assert len(few) == len(many) <= (REQUESTS | BY_ID)[request_], "\n".join(many)
    assert many, "the log shows nothing"


def test_the_overview_takes_as_many_statements_for_a_hundred_as_for_one_and_those_who_ask_at_once_share_them(measured):
    counts = []
    for number in (FEW, MANY):
        server, log, _ = measured[number]
        clients = [server.client() for _ in range(10)]
        # Each day is a question of its own.
        counts.append(log.of(lambda: [api.get("/api/v1/stats/overview?today_from=2026-01-01").must_be(200) for api in clients]))
    few, many = counts
    assert 0 < len(few) == len(many) <= 5, "\n".join(many)


@pytest.mark.parametrize("template", [template for template in REQUESTS if "order" not in template])
def test_a_page_deep_in_the_list_takes_as_many_statements_as_the_first(measured, template):
    server, log, ids = measured[MANY]
    api = server.client()
    path = "/api/v1/" + template.format(n=7, **ids)
    counts = []
    while path:
        answers = []
        counts.append(len(log.of(lambda: answers.append(api.get(path).must_be(200)))))
        path = next_page(answers[0])
    assert len(counts) >= MANY // 7 and set(counts) == {counts[0]} and counts[0] <= REQUESTS[template]


@pytest.mark.parametrize("action, most", [
    (lambda api, ids: api.contact(ids["source"], lead_external_id="first"), 15),
    (lambda api, ids: api.contact(ids["source"]), 14),
    (lambda api, ids: api.post("/api/v1/contacts", {"source_id": 999999}).must_be(404), 10),
])
def test_a_registration_takes_as_many_statements_whatever_is_there(measured, action, most):
    counts = []
    for number in (FEW, MANY):
        server, log, ids = measured[number]
        api = server.client()
        action(api, ids)
        counts.append(log.of(lambda: action(api, ids)))
    few, many = counts
    assert len(few) == len(many) <= most, "\n".join(few + ["", *many])


def test_liveness_and_unknown_paths_ask_the_database_nothing(measured):
    server, log, _ = measured[FEW]
    api = server.client()
    api.get("/livez")
    for path in ("/livez", "/health", "/", "/nowhere", "/api/v1/operators/abc", "/api/v1/leads?limit=0"):
        assert log.of(lambda: api.get(path)) == [], path
    assert log.of(lambda: api.post("/api/v1/contacts", {})) == []


def test_metrics_ask_the_database_whether_it_is_there_and_one_question(measured):
    server, log, _ = measured[MANY]
    api = server.client()
    api.get("/metrics")
    # The second sets how the third is planned.
    assert len(log.of(lambda: api.get("/metrics").must_be(200))) <= 3
