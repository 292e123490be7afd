"""Hundreds or, at length, thousands of hostile requests to every endpoint, several at once and state in between.

Never a 5xx, never a status that the endpoint does not have, never an answer that is not JSON; the process lives and
the counters are right in the end. And a fair part succeeds: what only bounces off the front proves little.
"""

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any, Callable

import pytest

from client import unique
from hostile import DOCUMENTS, MOMENTS, TYPES, VALUES, WORDS, damaged, random_json
from load import generator
from waiting import AT_LENGTH, eventually
from wire import Answer, Request, Wire, request

REQUESTS = 2000 if AT_LENGTH else 200  # to each endpoint
FAIR_SHARE = 0.15  # of them succeed at least
KEPT_WHOLE = 0.4  # of the bodies are right
STRANGE = [value.encode(errors="surrogatepass") for value in VALUES]
HOSTILE_WORDS = [word.encode() for word in [*WORDS, *MOMENTS, "x" * 3000, "%F0%9F%98%80" * 100, "9" * 400, "..%2f..%2fetc%2fpasswd",
                                            "%0d%0aX-Injected:1", "${jndi:ldap://x}", "%E2%80%AE", "1%26limit=1", "%3Cscript%3E"]]

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")

# Whatever any endpoint answers: for requests whose method or path has been disturbed.
ANY = frozenset({200, 201, 204, 303, 304, 307, 400, 404, 405, 409, 413, 422})
DOCUMENT = frozenset({200, 304})
READ = frozenset({200, 404, 422})
LIST = frozenset({200, 422})
CHANGE = frozenset({200, 400, 404, 413, 422})
MOVE = CHANGE | {409}


@dataclass
class Endpoint:
    """One row of the API. `body` makes a right one; `query` are the names it knows."""

    method: str
    path: str
    statuses: frozenset[int]
    body: Callable[[Any, dict], Any] | None = None
    query: tuple[str, ...] = ()
    content: str = "application/json"
    """How many succeed at least."""
    share: float = FAIR_SHARE


def words(random) -> str:
    return random.choice(("a", "Анна", "O'Neill", "😀", "e\u0301", "x" * 200, " padded ", "\u2028", "{}", "null", "<b>", "%s"))


def weights(random, ids) -> list[dict]:
    return [{"operator_id": random.choice(ids["operator"]), "weight": random.choice((1, 1, 30, 1_000_000))} for _ in range(random.randrange(5))]


def distribution(random, ids) -> dict:
    """Of the source in the path: `@source` becomes its id."""
    return {"operator_weights": [row | {"source_id": "@source"} for row in weights(random, ids)]}


def operator(random, ids) -> dict:
    return {"name": words(random), "is_active": random.random() < 0.9, "max_load": random.choice((1, 3, 10, 100, 1_000_000))}


def source(random, ids) -> dict:
    name = "taken" if random.random() < 0.1 else unique("Fuzzed")
    return {"name": name, "description": random.choice((None, "", words(random))), "strategy": random.choice(STRATEGIES),
            "sticky_days": random.choice((0, 1, 3650))}


def registration(random, ids) -> dict:
    keys = {"lead_external_id": f"id-{random.randrange(40)}", "lead_phone": f"+7900123{random.randrange(4000, 4040)}",
            "lead_email": f"lead{random.randrange(40)}@example.com", "lead_name": words(random), "message": words(random),
            "priority": random.randrange(10), "source_event_id": f"event-{random.randrange(200)}"}
    chosen = random.sample(sorted(keys), random.randrange(len(keys) + 1))
    return {"source_id": random.choice(ids["source"])} | {name: keys[name] for name in chosen}


def batch(random, ids) -> list:
    return [registration(random, ids) for _ in range(random.randrange(6))]


def status(random, ids) -> dict:
    return random.choice(({"is_active": True}, {"is_active": False}, {"status": "active"}, {"status": "closed"}))


STRATEGIES = ("weighted_random", "weighted_capacity", "smooth_weighted", "round_robin", "least_loaded", "most_free")


