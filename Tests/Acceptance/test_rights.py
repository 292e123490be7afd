"""Every route against everybody who may ask, from the route table itself; own, foreign and missing things are told apart by nothing."""

import json
import math
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import time

import pytest

from client import Client, unique
from instance import REPOSITORY
from openapi import Document
from test_access import PASSWORD, Access, bearer, session
from waiting import eventually

pytestmark = pytest.mark.alone

ROLES = ["intake", "operator", "analyst", "supervisor", "admin"]
MISSING = 999_999_999
UNDOCUMENTED = {  # what is no part of the API, with who may
    "/docs": ROLES, "/openapi.json": ROLES, "/api/v1/openapi.json": ROLES, "/redoc": ROLES,
    "/dashboard": ROLES, "/dashboard/contacts": ROLES,
}
# Bodies that get past reading, so that it is told whether the caller was let in. None changes anything: the ids are of nothing.
BODIES = {
    "add_weights": {"operator_weights": [{"operator_id": MISSING, "source_id": MISSING}]},
    "replace_weights": {"operator_weights": [{"operator_id": MISSING, "source_id": MISSING}]},
    "set_weights": [{"operator_id": MISSING}], "register_contacts": [], "change_contacts": {"action": "close", "ids": [MISSING]},
    "register_contact": {"source_id": MISSING},
}


class Scene:
    """Two operators, two sources, contacts of each, and somebody of every role."""

    def __init__(self, access: Access):
        self.access = access
        ask = access.ask
        self.operators = [ask("POST", "/api/v1/operators", {"name": unique("Operator"), "max_load": 1000}).must_be(201).json["id"] for _ in range(2)]
        self.sources = []
        for operator in self.operators:
            source = ask("POST", "/api/v1/sources", {"name": unique("Source")}).must_be(201).json["id"]
            ask("POST", f"/api/v1/sources/{source}/weights", [{"operator_id": operator}]).must_be(200)
            self.sources.append(source)
        keys = {"intake": access.key("intake", source_ids=[self.sources[0]]), "analyst": access.key("analyst"),
                "supervisor": access.key("supervisor"), "admin": access.key("admin")}
        self.intake_of_other_source = bearer(access.key("intake", source_ids=[self.sources[1]])["key"])
        self.key_of_source = bearer(access.key("supervisor", source_ids=[self.sources[0]])["key"])
        self.who = {role: bearer(key["key"]) for role, key in keys.items()}
        self.who["operator"] = access.person("operator", operator_id=self.operators[0])
        self.people = {role: access.person(role) for role in ("analyst", "supervisor", "admin")}
        revoked = access.key("admin")
        access.ask("DELETE", f"/api/v1/keys/{revoked['id']}").must_be(200)
        expired = access.person("admin")
        me = access.ask("GET", "/api/v1/me", who=expired).json
        access.ask("DELETE", f"/api/v1/sessions?person_id={me['id']}").must_be(200)
        self.refused = {"nobody": {}, "a revoked key": bearer(revoked["key"]), "an ended session": expired,
                        "a made-up key": bearer("crm_aaaaaaaa_" + "a" * 43), "a made-up session": {"Cookie": "leads=" + "a" * 43}}

    def contact(self, number: int, who: dict | None = None, **fields) -> dict:
        """A contact of one of the sources, which its operator has."""
        body = {"source_id": self.sources[number], "lead_name": unique("Lead"), "lead_phone": f"+7900{next(self.phones):07}"} | fields
        return self.access.ask("POST", "/api/v1/contacts", body, who or self.access.admin).must_be(201).json

    phones = iter(range(1_000_000, 9_999_999))


@pytest.fixture(scope="module")
def scene(instances, database):
    instance = instances(database)
    yield Scene(Access(instance, database))
    instance.end()


