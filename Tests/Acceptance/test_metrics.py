"""GET /metrics: what is counted is exactly what was done, and nothing a caller makes up becomes a series."""

import math
import shutil
import subprocess

import pytest

from database import Database
from instance import migrate
from load import Background, in_parallel
from logs import records
from metrics import Metrics
from postgres import Cluster
from waiting import eventually

CONTACTS, OPERATOR = "/api/v1/contacts", "/api/v1/operators/{operator_id}"


@pytest.fixture
def own(instances, database):
    """The client of an instance nobody else asks; the database is the module's."""
    server = instances(database)
    yield server.client()
    server.end()


def must_please_promtool(text: str) -> None:
    assert shutil.which("promtool"), "promtool is missing: apt-get install prometheus"
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_metrics_are_in_prometheus_text_format(own):
    own.staffed_source()
    own.get("/nowhere")
    for slash in ("", "/"):
        answer = own.get("/metrics" + slash).must_be(200)
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer.text.endswith("\n") and "\r" not in answer.text
    must_please_promtool(answer.text)


def test_every_metric_is_explained_once_and_before_its_samples(own):
    own.staffed_source()
    own.get("/metrics")
    lines = own.get("/metrics").text.splitlines()
    helps = [line.split()[2] for line in lines if line.startswith("# HELP ")]
    assert [line.split()[2] for line in lines if line.startswith("# TYPE ")] == helps and len(set(helps)) == len(helps)
    explained = None
    for line in lines:
        if line.startswith("# HELP "):
            explained = line.split()[2]
        elif not line.startswith("#"):
            assert line.startswith(explained), line
    assert all(name.startswith("leads_") for name in helps)


def test_a_fresh_instance_has_counted_nothing(empty_api):
    own, metrics = empty_api, Metrics(empty_api)
    assert metrics.registrations() == dict.fromkeys(["placed", "waiting", "repeated", "replayed", "refused", "failed"], 0)
    assert metrics.get("leads_database_up") == 1 and metrics.get("leads_contacts_waiting") == 0
    assert metrics.get("leads_background_faults_total") == 0
    assert metrics.get("leads_stranded_sources_total") == 0 and metrics.get("leads_http_requests_in_flight") == 1
    [(labels, value)] = metrics.all("leads_build_info")
    assert labels == {"version": own.get("/").json["version"]} and value == 1


def test_requests_are_counted_by_method_route_and_status(own):
    source, operator = own.staffed_source()
    before = Metrics(own)
    for _ in range(3):
        own.read("operators", operator["id"])
    own.get("/api/v1/operators/999999")
    own.get("/api/v1/operators/abc/")
    own.change_operator(operator["id"], max_load=3)
    own.contact(source["id"])
    own.post(CONTACTS, raw=b"{")
    own.post(CONTACTS, raw=b"\xff")
    own.post(CONTACTS, raw=b"x" * 70_000)
    own.close()
    own.request("HEAD", CONTACTS)
    own.request("OPTIONS", CONTACTS)
    own.delete(CONTACTS)
    own.get("/api/v1/leads/by-external/someone%2Fprivate?limit=5")
    own.get("/nowhere")
    own.get("/nowhere/else?x=1")
    own.delete(f"/api/v1/operators/{operator['id']}")
    assert Metrics(own).since(before) == {
        ("GET", OPERATOR, 200): 3, ("GET", OPERATOR, 404): 1, ("GET", OPERATOR, 422): 1, ("PATCH", OPERATOR, 200): 1,
        ("DELETE", OPERATOR, 200): 1, ("POST", CONTACTS, 201): 1, ("POST", CONTACTS, 422): 1, ("POST", CONTACTS, 400): 1,
        ("POST", CONTACTS, 413): 1, ("HEAD", CONTACTS, 200): 1, ("OPTIONS", CONTACTS, 204): 1,
        ("DELETE", CONTACTS, 405): 1, ("GET", "/api/v1/leads/by-external/{external_id}", 404): 1,
        ("GET", "unknown", 404): 2, ("GET", "/metrics", 200): 1,
    }