def assignment(random, ids) -> dict:
    return {"operator_id": random.choice(ids["operator"]), "force": random.random() < 0.7, "reason": words(random)}


def contact_change(random, ids) -> dict:
    move = random.choice(({}, {"status": "active"}, {"status": "closed"}, {"operator_id": None},
                          {"operator_id": random.choice(ids["operator"])}))
    return move | random.choice(({}, {"priority": random.randrange(10)}, {"message": words(random)}))


def lead_change(random, ids) -> dict:
    fields = {"name": words(random), "phone": f"8900123{random.randrange(4000, 4080)}", "email": words(random),
              "external_id": random.choice(("", f"id-{random.randrange(80)}"))}
    return {name: fields[name] for name in random.sample(sorted(fields), random.randrange(len(fields) + 1))}


def bulk(random, ids) -> dict:
    return {"action": random.choice(("close", "reopen", "assign", "transfer", "release", "priority")),
            "ids": random.sample(ids["contact"], min(3, len(ids["contact"]))), "priority": random.randrange(10)} | assignment(random, ids)


def person(random, ids) -> dict:
    role = random.choice(("operator", "analyst", "supervisor", "admin"))
    return {"name": words(random), "role": role, "operator_id": random.choice(ids["operator"]) if role == "operator" else None}


def new_person(random, ids) -> dict:
    return person(random, ids) | {"login": "taken" if random.random() < 0.1 else unique("login")}


def key(random, ids) -> dict:
    return {"name": words(random), "role": random.choice(("intake", "analyst", "supervisor")), "rate": random.choice((None, 1, 1000)),
            "source_ids": random.choice((None, random.sample(ids["source"], 2)))}


def words_of_a_link(random, ids) -> dict:
    return {"token": "".join(random.choices("abcdefgh_-", k=43))}


PAGE = ("skip", "limit", "order", "cursor")
LOG = ("after", "limit")