def operations(scene: Scene):
    """What the route table says: method, path with ids of nothing, body, and the roles that may."""
    document = Document(scene.access.ask("GET", "/openapi.json").must_be(200).json)
    for operation in document.operations:
        said = operation.json["description"].rsplit("\n\n", 1)[-1]
        if said == "For everybody.":
            roles = None
        elif said == "For any role.":
            roles = ROLES
        else:
            roles = re.findall(r"`(\w+)`", said)
        assert (operation.json["security"] == []) == (roles is None)
        path = operation.path.replace("{external_id}", "nobody").replace("{key_id}", "aaaaaaaa")
        yield operation.id, operation.method.upper(), re.sub(r"\{\w+\}", str(MISSING), path), BODIES.get(operation.id, {} if operation.body else ...), roles
    for path, roles in UNDOCUMENTED.items():
        yield path, "GET", path, ..., roles


def test_every_route_lets_in_whom_it_names_and_nobody_else(scene):
    tried = 0
    events = lambda: scene.access.ask("GET", "/api/v1/events?limit=1000").json
    before = len(events())
    for id, method, path, body, roles in operations(scene):
        for methods in ([method, "HEAD"] if method == "GET" else [method]):
            for who, headers in scene.refused.items():
                answer = scene.access.ask(methods, path, body, headers)
                expected = roles is None
                assert (answer.status != 401) == expected or id in ("sign_in", "change_password"), (id, who, answer.status)
                tried += 1
                if not expected and methods != "HEAD":
                    assert answer.json["code"] == "unauthenticated" and answer.headers["WWW-Authenticate"] == "Bearer", (id, who)
            for role, headers in scene.who.items():
                if id == "sign_out" and "Cookie" in headers:
                    continue  # it would end the session that all others are tried with
                answer = scene.access.ask(methods, path, body, headers)
                tried += 1
                if roles is None or role in roles:
                    assert answer.status not in (401, 403) or id in ("sign_in", "change_password"), (id, role, answer.status, answer.body[:200])
                else:
                    assert answer.status == 403, (id, role, answer.status)
                    if methods != "HEAD":
                        assert answer.json["code"] == "forbidden"
    print(f"{tried} requests")
    assert tried > 700
    assert len(events()) == before, "nothing has happened"


def test_a_route_that_says_nothing_does_not_compile():
    """By the type of the table: its initialiser has no default for who may."""
    source = (pathlib.Path(__file__).parents[2] / "Sources/API/Routes.swift").read_text()
    initialiser = re.search(r"init\((.*?)\)\s*\{", source, re.DOTALL).group(1)
    assert re.search(r"_ access: Access,", initialiser)


def plain(answer) -> tuple:
    """An answer without what differs between any two."""
    headers = {name: value for name, value in answer.headers.items() if name not in ("Date", "X-Request-ID")}
    return answer.status, answer.body, headers


def ways(contact: dict | int, colleague: int):
    """Everything that can be done to a contact, its lead, and what is told of them."""
    id, lead = (contact["id"], contact["lead_id"]) if isinstance(contact, dict) else (contact, contact)
    yield "GET", f"/api/v1/contacts/{id}", ...
    yield "GET", f"/api/v1/contacts/{id}/history", ...
    yield "GET", f"/api/v1/contacts/{id}/explain", ...
    yield "GET", f"/api/v1/leads/{lead}", ...
    yield "GET", f"/api/v1/leads/{lead}/contacts", ...
    for body in ({"message": "x"}, {"priority": 3}, {"status": "closed"}, {"status": "active"}, {"operator_id": None}, {"operator_id": colleague}):
        yield "PATCH", f"/api/v1/contacts/{id}", body
    for body in ({"is_active": False}, {"is_active": True}):
        yield "PATCH", f"/api/v1/contacts/{id}/status", body
    for what in ("close", "reopen", "release"):
        yield "POST", f"/api/v1/contacts/{id}/{what}", ...
    for body in ({"operator_id": colleague}, {"operator_id": MISSING}):
        yield "POST", f"/api/v1/contacts/{id}/transfer", body