def test_registrations_are_counted_by_what_became_of_them(own):
    source, _ = own.staffed_source(max_load=2)
    id, waited = source["id"], Metrics(own).get("leads_contacts_waiting")
    first = own.contact(id, source_event_id="event 1")
    assert own.post(CONTACTS, {"source_id": id, "source_event_id": "event 1"}).must_be(200).json["id"] == first["id"]
    own.contact(id)
    for _ in range(4):
        own.contact(id)
    own.post(CONTACTS, {"source_id": 999999}).must_be(404)
    own.post(CONTACTS, {"source_id": "x"}).must_be(422)
    own.post(CONTACTS, raw=b"{").must_be(422)
    own.post(CONTACTS, raw=b"\xff").must_be(400)
    metrics = Metrics(own)
    assert metrics.registrations() == {"placed": 2, "waiting": 4, "repeated": 1, "replayed": 0, "refused": 4, "failed": 0}
    assert metrics.get("leads_contacts_waiting") == waited + 4
    own.close_contact(first["id"])
    metrics = Metrics(own)
    assert metrics.get("leads_contacts_waiting") == waited + 3 and metrics.registrations()["placed"] == 2


def test_a_contact_too_large_is_a_refused_one(own):
    own.post(CONTACTS, raw=b"x" * 70_000).must_be(413)
    own.close()
    assert Metrics(own).registrations()["refused"] == 1


def test_contacts_waiting_are_those_of_all_instances(own, instances, database):
    server = instances(database)
    other = server.client()
    waited = Metrics(other).get("leads_contacts_waiting")
    for _ in range(3):
        own.contact(own.source()["id"])
    assert Metrics(other).get("leads_contacts_waiting") == waited + 3
    assert Metrics(other).registrations()["waiting"] == 0
    server.end()


def test_what_callers_make_up_makes_no_series(own):
    """Methods that HTTP knows but no route has count as one; what is no method at all is not even a request."""
    odd = ["TRACE", "PROPFIND", "MKCOL", "LOCK", "REPORT", "SEARCH", "PURGE", "LINK"]
    own.get("/nowhere")
    for path in ("/nowhere", CONTACTS):
        own.request("TRACE", path)
    own.get("/api/v1/operators/999999")
    own.get("/metrics")
    before = Metrics(own)
    for number, method in enumerate(odd):
        own.get(f"/nowhere/{number}?x={number}")
        own.request(method, f"/else/{number}").must_be(404)
        own.request(method, CONTACTS).must_be(405)
        own.get(f"/api/v1/operators/{1000000 + number}", headers={"X-Request-ID": f"id-{number}"})
        assert own.request(f"BREW{number}", CONTACTS).status in (400, 405)
    after = Metrics(own)
    counts = after.since(before)
    assert after.series == before.series
    assert counts.pop(("other", CONTACTS, 405)) in (len(odd), len(odd) * 2)
    assert counts == {("GET", "unknown", 404): len(odd), ("other", "unknown", 404): len(odd),
                      ("GET", OPERATOR, 404): len(odd), ("GET", "/metrics", 200): 1}


def test_durations_are_cumulative_and_as_many_as_requests(own):
    source, _ = own.staffed_source(max_load=1000)
    for _ in range(30):
        own.contact(source["id"])
    for path in ("/nowhere", "/livez", CONTACTS, "/api/v1/operators/999999"):
        own.get(path)
    metrics = Metrics(own)
    name, requests = "leads_http_request_duration_seconds", {}
    for labels, value in metrics.all("leads_http_requests_total"):
        key = labels["method"], labels["route"]
        requests[key] = requests.get(key, 0) + value
    assert len(requests) >= 6
    for (method, route), count in requests.items():
        buckets = sorted((math.inf if labels["le"] == "+Inf" else float(labels["le"]), value)
                         for labels, value in metrics.all(f"{name}_bucket")
                         if (labels["method"], labels["route"]) == (method, route))
        values = [value for _, value in buckets]
        assert len(buckets) == 13 and buckets[-1][0] == math.inf and values == sorted(values)
        assert values[-1] == metrics.get(f"{name}_count", method=method, route=route) == count
        total = metrics.get(f"{name}_sum", method=method, route=route)
        assert 0 < total < 60 * count
    assert {(labels["method"], labels["route"]) for labels, _ in metrics.all(f"{name}_count")} == set(requests)