# Lists come first, while there is little to list.
ENDPOINTS = [
    Endpoint("GET", "/", frozenset({200, 303, 307})),
    Endpoint("GET", "/health", frozenset({200})),
    Endpoint("GET", "/livez", frozenset({200})),
    Endpoint("GET", "/readyz", frozenset({200})),
    Endpoint("GET", "/metrics", frozenset({200}), content="text/plain"),
    Endpoint("GET", "/openapi.json", DOCUMENT),
    Endpoint("GET", "/api/v1/openapi.json", DOCUMENT),
    Endpoint("GET", "/docs", DOCUMENT, content="text/html"),
    # Only there when Swagger UI has been fetched.
    Endpoint("GET", "/docs/{file}", DOCUMENT | {404}, content="text/", share=0),
    Endpoint("GET", "/redoc", frozenset({301, 302, 303, 307, 308})),
    Endpoint("GET", "/api/v1/operators", LIST, query=("is_active", *PAGE)),
    Endpoint("GET", "/api/v1/sources", LIST, query=PAGE),
    Endpoint("GET", "/api/v1/contacts", LIST, query=("source_id", "operator_id", "lead_id", "status", "is_active", "created_from", "created_to", "q", *PAGE)),
    Endpoint("GET", "/api/v1/leads", LIST, query=("q", *PAGE)),
    Endpoint("GET", "/api/v1/leads/duplicates", LIST, query=PAGE),
    Endpoint("GET", "/api/v1/leads/{lead}/contacts", READ, query=PAGE),
    Endpoint("GET", "/api/v1/leads/{lead}", READ),
    Endpoint("GET", "/api/v1/leads/by-external/{external}", READ),
    Endpoint("GET", "/api/v1/contacts/stats/distribution", LIST),
    Endpoint("GET", "/api/v1/stats/distribution", LIST),
    Endpoint("GET", "/api/v1/stats/overview", LIST, query=("today_from",)),
    Endpoint("GET", "/api/v1/operators/{operator}", READ),
    Endpoint("GET", "/api/v1/operators/{operator}/stats", READ),
    Endpoint("GET", "/api/v1/sources/{source}", READ),
    Endpoint("GET", "/api/v1/sources/{source}/distribution", READ),
    Endpoint("GET", "/api/v1/sources/{source}/weights", READ),
    Endpoint("GET", "/api/v1/sources/{source}/shares", READ, query=("from", "to")),
    Endpoint("GET", "/api/v1/contacts/{contact}", READ),
    Endpoint("GET", "/api/v1/contacts/{contact}/history", READ, query=LOG),
    Endpoint("GET", "/api/v1/events", LIST, query=LOG),
    Endpoint("GET", "/api/v1/events/stream", LIST, query=("after",), content="text/event-stream"),
    Endpoint("GET", "/api/v1/contacts/{contact}/explain", READ),
    Endpoint("GET", "/api/v1/queue", LIST),
    Endpoint("PATCH", "/api/v1/contacts/{contact}/status", MOVE, status),
    Endpoint("POST", "/api/v1/contacts/{contact}/close", MOVE),
    Endpoint("POST", "/api/v1/contacts/{contact}/reopen", MOVE),
    Endpoint("PATCH", "/api/v1/contacts/{contact}", MOVE, contact_change, share=0.1),
    Endpoint("POST", "/api/v1/contacts/{contact}/release", MOVE, lambda random, ids: {"reason": words(random)}, share=0.05),
    Endpoint("POST", "/api/v1/contacts/{contact}/assign", MOVE, assignment, share=0.05),
    Endpoint("POST", "/api/v1/contacts/{contact}/transfer", MOVE, assignment, share=0.05),
    Endpoint("POST", "/api/v1/contacts/bulk", CHANGE, bulk),
    Endpoint("POST", "/api/v1/contacts/batch", CHANGE, batch),
    Endpoint("POST", "/api/v1/sources/{source}/distribution", frozenset({201, 400, 404, 413, 422}), distribution),
    Endpoint("PUT", "/api/v1/sources/{source}/distribution", CHANGE, distribution),
    Endpoint("POST", "/api/v1/sources/{source}/weights", CHANGE, weights),
    Endpoint("POST", "/api/v1/contacts", frozenset({200, 201, 400, 404, 413, 422}), registration),
    Endpoint("PATCH", "/api/v1/operators/{operator}", CHANGE, lambda random, ids: operator(random, ids) | {"requeue": random.random() < 0.1}),
    Endpoint("PUT", "/api/v1/operators/{operator}", CHANGE, operator),
    Endpoint("PATCH", "/api/v1/operators/{operator}/activate", CHANGE, lambda random, ids: {"active": random.random() < 0.8}),
    Endpoint("PATCH", "/api/v1/operators/{operator}/load-limit", CHANGE, lambda random, ids: {"max_load": random.choice((1, 5, 50, 1_000_000))}),
    Endpoint("PATCH", "/api/v1/sources/{source}", CHANGE, source),
    Endpoint("POST", "/api/v1/operators", frozenset({201, 400, 413, 422}), operator),
    Endpoint("POST", "/api/v1/sources", frozenset({201, 400, 413, 422}), source),
    Endpoint("PATCH", "/api/v1/leads/{lead}", MOVE, lead_change),
    Endpoint("POST", "/api/v1/leads/{lead}/merge", MOVE, lambda random, ids: {"into": random.choice(ids["lead"])}),
    Endpoint("DELETE", "/api/v1/leads/{lead}", READ | {409}, query=("force",), share=0.02),
    Endpoint("DELETE", "/api/v1/operators/{spare}", READ),
    # Of an open server, whose callers are nobody in particular.
    Endpoint("GET", "/api/v1/me", LIST),
    Endpoint("GET", "/api/v1/sessions", READ, query=("person_id",), share=0),
    Endpoint("DELETE", "/api/v1/sessions", READ, query=("person_id",), share=0),
    Endpoint("DELETE", "/api/v1/sessions/{person}", READ, share=0),
    Endpoint("GET", "/api/v1/people", LIST, query=PAGE),
    Endpoint("GET", "/api/v1/people/{person}", READ),
    Endpoint("PATCH", "/api/v1/people/{person}", MOVE, person),
    Endpoint("POST", "/api/v1/people/{person}/link", frozenset({201, 404, 409, 422})),
    Endpoint("POST", "/api/v1/people", frozenset({201, 400, 404, 409, 413, 422}), new_person),
    Endpoint("POST", "/api/v1/people/first", frozenset({400, 409, 413, 422}), lambda random, ids: {"name": words(random), "login": unique("login")}, share=0),
    Endpoint("GET", "/api/v1/keys", LIST, query=PAGE),
    Endpoint("GET", "/api/v1/keys/{key}", READ),
    Endpoint("POST", "/api/v1/keys", frozenset({201, 400, 404, 413, 422}), key),
    Endpoint("POST", "/api/v1/keys/{key}/rotate", CHANGE, lambda random, ids: {"grace_seconds": random.choice((0, 60, 604_800))}),
    Endpoint("DELETE", "/api/v1/keys/{key}", READ, share=0),
    Endpoint("GET", "/api/v1/audit", LIST, query=("kind", "actor_kind", "actor_id", "from", "to", "limit", "cursor")),
    Endpoint("POST", "/api/v1/session", frozenset({400, 401, 413, 422, 429}), lambda random, ids: {"login": words(random), "password": words(random)}, share=0),
    Endpoint("DELETE", "/api/v1/session", frozenset({200, 422})),
    Endpoint("POST", "/api/v1/session/link", CHANGE, words_of_a_link, share=0),
    Endpoint("POST", "/api/v1/session/password", CHANGE, lambda random, ids: words_of_a_link(random, ids) | {"password": words(random)}, share=0),
    Endpoint("PUT", "/api/v1/me/password", CHANGE | {403}, lambda random, ids: {"current_password": words(random), "password": words(random)}, share=0),
    Endpoint("GET", "/api/v1/session/provider", READ, query=("to",), share=0),
    Endpoint("GET", "/api/v1/session/provider/back", READ, query=("code", "state"), share=0),
]