def test_the_table_of_the_documentation_is_that_of_the_routes(scene, tmp_path):
    documented = REPOSITORY / "docs/SECURITY.md"
    copy = tmp_path / "SECURITY.md"
    shutil.copy(documented, copy)
    key = scene.who["intake"]["Authorization"].removeprefix("Bearer ")
    subprocess.run([REPOSITORY / "deploy/print-routes", f"http://127.0.0.1:{scene.access.server.port}", "--into", copy],
                   env=os.environ | {"LEADS_KEY": key}, check=True, timeout=30)
    assert copy.read_text() == documented.read_text(), "make routes writes it anew"


def test_an_operator_says_whether_it_is_active_itself_and_of_nobody_else(scene):
    own, colleague = scene.operators
    ask = lambda id, what, body: scene.access.ask("PATCH", f"/api/v1/operators/{id}/{what}", body, scene.who["operator"])
    is_active = lambda id: scene.access.ask("GET", f"/api/v1/operators/{id}").json["is_active"]
    ask(own, "activate", {"active": False}).must_be(200)
    assert not is_active(own)
    event = scene.access.ask("GET", "/api/v1/audit?limit=1").json[0]
    assert (event["kind"], event["actor"]["kind"], own in (event["from_operator_id"], event["to_operator_id"])) == ("operator_changed", "person", True), event
    ask(own, "activate", {"active": True}).must_be(200)
    assert is_active(own)
    foreign, missing = (ask(id, "activate", {"active": False}).must_be(404) for id in (colleague, MISSING))
    assert (foreign.body, foreign.json["code"]) == (missing.body, "operator_not_found")
    assert is_active(colleague)
    assert ask(own, "load-limit", {"max_load": 5}).status == 403


@pytest.mark.seconds(240)
def test_to_an_operator_a_foreign_contact_is_a_missing_one(scene):
    operator = scene.who["operator"]
    own, foreign, closed, waiting = scene.contact(0), scene.contact(1), scene.contact(1), None
    scene.access.ask("POST", f"/api/v1/contacts/{closed['id']}/close").must_be(200)
    tried = 0
    for other in (foreign, closed):
        before = scene.access.ask("GET", f"/api/v1/contacts/{other['id']}").json
        for (method, path, body), (_, missing, _) in zip(ways(other, scene.operators[0]), ways(MISSING, scene.operators[0])):
            for condition in ({}, {"If-Match": '"1"'}, {"If-Match": '"77"'}):
                answers = [scene.access.ask(method, asked, body, operator, headers=condition) for asked in (path, missing)]
                assert plain(answers[0]) == plain(answers[1]) and answers[0].status == 404, (method, path, answers[0].status, answers[1].status)
                tried += 1
        items = scene.access.ask("POST", "/api/v1/contacts/bulk", {"action": "close", "ids": [other["id"], MISSING]}, operator).must_be(200).json
        assert {key: value for key, value in items[0].items() if key != "id"} == {key: value for key, value in items[1].items() if key != "id"}
        assert scene.access.ask("GET", f"/api/v1/contacts/{other['id']}").json == before
    for method, path, body in ways(own, scene.operators[1]):
        assert b'"contact_not_found"' not in scene.access.ask(method, path, body, operator).body, (method, path)
        back = scene.access.ask("GET", f"/api/v1/contacts/{own['id']}").json
        if back["operator_id"] != scene.operators[0]:
            scene.access.ask("POST", f"/api/v1/contacts/{own['id']}/assign", {"operator_id": scene.operators[0], "force": True})
            scene.access.ask("POST", f"/api/v1/contacts/{own['id']}/reopen")
            scene.access.ask("POST", f"/api/v1/contacts/{own['id']}/assign", {"operator_id": scene.operators[0], "force": True})
    print(f"{tried} pairs of answers alike")


