"""What all routes have in common: errors, methods, languages, limits of the body, and the routes about the server."""

import http.client
import socket

import pytest

from shapes import must_be_error, must_have_faults, not_parsed, too_small

OPERATORS = "/api/v1/operators"
KIB = 1024

# Each path with the methods it must allow.
ROUTES = {
    "/": {"GET", "HEAD"},
    "/health": {"GET", "HEAD"},
    "/livez": {"GET", "HEAD"},
    "/readyz": {"GET", "HEAD"},
    "/metrics": {"GET", "HEAD"},
    "/api/v1/operators": {"GET", "HEAD", "POST"},
    "/api/v1/operators/{operator}": {"GET", "HEAD", "PATCH", "PUT", "DELETE"},
    "/api/v1/operators/{operator}/stats": {"GET", "HEAD"},
    "/api/v1/operators/{operator}/activate": {"PATCH"},
    "/api/v1/operators/{operator}/load-limit": {"PATCH"},
    "/api/v1/sources": {"GET", "HEAD", "POST"},
    "/api/v1/sources/{source}": {"GET", "HEAD", "PATCH"},
    "/api/v1/sources/{source}/distribution": {"GET", "HEAD", "POST", "PUT"},
    "/api/v1/sources/{source}/weights": {"GET", "HEAD", "POST"},
    "/api/v1/sources/{source}/shares": {"GET", "HEAD"},
    "/api/v1/contacts": {"GET", "HEAD", "POST"},
    "/api/v1/contacts/stats/distribution": {"GET", "HEAD"},
    "/api/v1/contacts/batch": {"POST"},
    "/api/v1/contacts/bulk": {"POST"},
    "/api/v1/contacts/{contact}": {"GET", "HEAD", "PATCH"},
    "/api/v1/contacts/{contact}/status": {"PATCH"},
    "/api/v1/contacts/{contact}/close": {"POST"},
    "/api/v1/contacts/{contact}/reopen": {"POST"},
    "/api/v1/contacts/{contact}/assign": {"POST"},
    "/api/v1/contacts/{contact}/transfer": {"POST"},
    "/api/v1/contacts/{contact}/release": {"POST"},
    "/api/v1/contacts/{contact}/explain": {"GET", "HEAD"},
    "/api/v1/contacts/{contact}/history": {"GET", "HEAD"},
    "/api/v1/leads": {"GET", "HEAD"},
    "/api/v1/leads/by-external/{external}": {"GET", "HEAD"},
    "/api/v1/leads/duplicates": {"GET", "HEAD"},
    "/api/v1/leads/{lead}": {"DELETE", "GET", "HEAD", "PATCH"},
    "/api/v1/leads/{lead}/merge": {"POST"},
    "/api/v1/leads/{lead}/contacts": {"GET", "HEAD"},
    "/api/v1/queue": {"GET", "HEAD"},
    "/api/v1/stats/distribution": {"GET", "HEAD"},
    "/api/v1/stats/overview": {"GET", "HEAD"},
    "/api/v1/events": {"GET", "HEAD"},
    "/api/v1/events/stream": {"GET", "HEAD"},
    "/api/v1/session": {"POST", "DELETE"},
    "/api/v1/session/link": {"POST"},
    "/api/v1/session/password": {"POST"},
    "/api/v1/session/provider": {"GET", "HEAD"},
    "/api/v1/session/provider/back": {"GET", "HEAD"},
    "/api/v1/me": {"GET", "HEAD"},
    "/api/v1/me/password": {"PUT"},
    "/api/v1/sessions": {"GET", "HEAD", "DELETE"},
    "/api/v1/sessions/{session}": {"DELETE"},
    "/api/v1/people": {"GET", "HEAD", "POST"},
    "/api/v1/people/first": {"POST"},
    "/api/v1/people/{person}": {"GET", "HEAD", "PATCH"},
    "/api/v1/people/{person}/link": {"POST"},
    "/api/v1/keys": {"GET", "HEAD", "POST"},
    "/api/v1/keys/{key}": {"GET", "HEAD", "DELETE"},
    "/api/v1/keys/{key}/rotate": {"POST"},
    "/api/v1/audit": {"GET", "HEAD"},
}
# What there is none of while nobody has to sign in.
NOBODY_THERE = {"/api/v1/session/provider", "/api/v1/session/provider/back", "/api/v1/sessions", "/api/v1/people/{person}", "/api/v1/keys/{key}"}


