"""GET /api/v1/events/stream: everything that happens, live, once, in order, whoever is slow, leaves or dies."""

import contextlib
import http.client
import re
import signal
import socket
import time

import pytest

from balancer import Balancer, Trio
from client import is_stream
from database import Database
from instance import migrate
from listener import STREAM, Listener
from load import Background, generator, in_parallel, until
from metrics import Metrics
from postgres import Cluster
from shapes import check_event, must_have_faults, not_parsed, too_small
from waiting import eventually
from wire import _Connection

pytestmark = pytest.mark.alone

EVENTS = "/api/v1/events"


@pytest.fixture
def listen():
    """`listen(instance, …)`: a stream that is open."""
    with contextlib.ExitStack() as stack:
        def listen(server, *arguments, **options) -> Listener:
            return stack.enter_context(contextlib.closing(Listener(server.port, *arguments, **options)))
        yield listen


def log(api, after: int = 0) -> list[dict]:
    """What comes after an event in the log that is read page by page."""
    read = []
    while found := api.get(f"{EVENTS}?after={after}&limit=1000").must_be(200).json:
        read += found
        after = found[-1]["id"]
    return read


def end_of_log(api) -> int:
    return log(api)[-1]["id"] if log(api) else 0


def streams(server) -> int:
    return int(Metrics(server.client()).get("leads_event_streams"))


# What is sent

def test_a_stream_is_open_at_once_and_nobody_keeps_it(server, api, listen):
    end = end_of_log(api)
    began = time.monotonic()
    listener = listen(server).wait_until_open()
    assert time.monotonic() - began < 1
    assert (listener.retry, listener.last_event_id, listener.heard) == (1000, end, [])
    expected = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no",
                "Transfer-Encoding": "chunked", "Content-Length": None}
    assert {name: listener.headers[name] for name in expected} == expected
    assert listener.headers["X-Request-ID"]


def test_what_happens_is_heard_in_order_as_the_log_has_it(server, api, listen):
    api.contact(api.source()["id"])
    before = end_of_log(api)
    listener = listen(server).wait_until_open()
    source, operator = api.staffed_source(max_load=1)
    first, second = api.contact(source["id"], message="One\nline\r, and \u2028another"), api.contact(source["id"])
    api.change_operator(operator["id"], max_load=2, name="Анна")
    api.close_contact(first["id"])
    expected = log(api, before)
    listener.hear(len(expected))
    assert [check_event(event) for event in listener.events] == expected
    assert [(each.id, each.kind) for each in listener.heard] == [(event["id"], event["kind"]) for event in expected]
    assert {"registered", "closed", "assigned", "operator_changed"} <= {each.kind for each in listener.heard}
    assert second["id"] in {event["contact_id"] for event in listener.events}


def test_whoever_names_an_event_goes_on_behind_it(server, api, listen):
    source = api.source()["id"]
    for _ in range(5):
        api.contact(source)
    whole = log(api)
    middle, last = whole[len(whole) // 2]["id"], whole[-1]["id"]
    listeners = {0: listen(server, after=0), middle: listen(server, after=middle), last: listen(server, last_event_id=last)}
    # A browser comes back to the address it was given, with the header.
    both = listen(server, after=0, last_event_id=middle)
    for start, listener in listeners.items():
        expected = [event for event in whole if event["id"] > start]
        listener.hear(len(expected))
        assert listener.events == expected
    assert both.hear(1)[0].id == middle + 1
    contact = api.contact(source)["id"]
    for start, listener in listeners.items():
        listener.hear(whole[-1]["id"] - start + 1)
        assert listener.events[-1]["contact_id"] == contact and listener.ids == list(range(start + 1, last + 2))


def test_an_event_beyond_the_end_counts_as_the_end(server, api, listen):
    """The database was brought back from a backup, or is another one."""
    source, end = api.source()["id"], end_of_log(api)
    others = [listen(server, last_event_id=end + 1000), listen(server, after=2**63 - 1)]
    for listener in others:
        listener.wait_until_open()
    time.sleep(0.5)  # they have to have looked where the end is
    api.contact(source)
    for listener in others:
        assert listener.hear(1)[0].id == end + 1


@pytest.mark.parametrize("headers, query, fault", [
    ({}, "?after=-1", too_small(["query", "after"], "-1", 0)), ({}, "?after=x", not_parsed(["query", "after"], "x")),
    ({"Last-Event-ID": "x"}, "", not_parsed(["header", "last-event-id"], "x")),
    ({"Last-Event-ID": "-1"}, "?after=5", too_small(["header", "last-event-id"], "-1", 0)),
])
def test_what_is_no_event_is_a_422(api, headers, query, fault):
    must_have_faults(api.get(STREAM + query, headers=headers), fault)


def test_an_empty_last_event_id_is_none(api):
    answer = api.get(STREAM, headers={"Last-Event-ID": ""}).must_be(200)
    assert is_stream(answer.headers) and f"id: {end_of_log(api)}\n\n" in answer.text


def test_a_head_without_its_stream_leaves_the_connection_usable(server, api):
    for _ in range(3):
        answer = api.request("HEAD", STREAM).must_be(200)
        assert answer.body == b"" and answer.headers["Content-Type"] == "text/event-stream"
    assert streams(server) == 0


def test_http_1_0_hears_it_without_chunks(server, api):
    source = api.source()["id"]
    end = end_of_log(api)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"GET %s HTTP/1.0\r\n\r\n" % STREAM.encode())
        said = b""
        while b"retry: 1000\n" not in said:
            said += connection.recv(65536)
        api.contact(source)
        while not said.endswith(b"}\n\n"):
            said += connection.recv(65536)
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"chunked" not in head and b"Connection: close" in head
    assert re.fullmatch(rb": [^\n]*\nretry: 1000\nid: %d\n\nid: %d\nevent: registered\ndata: {[^\n]*}\n\n" % (end, end + 1), body)


