"""Strange input never gets a 5xx, never ends the process and never bends a counter."""

import json
import socket

import pytest

from client import Api, unique
from load import generator
from waiting import eventually

LONGEST_ANSWER = 5.0
RANDOM_BODIES = 300

# Method, path and a body that is right, for every route that takes one.
ROUTES = {
    "create operator": ("POST", "/api/v1/operators", {"name": "a", "is_active": True, "max_load": 5}),
    "patch operator": ("PATCH", "/api/v1/operators/{operator}", {"name": "a", "is_active": True, "max_load": 5, "requeue": False}),
    "put operator": ("PUT", "/api/v1/operators/{operator}", {"name": "a", "is_active": True, "max_load": 5}),
    "activate": ("PATCH", "/api/v1/operators/{operator}/activate", {"active": True}),
    "load limit": ("PATCH", "/api/v1/operators/{operator}/load-limit", {"max_load": 5}),
    "create source": ("POST", "/api/v1/sources", {"name": "a", "description": "b", "strategy": "round_robin", "sticky_days": 1}),
    "patch source": ("PATCH", "/api/v1/sources/{source}", {"name": "a", "description": "b", "strategy": "most_free", "sticky_days": 1}),
    "post distribution": ("POST", "/api/v1/sources/{source}/distribution",
                          {"operator_weights": [{"operator_id": 1, "source_id": 1, "weight": 5}]}),
    "put distribution": ("PUT", "/api/v1/sources/{source}/distribution",
                         {"operator_weights": [{"operator_id": 1, "source_id": 1, "weight": 5}]}),
    "weights": ("POST", "/api/v1/sources/{source}/weights", [{"operator_id": 1, "weight": 5}]),
    "register": ("POST", "/api/v1/contacts",
                 {"source_id": 1, "lead_external_id": "a", "lead_phone": "+79001234567", "lead_email": "a@b.ru",
                  "lead_name": "b", "message": "c", "priority": 1}),
    "status": ("PATCH", "/api/v1/contacts/{contact}/status", {"is_active": True, "status": "active"}),
    "close": ("POST", "/api/v1/contacts/{contact}/close", {}),
    "reopen": ("POST", "/api/v1/contacts/{contact}/reopen", {}),
}

STRANGE_BODIES = [
    b"", b" ", b"\n", b"null", b"true", b"0", b"-0", b'""', b"[]", b"{}", b"[[]]", b"{", b"}", b"[", b"]", b'"', b'{"',
    b'{"name', b'{"name":', b'{"name":"', b'{"name":"a"', b'{"name":"a",', b'{"name":"a",}', b'{"name":"a"}}', b'{"name":"a"} {}',
    b'{,}', b'{"name"::"a"}', b'{name:"a"}', b"{'name':'a'}", b'{"name":"a"}//x', b'/**/{"name":"a"}', b'{"name":"a";}',
    b'\xef\xbb\xbf{"name":"a"}', '{"name":"a"}'.encode("utf-16"), '{"name":"a"}'.encode("utf-32-le"),
    b'{"name":"\xff\xfe"}', b'{"name":"\xc0\x80"}', b'{"name":"\xed\xa0\x80"}', b'{"name":"\xf4\x90\x80\x80"}', b"\x00", b'{"name":"\x00"}',
    b'{"name":"\\u0000"}', b'{"name":"\\ud800"}', b'{"name":"\\udc00\\ud800"}', b'{"name":"\\ud83d\\ude00"}', b'{"name":"\\u12"}',
    b'{"name":"a\tb"}', b'{"name":"a\nb"}', b'{"name":"\\a"}', b'{"name":"a","name":"b"}', b'{"name":"a","n\\u0061me":"b"}', b'{"":1,"":2}',
    b'{"\\u0000":1}', b'{"\\ud800":1}', b'{"max_load":1e400}', b'{"max_load":-1e400}', b'{"max_load":1e-400}', b'{"max_load":1E+2}',
    b'{"max_load":9223372036854775807}', b'{"max_load":9223372036854775808}', b'{"max_load":-9223372036854775809}', b'{"max_load":00}',
    b'{"max_load":0.99999999999999999999999}', b'{"max_load":.5}', b'{"max_load":5.}', b'{"max_load":-}', b'{"max_load":+1}', b'{"max_load":0x10}',
    b'{"max_load":NaN}', b'{"max_load":Infinity}', b'{"max_load":-Infinity}', b'{"max_load":undefined}', b'{"max_load":1_0}',
    b'{"max_load":' + b"9" * 5000 + b"}", b'{"max_load":1e' + b"9" * 300 + b"}", b'{"max_load":0.' + b"1" * 5000 + b"}",
    b"[" * 511 + b"]" * 511, b"[" * 5000 + b"]" * 5000, b"[" * 60_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b'{"a":[' * 8_000,
    b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(4000)) + b"}", b"[" + b"0," * 30_000 + b"0]", b'"' + b"x" * 60_000 + b'"',
    b'{"name":"' + b"\\u0041" * 10_000 + b'"}', b'{"name":"' + "é\u0301".encode() * 10_000 + b'"}', b"x" * 65_537, b" " * 65_537 + b"{}",
    b'{"name":"' + b"x" * 70_000 + b'"}', b'{"name":"' + b"x" * 300_000 + b'"}', b"[" * 300_000, b"\xff" * 70_000,
]