@pytest.fixture(scope="module")
def ids(server):
    api = server.client()
    source, operator = api.staffed_source()
    contact = api.contact(source["id"], lead_external_id="client-1")
    return {"operator": operator["id"], "source": source["id"], "contact": contact["id"], "lead": contact["lead_id"],
            "external": "client-1", "session": 1, "person": 1, "key": "aaaaaaaa"}


def allowed(answer) -> set[str]:
    return {method.strip() for method in (answer.headers["Allow"] or "").split(",")} - {"OPTIONS", ""}


def both_forms(path: str) -> list[str]:
    return [path] if path == "/" else [path, path + "/"]


@pytest.mark.parametrize("route", ROUTES)
def test_a_wrong_method_is_a_405_with_all_that_are_allowed(api, ids, route):
    for path in both_forms(route.format(**ids)):
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - ROUTES[route]:
            answer = api.request(method, path)
            assert answer.json["detail"] == "Method Not Allowed", (method, path, answer.body)
            assert answer.status == 405 and allowed(answer) == ROUTES[route]


@pytest.mark.parametrize("route", ROUTES)
def test_options_is_a_204_with_all_that_are_allowed(api, ids, route):
    for path in both_forms(route.format(**ids)):
        answer = api.request("OPTIONS", path).must_be(204)
        assert answer.body == b"" and allowed(answer) == ROUTES[route]


@pytest.mark.parametrize("route", [route for route, methods in ROUTES.items() if "HEAD" in methods])
def test_head_is_get_without_its_body(api, ids, route):
    for path in both_forms(route.format(**ids)):
        head, get = api.request("HEAD", path), api.get(path)
        assert (head.status, head.body) == (get.status, b"") and get.status == (404 if route in NOBODY_THERE else 200)
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
        if route != "/metrics":  # whose numbers the first of the two requests has changed
            assert head.headers["Content-Length"] in (None, get.headers["Content-Length"])


def test_head_of_something_unknown_is_a_404_without_a_body(api):
    answer = api.request("HEAD", f"{OPERATORS}/999999")
    assert (answer.status, answer.body) == (404, b"")


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1", "/api/v1/nowhere/1", "/api/v2/operators",
                                  OPERATORS + "/1/nowhere", "/API/V1/operators", "/api/v1/stats",
                                  "/api/v1/contacts/stats/nowhere", "/api/v1/leads/by-external/a/b", "/metrics/x",
                                  "/api/v1/contacts//", "/api/v1/leads/by-external//", "/api/v1//1", "/docs//"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_a_404(api, method, path):
    answer = api.request(method, path).must_be(404)
    assert answer.json["detail"] == "Not Found" and set(answer.json) <= {"detail", "code"}


@pytest.mark.parametrize("path, name", [("operators/abc", "operator_id"), ("sources/abc", "source_id"),
                                        ("contacts/abc", "contact_id"), ("sources/abc/distribution", "source_id"),
                                        ("operators/abc/stats", "operator_id"), ("leads/abc", "lead_id"),
                                        ("leads/abc/contacts", "lead_id"), ("leads/by-external", "lead_id"),
                                        ("contacts/stats", "contact_id")])
def test_an_id_that_is_no_number_is_a_422(api, path, name):
    must_have_faults(api.get(f"/api/v1/{path}"), not_parsed(["path", name], path.split("/")[1]))


def test_deleting_an_id_that_is_no_number_is_a_422(api):
    must_have_faults(api.request("DELETE", f"{OPERATORS}/abc"), not_parsed(["path", "operator_id"], "abc"))


def test_an_id_and_a_query_have_all_their_faults_reported(api):
    must_have_faults(api.get("/api/v1/leads/abc/contacts?limit=0&cursor=x"), not_parsed(["path", "lead_id"], "abc"),
                     too_small(["query", "limit"], "0", 1), not_parsed(["query", "cursor"], "x"))
    must_have_faults(api.get("/api/v1/contacts/abc/history?limit=0&after=-1"), not_parsed(["path", "contact_id"], "abc"),
                     too_small(["query", "after"], "-1", 0), too_small(["query", "limit"], "0", 1))