# Across instances

def test_what_one_instance_commits_another_streams_within_a_second(servers, listen):
    one, other = servers(2, LEADS_SWEEP_SECONDS=3600)
    listeners = [listen(one).wait_until_open(), listen(other).wait_until_open()]
    api = one.client()
    source, committed = api.source()["id"], []
    for _ in range(30):
        api.contact(source)
        committed.append(time.monotonic())
        time.sleep(0.07)
    for listener in listeners:
        listener.hear(30)
        delays = sorted(heard.at - at for heard, at in zip(listener.heard, committed))
        print(f"heard after {delays[15] * 1000:.0f} ms (median), {delays[-1] * 1000:.0f} ms at most")
        assert delays[-1] < 1


def test_streams_beside_a_storm_hear_everything_once_in_one_order(servers, empty_database, listen):
    """50 of them at three instances, while contacts are registered and closed and transactions roll back; some break
    off and come back."""
    random = generator("event stream")
    three = servers(3, LEADS_SWEEP_SECONDS=1)
    api = three[0].client()
    operators = [api.operator(max_load=5)["id"] for _ in range(3)]
    source = api.source(dict.fromkeys(operators, 1))
    start = end_of_log(api)
    steady = [listen(three[number % 3]).wait_until_open() for number in range(45)]
    clients = [three[number % 3].client() for number in range(6)]

    def live(thread: int, seed: float):
        contact = clients[thread].contact(source["id"])
        if seed < 0.7:
            clients[thread].close_contact(contact["id"])
        if seed < 0.05:
            with empty_database.connect(autocommit=False) as slow:
                slow.execute("insert into events (kind) values ('slow')")
                time.sleep(10 * seed)
                (slow.commit if seed < 0.03 else slow.rollback)()

    fickle: list[list] = [[] for _ in range(5)]
    positions = [start] * 5

    def breaking_off(stop):
        for turn in until(stop):
            number = turn % 5
            listener = listen(three[turn % 3], last_event_id=positions[number]).wait_until_open()
            stop.wait(0.05 + 0.4 * random.random())
            listener.close()
            fickle[number] += listener.heard
            positions[number] = listener.last_event_id

    with Background(breaking_off):
        in_parallel(6, live, [random.random() for _ in range(600)], 90)
    whole = log(api, start)
    committed = empty_database.count("events")
    expected = list(range(start + 1, committed + 1))
    assert committed > 800 and [event["id"] for event in whole] == expected
    for number in range(5):
        listener = listen(three[number % 3], last_event_id=positions[number])
        listener.hear(committed - positions[number])
        heard = fickle[number] + listener.heard
        assert [each.id for each in heard] == expected and [each.event for each in heard] == whole
    for listener in steady:
        listener.hear(committed - start)
        assert listener.ids == expected
    assert steady[0].events == steady[1].events == steady[2].events == whole
    assert empty_database.event_drift() == []


# Silence, and who is gone

@pytest.mark.at_length  # and by `StreamingTests`, with a clock of its own
def test_silence_is_broken_every_15_seconds_also_behind_haproxy(servers, listen):
    """HAProxy gives a silent connection 30 seconds."""
    three = servers(3)
    balancer = Balancer([server.port for server in three])
    try:
        balancer.wait_until_up(1, 2, 3)
        api = balancer.client()
        source = api.source()["id"]
        listeners = [listen(three[0]).wait_until_open(), listen(balancer).wait_until_open()]
        began = time.monotonic()
        eventually(lambda: all(len(each.comments) >= 4 for each in listeners), 60, "silence")
        assert time.monotonic() - began > 40
        for listener in listeners:
            pauses = [later - earlier for earlier, later in zip(listener.comments, listener.comments[1:])]
            assert all(13 < pause < 17 for pause in pauses), pauses
        api.contact(source)
        sent = time.monotonic()
        for listener in listeners:
            assert listener.hear(1)[0].at - sent < 1 and listener.end is None
    finally:
        balancer.end()