KINDS = ("operator", "source", "contact", "lead", "external", "spare", "file", "person", "key")


@pytest.fixture(scope="module")
def ids(server) -> dict[str, list]:
    """What the requests are about, made once: the same ids in every run."""
    api = server.client()
    operators = [api.operator(max_load=limit)["id"] for limit in (1, 2, 5, 5, 10, 10, 100, 1000)]
    sources = [api.source({id: 1 + id % 3 for id in operators[number:number + 3]})["id"] for number in range(6)]
    api.source(name="taken")
    contacts = [api.contact(sources[number % 6], lead_external_id=f"id-{number % 40}") for number in range(60)]
    leads = sorted({contact["lead_id"] for contact in contacts})
    people = [api.post("/api/v1/people", {"login": f"person {number}", "name": "Person", "role": "admin"}).must_be(201).json["person"]["id"]
              for number in range(5)]
    api.post("/api/v1/people", {"login": "taken", "name": "Taken", "role": "analyst"}).must_be(201)
    keys = [api.post("/api/v1/keys", {"name": "Key", "role": "intake"}).must_be(201).json["id"] for _ in range(5)]
    return {"person": people, "key": keys, "operator": operators, "source": sources, "contact": [contact["id"] for contact in contacts], "lead": leads,
            "external": [f"id-{number}" for number in range(40)], "spare": [999999], "file": ["swagger-ui.css", "x"]}