@pytest.mark.parametrize("collection", ["operators", "sources", "contacts", "leads"])
def test_an_id_beyond_64_bits_is_a_422(api, collection):
    for id in ("9223372036854775808", "99999999999999999999999", "-9223372036854775809"):
        [found] = api.get(f"/api/v1/{collection}/{id}").must_be(422).json["detail"]
        assert found["loc"][0] == "path" and found["input"] == id


@pytest.mark.parametrize("collection", ["operators", "sources", "contacts", "leads"])
def test_the_largest_id_is_a_404(api, collection):
    must_be_error(api.get(f"/api/v1/{collection}/9223372036854775807"), 404)


@pytest.mark.parametrize("id", ["0", "-1"])
def test_ids_below_one_are_refused(api, id):
    assert api.get(f"{OPERATORS}/{id}").status in (404, 422)


ENGLISH = {"operators": "Operator not found", "sources": "Source not found", "contacts": "Contact not found",
           "leads": "Lead not found"}
RUSSIAN = {"operators": "Оператор не найден", "sources": "Источник не найден", "contacts": "Обращение не найдено",
           "leads": "Лид не найден"}


@pytest.mark.parametrize("language, texts", [
    (None, ENGLISH), ("en", ENGLISH), ("ru", RUSSIAN), ("ru-RU", RUSSIAN), ("RU", RUSSIAN),
    ("ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7", RUSSIAN), ("en;q=0.4, ru;q=0.8", RUSSIAN), ("en-GB,ru;q=0.5", ENGLISH),
    ("de", ENGLISH), ("de,ru;q=0.1", RUSSIAN), ("*", ENGLISH), ("ru;q=0", ENGLISH), ("", ENGLISH), (";;q=,", ENGLISH),
])
@pytest.mark.parametrize("collection", ENGLISH)
def test_errors_speak_the_language_asked_for(api, collection, language, texts):
    headers = {} if language is None else {"Accept-Language": language}
    answer = api.get(f"/api/v1/{collection}/999999", headers=headers)
    must_be_error(answer, 404, texts[collection], collection[:-1] + "_not_found")


def test_without_a_wish_errors_speak_the_configured_language(servers):
    [russian] = servers(1, LEADS_LANGUAGE="ru")
    api = russian.client()
    for headers, texts in (({}, RUSSIAN), ({"Accept-Language": "de"}, RUSSIAN), ({"Accept-Language": "en"}, ENGLISH)):
        must_be_error(api.get(f"{OPERATORS}/999999", headers=headers), 404, texts["operators"])


def test_bad_utf_8_is_a_400(api):
    for raw in (b'{"name":"\xff"}', b'{"name":"\xc3"}', b'{"name":"\xed\xa0\x80"}', b'{"\xf8":1}', b"\xfe\xff"):
        answer = api.post(OPERATORS, raw=raw).must_be(400)
        assert answer.json["detail"]


@pytest.mark.parametrize("raw", [b"{", b"nope", b'{"name":"a",}', b'{"name":"a"} x', b"{'name':'a'}", b'{"name":}',
                                 b'{"name":"a\x01"}', b'{"name":"\\x"}', b'{"name":"a","max_load":01}', b"[1,2",
                                 b'{"name":"a","max_load":NaN}', b'{"name":"a","max_load":+1}'])
def test_what_is_no_json_is_a_422_that_tells_where(api, raw):
    [found] = api.post(OPERATORS, raw=raw).must_be(422).json["detail"]
    assert found["type"] == "json_invalid" and found["msg"] == "JSON decode error"
    part, position = found["loc"]
    assert part == "body" and 0 <= position <= len(raw)


def test_the_position_of_broken_json_is_where_it_breaks(api):
    for raw, position in ((b"nope", 0), (b'{"name":"a"} x', 13), (b'{"name" 1}', 8)):
        assert api.post(OPERATORS, raw=raw).must_be(422).json["detail"][0]["loc"] == ["body", position]


def test_an_empty_body_is_a_missing_one(api):
    for raw in (b"", None):
        [found] = api.post(OPERATORS, raw=raw).must_be(422).json["detail"]
        assert (found["type"], found["loc"]) == ("missing", ["body"])


