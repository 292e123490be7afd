"""How much callers may ask of the process: memory, values, connections, and what happens beyond it."""

import multiprocessing
import os
import re
import socket
import statistics
import subprocess
import time

import pytest

from client import Client, Unreachable
from load import Background
from waiting import AT_LENGTH, eventually

pytestmark = pytest.mark.alone

MIB = 1 << 20
BODIES = 64 if AT_LENGTH else 3
HEAVY = {
    "zeros": b"[" + b"0," * (16 * MIB - 1) + b"0]",
    "nested": b"[" * (32 * MIB),
    "keys": b"{" + b",".join(b'"%026d":0' % n for n in range(1_000_000)) + b"}",
    "objects": b"[" + b"{}," * (10 * MIB) + b"{}]",
    "a string": b'[{"source_id": "' + b"x" * (31 * MIB) + b'"}]',
}


def resident(pid: int) -> int:
    """In bytes."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def percentile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def probe(server) -> list[float]:
    """How long others wait meanwhile, in seconds."""
    client = Client(server.port, timeout=30)
    times = []
    for _ in range(50):
        times.append(client.get("/livez").must_be(200).seconds)
        time.sleep(0.01)
    client.close()
    return times


def send(port: int, what: str) -> int | str:
    """The status of the answer."""
    client = Client(port, timeout=120)
    try:
        answer = client.post("/api/v1/contacts/batch", raw=HEAVY[what])
        assert len(answer.body) < 1.5 * MIB
        return answer.status
    except Unreachable:
        return "refused while it was sent"
    finally:
        client.close()


@pytest.mark.seconds(300)
def test_large_bodies_at_once_cost_little_memory_and_nobody_else_much_time(servers):
    """Beside an instance that is left alone, whose callers wait for the machine's cores just as long."""
    server, neighbour = servers(2)
    before, most = resident(server.pid), 0

    def watch(stop):
        nonlocal most
        while not stop.is_set():
            most = max(most, resident(server.pid))
            time.sleep(0.01)

    statuses, times, beside = {}, [], []
    # In processes of their own, which leave the cores to the servers and the probe, as if they were on other machines.
    idle = [0, os.SCHED_IDLE, os.sched_param(0)]
    with Background(watch, ends_within=5), multiprocessing.get_context("fork").Pool(BODIES, os.sched_setscheduler, idle) as senders:
        for what in HEAVY:
            answers = senders.starmap_async(send, [(server.port, what)] * BODIES, chunksize=1)
            while not answers.ready():
                times += probe(server)
                beside += probe(neighbour)
            statuses[what] = answers.get()
    growth = (most - before) / MIB
    slow, usual = (percentile(each, 0.99) for each in (times, beside))
    print({what: {status: found.count(status) for status in set(found)} for what, found in statuses.items()},
          f"{BODIES} at a time: grew by {growth:.0f} MiB; /livez p99 {slow * 1000:.1f} ms, "
          f"of the neighbour {usual * 1000:.1f} ms: ×{slow / usual:.2f} of {len(times)}; slowest {max(times) * 1000:.0f} ms")
    for what, found in statuses.items():
        assert len(found) == BODIES and set(found) <= {200, 413, 422, 503, "refused while it was sent"}, (what, found)
        assert set(found) & {200, 413, 422}, (what, found)
    assert growth <= 200
    assert server.is_running and max(times) < 3
    assert slow <= 2 * usual or not AT_LENGTH


def test_a_document_may_hold_so_many_values_and_no_more(api):
    """Ten thousand, or one for every 128 bytes that the body may have."""
    name = {"name": "A"}
    for extra, status in ((9_997, 201), (9_998, 413)):
        answer = api.post("/api/v1/operators", name | {"filler": [0] * extra})
        assert answer.status == status
    assert answer.json == {"detail": "The body holds more than 10000 values", "code": "too_many_values"}
    many = [{"source_id": 0, "x": [0] * 259}] * 1000
    assert api.post("/api/v1/contacts/batch", many).status == 200
    assert api.post("/api/v1/contacts/batch", many[:-1] + [{"x": [0] * 2000}]).must_be(413).json["code"] == "too_many_values"


@pytest.mark.parametrize("value, echoed", [
    ("x" * 1022, "x" * 1022), ("x" * 1023, "x" * 1008 + "…"), ("\u0001" * 2000, "\u0001" * 168 + "…"), ("я" * 5000, "я" * 504 + "…"),
    ([0] * 511, [0] * 511), ([0] * 512, "[…]"), ({"a" * 1021: 0}, "{…}"), ({"b": "c" * 1010}, {"b": "c" * 1010}), ([[[["x" * 2000]]]], "[…]"),
])
def test_what_was_sent_is_sent_back_up_to_a_kibibyte(api, value, echoed):
    [fault] = api.post("/api/v1/operators", {"name": "A", "max_load": value}).must_be(422).json["detail"]
    assert fault["input"] == echoed