@dataclass
class Fuzzer:
    """Makes the requests to one endpoint."""

    endpoint: Endpoint
    random: Any
    ids: dict
    grammar: list[bytes] = field(default_factory=list)

    def __post_init__(self):
        self.grammar = [random_json(self.random).encode(errors="surrogatepass") for _ in range(300)]
        self.spare = list(self.ids["spare"])

    def requests(self):
        for _ in range(REQUESTS):
            yield self.request()

    def request(self) -> Request:
        random, endpoint = self.random, self.endpoint
        method, statuses, chunks, is_alone = endpoint.method, endpoint.statuses, None, False
        path, source_id = self.path()
        if random.random() < 0.04:
            path, statuses = self.disturbed(path), ANY | endpoint.statuses
        if random.random() < 0.03:
            method, statuses = random.choice(METHODS), ANY | endpoint.statuses
            if method == "DELETE" and "{operator}" in endpoint.path:
                method = "TRACE"  # an operator who is archived would be missing from all that follows
        query = self.query()
        headers = self.headers()
        body = self.body(source_id)
        if body is not None and random.random() < 0.05:
            chunks = sorted(random.randrange(len(body) + 1) for _ in range(random.randrange(4)))
        if body is not None and len(body) > 60_000:
            statuses, is_alone = statuses | {413}, True
        raw = request(method, path + query, headers, body, chunks)
        is_alone = is_alone or (b"Connection", b"close") in headers
        if random.random() < 0.005:
            raw, statuses, is_alone = self.bent(raw), None, True
        return Request(raw, method, statuses, is_alone)

    def path(self) -> tuple[bytes, int]:
        """A path whose ids are real most of the time, and the source in it."""
        random, chosen = self.random, {}
        for kind in KINDS:
            fate = random.random()
            if fate < 0.8:
                chosen[kind] = self.spare.pop() if kind == "spare" and self.spare and "{spare}" in self.endpoint.path else random.choice(self.ids[kind])
            elif fate < 0.85:
                chosen[kind] = random.choice((0, -1, 999999, 2**31, 2**63 - 1, 2**63))
            else:
                chosen[kind] = random.choice(HOSTILE_WORDS).decode()
        path = self.endpoint.path.format(**chosen).encode()
        is_slashed = random.random() < 0.2 and path != b"/"
        return path + (b"/" if is_slashed else b""), chosen["source"]

    def disturbed(self, path: bytes) -> bytes:
        random = self.random
        segments = path.split(b"/")
        at = random.randrange(1, len(segments) + 1)
        kind = random.randrange(7)
        if kind == 0:
            segments.insert(at, random.choice((b"", b".", b"..", b"%2e%2e", b"x", b"api", b"close", b"%00", b"1")))
        elif kind == 1 and len(segments) > 2:
            del segments[at - 1]
        elif kind == 2:
            segments[-1] = b"".join(b"%%%02x" % byte for byte in segments[-1])
        elif kind == 3:
            segments.insert(at, random.choice((b"a" * 9000, b"%61" * 2000, b"/" * 500)))
        elif kind == 4:
            segments = [segment.upper() for segment in segments]
        elif kind == 5:
            random.shuffle(segments)
        else:
            segments.append(random.choice(HOSTILE_WORDS))
        return b"/" + b"/".join(segments).lstrip(b"/") if random.random() < 0.8 else b"//" + b"/".join(segments)

    def query(self) -> bytes:
        random, names, parts = self.random, self.endpoint.query, []
        if random.random() < (0.05 if names else 0.85):
            return b""
        for _ in range(random.randrange(1, 4)):
            name = random.choice(names) if names and random.random() < 0.9 else random.choice(("x", "", "skip[]", "%00", "limit", "__proto__"))
            fate = random.random()
            value = str(random.choice((0, 1, 2, 5, 20))).encode() if fate < 0.6 else random.choice(HOSTILE_WORDS)
            right = {"order": (b"asc", b"desc"), "is_active": (b"true", b"false"), "status": (b"new", b"active", b"closed"), "limit": (b"1", b"5", b"1000"),
                     "created_from": (b"2026-01-01T00:00:00Z", b"2100-01-01"), "created_to": (b"2100-01-01T00:00:00Z",), "q": (b"a", b"id-1", b"%2B7900"),
                     "today_from": (b"2026-01-01T00:00:00Z",), "from": (b"2026-01-01T00:00:00Z",), "to": (b"2100-01-01T00:00:00Z",)}
            if fate < 0.8 and name in right:
                value = random.choice(right[name])
            parts.append(name.encode() + random.choice((b"=", b"=", b"=", b"=", b"")) + value)
        if names and random.random() < 0.8:
            parts.append(b"limit=2")  # long lists prove no more and take their time
        return b"?" + b"&".join(parts)

    def headers(self) -> list[tuple[bytes, bytes]]:
        random = self.random
        headers = [(b"Content-Type", b"application/json")]
        if random.random() < 0.1:
            headers = [(b"Content-Type", type.encode()) for type in random.choices(TYPES, k=random.randrange(3))]
        if random.random() < 0.15:
            headers.append(random.choice((
                (b"Accept-Language", b"ru"), (b"Accept-Language", b"ru;q=x,,;;*"), (b"Accept-Language", b"en-" * 300), (b"Accept", b"text/html"),
                (b"Accept", b"application/xml;q=1"), (b"Accept-Encoding", b"gzip, br, *"), (b"Idempotency-Key", b"k"), (b"Idempotency-Key", b"k" * 300),
                (b"X-HTTP-Method-Override", b"DELETE"), (b"X-Long", b"x" * 4000), (b"Cookie", b"a=b; " * 100), (b"Range", b"bytes=0-1"),
                (b"If-None-Match", b"*"), (b"If-Modified-Since", b"x"), (b"Origin", b"http://evil"), (b"X-Forwarded-For", b"\xff\xfe"),
                (b"Authorization", b"Bearer x"), (b"Connection", b"close"), (b"Connection", b"keep-alive"), (b"Content-Encoding", b"gzip"),
            )))
        return headers

    def body(self, source_id) -> bytes | None:
        random = self.random
        if self.endpoint.body is None:
            return random.choice((random.choice(DOCUMENTS), random.choice(self.grammar))) if random.random() < 0.1 else None
        right = self.endpoint.body(random, self.ids)
        raw = json.dumps(right, ensure_ascii=random.random() < 0.5).encode().replace(b'"@source"', str(source_id).encode())
        fate = random.random()
        if fate < KEPT_WHOLE:
            return raw
        if fate < 0.7:
            return self.with_strange_values(raw)
        if fate < 0.85:
            return damaged(random, raw)
        if fate < 0.95:
            return random.choice(self.grammar)
        return random.choice(DOCUMENTS)

    def with_strange_values(self, raw: bytes) -> bytes:
        """The object or list with one to three values replaced, dropped or added."""
        random = self.random
        try:
            body = json.loads(raw)
        except ValueError:
            return raw
        parts = body if isinstance(body, list) else [body, *body.get("operator_weights", [])]
        placed = []
        for _ in range(random.randrange(1, 4) if parts else 0):
            part = random.choice(parts)
            name = random.choice([*part, "x"])
            if random.random() < 0.2:
                part.pop(name, None)
            else:
                part[name] = f"@{len(placed)}@"
                placed.append(random.choice(STRANGE if random.random() < 0.6 else self.grammar))
            parts = [part for part in parts if isinstance(part, dict)]
        raw = json.dumps(body).encode()
        for number, value in enumerate(placed):
            raw = raw.replace(b'"@%d@"' % number, value)
        return raw

    def bent(self, raw: bytes) -> bytes:
        """HTTP that a server may refuse as such, or answer as if nothing were odd."""
        random = self.random
        head, _, body = raw.partition(b"\r\n\r\n")
        length = b"\r\nContent-Length: %d" % len(body)
        return random.choice((
            head + length + b"\r\n\r\n" + body, head + length * 2 + b"\r\n\r\n" + body, head + b"\r\nContent-Length: +1\r\n\r\n" + body,
            head.replace(b"Host: localhost", b"Host: localhost\r\nHost: y") + b"\r\n\r\n" + body, head + b"\r\nX\x7f: y\r\n\r\n" + body,
            head.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n\r\n" + body, head + b"\r\nX: " + b"y" * 20_000 + b"\r\n\r\n" + body,
            head.replace(b" /", b" /\xff\xfe", 1) + b"\r\n\r\n" + body, head.replace(b" /", b" http://localhost/", 1) + b"\r\n\r\n" + body,
            head + b"\r\nExpect: 100-continue\r\n\r\n" + body, head + b"\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + body,
        ))