def test_a_slow_answer_falls_into_a_late_bucket(own, database):
    api = own
    source, operator = api.staffed_source()
    with database.operator_held(operator["id"]):
        api.post(CONTACTS, {"source_id": source["id"]}).must_be(503)
    name = "leads_http_request_duration_seconds_bucket"
    metrics = Metrics(api)
    assert [metrics.get(name, method="POST", route=CONTACTS, le=bound) for bound in ("0.5", "+Inf")] == [0, 1]
    assert metrics.registrations()["failed"] == 1


def test_counts_of_many_at_once_are_exact(instances, database):
    server = instances(database)
    clients = [server.client() for _ in range(8)]
    source, _ = clients[0].staffed_source(max_load=50)
    waited = Metrics(clients[0]).get("leads_contacts_waiting")
    in_parallel(8, lambda thread, _: clients[thread].contact(source["id"]), range(120), seconds=30)
    metrics = Metrics(clients[0])
    assert metrics.requests("POST", CONTACTS, 201) == 120
    assert metrics.registrations() == {"placed": 50, "waiting": 70, "repeated": 0, "replayed": 0, "refused": 0, "failed": 0}
    assert metrics.get("leads_contacts_waiting") == waited + 70
    assert metrics.get("leads_http_requests_in_flight") == 1
    server.end()


def test_requests_in_flight_and_connections_are_seen(instances, database):
    server = instances(database)
    api, other = server.client(), server.client()
    source, operator = api.staffed_source()
    with database.operator_held(operator["id"]) as release:
        with Background(lambda stop: other.contact(source["id"])):
            eventually(lambda: database.blocked_sessions() > 0, 5, "nobody waits for the held row")
            metrics = Metrics(api)
            assert metrics.get("leads_http_requests_in_flight") == 2
            states = {labels["state"]: value for labels, value in metrics.all("leads_pool_connections")}
            assert set(states) == {"idle", "leased", "opening"} and sum(states.values()) >= 1
            assert metrics.get("leads_pool_requests_waiting") == 0
            release()
    assert Metrics(api).get("leads_http_requests_in_flight") == 1
    server.end()


def test_what_the_sweep_found_is_counted_and_told_once(servers, empty_database):
    """Somebody frees capacity by SQL: nobody but the sweep can notice."""
    [server] = servers(1, LEADS_SWEEP_SECONDS=1, LEADS_LOG_FORMAT="json")
    api = server.client()
    source, operator = api.staffed_source(max_load=1)
    _, waiting = (api.contact(source["id"])["id"] for _ in range(2))
    empty_database.raise_limit(operator["id"], 2)
    eventually(lambda: api.read("contacts", waiting)["status"] == "active", 5, "the sweep found nothing")
    eventually(lambda: Metrics(api).get("leads_stranded_sources_total") == 1, 2, "the sweep counted nothing")
    told = eventually(lambda: [each for each in records(server) if "sweep" in each["message"]], 2, "the sweep told nothing")
    assert [each["level"] for each in told] == ["notice"]


@pytest.mark.faults
def test_metrics_are_answered_while_the_database_is_away(instances):
    cluster = Cluster()
    try:
        cluster.start()
        with cluster.connect() as admin:
            admin.execute("create database leads")
        database = Database(cluster.dsn("leads"))
        migrate(database.dsn)
        server = instances(database)
        api = server.client()
        source, _ = api.staffed_source()
        api.contact(source["id"])
        cluster.kill()
        api.post(CONTACTS, {"source_id": source["id"]}).must_be(503)
        metrics = Metrics(api)
        must_please_promtool(metrics.answer.text)
        assert metrics.answer.seconds < 6
        assert metrics.get("leads_database_up") == 0 and metrics.get("leads_contacts_waiting") is None
        assert metrics.registrations() == {"placed": 1, "waiting": 0, "repeated": 0, "replayed": 0, "refused": 0, "failed": 1}
        assert metrics.requests("POST", CONTACTS, 503) == 1
        cluster.start()
        eventually(lambda: Metrics(api).get("leads_database_up") == 1, 10, "it stays away")
        assert Metrics(api).get("leads_contacts_waiting") == 0
        server.end()
    finally:
        cluster.remove()