def test_lists_searches_counts_logs_and_streams_of_an_operator_are_its_own(scene):
    operator = scene.who["operator"]
    own = scene.contact(0, message="mine apricot")
    foreign = scene.contact(1, message="theirs apricot")
    shared = scene.contact(1, lead_phone=own["lead_phone"])
    assert shared["lead_id"] == own["lead_id"]
    ask = lambda path: scene.access.ask("GET", path, who=operator).must_be(200).json
    listed = []
    path = "/api/v1/contacts?limit=1"
    while path:
        answer = scene.access.ask("GET", path, who=operator).must_be(200)
        listed += answer.json
        link = re.match(r"<([^>]*)>", answer.headers.get("Link", ""))
        path = link and link.group(1)
    assert own["id"] in [row["id"] for row in listed] and {row["operator_id"] for row in listed} == {scene.operators[0]}
    assert [row["id"] for row in ask("/api/v1/contacts?q=apricot")] == [own["id"]]
    assert ask(f"/api/v1/contacts?operator_id={scene.operators[1]}") == ask(f"/api/v1/contacts?lead_id={foreign['lead_id']}") == []
    lead = ask(f"/api/v1/leads/{own['lead_id']}")
    assert (lead["contact_count"], [row["id"] for row in lead["contacts"]]) == (1, [own["id"]])
    assert foreign["lead_id"] not in [row["id"] for row in ask("/api/v1/leads?limit=1000")]
    assert ask(f"/api/v1/leads?q={foreign['lead']['name'].replace(' ', '%20')}") == []
    assert {event["contact_id"] for event in ask("/api/v1/events?limit=1000")} <= {row["id"] for row in listed}
    colleagues = ask("/api/v1/operators")
    assert {tuple(sorted(row)) for row in colleagues if row["id"] != scene.operators[0]} == {("id", "name")}
    foreign_operator = scene.access.ask("GET", f"/api/v1/operators/{scene.operators[1]}", who=operator)
    assert plain(foreign_operator) == plain(scene.access.ask("GET", f"/api/v1/operators/{MISSING}", who=operator))
    assert scene.access.ask("GET", f"/api/v1/operators/{scene.operators[0]}/stats", who=operator).status == 200
    stream = Client(scene.access.server.port, timeout=10)
    stream._connection.request("GET", "/api/v1/events/stream?after=0", headers=operator)
    answer = stream._connection.getresponse()
    marker = scene.contact(0)
    read = b""
    while f'"contact_id":{marker["id"]},'.encode() not in read:
        read += answer.read1()
    stream.close()
    seen = {json.loads(line[6:])["contact_id"] for line in read.decode().splitlines() if line.startswith("data: ")}
    assert foreign["id"] not in seen and shared["id"] not in seen and own["id"] in seen and None not in seen


def test_an_operator_passes_on_and_does_not_force(scene):
    operator, colleague = scene.who["operator"], scene.operators[1]
    contact = scene.contact(0)
    path = f"/api/v1/contacts/{contact['id']}"
    assert scene.access.ask("POST", f"{path}/transfer", {"operator_id": colleague, "force": True}, operator).must_be(403).json["code"] == "forbidden"
    assert scene.access.ask("POST", f"{path}/assign", {"operator_id": colleague}, operator).status == 403
    assert scene.access.ask("POST", f"{path}/transfer", {"operator_id": colleague}, operator).must_be(200).json["operator_id"] == colleague
    assert scene.access.ask("GET", path, who=operator).status == 404


