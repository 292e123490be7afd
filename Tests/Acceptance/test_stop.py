"""A graceful stop: not ready at once, still serving until balancers have noticed, then gone with exit code 0."""

import pathlib
import shutil
import signal
import socket
import tempfile
import time

import pytest

from client import Unreachable
from database import Database
from instance import run
from load import Background, until
from shapes import must_be_error
from waiting import eventually

DRAIN = 2  # seconds
GRACE = 4  # what ending may take beyond the drain, on a busy machine


@pytest.fixture
def draining(instances, database):
    """An instance that was told to stop a moment ago, and when."""
    server = instances(database, LEADS_DRAIN_SECONDS=DRAIN)
    api = server.client()
    source, _ = api.staffed_source()
    api.close()
    server.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    eventually(lambda: server.client().get("/readyz").status == 503, 1, "it still says it is ready")
    yield server, source["id"], began
    server.end()


def must_end_in_time(server, began: float, drain: float = DRAIN) -> None:
    assert server.exit_code(within=drain + GRACE) == 0
    assert drain - 0.2 <= time.monotonic() - began <= drain + GRACE


def test_a_draining_instance_is_not_ready_but_serves_on_new_connections(draining):
    server, source, began = draining
    for path in ("/readyz", "/readyz/"):
        must_be_error(server.client().get(path), 503, "This instance is stopping", "stopping")
    assert run("health", "--port", str(server.port)) == (1, "not ready\n")
    while time.monotonic() - began < DRAIN / 2:
        api = server.client()
        for path, status in (("/livez", 200), ("/api/v1/operators", 200), ("/nowhere", 404), ("/metrics", 200)):
            answer = api.get(path).must_be(status)
            assert answer.headers["Connection"] == "close", path
            assert api._connection.sock is None, "the client understood that this connection is at its end"
        assert server.client().contact(source)["source_id"] == source
        assert server.client().get("/readyz").status == 503
    must_end_in_time(server, began)


def test_a_connection_kept_alive_is_closed_with_its_next_answer(instances, database):
    server = instances(database, LEADS_DRAIN_SECONDS=DRAIN)
    api = server.client()
    assert api.get("/livez").headers["Connection"] != "close"
    kept = api._connection.sock
    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: server.client().get("/readyz").status == 503, 1, "it still says it is ready")
    assert api._connection.sock is kept
    assert api.get("/livez").must_be(200).headers["Connection"] == "close"
    eventually(lambda: kept.fileno() == -1 or kept.recv(1, socket.MSG_DONTWAIT) == b"", 2, "it stays open")
    server.kill()


def test_further_signals_do_no_harm(draining):
    server, source, began = draining
    for again in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        server.process.send_signal(again)
        assert server.client().contact(source)["source_id"] == source
    assert server.exit_code(within=DRAIN + GRACE) == 0
    assert time.monotonic() - began <= DRAIN + GRACE


def test_an_instance_that_need_not_drain_stops_at_once(instances, database):
    server = instances(database, LEADS_DRAIN_SECONDS=0)
    began = time.monotonic()
    assert server.terminate(within=GRACE) == 0
    assert time.monotonic() - began < 2
    with pytest.raises(Unreachable):
        server.client(timeout=1).get("/livez")


def test_idle_connections_do_not_delay_the_stop(instances, database):
    server = instances(database, LEADS_DRAIN_SECONDS=0)
    idle = [server.client() for _ in range(5)]
    for api in idle:
        api.get("/livez").must_be(200)
    silent = socket.create_connection(("127.0.0.1", server.port))
    began = time.monotonic()
    assert server.terminate(within=GRACE) == 0
    assert time.monotonic() - began < 2
    silent.close()


def test_half_a_body_delays_the_stop_only_until_its_time_is_over(instances, database):
    server = instances(database)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as caller:
        caller.sendall(b"POST /api/v1/operators HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        eventually(lambda: 'leads_http_requests_in_flight 2' in server.client().get("/metrics").text, 5, "it never came")
        server.process.send_signal(signal.SIGTERM)
        answer = caller.recv(65536)
        assert answer.startswith(b"HTTP/1.1 408 ") and b'"code":"body_too_slow"' in answer
        assert server.exit_code(within=GRACE) == 0


def test_a_stop_ends_a_migration_under_way(cluster, instances):
    with cluster.connect() as admin:
        admin.execute("create database slow_to_migrate")
    database = Database(cluster.dsn("slow_to_migrate"))
    with database.connect() as connection:
        connection.execute("""
            create function dawdle() returns event_trigger language plpgsql as 'begin perform pg_sleep(30); end';
            create event trigger dawdling on ddl_command_end when tag in ('CREATE INDEX') execute function dawdle();
        """)
    server = instances(database, ready=False)
    eventually(lambda: "migrations/0001" in server.output(), 10, server.output)
    began = time.monotonic()
    assert server.terminate() == 0 and time.monotonic() - began < GRACE
    with database.connect() as connection:
        connection.execute("drop event trigger dawdling")
    assert instances(database).terminate() == 0


def test_who_reconnects_loses_no_request_during_the_drain(instances, database):
    """Until the instance is gone each request is answered; the balancer takes it out of service meanwhile."""
    server = instances(database, LEADS_DRAIN_SECONDS=DRAIN)
    source = server.client().source()["id"]
    statuses = []

    def ask(stop):
        api = server.client()
        for _ in until(stop):
            statuses.append(api.post("/api/v1/contacts", {"source_id": source}).status)

    with Background(ask):
        eventually(lambda: len(statuses) > 20, 5, "nothing is answered")
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: server.client().get("/readyz").status == 503, 1, "it still says it is ready")
        known = len(statuses)
        eventually(lambda: len(statuses) > known + 50, DRAIN * 0.75, "it serves no more")
    assert set(statuses) == {201}
    assert database.value("select count(*) from contacts where source_id = %s", source) == len(statuses)
    assert server.exit_code(within=DRAIN + GRACE) == 0


def test_an_embedded_postgresql_serves_until_the_drain_is_over(instances):
    home = pathlib.Path(tempfile.mkdtemp(prefix="leads-e-", dir="/tmp"))
    home.chmod(0o755)
    server = instances(None, "--data-directory", str(home / "data"), LEADS_DRAIN_SECONDS=DRAIN)
    try:
        source = server.client().source()["id"]
        server.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        eventually(lambda: server.client().get("/readyz").status == 503, 1, "it still says it is ready")
        while time.monotonic() - began < DRAIN * 0.75:
            assert server.client().contact(source)["waiting_reason"] == "no_operators"
        must_end_in_time(server, began)
        assert not list(home.rglob("postmaster.pid")), "its PostgreSQL was left running"
    finally:
        server.end()
        shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize("value", ["-1", "301", "1.5", "soon"])
def test_a_drain_that_makes_no_sense_is_named_and_nothing_starts(database, value):
    code, output = run("serve", DATABASE_URL=database.dsn, LEADS_DRAIN_SECONDS=value)
    assert code != 0 and "LEADS_DRAIN_SECONDS" in output and "serves" not in output