STRANGE_VALUES = [
    None, True, False, 0, 1, -1, 1.0, 7.5, -0.0, 1e30, 2**31, 2**31 - 1, 2**53 + 1, 2**63, 2**63 - 1, -(2**63), -(2**63) - 1, 2**64, 10**30,
    1_000_000, 1_000_001, "", " ", "0", "1", "7", "7.0", " 7 ", "+7", "1_000", "７", "٧", "1e3", "0x10", "9" * 30, "-1", "true", "yes", "null",
    "a\u0000b", "\ud800", "\udfff\ud800", "é", "e\u0301", "\u202e", "\u2028", "\ufeff", "\ufffe", "😀" * 300, "x" * 256, "x" * 3000, "x" * 20_000,
    "' or 1=1 --", "\\", "\\x00", "{}", "{1,2}", "%s%n", "${jndi:x}", "<script>", "\r\nX-Injected: 1", "+7" + "0" * 250, "@", "a@b.c" * 50,
    [], [1], [[]], [None], {}, {"a": 1}, {"operator_id": 1}, [{"operator_id": 2**63, "source_id": 1}], [{}] * 1000,
]


@pytest.fixture(scope="module")
def ids(server):
    api = server.client()
    source, operator = api.staffed_source()
    return {"operator": operator["id"], "source": source["id"], "contact": api.contact(source["id"])["id"]}


@pytest.fixture(autouse=True)
def unharmed(server, database):
    """After every test the same process is there, ready, and every load is the recount."""
    pid = server.pid
    yield
    assert server.is_running and server.pid == pid, f"the server ended with {server.process.returncode}"
    eventually(server.is_ready, 5, "the server is not ready any more")
    assert [row for row in database.broken_loads() if row[1] != row[4]] == []


def send(api: Api, method: str, path: str, raw: bytes | None = None, **headers) -> None:
    """Sends it on a connection that may have been closed after a refused body, and judges the answer."""
    if raw is not None and len(raw) > 60_000:
        api.close()
    answer = api.request(method, path, raw=raw, headers={name.replace("_", "-"): value for name, value in headers.items()})
    about = f"{method} {path} {(raw or b'')[:300]!r} {headers}: {answer.status} {answer.body[:500]!r}"
    assert answer.status < 500, about
    assert answer.seconds < LONGEST_ANSWER, about
    try:
        content = json.loads(answer.text, parse_int=str, parse_constant=lambda word: pytest.fail(f"{word} is no JSON: {about}"))
    except RecursionError:  # a deep body echoed as `input` is right, but too deep for Python
        content = {"detail": answer.text}
    if answer.status >= 400:
        assert answer.headers["Content-Type"].startswith("application/json") and content["detail"], about


def encoded(body, ascii_only: bool = True) -> bytes:
    return json.dumps(body, ensure_ascii=ascii_only).encode(errors="surrogatepass")


@pytest.mark.parametrize("route", ROUTES)
def test_strange_bodies_are_refused(api, ids, route):
    method, path, _ = ROUTES[route]
    for raw in STRANGE_BODIES:
        send(api, method, path.format(**ids), raw)


def objects_of(body) -> list[dict]:
    """The objects of a body whose fields can be replaced."""
    if isinstance(body, list):
        return body
    return [body, *body.get("operator_weights", [])]


@pytest.mark.parametrize("route", ROUTES)
def test_strange_values_in_any_field_are_refused_or_stored(api, ids, route):
    method, path, right = ROUTES[route]
    for number, part in enumerate(objects_of(right)):
        for field in part:
            for value in STRANGE_VALUES:
                body = json.loads(encoded(right))
                objects_of(body)[number][field] = value
                for ascii_only in (True, False):
                    send(api, method, path.format(**ids), encoded(body, ascii_only))


def random_value(random, depth: int = 0):
    kind = random.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return random.choice(STRANGE_VALUES)
    if kind == 1:
        return random.choice((-1, 1)) * random.randrange(1 << random.randrange(1, 80))
    if kind == 2:
        return random.choice((random.random(), random.uniform(-1e18, 1e18), random.randrange(100) + 0.0))
    if kind == 3:
        return "".join(chr(random.choice((random.randrange(0x80), random.randrange(0x800), random.randrange(0x110000))))
                       for _ in range(random.randrange(20)))
    if kind == 4:
        return str(random.randrange(-5, 2000))
    if kind == 5:
        return random.choice((None, True, False, random.randrange(20)))
    if kind == 6:
        return [random_value(random, depth + 1) for _ in range(random.randrange(4))]
    return {str(random_value(random, 3)): random_value(random, depth + 1) for _ in range(random.randrange(4))}