def test_large_bodies_wait_for_room_and_then_are_told_to_come_back(servers):
    """Two of 32 MiB fill the room; a third waits while they are on their way, and a small one does not."""
    server = servers(1)[0]
    head = b"POST /api/v1/contacts/batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (32 * MIB)
    slow = []
    for _ in range(2):
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(head + b"[")
        slow.append(connection)
    third = socket.create_connection(("127.0.0.1", server.port))
    third.settimeout(20)
    third.sendall(head + b"[")
    client = server.client()
    client.post("/api/v1/operators", {"name": "A"}).must_be(201)
    began = time.monotonic()
    answer = third.recv(4096)
    assert b"503 Service Unavailable" in answer and b"bodies_full" in answer and b"Retry-After: 1" in answer
    assert 3 < time.monotonic() - began < 15
    # With one gone, the next is taken: it hears what is wrong with it.
    slow[0].close()
    fourth = Client(server.port, timeout=30)
    eventually(lambda: fourth.post("/api/v1/contacts/batch", raw=b"[" + b" " * MIB).status == 422, 20, "room does not come back")
    for connection in (*slow, third):
        connection.close()


def silent(server, count: int) -> list[socket.socket]:
    return [socket.create_connection(("127.0.0.1", server.port)) for _ in range(count)]


@pytest.mark.seconds(180)
def test_thousands_that_say_nothing_keep_nobody_out(servers):
    server = servers(1)[0]
    connections = []
    half = [b"", b"GET /livez HTTP/1.1\r\nHo", b"POST /api/v1/contacts HTTP/1.1\r\n"]
    try:
        for number in range(5000):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            connection.sendall(half[number % 3])
            connections.append(connection)
            if number % 50 == 0:
                probe = Client(server.port, timeout=5)
                probe.get("/livez").must_be(200)
                probe.close()
        times = []
        for _ in range(50):
            probe = Client(server.port, timeout=5)
            times.append(probe.get("/livez").must_be(200).seconds)
            probe.close()
        assert statistics.median(times) < 0.5
    finally:
        for connection in connections:
            connection.close()


def test_connections_at_work_are_not_closed_for_others(servers):
    """Four that go on asking keep their places, whoever comes; what is beyond the places is refused or takes another's."""
    server = servers(1, LEADS_CONNECTIONS=5)[0]
    working, late = [server.client() for _ in range(4)], [server.client() for _ in range(3)]
    refused, end = 0, time.monotonic() + 5
    while time.monotonic() < end:
        for client in working:
            client.get("/livez").must_be(200)
        connections = {id(client): client._connection.sock for client in working}
        for client in late:
            try:
                client.get("/livez").must_be(200)
            except Unreachable:
                refused += 1
        for client in working:
            client.get("/livez").must_be(200)
            assert client._connection.sock is connections[id(client)], "it was closed, and made anew"
    assert refused > 0, "more connections than there are places stay open"
    [counted] = re.findall(r"^leads_http_connections_refused_total (\d+)$", working[0].get("/metrics").text, re.MULTILINE)
    assert int(counted) > 0
    for client in (*working, *late):
        client.close()


@pytest.mark.at_length
@pytest.mark.seconds(120)
@pytest.mark.parametrize("attack", [["-H"], ["-B"], ["-X", "-w", "10", "-y", "20", "-n", "5", "-z", "32", "-k", "3"]], ids=["headers", "body", "reading"])
def test_slow_attacks_keep_nobody_out(servers, attack):
    """5 000 connections of slowhttptest, 500 more each second: every probe in between is answered."""
    server = servers(1)[0]
    path = "/openapi.json" if "-X" in attack else "/api/v1/contacts/batch" if "-B" in attack else "/livez"
    attacker = subprocess.Popen(
        ["slowhttptest", *attack, "-c", "5000", "-r", "500", "-i", "5", "-l", "40", "-p", "3", "-t", "POST" if "-B" in attack else "GET",
         "-u", f"http://127.0.0.1:{server.port}{path}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    times, most = [], 0
    while attacker.poll() is None:
        probe = Client(server.port, timeout=5)
        times.append(probe.get("/livez").must_be(200).seconds)
        probe.close()
        most = max(most, len(os.listdir(f"/proc/{server.pid}/fd")))
        time.sleep(0.05)
    print(f"{attack[0]}: {len(times)} probes, p99 {percentile(times, 0.99) * 1000:.1f} ms, up to {most} open files")
    assert len(times) > 200 and most > 500, "there was no attack to speak of"
