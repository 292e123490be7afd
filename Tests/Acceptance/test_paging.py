"""Lists page by page: what follows the `Link` headers to the end sees every element once, in order, at any depth."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from client import unique
from load import Background, until
from pages import ids_of, next_page, pages
from shapes import must_have_faults, not_parsed, too_large, too_small
from waiting import eventually

SIZE = 13  # elements per list of the module's: no multiple of 5, one of 13
LISTS = ["operators", "sources", "contacts", "leads", "leads/{lead}/contacts"]


@pytest.fixture(scope="module")
def content(server) -> dict:
    """One lead with 13 contacts of every status, 13 leads, 13 sources, 13 operators."""
    api = server.client()
    operators = [api.operator(max_load=3, is_active=number % 3 > 0)["id"] for number in range(SIZE)]
    source = api.source(dict.fromkeys(operators[1:3], 1))["id"]
    sources = [source] + [api.source()["id"] for _ in range(SIZE - 1)]
    contacts = [api.contact(source, lead_external_id="Клиент + 1 & 2") for _ in range(SIZE)]
    for contact in contacts[:4:2]:
        api.close_contact(contact["id"])
    others = [api.contact(sources[1 + number % 3]) for number in range(SIZE - 1)]
    lead = contacts[0]["lead_id"]
    return {"operators": operators, "sources": sources, "contacts": [each["id"] for each in contacts + others],
            "leads": [lead] + [each["lead_id"] for each in others], "leads/{lead}/contacts": [each["id"] for each in contacts],
            "lead": lead, "source": source, "operator": operators[1], "from": contacts[2]["created_at"],
            "to": others[-3]["created_at"]}


def path_of(content, name: str, query: str = "") -> str:
    return f"/api/v1/{name.format(**content)}" + (f"?{query}" if query else "")


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("limit", [1, 5, SIZE, 1000])
@pytest.mark.parametrize("order, step", [("", 1), ("/", 1), ("&order=asc", 1), ("&order=desc", -1)])
def test_the_links_lead_to_every_element_once_in_order(api, content, name, limit, order, step):
    expected = content[name][::step]
    path = path_of(content, name) + (f"/?limit={limit}" if order == "/" else f"?limit={limit}{order}")
    found = [[element["id"] for element in answer.json] for answer in pages(api, path)]
    assert found == [expected[start:start + limit] for start in range(0, len(expected), limit)]


@pytest.mark.parametrize("name", LISTS)
def test_the_last_page_has_no_link_and_neither_has_an_empty_one(api, content, name):
    for query in (f"limit={SIZE * 2}", f"limit={len(content[name])}", f"skip={len(content[name])}", "skip=1000000",
                  f"cursor={max(content[name])}", "order=desc&cursor=1", "cursor=9223372036854775807"):
        answer = api.get(path_of(content, name, query)).must_be(200)
        assert answer.headers.get_all("Link") is None, query
    assert next_page(api.get(path_of(content, name, f"limit={len(content[name]) - 1}")))


@pytest.mark.parametrize("query", [
    "source_id={source}", "operator_id={operator}", "lead_id={lead}", "status=new", "status=active", "status=closed",
    "is_active=true", "is_active=false", "created_from={from}", "created_to={to}", "created_from={from}&created_to={to}",
    "source_id={source}&status=active&is_active=yes", "source_id=999999",
])
@pytest.mark.parametrize("order, step", [("asc", 1), ("desc", -1)])
def test_filtered_contacts_are_all_found_page_by_page(api, content, query, order, step):
    query = query.format(**content)
    whole = [each["id"] for each in api.get(f"/api/v1/contacts?{query}&limit=1000").must_be(200).json]
    assert whole == sorted(whole) and (whole or "999999" in query)
    assert len(whole) < len(content["contacts"]) or "from" in query or "to" in query
    for limit in (1, 4, max(1, len(whole))):
        assert ids_of(api, f"/api/v1/contacts?{query}&order={order}&limit={limit}") == whole[::step]


@pytest.mark.parametrize("activity", ["true", "false"])
@pytest.mark.parametrize("order, step", [("asc", 1), ("desc", -1)])
def test_operators_by_activity_are_all_found_page_by_page(api, content, activity, order, step):
    whole = [each["id"] for each in api.get(f"/api/v1/operators?is_active={activity}&limit=1000").json]
    assert 0 < len(whole) < SIZE
    assert ids_of(api, f"/api/v1/operators?is_active={activity}&order={order}&limit=2") == whole[::step]


@pytest.mark.parametrize("name", LISTS)
def test_the_first_page_may_skip_and_the_next_ones_go_on_from_there(api, content, name):
    for skip in (1, 6, SIZE - 1):
        assert ids_of(api, path_of(content, name, f"skip={skip}&limit=3")) == content[name][skip:]
    link = next_page(api.get(path_of(content, name, "skip=2&limit=3")))
    assert "skip" not in dict(parse_qsl(urlsplit(link).query))


def test_a_skip_after_a_cursor_counts_from_the_cursor(api, content):
    ids = content["contacts"]
    shown = api.get(f"/api/v1/contacts?cursor={ids[4]}&skip=2&limit=3").must_be(200).json
    assert [each["id"] for each in shown] == ids[7:10]


@pytest.mark.parametrize("query", [
    "limit=1&created_from=2020-01-01T00:00:00%2B03:00&created_to=2100-01-01T00:00:00%2B03:00",
    "limit=1&order=desc&is_active=true", "limit=1&note=%D0%9A%D0%BB%D0%B8%D0%B5%D0%BD%D1%82%20%2B%201%20%26%202",
    "limit=1&note=a+b", "limit=1&note=%25&%3D=%23", "limit=1&note=%22%3E%3B%20rel%3D%22prev", "limit=1&note=%0D%0AX-Evil:1",
    "limit=1&note=", "limit=1&note", "limit=%31", "limit=1&note=1&note=2",
])
def test_the_link_keeps_the_parameters_whatever_they_hold(api, content, query):
    answer = api.get(f"/api/v1/operators?{query}").must_be(200)
    link = urlsplit(next_page(answer))
    sent, kept = (parse_qsl(text, keep_blank_values=True) for text in (query, link.query))
    assert link.path == "/api/v1/operators" and "X-Evil" not in answer.headers
    assert kept == [*sent, ("cursor", str(answer.json[-1]["id"]))]
    second = next_page(api.get(link.geturl()).must_be(200))
    assert parse_qsl(urlsplit(second).query, keep_blank_values=True)[:-1] == sent


@pytest.mark.parametrize("name", LISTS)
def test_head_has_the_link_too(api, content, name):
    path = path_of(content, name, "limit=2")
    assert next_page(api.request("HEAD", path).must_be(200)) == next_page(api.get(path))


def test_the_link_keeps_the_form_of_the_path(api, content):
    for path in ("/api/v1/leads", "/api/v1/leads/", path_of(content, "leads/{lead}/contacts") + "/"):
        assert urlsplit(next_page(api.get(f"{path}?limit=1"))).path == path


def test_a_filter_by_time_with_an_offset_survives_the_links(api, content):
    """`+03:00` must not become a blank on the way."""
    moment = content["from"].replace("Z", "%2B00:00")
    expected = [each["id"] for each in api.get(f"/api/v1/contacts?created_from={moment}&limit=1000").must_be(200).json]
    assert ids_of(api, f"/api/v1/contacts?created_from={moment}&limit=4") == expected
    assert 0 < len(expected) < len(content["contacts"])


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("query, faults", [
    ("cursor=abc", [not_parsed(["query", "cursor"], "abc")]), ("cursor=1.5", [not_parsed(["query", "cursor"], "1.5")]),
    ("cursor=", [not_parsed(["query", "cursor"], "")]), ("skip=-1", [too_small(["query", "skip"], "-1", 0)]),
    ("limit=0", [too_small(["query", "limit"], "0", 1)]), ("limit=-5", [too_small(["query", "limit"], "-5", 1)]),
    ("limit=1001", [too_large(["query", "limit"], "1001", 1000)]), ("limit=x", [not_parsed(["query", "limit"], "x")]),
    ("skip=x&limit=0&cursor=y", [not_parsed(["query", "skip"], "x"), too_small(["query", "limit"], "0", 1),
                                 not_parsed(["query", "cursor"], "y")]),
])
def test_faulty_pages_are_a_422(api, content, name, query, faults):
    must_have_faults(api.get(path_of(content, name, query)), *faults)


@pytest.mark.parametrize("name", LISTS)
def test_numbers_beyond_64_bits_are_a_422(api, content, name):
    for parameter in ("cursor", "skip"):
        for value in ("9223372036854775808", "99999999999999999999999"):
            [found] = api.get(path_of(content, name, f"{parameter}={value}")).must_be(422).json["detail"]
            assert found["loc"] == ["query", parameter] and found["input"] == value


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("query", ["skip=9223372036854775807", "limit=1000", "cursor=-9223372036854775808", "cursor=0",
                                   "cursor=-1", "skip=9223372036854775807&limit=1000&cursor=9223372036854775807"])
def test_the_bounds_of_a_page_are_answered(api, content, name, query):
    shown = [each["id"] for each in api.get(path_of(content, name, query)).must_be(200).json]
    assert shown == ([] if "skip" in query else content[name])


def test_a_cursor_may_be_an_element_that_is_gone(empty_api):
    ids = [empty_api.operator()["id"] for _ in range(5)]
    first = empty_api.get("/api/v1/operators?limit=2")
    for gone in (ids[1], ids[3]):
        empty_api.archive_operator(gone)
    assert ids_of(empty_api, next_page(first)) == [ids[2], ids[4]]


@pytest.fixture(scope="module")
def busy(instances, new_database):
    """An instance on a database of its own, for lists that grow while they are read."""
    server = instances(new_database())
    yield server
    server.end()


@pytest.mark.parametrize("name, create", [
    ("operators", lambda api, source: api.operator()), ("sources", lambda api, source: api.source()),
    ("contacts", lambda api, source: api.contact(source)),
    ("leads", lambda api, source: {"id": api.contact(source)["lead_id"]}),
    ("leads/{lead}/contacts", lambda api, source: api.contact(source, lead_external_id="busy")),
])
@pytest.mark.parametrize("order, step", [("asc", 1), ("desc", -1)])
def test_elements_made_meanwhile_disturb_no_page(busy, name, create, order, step):
    """All that was there before is seen once and in order; what is made meanwhile is seen once or not at all."""
    api, other = busy.client(), busy.client()
    source = api.source()["id"]
    lead = api.contact(source, lead_external_id="busy")["lead_id"]
    path = f"/api/v1/{name.format(lead=lead)}"
    for _ in range(20):
        create(api, source)
    before = ids_of(api, f"{path}?limit=1000")
    made = []

    def make(stop):
        for _ in until(stop):
            made.append(create(other, source)["id"])

    with Background(make):
        seen = []
        for answer in pages(api, f"{path}?limit={len(before) // 8}&order={order}", at_most=1000):
            seen += [each["id"] for each in answer.json]
            known = len(made)
            if len(seen) < len(before):
                eventually(lambda: len(made) > known, 10, "nothing is made")
            if len(seen) > len(before) + 20:
                break
    assert made and seen == sorted(set(seen))[::step]
    assert set(seen) <= set(before) | set(made)
    assert [id for id in seen if id in set(before)] == before[::step]


def test_updated_elements_keep_their_place(empty_api):
    ids = [empty_api.operator(name=unique("Z"))["id"] for _ in range(6)]
    first = empty_api.get("/api/v1/operators?limit=3")
    for id in (ids[0], ids[5], ids[3]):
        empty_api.change_operator(id, name="A")
    assert ids_of(empty_api, next_page(first)) == ids[3:]
