"""What an instance logs: JSON objects, a request's id on its whole way, nothing a caller sent, and no floods."""

import fcntl
import http.client
import json
import os
import re
import socket
import threading
import time
from urllib.parse import quote

import pytest

from database import Database
from instance import migrate, run
from load import Background
from logs import answer_to, answers, records
from postgres import Cluster
from waiting import eventually

CANARY = "canary-8842-Кенарь"
GENERATED = re.compile(r"[0-9a-f]{1,16}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
LEVELS = ["trace", "debug", "info", "notice", "warning", "error", "critical"]


@pytest.fixture(scope="module")
def server(instances, database):
    """The module's instance tells everything."""
    instance = instances(database, LEADS_LOG_FORMAT="json", LEADS_LOG_LEVEL="trace", LEADS_SWEEP_SECONDS=1)
    yield instance
    instance.end()


# JSON

def test_every_line_is_a_json_object_from_start_to_stop(instances, database):
    server = instances(database, LEADS_LOG_FORMAT="json", LEADS_LOG_LEVEL="trace", LEADS_DRAIN_SECONDS=1,
                       LEADS_SWEEP_SECONDS=1)
    api = server.client()
    source, _ = api.staffed_source()
    api.contact(source["id"])
    api.get("/nowhere")
    api.post("/api/v1/contacts", raw=b"{")
    assert server.terminate() == 0
    found = records(server)
    assert len(found) > 5
    for record in found:
        assert MOMENT.fullmatch(record["at"]) and record["level"] in LEVELS and record["message"]
    assert [record["at"] for record in found] == sorted(record["at"] for record in found)
    assert found[-1]["message"] == "stopped"


@pytest.mark.parametrize("format, is_json", [("json", True), ("JSON", True), ("text", False), ("auto", True), ("", True)])
def test_the_form_of_the_log_is_as_asked_for(instances, database, format, is_json):
    """A file is no terminal."""
    server = instances(database, LEADS_LOG_FORMAT=format, LEADS_LOG_LEVEL="info")
    assert server.terminate() == 0
    if is_json:
        assert records(server)
    else:
        assert '{"' not in server.output() and "info" in server.output()


def test_an_unknown_form_is_named_and_nothing_starts(database):
    code, output = run("serve", DATABASE_URL=database.dsn, LEADS_LOG_FORMAT="xml")
    assert code != 0 and "LEADS_LOG_FORMAT" in output and "serves" not in output


@pytest.mark.parametrize("level, is_logged", [("debug", True), ("info", False)])
def test_successful_requests_are_logged_at_debug(instances, database, level, is_logged):
    server = instances(database, LEADS_LOG_FORMAT="json", LEADS_LOG_LEVEL=level)
    for path in ("/livez", "/nowhere", "/api/v1/operators/abc"):
        server.client().get(path)
    assert server.terminate() == 0
    assert bool(answers(server)) is is_logged


# Requests

@pytest.mark.parametrize("method, path, body, route, status", [
    ("GET", "/api/v1/operators?limit=1", ..., "/api/v1/operators", 200),
    ("GET", "/api/v1/operators/999999/", ..., "/api/v1/operators/{operator_id}", 404),
    ("GET", "/api/v1/leads/by-external/somebody", ..., "/api/v1/leads/by-external/{external_id}", 404),
    ("POST", "/api/v1/contacts", {"source_id": "x"}, "/api/v1/contacts", 422),
    ("PUT", "/api/v1/contacts/7/", {}, "/api/v1/contacts/{contact_id}", 405),
    ("OPTIONS", "/api/v1/contacts/stats/distribution", ..., "/api/v1/contacts/stats/distribution", 204),
    ("GET", "/nowhere/at/all", ..., "unknown", 404), ("TRACE", "/nowhere", ..., "unknown", 404),
])
def test_a_request_is_logged_with_its_route_and_without_its_path(server, api, method, path, body, route, status):
    id = f"request-{time.monotonic_ns()}"
    api.request(method, path, body, headers={"X-Request-ID": id}).must_be(status)
    record = answer_to(server, id)
    assert set(record) == {"at", "level", "message", "request_id", "method", "route", "status", "milliseconds"}
    assert (record["level"], record["route"], record["status"]) == ("debug", route, str(status))
    assert record["method"] == (method if method != "TRACE" else "other") and record["milliseconds"].isdigit()


def test_a_request_is_logged_once(server, api):
    ids = [f"once-{time.monotonic_ns()}-{number}" for number in range(20)]
    for id in ids:
        api.get("/livez", headers={"X-Request-ID": id})
    answer_to(server, ids[-1])
    assert [record["request_id"] for record in answers(server) if record["request_id"] in ids] == ids


# X-Request-ID

@pytest.mark.parametrize("id", ["a", "7", "a.b-c_D", "4bf92f3577b34da6a3ce929d0e0e4736", "x" * 128,
                                "123e4567-e89b-12d3-a456-426614174000"])
@pytest.mark.parametrize("path", ["/livez", "/nowhere", "/api/v1/operators/abc"])
def test_a_callers_sane_id_is_taken_over(server, api, id, path):
    answer = api.get(path, headers={"X-Request-ID": id})
    assert answer.headers.get_all("X-Request-ID") == [id]
    eventually(lambda: id in [record["request_id"] for record in answers(server)], 5, "it is not in the log")


@pytest.mark.parametrize("id", ["", " ", "x" * 129, "x" * 5000, "two words", 'quo"te', "a\\b", "{}", "a;b", "a/b", "<b>",
                                "a\tb", "é", "%41", "a,b", "$(id)"])
def test_a_callers_strange_id_is_replaced(server, api, id):
    answer = api.get("/livez", headers={"X-Request-ID": id.encode() if not id.isascii() else id})
    [given] = answer.headers.get_all("X-Request-ID")
    assert GENERATED.fullmatch(given)
    assert answer_to(server, given)["route"] == "/livez"
    if len(id) > 3:
        assert id not in server.output()


def test_an_id_with_a_line_break_reaches_no_log_and_no_answer(server):
    """Sent raw: no client library would."""
    for smuggled in (b"a\nX-Evil: 1", b"a\rX-Evil: 1", b"a\x00b", b"a\r\n {\"level\":\"evil\"}"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Request-ID: " + smuggled
                               + b"\r\n\r\n")
            answer = http.client.HTTPResponse(connection)
            try:
                answer.begin()
            except (http.client.HTTPException, ConnectionError):
                continue  # refused without an answer
            assert answer.headers["X-Evil"] is None
            assert answer.status == 400 or GENERATED.fullmatch(answer.headers["X-Request-ID"] or "") \
                or answer.headers["X-Request-ID"] == "a"
    assert "evil" not in server.output().lower()
    records(server)


def test_requests_without_an_id_get_different_ones(api):
    given = [api.get(path).headers["X-Request-ID"] for path in ["/livez", "/nowhere", "/api/v1/leads"] * 10]
    assert len(set(given)) == len(given) and all(map(GENERATED.fullmatch, given))


def test_the_first_of_two_ids_or_a_new_one_is_answered(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.putrequest("GET", "/livez")
    connection.putheader("X-Request-ID", "first")
    connection.putheader("X-Request-ID", "second")
    connection.endheaders()
    [given] = connection.getresponse().headers.get_all("X-Request-ID")
    assert given in ("first", "second") or GENERATED.fullmatch(given)


# What must not be there

def test_what_callers_sent_is_not_logged_even_at_trace(server, api):
    """More ways than test_commands.py has, and at the level that tells most."""
    person = {"lead_external_id": CANARY, "lead_phone": f"+7 900 {CANARY}", "lead_email": f"{CANARY}@example.com",
              "lead_name": CANARY, "message": CANARY}
    source, operator = api.staffed_source(name=f"Source {CANARY}", description=CANARY)
    api.change_operator(operator["id"], name=CANARY)
    made = api.contact(source["id"], source_event_id=CANARY, **person)
    api.post("/api/v1/contacts", {"source_id": source["id"], "source_event_id": CANARY} | person).must_be(200)
    word = quote(CANARY)
    for path, status in ((f"leads/by-external/{word}", 200), (f"leads/by-external/{word}%00", 422),
                         (f"leads/by-external/{word}x", 404), (f"leads?q={word}&limit=1", 200),
                         (f"leads?limit={word}", 422), (f"leads?cursor={word}", 422), (f"leads/{word}", 422),
                         (f"contacts?status={word}", 422), (f"contacts?created_from={word}", 422),
                         (f"operators/{word}/stats", 422), (f"{word}", 404), (f"leads/{made['lead_id']}", 200),
                         (f"leads/{made['lead_id']}/contacts?limit=1&note={word}", 200)):
        api.get(f"/api/v1/{path}", headers={"Accept-Language": "ru", "User-Agent": "canary-8842", "Referer": word,
                                            "X-Request-ID": f"{word} "}).must_be(status)
    api.delete(f"/api/v1/operators/{word}").must_be(422)
    api.post("/api/v1/sources", {"name": f"Source {CANARY}"}).must_be(400)
    api.post("/api/v1/contacts", raw=f'{{"message": "{CANARY}'.encode()).must_be(422)
    api.post("/api/v1/contacts", raw=CANARY.encode() + b"\xff").must_be(400)
    api.post("/api/v1/contacts", raw=CANARY.encode() * 4000).must_be(413)
    api.close()
    api.request("TRACE", f"/api/v1/{word}").must_be(404)
    api.get("/livez", headers={"X-Request-ID": "the-last-one"})
    answer_to(server, "the-last-one")
    output = server.output()
    for secret in ("canary-8842", "Кенарь", word.lower(), word):
        assert secret not in output and secret not in output.lower()


def test_errors_of_the_database_name_no_data_either(instances, new_database):
    """A constraint that the program does not know is violated by a person's data: PostgreSQL's detail has them all."""
    database = new_database()
    server = instances(database, LEADS_LOG_FORMAT="json", LEADS_LOG_LEVEL="trace")
    api = server.client()
    source = api.source()["id"]
    with database.connect() as connection:
        connection.execute("alter table leads add constraint leads_nobody check (name <> 'Кенарь 8842')")
        connection.execute("create unique index leads_unexpected on leads (name)")
    api.contact(source, lead_name="Кенарь 99")
    for name in ("Кенарь 8842", "Кенарь 99"):
        answer = api.post("/api/v1/contacts", {"source_id": source, "lead_name": name, "lead_phone": "+79008842000"})
        assert answer.status == 500 and answer.json["code"] == "internal_error" and "Кенарь" not in answer.text
        record = answer_to(server, answer.headers["X-Request-ID"])
        assert record["level"] == "error" and record["cause"]
    for secret in ("Кенарь", "79008842000", "8842"):
        assert secret not in server.output()
    server.end()


# Errors

def test_a_5xx_is_logged_with_its_cause_and_the_id_that_was_answered(servers, empty_database):
    [server] = servers(1, LEADS_LOG_FORMAT="json", LEADS_LOG_LEVEL="info")
    api = server.client()
    source, operator = api.staffed_source()
    with empty_database.operator_held(operator["id"]):
        answer = api.post("/api/v1/contacts", {"source_id": source["id"]}, headers={"X-Request-ID": "slow-1"})
    assert answer.must_be(503).headers["X-Request-ID"] == "slow-1"
    record = answer_to(server, "slow-1")
    assert (record["level"], record["status"], record["route"]) == ("warning", "503", "/api/v1/contacts")
    assert "55P03" in record["cause"] and 1000 <= int(record["milliseconds"]) <= 4000


def test_a_slow_answer_is_logged_at_notice(servers, empty_database):
    [server] = servers(1, LEADS_LOG_FORMAT="json", LEADS_LOG_LEVEL="info")
    api = server.client()
    source, operator = api.staffed_source()
    with empty_database.operator_held(operator["id"]) as release:
        began = time.monotonic()
        with Background(lambda stop: api.post("/api/v1/contacts", {"source_id": source["id"]},
                                              headers={"X-Request-ID": "late-1"}).must_be(201)):
            eventually(lambda: time.monotonic() - began > 1.1, 5, "time stands still")
            release()
    record = answer_to(server, "late-1")
    assert (record["level"], record["status"]) == ("notice", "201") and 1000 <= int(record["milliseconds"]) <= 2000


def test_batches_that_are_registered_in_part_are_logged_about_once_a_second(servers, empty_database):
    [server] = servers(1, LEADS_LOG_FORMAT="json", LEADS_LOG_LEVEL="info")
    api = server.client()
    source = api.source()["id"]
    with empty_database.connect() as connection:
        connection.execute("alter table leads add constraint leads_nobody check (name <> 'nobody')")
    began, sent = time.monotonic(), 0
    while time.monotonic() - began < 1.5:
        answer = api.post("/api/v1/contacts/batch", [{"source_id": source}, {"source_id": source, "lead_name": "nobody"}])
        assert [item["status"] for item in answer.must_be(200).json] == [201, 500]
        sent += 1
    found = [record for record in records(server) if record["message"] == "a batch was registered in part"]
    assert sent > 5 and len(found) == 2 and "23514" in found[0]["cause"]
    assert "not_logged" not in found[0] and 0 < int(found[1]["not_logged"]) < sent


def test_a_full_intake_is_logged_with_its_cause(servers, empty_database):
    [server] = servers(1, LEADS_LOG_FORMAT="json", LEADS_LOG_LEVEL="info", LEADS_INTAKE_LANES=1, LEADS_INTAKE_QUEUE=1)
    source, operator = server.client().staffed_source()

    def register(stop):
        server.client().post("/api/v1/contacts", {"source_id": source["id"]})

    with empty_database.operator_held(operator["id"]) as release, Background(register):
        eventually(empty_database.blocked_sessions, 5, "it does not begin")
        with Background(register):
            eventually(lambda: "leads_intake_requests_waiting 1" in server.client().get("/metrics").text, 5, "nobody waits")
            answer = server.client().post("/api/v1/contacts", {"source_id": source["id"]}, headers={"X-Request-ID": "full-1"})
            release()
    assert answer.must_be(503).json["code"] == "intake_full"
    record = answer_to(server, "full-1")
    assert record["level"] == "warning" and record["cause"] == "more registrations wait than the intake takes"


@pytest.mark.faults
def test_a_flood_of_503_is_logged_about_once_a_second(instances, stoppable):
    cluster, database = stoppable
    server = instances(database, LEADS_LOG_FORMAT="json", LEADS_LOG_LEVEL="info", LEADS_SWEEP_SECONDS=3600)
    api = server.client()
    api.operator()
    cluster.kill()
    began, sent = time.monotonic(), 0
    while time.monotonic() - began < 2.5:
        api.get("/api/v1/operators/1").must_be(503)
        sent += 1
    seconds = time.monotonic() - began
    found = [record for record in answers(server) if record["status"] == "503"]
    assert sent > 20 and 2 <= len(found) <= seconds + 1.5
    assert "not_logged" not in found[0]
    suppressed = sum(int(record.get("not_logged", 0)) for record in found)
    assert all(int(record["not_logged"]) > 0 for record in found[1:])
    assert suppressed + len(found) <= sent
    assert all(record["cause"] and record["level"] == "warning" for record in found)

    def told() -> int:
        return sum(1 + int(record.get("not_logged", 0)) for record in answers(server))

    eventually(lambda: api.get("/api/v1/operators/1").status == 503 and told() > sent, 3, "the rest is never told")
    records(server)
    server.end()


def test_who_is_not_let_in_is_logged_about_once_a_second_by_nothing_but_the_route(servers):
    server = servers(1, LEADS_ACCESS="closed", LEADS_LOG_FORMAT="json")[0]
    api, key = server.client(), "crm_abcdefgh_" + "Zz" * 21 + "Z"
    began, sent = time.monotonic(), 0
    while time.monotonic() - began < 2.5:
        api.get(f"/api/v1/leads/by-external/{quote(CANARY)}?q={quote(CANARY)}", headers={"Authorization": f"Bearer {key}"}).must_be(401)
        sent += 1
    seconds = time.monotonic() - began
    found = [record for record in answers(server) if record["status"] == "401"]
    assert sent > 10 and 2 <= len(found) <= seconds + 1.5, (sent, len(found))
    assert {(record["level"], record["route"]) for record in found} == {("notice", "/api/v1/leads/by-external/{external_id}")}
    assert sum(1 + int(record.get("not_logged", 0)) for record in found) <= sent
    assert CANARY not in server.output() and quote(CANARY) not in server.output() and "Zz" not in server.output()


# A log that nobody reads

@pytest.fixture
def unread(instances, database):
    """An instance whose standard error is a pipe that is full, and the other end of that pipe."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    server = instances(database, stderr=writing, LEADS_LOG_FORMAT="json", LEADS_LOG_LEVEL="debug")
    os.close(writing)
    try:
        yield server, reading
    finally:
        os.close(reading)
        server.end()


def test_a_log_that_nobody_reads_keeps_no_request_waiting_and_tells_what_is_missing(unread):
    """What may wait is 1 MiB, and as much again may be under way; a record of these has more than 330 bytes."""
    server, reading = unread
    api = server.client(timeout=2)
    ids = [f"{number:_>128}" for number in range(9000)]
    for id in ids:
        assert api.get("/livez", headers={"X-Request-ID": id}).must_be(200).seconds < 1
    found, stopping = [], threading.Thread(target=server.terminate)
    with open(os.dup(reading), "rb") as log:
        for line in log:
            found.append(json.loads(line))
            # Before that there may be no room for what is said at the end.
            if "dropped" in found[-1]:
                stopping.start()
    stopping.join()
    answered = [record["request_id"] for record in found if record.get("request_id") in set(ids)]
    [notice] = [record for record in found if "dropped" in record]
    assert notice["level"] == "warning" and 0 < int(notice["dropped"]) < len(ids)
    assert answered == ids[:len(answered)] and len(ids) - int(notice["dropped"]) - 2 <= len(answered)
    assert found[-1]["message"] == "stopped"


def test_a_log_that_nobody_reads_does_not_keep_an_instance_from_stopping(unread):
    server, _ = unread
    api = server.client(timeout=2)
    for _ in range(40):
        api.get("/livez").must_be(200)
    began = time.monotonic()
    assert server.terminate(within=10) == 0
    assert 0.9 < time.monotonic() - began


@pytest.fixture
def stoppable():
    """A cluster that a test may stop, and a migrated database on it."""
    cluster = Cluster()
    try:
        cluster.start()
        with cluster.connect() as admin:
            admin.execute("create database leads")
        migrate(cluster.dsn("leads"))
        yield cluster, Database(cluster.dsn("leads"))
    finally:
        cluster.remove()