def test_nothing_is_asked_when_nobody_listens(cluster, servers, empty_database, listen):
    [server] = servers(1, LEADS_SWEEP_SECONDS=3600, LEADS_ACCESS="open")
    name = empty_database.dsn.rpartition("/")[2]

    def asked(seconds: float) -> int:
        """How often the database was asked something, as far as one can see by looking every 20 ms."""
        seen, end = set(), time.monotonic() + seconds
        with cluster.connect() as connection:
            while time.monotonic() < end:
                seen.add(connection.execute("""
                    select max(state_change) from pg_stat_activity where datname = %s and backend_type = 'client backend'
                """, (name,)).fetchone()[0])
                time.sleep(0.02)
        return len(seen) - 1

    assert asked(2) == 0
    listener = listen(server).wait_until_open()
    assert 2 <= asked(2) <= 12, "four times a second"
    more = [listen(server).wait_until_open() for _ in range(20)]
    assert 2 <= asked(2) <= 12, "as often for many streams"
    for each in [listener, *more]:
        each.close()
    eventually(lambda: streams(server) == 0, 3, "they are still there")
    time.sleep(0.5)
    assert asked(2) == 0


def test_who_is_gone_is_forgotten(server, api, listen):
    source, before = api.source()["id"], streams(server)
    listeners = [listen(server).wait_until_open() for _ in range(10)]
    assert streams(server) == before + 10
    for listener in listeners[:5]:
        listener.close()
    eventually(lambda: streams(server) == before + 5, 3, "those who left are still counted")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as half:
        half.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % STREAM.encode())
        assert half.recv(65536)
        eventually(lambda: streams(server) == before + 6, 3, "it is not open")
        half.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: half.recv(65536), b""))
        assert said.endswith(b"0\r\n\r\n")
    eventually(lambda: streams(server) == before + 5, 3, "who will say nothing more is still counted")
    api.contact(source)
    for listener in listeners[5:]:
        listener.hear(1)


def test_what_else_is_sent_on_the_connection_is_not_answered(server, api):
    connection = _Connection(server.port, timeout=10)
    live = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    connection.socket.sendall(live + b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % STREAM.encode() + live * 50)
    assert connection.read("GET").status == 200
    assert b"retry: 1000\n" in connection.read("GET").body
    connection.socket.sendall(live)
    connection.reader.readline()  # the end of the first chunk
    api.contact(api.source()["id"])
    size = int(connection.reader.readline(), 16)
    assert connection.reader.read(size).startswith(b"id: ")
    connection.close()


# Slow ones

def add_events(database, count: int, length: int) -> None:
    with database.connect() as connection:
        connection.execute("""
            insert into events (kind, reason) select 'noise', repeat('x', %s) from generate_series(1, %s)
        """, (length, count))