def test_an_intake_sees_what_it_registered_and_its_sources_alone(scene):
    intake, other = scene.who["intake"], scene.intake_of_other_source
    made = scene.contact(0, intake)
    foreign, by_admin = scene.contact(1, other), scene.contact(0)
    assert scene.access.ask("GET", f"/api/v1/contacts/{made['id']}", who=intake).must_be(200).json["id"] == made["id"]
    missing = plain(scene.access.ask("GET", f"/api/v1/contacts/{MISSING}", who=intake))
    for contact in (foreign, by_admin):
        assert plain(scene.access.ask("GET", f"/api/v1/contacts/{contact['id']}", who=intake)) == missing
    unknown = plain(scene.access.ask("POST", "/api/v1/contacts", {"source_id": MISSING}, intake))
    assert plain(scene.access.ask("POST", "/api/v1/contacts", {"source_id": scene.sources[1]}, intake)) == unknown and unknown[0] == 404
    items = scene.access.ask("POST", "/api/v1/contacts/batch", [{"source_id": MISSING}, {"source_id": scene.sources[1]}, {"source_id": scene.sources[0]}], intake)
    [first, second, third] = items.must_be(200).json
    assert first == second and third["status"] == 201
    key = {"Idempotency-Key": "of two"}
    mine = scene.access.ask("POST", "/api/v1/contacts", {"source_id": scene.sources[0], "message": "a"}, intake, headers=key).must_be(201)
    theirs = scene.access.ask("POST", "/api/v1/contacts", {"source_id": scene.sources[1], "message": "b"}, other, headers=key).must_be(201)
    assert mine.json["id"] != theirs.json["id"], "keys of requests are apart"


def test_a_key_limited_to_a_source_sees_nothing_of_others(scene):
    limited = scene.key_of_source
    own, foreign = scene.contact(0), scene.contact(1)
    for (method, path, body), (_, missing, _) in zip(ways(foreign, scene.operators[0]), ways(MISSING, scene.operators[0])):
        assert plain(scene.access.ask(method, path, body, limited)) == plain(scene.access.ask(method, missing, body, limited)), (method, path)
    assert scene.access.ask("GET", f"/api/v1/contacts/{own['id']}", who=limited).status == 200
    assert {row["source_id"] for row in scene.access.ask("GET", "/api/v1/contacts?limit=1000", who=limited).json} == {scene.sources[0]}
    assert [row["id"] for row in scene.access.ask("GET", "/api/v1/sources", who=limited).json] == [scene.sources[0]]
    for path in (f"/api/v1/sources/{scene.sources[1]}", f"/api/v1/sources/{scene.sources[1]}/weights", f"/api/v1/sources/{scene.sources[1]}/shares"):
        assert plain(scene.access.ask("GET", path, who=limited)) == plain(scene.access.ask("GET", path.replace(str(scene.sources[1]), str(MISSING)), who=limited))
    assert scene.access.ask("GET", "/api/v1/stats/distribution", who=limited).status == 403


def test_an_analyst_sees_numbers_and_no_persons(scene):
    canary = {"lead_name": "Василиса Канарейкина", "lead_phone": "+79001234567", "lead_email": "canary.bird@mail.example",
              "message": "call the canary", "lead_external_id": "79001234567@c.us", "source_event_id": "msg-79001234567-1"}
    contact = scene.contact(0, **canary)
    scene.access.ask("PATCH", f"/api/v1/leads/{contact['lead_id']}", {"name": "Канарейкина Василиса"}).must_be(200)
    for who in (scene.who["analyst"], scene.people["analyst"]):
        texts = [scene.access.ask("GET", path, who=who).must_be(200).text for path in (
            f"/api/v1/contacts/{contact['id']}", "/api/v1/contacts?limit=1000", f"/api/v1/leads/{contact['lead_id']}", "/api/v1/leads?limit=1000",
            f"/api/v1/leads/{contact['lead_id']}/contacts", f"/api/v1/contacts/{contact['id']}/history", f"/api/v1/contacts/{contact['id']}/explain",
            "/api/v1/events?limit=1000", "/api/v1/leads/duplicates", "/api/v1/queue", "/api/v1/stats/overview", "/api/v1/stats/distribution")]
        for text in texts:
            for word in ("Канарейкин", "асилиса", "1234567", "123456", "canary", "bird"):
                assert word not in text, word
        shown = json.loads(texts[0])
        assert (shown["lead_phone"], shown["lead_email"], shown["message"], shown["lead"]["name"]) == ("+7 900 •••-••-67", "c•••@mail.example", None, "К•••")
        for path in ("/api/v1/contacts?q=canary", "/api/v1/leads?q=79001234567", "/api/v1/leads/by-external/79001234567@c.us"):
            assert scene.access.ask("GET", path, who=who).must_be(403).json["code"] == "forbidden", "a search would tell"
        events = [event["kind"] for event in json.loads(texts[7])]
        assert not [kind for kind in events if kind.startswith(("key_", "person_", "session_"))]