def complaint(endpoint: Endpoint, request: Request, answer: Answer | None) -> str | None:
    """What is wrong with an answer, or nothing."""
    if answer is None:
        return None if request.statuses is None else "the connection was closed without an answer"
    if answer.status >= 500:
        return None if request.statuses is None and answer.status == 501 else "a 5xx"
    if request.statuses is None:
        return None
    # A page of another site is refused whatever it asks for, and a browser that does not say what it sends.
    if b"\r\nOrigin:" in request.raw and (answer.status in (403, 415)
                                          and (request.method == "HEAD" or b'"cross_site"' in answer.body or b'"json_undeclared"' in answer.body)):
        return None
    if answer.status not in request.statuses:
        return f"the endpoint does not have {answer.status}"
    if request.method == "HEAD" or answer.status == 204 or 300 <= answer.status < 400:
        return None if answer.body == b"" else "a body that must not be"
    type = answer.headers.get("content-type", "")
    if not type.startswith("application/json") or (answer.status == 200 and not request.statuses >= ANY and not type.startswith(endpoint.content)):
        is_right = type.startswith(endpoint.content) or request.statuses >= ANY and type.startswith(("text/html", "text/plain"))
        return None if answer.status == 200 and is_right else f"the type is {type!r}"
    try:
        content = json.loads(answer.body.decode(), parse_int=str, parse_constant=lambda word: 1 / 0)
    except (ValueError, ZeroDivisionError):
        return "this is no JSON"
    if answer.status == 422 and content.get("code") == "idempotency_key_reused":
        return None if b"idempotency-key" in request.raw.lower() else "no key was sent"
    if answer.status == 422:
        faults = content["detail"]
        if not (isinstance(faults, list) and faults and all(list(fault)[:4] == ["type", "loc", "msg", "input"] for fault in faults)):
            return "a 422 without its faults"
    elif answer.status >= 400 and not isinstance(content.get("detail"), str):
        return "an error without its detail"
    return None