def memory(server) -> float:
    """Resident, in MB."""
    with open(f"/proc/{server.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1024


def test_a_slow_reader_holds_nobody_up_and_gets_everything(servers, empty_database, listen):
    [server] = servers(1)
    slow = listen(server, after=0, deaf=True)
    quick = listen(server).wait_until_open()
    add_events(empty_database, 1000, 1000)
    quick.hear(1000)
    before, count = memory(server), 60_000
    for turn in range(6):
        add_events(empty_database, count // 6, 1000)
        quick.hear(1000 + (turn + 1) * count // 6, within=30)
    grown = memory(server) - before
    print(f"{(1000 + count) * 1.2 / 1000:.0f} MB were sent to the quick one; the server has grown by {grown:.0f} MB")
    assert grown < 40
    slow.listen().hear(1000 + count, within=60)
    assert slow.ids == quick.ids == list(range(1, 1001 + count))


@pytest.mark.at_length  # likewise
@pytest.mark.seconds(180)
def test_who_takes_nothing_for_a_minute_is_left(servers, empty_database, listen):
    [server] = servers(1)
    listen(server, after=0, deaf=True)
    add_events(empty_database, 10_000, 2000)
    began = time.monotonic()
    time.sleep(5)
    assert streams(server) == 1
    eventually(lambda: streams(server) == 0, 90, "it is kept for ever", every=1)
    assert time.monotonic() - began > 45


# Stops, and a database that is away

def test_a_stop_ends_streams_at_once_and_cleanly(instances, database, listen):
    server = instances(database, LEADS_DRAIN_SECONDS=0)
    listeners = [listen(server).wait_until_open() for _ in range(20)]
    deaf = listen(server, after=0, deaf=True)
    began = time.monotonic()
    assert server.terminate(within=5) == 0
    assert time.monotonic() - began < 3
    assert {listener.wait_until_ended() for listener in listeners} == {"complete"}
    deaf.close()


def test_streams_go_on_during_the_drain(instances, database, listen):
    server = instances(database, LEADS_DRAIN_SECONDS=2)
    other = instances(database)
    api = other.client()
    source = api.source()["id"]
    listener = listen(server).wait_until_open()
    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: server.client().get("/readyz").status == 503, 1, "it still says it is ready")
    api.contact(source)
    last = listener.hear(1)[0].id
    late = listen(server, last_event_id=last).wait_until_open()
    assert server.exit_code(within=6) == 0
    assert (listener.wait_until_ended(), late.wait_until_ended()) == ("complete", "complete")
    contact = api.contact(source)["id"]
    again = listen(other, last_event_id=listener.last_event_id)
    assert again.hear(1)[0].event["contact_id"] == contact


def test_behind_haproxy_streams_leave_an_instance_that_stops_for_those_that_stay(instances, empty_database, listen):
    trio = Trio(instances, empty_database)
    try:
        api = trio.balancer.client()
        source = api.source()["id"]
        listeners = [listen(trio.balancer).wait_until_open() for _ in range(9)]
        assert [streams(instance) for instance in trio.instances] == [3, 3, 3]
        assert api.request("POST", STREAM).must_be(405).headers["X-Request-ID"] != listeners[0].headers["X-Request-ID"]
        first = api.contact(source)["id"]
        for listener in listeners:
            listener.hear(1)
        trio.instances[0].process.send_signal(signal.SIGTERM)
        eventually(lambda: sum(listener.end is not None for listener in listeners) == 3, 3, "they stay")
        assert trio.instances[0].is_running, "it is still draining"
        second = api.contact(source)["id"]
        back = [listen(trio.balancer, last_event_id=each.last_event_id) for each in listeners if each.end]
        third = api.contact(source)["id"]
        for listener in (each for each in listeners if not each.end):
            assert [each.event["contact_id"] for each in listener.hear(3)] == [first, second, third]
        for listener in back:
            assert [each.event["contact_id"] for each in listener.hear(2)] == [second, third]
        assert trio.instances[0].exit_code() == 0
    finally:
        trio.end()


@pytest.mark.faults
def test_streams_outlive_the_database(instances, listen):
    cluster = Cluster(durable=True).start()
    try:
        database = Database(cluster.dsn("postgres"))
        migrate(database.dsn)
        server = instances(database, LEADS_SWEEP_SECONDS=3600)
        api = server.client()
        source = api.source()["id"]
        end = end_of_log(api)
        listener = listen(server).wait_until_open()
        first = api.contact(source)["id"]
        listener.hear(1)
        cluster.kill()
        eventually(lambda: "streams of events are interrupted" in server.output(), 10, "it is not told")
        assert api.get(STREAM).must_be(503).headers["Retry-After"]
        behind = listen(server, last_event_id=end).wait_until_open()
        time.sleep(2)
        assert server.output().count("streams of events are interrupted") == 1
        cluster.start()
        eventually(lambda: api.get("/readyz").status == 200, 20, "it is not ready again")
        second = api.contact(source)["id"]
        for each in (listener, behind):
            each.hear(2)
            assert [event["contact_id"] for event in each.events] == [first, second]
        assert server.output().count("streams of events go on") == 1
        server.end()
    finally:
        cluster.remove()


@pytest.mark.faults
def test_a_log_that_was_brought_back_shorter_starts_streams_over(servers, empty_database, listen):
    """What a standby lacks that takes over, and a backup."""
    [server] = servers(1, LEADS_SWEEP_SECONDS=3600)
    add_events(empty_database, 10, 10)
    listener = listen(server, after=0)
    listener.hear(10)
    with empty_database.connect() as connection, connection.transaction():
        connection.execute("select pg_advisory_xact_lock(7107, 0)")
        connection.execute("delete from event_log where position > 7")
        connection.execute("delete from events where id > 7")
        connection.execute("update event_sequencer set last_position = 7, last_event_id = 7")
        connection.execute("alter table events alter column id restart with 8")
    assert listener.wait_until_ended() == "complete"
    again = listen(server, last_event_id=listener.last_event_id).wait_until_open()
    time.sleep(0.5)
    add_events(empty_database, 1, 10)
    assert again.hear(1)[0].id == 8
