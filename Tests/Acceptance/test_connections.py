"""What happens on one connection: order, bodies in pieces, early answers, and who closes when. Sent byte by byte."""

import contextlib
import http.client
import socket
import time

import pytest

from wire import _Connection

LIVE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def connect(server):
    with contextlib.ExitStack() as stack:
        def connect() -> _Connection:
            return stack.enter_context(contextlib.closing(_Connection(server.port, timeout=15)))
        yield connect


def post(body: bytes, *headers: bytes, path: bytes = b"/api/v1/operators") -> bytes:
    lines = [b"POST %s HTTP/1.1" % path, b"Host: localhost", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


def is_closed(connection: _Connection, within: float = 5) -> bool:
    connection.socket.settimeout(within)
    return connection.reader.read(1) == b""


def test_requests_sent_ahead_are_answered_in_their_order(connect):
    connection = connect()
    paths = [b"/livez", b"/nowhere", b"/api/v1/operators?limit=1", b"/api/v1/operators/abc", b"/openapi.json"] * 20
    connection.socket.sendall(b"".join(
        b"GET %s HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: %d\r\n\r\n" % (path, number) for number, path in enumerate(paths)))
    answers = [connection.read("GET") for _ in paths]
    assert [answer.headers["x-request-id"] for answer in answers] == [str(number) for number in range(len(paths))]
    assert [answer.status for answer in answers] == [200, 404, 200, 422, 200] * 20


@pytest.mark.parametrize("pause", [0, 0.02])
def test_a_request_may_come_byte_by_byte(connect, pause):
    connection = connect()
    for byte in post(b'{"name": "Piecemeal"}'):
        connection.socket.sendall(bytes([byte]))
        time.sleep(pause / 10)
    assert connection.read("POST").status == 201
    connection.socket.sendall(LIVE)
    assert connection.read("GET").status == 200


def test_an_early_answer_leaves_the_connection_usable(connect):
    """The body of what is refused by its head alone is read and thrown away."""
    connection = connect()
    for request, status in ((post(b"x" * 300_000, path=b"/nowhere"), 404), (post(b"x" * 300_000, path=b"/livez"), 405),
                            (post(b"x" * 300_000), 413), (post(b'{"name": "After"}'), 201)):
        connection.socket.sendall(request + LIVE)
        assert connection.read("POST").status == status
        assert connection.read("GET").status == 200


def test_a_chunked_body_beyond_the_limit_leaves_the_connection_usable(connect):
    connection = connect()
    piece = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    connection.socket.sendall(b"POST /api/v1/operators HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                              + piece * 20 + b"0\r\n\r\n" + LIVE)
    assert connection.read("POST").status == 413
    assert connection.read("GET").status == 200


@pytest.mark.parametrize("request_", [
    b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: Close\r\n\r\n",
    b"GET /livez HTTP/1.0\r\n\r\n", b"GET /nowhere HTTP/1.0\r\n\r\n", post(b"{}", b"Connection: close")])
def test_who_asks_for_it_is_answered_and_the_connection_closed(connect, request_):
    connection = connect()
    connection.socket.sendall(request_)
    answer = connection.read("GET")
    assert answer.status in (200, 404, 422) and answer.body
    assert is_closed(connection)


def test_http_1_0_is_kept_alive_on_request(connect):
    connection = connect()
    for _ in range(3):
        connection.socket.sendall(b"GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = connection.read("GET")
        assert (answer.status, answer.headers["connection"]) == (200, "keep-alive")


def test_nothing_is_answered_behind_the_last(connect):
    connection = connect()
    connection.socket.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" + LIVE * 5)
    assert connection.read("GET").status == 200
    assert is_closed(connection)


def test_who_stops_sending_is_answered_all_the_same(connect):
    for requests in (1, 3):
        connection = connect()
        connection.socket.sendall(b"GET /api/v1/operators HTTP/1.1\r\nHost: localhost\r\n\r\n" * requests)
        connection.socket.shutdown(socket.SHUT_WR)
        assert [connection.read("GET").status for _ in range(requests)] == [200] * requests
        assert is_closed(connection)


def test_who_stops_within_a_body_is_told_so(connect):
    connection = connect()
    connection.socket.sendall(post(b'{"name": "Half')[:-3])
    connection.socket.shutdown(socket.SHUT_WR)
    answer = connection.read("POST")
    assert answer.status == 400 and b'"code":"body_incomplete"' in answer.body
    assert is_closed(connection)


def test_a_broken_body_is_told_and_the_connection_closed(connect):
    connection = connect()
    connection.socket.sendall(b"POST /api/v1/operators HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n")
    answer = connection.read("POST")
    assert answer.status == 400 and b'"code":"body_incomplete"' in answer.body
    assert is_closed(connection)


def test_thousands_sent_ahead_are_answered(connect):
    connection = connect()
    connection.socket.sendall(b"GET /api/v1/operators HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10_000)
    assert connection.read("GET").status == 200
    assert {connection.read("GET").status for _ in range(10_000)} == {404}


def test_what_is_no_http_ends_the_connection_after_what_came_before(connect):
    connection = connect()
    connection.socket.sendall(LIVE + b"GET /api/v1/operators HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"no http at all\r\n\r\n")
    answers = [connection.read("GET") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 400]
    assert answers[2].headers["x-request-id"] and answers[2].headers["date"] and b'"code":"not_http"' in answers[2].body
    assert is_closed(connection)


def test_a_target_may_name_the_server(connect):
    connection = connect()
    for target, status in ((b"http://localhost/livez", 200), (b"http://localhost", 200), (b"http://localhost?a=1", 200), (b"http://localhost/nowhere?a", 404),
                           (b"*", 404), (b"http://localhost/api/v1/operators?limit=0", 422)):
        connection.socket.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % target)
        assert connection.read("GET").status == status, target


def test_whoever_reads_no_answers_is_not_read_either(connect, server):
    """Megabytes of answers must not wait in the server; what is read later is whole."""
    connection = connect()
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    connection.socket.settimeout(1)
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 50_000_000:
            sent += connection.socket.send(request * 100)
    answers = sent // len(request)
    assert answers * 100_000 > 300_000_000, "there were not enough of them to tell"
    resident = int(open(f"/proc/{server.pid}/statm").read().split()[1]) * 4096
    assert resident < 300_000_000
    connection.socket.settimeout(15)
    for _ in range(50):
        answer = connection.read("GET")
        assert answer.status == 200 and answer.body.endswith(b"}")


def test_a_caller_gone_in_the_middle_of_anything_harms_nobody(connect, server):
    for part in (b"GET /li", LIVE, post(b'{"name": "Gone"}')[:-4], post(b'{"name": "Gone"}'), LIVE * 50):
        for _ in range(10):
            connection = connect()
            connection.socket.sendall(part)
            connection.close()
    api = server.client()
    deadline = time.monotonic() + 5
    while "leads_http_requests_in_flight 1\n" not in api.get("/metrics").text:
        assert time.monotonic() < deadline, "a request is counted for ever"
        time.sleep(0.05)


def test_a_date_is_on_every_answer(api):
    date = api.get("/nowhere").headers["Date"]
    assert abs(time.time() - time.mktime(time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT")) + time.timezone) < 5


@pytest.fixture
def impatient(instances, database):
    """An instance that keeps no idle connection for more than a second."""
    server = instances(database, LEADS_IDLE_SECONDS=1)
    yield server
    server.end()


def seconds_to_close(*connections: _Connection) -> float:
    began = time.monotonic()
    assert all(is_closed(connection, 20) for connection in connections)
    return time.monotonic() - began


def test_an_idle_connection_is_closed_and_one_at_work_is_not(impatient, database):
    with contextlib.ExitStack() as stack:
        silent, asked, working = (
            stack.enter_context(contextlib.closing(_Connection(impatient.port, timeout=15))) for _ in range(3))
        asked.socket.sendall(LIVE)
        assert asked.read("GET").status == 200
        source, operator = impatient.client().staffed_source()
        with database.operator_held(operator["id"]):
            body = b'{"source_id": %d}' % source["id"]
            working.socket.sendall(post(body, path=b"/api/v1/contacts"))
            assert 0.5 < seconds_to_close(silent, asked) < 4
            # The lock timeout is longer than the second.
            assert working.read("POST").status == 503
        assert seconds_to_close(working) < 4


def test_who_reads_slowly_gets_all_of_it(impatient, database):
    with contextlib.closing(_Connection(impatient.port, timeout=15)) as connection:
        connection.socket.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200)
        for number in range(200):
            if number in (0, 1, 100):
                time.sleep(2)
            assert connection.read("GET").body.endswith(b"}")
        assert seconds_to_close(connection) < 4


def test_half_a_head_is_given_ten_seconds(connect):
    half, first = connect(), connect()
    first.socket.sendall(LIVE)
    assert first.read("GET").status == 200
    for connection in (half, first):
        connection.socket.sendall(b"GET /livez HTTP/1.1\r\nHost:")
    assert 9 < seconds_to_close(half, first) < 14