@pytest.fixture(autouse=True, scope="module")
def unharmed(server, database):
    """In the end the same process is there, every load is its recount, and nobody waits beside capacity."""
    pid, client = server.pid, server.client()
    yield
    assert server.is_running and server.pid == pid, f"the server ended with {server.process.returncode}"
    eventually(server.is_ready, 5, "the server is not ready any more")
    # Limits were lowered below loads on the way, which is allowed; with room for everybody nothing is.
    assert [row for row in database.broken_loads() if row[1] != row[4] or row[1] > row[3]] == []
    for (id,) in database.rows("select operator_id from operator_loads where load > max_load"):
        client.change_operator(id, max_load=1_000_000)
    assert database.broken_loads() == []
    eventually(lambda: database.stranded() == [], 10, lambda: f"they wait beside capacity: {database.stranded()[:20]}")


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_whatever_comes_is_answered_as_the_endpoint_answers(server, ids, endpoint):
    if "{spare}" in endpoint.path:  # each is deleted once
        api = server.client()
        ids = ids | {"spare": [api.operator()["id"] for _ in range(600)]}
    random = generator(f"{endpoint.method} {endpoint.path}")
    wire, began, counts = Wire(server.port), time.monotonic(), {}
    try:
        for request, answer in wire.exchange(Fuzzer(endpoint, random, ids).requests()):
            wrong = complaint(endpoint, request, answer)
            assert not wrong, f"{wrong}\n{request.raw!r}\n{answer}"
            status = answer.status if answer else "closed"
            counts[status] = counts.get(status, 0) + 1
    finally:
        wire.close()
    print(f"  {dict(sorted(counts.items(), key=str))} in {time.monotonic() - began:.1f} s")
    assert sum(counts.values()) == REQUESTS
    assert sum(count for status, count in counts.items() if status != "closed" and status < 400) >= REQUESTS * endpoint.share


def test_every_operation_of_the_document_is_among_the_endpoints(server):
    paths = server.client().get("/openapi.json").must_be(200).json["paths"]
    documented = {(method.upper(), re.sub(r"{\w+}", "{}", path)) for path, item in paths.items() for method in item}
    assert documented <= {(endpoint.method, re.sub(r"{\w+}", "{}", endpoint.path)) for endpoint in ENDPOINTS}