def test_a_fault_has_its_keys_in_pydantics_order(api):
    detail = api.post(OPERATORS, {"max_load": 0}).must_be(422).json["detail"]
    assert [list(fault) for fault in detail] == [["type", "loc", "msg", "input"], ["type", "loc", "msg", "input", "ctx"]]


def test_duplicate_keys_are_refused(api, database):
    before = database.count("operators")
    for raw in (b'{"name":"a","name":"b"}', b'{"name":"a","x":{"y":1,"y":2}}', b'{"name":"a","na\\u006de":"b"}'):
        assert api.post(OPERATORS, raw=raw).must_be(422).json["detail"]
    assert database.count("operators") == before


@pytest.mark.parametrize("type", ["text/plain", "application/x-www-form-urlencoded", "application/xml",
                                  "multipart/form-data; boundary=x"])
def test_a_body_of_another_declared_type_is_a_422(api, type):
    assert api.post(OPERATORS, raw=b'{"name":"a"}', headers={"Content-Type": type}).must_be(422).json["detail"]


@pytest.mark.parametrize("type", [None, "application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_is_read_with_its_type_or_without_any(api, type):
    api.post(OPERATORS, raw=b' {"name":"a"}\r\n', headers={"Content-Type": type}).must_be(201)


def body_of(size: int, start: bytes) -> bytes:
    """A JSON object of exactly this size, filled up with a field nobody knows."""
    return start[:-1] + b',"filler":"' + b"x" * (size - len(start) - len(b',"filler":""')) + b'"}'


def test_a_registration_may_have_64_kib(api, ids, database):
    start = b'{"source_id":%d}' % ids["source"]
    api.post("/api/v1/contacts", raw=body_of(64 * KIB, start)).must_be(201)
    before = database.count("contacts")
    for size in (64 * KIB + 1, 300 * KIB):
        api.close()
        assert api.post("/api/v1/contacts", raw=body_of(size, start)).must_be(413).json["detail"]
    assert database.count("contacts") == before


def test_other_bodies_may_have_256_kib(api):
    api.post(OPERATORS, raw=body_of(256 * KIB, b'{"name":"large"}')).must_be(201)
    api.close()
    assert api.post(OPERATORS, raw=body_of(256 * KIB + 1, b'{"name":"large"}')).must_be(413).json["detail"]


def test_a_distribution_may_be_large(api, ids):
    body = body_of(1024 * KIB, b'{"operator_weights":[]}')
    api.post(f"/api/v1/sources/{ids['source']}/distribution", raw=body).must_be(201)


def test_a_body_too_large_is_refused_by_its_declared_length(server, ids):
    """Nothing of the body is sent: the header alone decides."""
    for path, size in (("/api/v1/contacts", 64 * KIB + 1), (OPERATORS, 256 * KIB + 1),
                       (f"/api/v1/sources/{ids['source']}/distribution", 32 * KIB * KIB + 1)):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                               f"Content-Length: {size}\r\n\r\n".encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.status == 413, path


def test_a_chunked_body_is_read_and_bounded_too(server, ids):
    def send(size: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        body = body_of(size, b'{"source_id":%d}' % ids["source"])
        try:
            connection.request("POST", "/api/v1/contacts", iter([body[:1000], body[1000:]]),
                               {"Content-Type": "application/json"}, encode_chunked=True)
        except (BrokenPipeError, ConnectionResetError):
            pass  # answered before all was read
        return connection.getresponse().status

    assert send(60 * KIB) == 201
    assert send(65 * KIB) == 413


def test_a_connection_serves_request_after_request(api):
    api.get("/health").must_be(200)
    first = api._connection.sock
    for path, status in (("/nowhere", 404), (OPERATORS, 200), (f"{OPERATORS}/abc", 422), ("/health", 200)):
        api.get(path).must_be(status)
    api.post(OPERATORS, raw=b"{").must_be(422)
    assert api._connection.sock is first


def test_the_root_introduces_the_server(api):
    root = api.get("/").must_be(200).json
    assert list(root) == ["message", "version", "docs"]
    assert (root["message"], root["docs"]) == ("Leads CRM API", "/docs") and isinstance(root["version"], str)


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_server_is_healthy_alive_and_ready(api, slash):
    assert api.get(f"/health{slash}").must_be(200).json == {"status": "ok"}
    for path in ("/livez", "/readyz"):
        api.get(path + slash).must_be(200)