def test_the_audit_is_for_admins_and_says_before_and_after(scene):
    operator = scene.operators[1]
    scene.access.ask("PATCH", f"/api/v1/operators/{operator}", {"max_load": 77}, scene.people["supervisor"]).must_be(200)
    me = scene.access.ask("GET", "/api/v1/me", who=scene.people["supervisor"]).json
    ask = lambda query: scene.access.ask("GET", f"/api/v1/audit?{query}").must_be(200)
    [event, *_] = ask(f"kind=operator_changed&actor_kind=person&actor_id={me['id']}").json
    assert event["data"]["max_load"] == {"from": 1000, "to": 77} and event["actor"]["name"] == me["name"]
    everything, answer = [], ask("limit=7")
    while True:
        everything += answer.json
        link = re.match(r"<([^>]*)>", answer.headers.get("Link", ""))
        if not link:
            break
        answer = scene.access.ask("GET", link.group(1)).must_be(200)
    ids = [event["id"] for event in everything]
    assert ids == sorted(set(ids), reverse=True) and {"key_created", "person_invited", "source_created"} <= {event["kind"] for event in everything}
    assert all(event["contact_id"] is None for event in everything)
    assert ask(f"from={event['at']}&to={event['at']}").json == [event]


def test_a_caller_has_twenty_streams_and_others_have_theirs(scene):
    streams = []

    def open_stream(who: dict) -> int:
        client = Client(scene.access.server.port, timeout=10)
        client._connection.request("GET", "/api/v1/events/stream", headers=who)
        answer = client._connection.getresponse()
        streams.append((client, answer))
        return answer.status

    supervisor = scene.people["supervisor"]
    assert [open_stream(supervisor) for _ in range(21)] == [200] * 20 + [503]
    assert open_stream(scene.people["admin"]) == 200
    for client, answer in streams:
        answer.close()
        client.close()
    eventually(lambda: open_stream(supervisor) == 200, 5, "places do not come back")
    for client, answer in streams:
        answer.close()
        client.close()


def welch(left: list[float], right: list[float]) -> float:
    return (statistics.mean(left) - statistics.mean(right)) / math.sqrt(
        statistics.variance(left) / len(left) + statistics.variance(right) / len(right))


@pytest.mark.seconds(240)
def test_time_tells_a_foreign_contact_from_a_missing_one_no_more_than_words(scene):
    """Welch's t over answers in turn, the slowest twentieth of each left out: |t| < 4.5 (as dudect has it)."""
    foreign = scene.contact(1)
    client = Client(scene.access.server.port)
    times: dict[int, list[float]] = {foreign["id"]: [], MISSING: []}
    for turn in range(1500):
        for id in (list(times) if turn % 2 else list(times)[::-1]):
            answer = client.get(f"/api/v1/contacts/{id}", headers=scene.who["operator"])
            assert answer.status == 404
            times[id].append(answer.seconds)
    samples = [sorted(sample)[:len(sample) * 95 // 100] for sample in times.values()]
    t = welch(*samples)
    print(f"t = {t:.2f}, medians {[round(statistics.median(sample) * 1e6) for sample in samples]} µs")
    assert abs(t) < 4.5