def random_body(random, right) -> bytes:
    """A right body with some fields replaced or dropped, and then perhaps some bytes damaged."""
    body = json.loads(encoded(right))
    for part in objects_of(body):
        for field in list(part):
            fate = random.random()
            if fate < 0.35:
                part[field] = random_value(random)
            elif fate < 0.45:
                del part[field]
    if random.random() < 0.1:
        body = random_value(random)
    raw = bytearray(encoded(body, random.random() < 0.7))
    if random.random() < 0.3:
        for _ in range(random.randrange(1, 4)):
            at = random.randrange(len(raw))
            raw[at:at + random.randrange(3)] = random.choice((b"", bytes([random.randrange(256)]), b'"', b"{", b"]", b"\\", b"\\u0000"))
            raw = raw or bytearray(b" ")
    return bytes(raw)


@pytest.mark.parametrize("route", ROUTES)
def test_random_bodies_are_refused_or_stored(api, ids, route):
    random = generator(route)
    method, path, right = ROUTES[route]
    for _ in range(RANDOM_BODIES):
        send(api, method, path.format(**ids), random_body(random, right))


STRANGE_WORDS = [
    "", "0", "-1", "1.0", "1e3", "+1", "%2B1", "0x1", "1_0", "9" * 30, "9" * 3000, "-9223372036854775809", "%00", "1%00", "%FF", "%ED%A0%80", "%",
    "%zz", "%25", "%2e%2e%2f", "..%5c", "%20", "1%20", "%EF%BC%97", "null", "true", "[]", "{}", "'", "%27%20or%201=1--", "*", "%F0%9F%98%80", "a" * 2000,
    "2026-01-01", "2026-01-01T00:00:00", "2026-02-30T00:00:00Z", "292277026597-01-01T00:00:00Z", "-4713-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z",
    "1e400", "0000-00-00T00:00:00Z", "2026-01-01T00:00:00%2B99:99", "2026-01-01T00:00:60Z", "1753142400", "1753142400000000000",
]


def test_strange_ids_in_the_path_are_refused(api):
    for path in ("operators/{}", "operators/{}/activate", "sources/{}", "sources/{}/distribution", "contacts/{}", "contacts/{}/close"):
        for word in STRANGE_WORDS:
            if word not in ("", "..%5c"):
                for method in ("GET", "PATCH", "POST"):
                    send(api, method, f"/api/v1/{path.format(word)}", b"{}" if method != "GET" else None)


def test_strange_queries_are_refused_or_answered(api):
    for collection, names in (("operators", ("skip", "limit", "is_active")), ("sources", ("skip", "limit")),
                              ("contacts", ("source_id", "operator_id", "lead_id", "status", "is_active", "created_from",
                                            "created_to", "skip", "limit", "order"))):
        for name in names:
            for word in STRANGE_WORDS:
                send(api, "GET", f"/api/v1/{collection}?{name}={word}")
            send(api, "GET", f"/api/v1/{collection}?{name}")
            send(api, "GET", f"/api/v1/{collection}?{name}=1&{name}=2&&=&{name}[]=3&%00=1")


def test_strange_headers_are_refused_or_ignored(api):
    for value in ("", ",", ";q=1", "ru;q=2", "ru;q=-1", "ru;q=NaN", "x" * 5000, "ru," * 500, "\u00ff", "*;q=0", "en-" * 100):
        send(api, "GET", "/api/v1/operators/999999", Accept_Language=value)
    for value in ("", ";", "/", "application", "application/json;charset=utf-16", "application/json; charset=\"", "*/*", "x" * 2000):
        send(api, "POST", "/api/v1/operators", encoded({"name": unique("Typed")}), Content_Type=value)


RAW_REQUESTS = [
    b"\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00\x01\x02\x03\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", b"CONNECT x:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 10_000 + b"\r\n", b"GET /api/v1/operators?%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"a=1&" * 5000),
    b"POST /api/v1/operators HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", b"POST /api/v1/operators HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    b"POST /api/v1/operators HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
    b"POST /api/v1/operators HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    b"POST /api/v1/operators HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /api/v1/operators HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    b"POST /api/v1/operators HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n{}",
    b"POST /api/v1/operators HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", b"POST /api/v1/operators HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{}",
]


@pytest.mark.parametrize("number", range(len(RAW_REQUESTS)))
def test_broken_http_ends_in_an_answer_below_500_or_a_closed_connection(server, number):
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        try:
            connection.sendall(RAW_REQUESTS[number])
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(4096)
        except ConnectionError:
            return
    assert not answer or answer.split(b" ")[1][:1] in (b"2", b"3", b"4") or b" 501 " in answer[:20], answer
