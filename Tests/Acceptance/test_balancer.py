"""Three instances behind HAProxy, with the configuration that docker-compose.yml uses."""

import collections
import http.client
import itertools
import json
import os
import random
import re
import socket
import subprocess
import threading
import time

import pytest

from balancer import Balancer, NameServer, StandIn, Trio
from client import Api, Unreachable
from load import Background, Sampler, generator, in_parallel, until
from shapes import must_be_error
from waiting import eventually, free_port

pytestmark = pytest.mark.alone

KEPT_ALIVE, CONNECTING_ANEW = 16, 4


@pytest.fixture(scope="module")
def trio(instances, database):
    trio = Trio(instances, database)
    yield trio
    trio.end()


@pytest.fixture
def fresh_trio(instances, empty_database):
    trio = Trio(instances, empty_database)
    yield trio
    trio.end()


@pytest.fixture
def through(trio):
    """A client of the balancer."""
    client = trio.balancer.client()
    yield client
    client.close()


@pytest.fixture
def stand_ins():
    """`stand_ins(answer, …)`: HAProxy before things that answer so; None breaks the connection off."""
    started = []

    def start(*answers, **settings) -> tuple[Balancer, list[StandIn]]:
        them = [StandIn(answer) for answer in answers]
        started.extend(them)
        balancer = Balancer([each.port for each in them] * (3 // len(them)), **settings)
        started.insert(0, balancer)
        return balancer, them

    yield start
    for each in started:
        each.end()


def answer(status: str, *headers: str, body: str = "{}") -> bytes:
    """It says that the connection ends with it: HAProxy would use one again that it was not told of."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", body]
    return "\r\n".join(lines).encode()


# What passes through

BIG_WEIGHTS = {"operator_weights": [{"operator_id": "x", "source_id": n} for n in range(3000)]}


@pytest.mark.parametrize("method, path, body", [
    ("GET", "/health", ...),
    ("GET", "/api/v1/operators", ...),
    ("GET", "/api/v1/operators/", ...),
    ("HEAD", "/api/v1/operators/", ...),
    ("OPTIONS", "/api/v1/contacts", ...),
    ("DELETE", "/api/v1/stats/distribution", ...),
    ("GET", "/api/v1/contacts/999999", ...),
    ("GET", "/no/such?path=Имя".encode().decode("latin-1"), ...),
    ("POST", "/api/v1/operators/", {"name": "", "max_load": 0}),
    ("POST", "/api/v1/contacts", {"source_id": "Имя"}),
    ("POST", "/api/v1/contacts", {"source_id": 1, "message": "x" * 70_000}),
    ("POST", "/api/v1/contacts", {"source_id": 1, "message": "x" * 5_000_000}),
    ("PUT", "/api/v1/sources/1/distribution", BIG_WEIGHTS),
])
def test_an_answer_through_the_balancer_is_the_answer_of_an_instance(trio, through, method, path, body):
    headers = {"Accept-Language": "ru"}
    path = re.sub(r"[^ -~]", lambda each: f"%{ord(each[0]):02X}", path)
    direct = trio.instances[0].client().request(method, path, body, headers=headers)
    passed = through.request(method, path, body, headers=headers)
    assert (passed.status, passed.body) == (direct.status, direct.body)
    for name in ("Content-Type", "Content-Length", "Allow", "Link", "Retry-After"):
        assert passed.headers[name] == direct.headers[name], name
    assert passed.status < 500


def test_a_large_change_passes_in_one_piece(through):
    operator, source = through.operator()["id"], through.source()["id"]
    rows = [{"operator_id": operator, "source_id": source, "weight": weight} for weight in range(1, 5001)]
    through.put(f"/api/v1/sources/{source}/distribution", {"operator_weights": rows}).must_be(200)
    assert [row["weight"] for row in through.get(f"/api/v1/sources/{source}/weights/").must_be(200).json] == [5000]


def test_a_body_refused_unread_spoils_no_connection_for_others(trio, through):
    source = through.source()["id"]
    for size in (70_000, 5_000_000) * 15:
        trio.balancer.client().post("/api/v1/contacts", {"source_id": source, "message": "x" * size}).must_be(413)
        through.contact(source)


def test_every_instance_gets_its_share(trio, through):
    size = len(trio.balancer.output())
    for _ in range(30):
        through.get("/health").must_be(200)
    lines = eventually(lambda: (found := re.findall(r"\bapp-[123]\b", trio.balancer.output()[size:])) and
                       len(found) >= 30 and found, 5, "requests are not logged")
    assert collections.Counter(lines).keys() == {"app-1", "app-2", "app-3"}


# What HAProxy adds

def test_an_instance_learns_who_asks_and_nobody_can_pretend(stand_ins):
    balancer, [stand_in] = stand_ins(answer("200 OK"))
    balancer.client().get("/health", headers={"X-Forwarded-For": "203.0.113.9", "X-Request-ID": "given-1"}).must_be(200)
    [request] = stand_in.received
    assert re.findall("(?i)^x-forwarded-for: (.*?)\r", request, re.M) == ["127.0.0.1"]
    assert re.findall("(?i)^x-request-id: (.*?)\r", request, re.M) == ["given-1"]


@pytest.mark.parametrize("given", [None, "", "two words", "x" * 129, "a,b", "<script>"])
def test_every_request_has_one_id_at_the_instance_in_the_log_and_in_the_answer(stand_ins, given):
    balancer, [stand_in] = stand_ins(answer("200 OK"))
    response = balancer.client().get("/health", headers={} if given is None else {"X-Request-ID": given}).must_be(200)
    id = response.headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f-]{36}", id)
    assert re.findall("(?i)^x-request-id: (.*?)\r", stand_in.received[0], re.M) == [id]
    eventually(lambda: f" {id} GET /health" in balancer.output(), 5, balancer.output)


def test_personal_data_never_reach_the_log_of_the_balancer(trio, through):
    canary = "79007413741"
    through.get(f"/api/v1/contacts?q={canary}")
    through.get(f"/api/v1/leads/by-external/{canary}")
    through.get(f"/api/v1/leads/by-external/{canary}/")
    through.post("/api/v1/contacts", {"source_id": 0, "lead_phone": canary}, headers={"Cookie": canary, "Referer": canary})
    eventually(lambda: "POST /api/v1/contacts" in trio.balancer.output(), 5, trio.balancer.output)
    through.get(f"/api/v1/leads/{canary}").must_be(404)
    through.get(f"/{canary}").must_be(404)
    eventually(lambda: "GET /\n" in trio.balancer.output(), 5, trio.balancer.output)
    assert canary not in trio.balancer.output()
    assert "GET /api/v1/leads\n" in trio.balancer.output()


def test_the_numbers_of_an_instance_are_not_to_be_had_through_the_balancer(through):
    for path in ("/metrics", "/metrics/"):
        assert through.get(path).must_be(404).json == {"detail": "Not Found"}


# What is repeated, and what never is

def test_a_request_that_changes_something_is_never_sent_twice(stand_ins):
    balancer, them = stand_ins(None, None, None)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        response = balancer.client().request(method, "/api/v1/contacts", {"source_id": 1})
        must_be_error(response, 502, code="outcome_unknown")
        assert sum(len(each.received) for each in them) == 1, method
        for each in them:
            each.received.clear()


def test_nor_by_a_client_that_takes_a_closed_connection_for_leave_to_try_again(stand_ins):
    balancer, [stand_in] = stand_ins({"GET": answer("200 OK")})
    url = f"http://127.0.0.1:{balancer.port}/"
    done = subprocess.run(["curl", "--silent", url, "--next", "--silent", "--data", "{}", "--write-out", "%{http_code}", url],
                          capture_output=True, timeout=20)
    assert done.stdout.endswith(b"502")
    assert [request.split()[0] for request in stand_in.received] == ["GET", "POST"]


def test_a_request_that_only_reads_goes_to_another_instance_when_one_breaks_off(stand_ins):
    balancer, them = stand_ins(None, answer("200 OK"), None)
    for method in ("GET", "HEAD", "OPTIONS") * 4:
        balancer.client().request(method, "/api/v1/contacts").must_be(200)
    assert sum(len(each.received) for each in them) > 12


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_503_of_an_instance_is_passed_on_as_it_is(stand_ins, method):
    balancer, [stand_in] = stand_ins(answer("503 Service Unavailable", "Retry-After: 7", body='{"code":"outcome_unknown"}'))
    response = balancer.client().request(method, "/x").must_be(503)
    assert response.headers["Retry-After"] == "7" and response.json == {"code": "outcome_unknown"}
    assert len(stand_in.received) == 1


def test_an_instance_that_cannot_be_reached_costs_no_request(stand_ins):
    balancer, them = stand_ins(answer("200 OK"), answer("200 OK"), answer("200 OK"))
    them[0].end()
    them[1].end()
    for _ in range(12):
        response = balancer.client().post("/api/v1/contacts", {"source_id": 1}).must_be(200)
        assert response.seconds < 1
    assert len(them[2].received) == 12


def test_without_instances_the_answer_says_that_nothing_was_changed(stand_ins):
    balancer, [stand_in] = stand_ins(answer("200 OK"))
    stand_in.end()
    for _ in range(2):
        response = balancer.client().post("/api/v1/contacts", {"source_id": 1})
        must_be_error(response, 503, code="unavailable")
        assert response.headers["Retry-After"] == "1" and response.headers["Content-Type"] == "application/json"
        assert stand_in.received == []
        for number in (1, 2, 3):
            balancer.wait_until_down(number)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give HAProxy another resolv.conf")
def test_an_instance_made_anew_is_found_at_its_new_address(tmp_path):
    """As Docker does it: it had no name while it was away, and its address is another."""
    names, port = NameServer(), free_port()
    first, second, elsewhere = (StandIn(answer("200 OK", body=host), (host, port))
                                for host in ("127.0.0.11", "127.0.0.12", "127.0.0.21"))
    (tmp_path / "resolv.conf").write_text(f"nameserver {names.HOST}\n")
    mount = f'mount --bind {tmp_path}/resolv.conf "$(realpath /etc/resolv.conf)" && exec "$@"'
    names.addresses |= {"app-1": "127.0.0.11"}
    balancer = Balancer([port] * 3, ["app-1", "app-2", "app-3"], ["unshare", "--mount", "sh", "-c", mount, "sh"])
    try:
        balancer.wait_until_up(1)
        names.addresses |= {"app-2": "127.0.0.12"}
        balancer.wait_until_up(1, 2)
        first.end()
        del names.addresses["app-1"]
        balancer.wait_until_down(1)
        names.addresses |= {"app-1": "127.0.0.21"}
        balancer.wait_until_up(1, 2)
        assert {balancer.client().get("/").text for _ in range(20)} == {"127.0.0.12", "127.0.0.21"}
    finally:
        balancer.end()
        names.end()
        for each in (first, second, elsewhere):
            each.end()


# Instances stop and die

class Mixture(Background):
    """Clients that register, close and read as long as the block lasts, and what became of it all."""

    def __init__(self, trio: Trio, random: random.Random):
        super().__init__(self._work, ends_within=30)
        self._random, self._balancer = random, trio.balancer
        api = trio.balancer.client()
        self.operators = [api.operator(max_load=max_load)["id"] for max_load in (2, 5, 20, 1_000_000)]
        self.source = api.source({id: 1 for id in self.operators})["id"]
        self.acknowledged: dict[str, int] = {}
        self.answered = 0
        self.slowest = 0.0
        self.failures: list[tuple[str, object]] = []
        self.unanswered: list[str] = []
        self._messages = itertools.count(1)
        self._lock = threading.Lock()

    def _work(self, stop: threading.Event) -> None:
        kept = [self._balancer.client() for _ in range(KEPT_ALIVE)]

        def ask(thread: int, _) -> None:
            if thread < KEPT_ALIVE:
                self._ask(kept[thread])
            else:
                client = self._balancer.client()
                self._ask(client)
                client.close()

        in_parallel(KEPT_ALIVE + CONNECTING_ANEW, ask, until(stop), seconds=90)

    def _ask(self, client: Api) -> None:
        known = list(self.acknowledged.values())[-50:]
        kind = self._random.random()
        message, body = None, ...
        if kind < 0.4 or not known:
            message = f"contact {next(self._messages)}"
            method, path, body = "POST", "/api/v1/contacts", {"source_id": self.source, "message": message}
        elif kind < 0.55:
            method, path = "POST", f"/api/v1/contacts/{self._random.choice(known)}/close"
        elif kind < 0.6:
            method, path, body = "PATCH", f"/api/v1/operators/{self.operators[0]}/activate", {"active": True}
        else:
            method = "GET"
            path = self._random.choice((f"/api/v1/contacts/{self._random.choice(known)}", "/api/v1/operators/",
                                        f"/api/v1/sources/{self.source}", "/api/v1/contacts?limit=5&order=desc"))
        began = time.monotonic()
        try:
            response = client.request(method, path, body)
        except Unreachable:
            outcome = "silence"
        else:
            outcome = response.status
        with self._lock:
            self.slowest = max(self.slowest, time.monotonic() - began)
            if isinstance(outcome, int) and outcome < 300:
                self.answered += 1
                if message:
                    self.acknowledged[message] = response.json["id"]
            else:
                self.failures.append((method, outcome))
                if outcome == "silence":
                    self.unanswered.append(message)

    def must_go_on(self, requests: int = 300, within: float = 20) -> None:
        target = self.answered + requests
        eventually(lambda: self.answered >= target, within, lambda: f"no progress: {self.failures[-5:]}")

    def must_be_stored_once_in(self, database) -> int:
        """Every acknowledged contact is there, once; how many are there that nobody was told of."""
        stored = database.ids_by_message()
        wrong = {m: stored.get(m) for m, id in self.acknowledged.items() if stored.get(m) != [id]}
        twice = {m: ids for m, ids in stored.items() if len(ids) > 1}
        assert not wrong and not twice, f"lost or doubled: {list((wrong | twice).items())[:10]}"
        return len(stored) - len(self.acknowledged)

    def __str__(self) -> str:
        return (f"{self.answered} requests answered, {len(self.failures)} failed {collections.Counter(self.failures)}, "
                f"{len(self.acknowledged)} contacts acknowledged, slowest answer {self.slowest:.2f} s")


@pytest.mark.faults
def test_a_rolling_restart_fails_no_request(fresh_trio):
    database, codes = fresh_trio.database, []
    with Sampler(database) as sampler, Mixture(fresh_trio, generator("rolling restart")) as load:
        load.must_go_on()
        for number in (1, 2, 3):
            codes.append(fresh_trio.instances[number - 1].terminate())
            fresh_trio.start_again(number)
            load.must_go_on()
        eventually(lambda: load.answered >= 3000, 40, lambda: f"too slow: {load}")
    print(f"\n{load}, exit codes {codes}, {sampler.samples} samples without an operator over the limit")
    assert codes == [0, 0, 0]
    assert load.failures == [], f"{load}\n{fresh_trio.balancer.output()[-2000:]}"
    assert load.must_be_stored_once_in(database) == 0
    assert database.broken_loads() == []


@pytest.mark.faults
def test_a_killed_instance_fails_no_reading_and_loses_nothing_acknowledged(fresh_trio):
    database = fresh_trio.database
    with Sampler(database), Mixture(fresh_trio, generator("killed instance")) as load:
        for number in (1, 2):
            load.must_go_on()
            fresh_trio.instances[number - 1].kill()
            fresh_trio.balancer.wait_until_down(number)
            failed = len(load.failures)
            load.must_go_on()
            assert len(load.failures) == failed, f"it goes on failing: {load}"
            fresh_trio.start_again(number)
        load.must_go_on()
    print(f"\n{load}, of {KEPT_ALIVE + CONNECTING_ANEW} clients, 2 instances killed")
    assert {method for method, _ in load.failures} <= {"POST", "PATCH"}, load
    assert {outcome for _, outcome in load.failures} <= {502, 503, "silence"}, load
    # A client may take silence for leave to try again, so nothing of that kind may have been done.
    assert set(load.unanswered).isdisjoint(database.ids_by_message()), load
    assert len(load.failures) <= 2 * (KEPT_ALIVE + CONNECTING_ANEW)
    assert load.must_be_stored_once_in(database) <= len(load.failures)
    assert database.broken_loads() == []


def test_who_asks_too_often_is_told_to_wait_by_address_and_by_key(stand_ins):
    """Of three addresses, two of which show the same key."""
    balancer, [instance] = stand_ins(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", rate=20)

    def ask(address: str, key: str | None = None) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", balancer.port, timeout=10, source_address=(address, 0))
        connection.request("POST", "/api/v1/contacts", headers={"Authorization": f"Bearer crm_{key}"} if key else {})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status == 429:
            assert answer.headers["Retry-After"] == "10" and json.loads(body)["code"] == "rate_exceeded"
        return answer.status

    assert [ask("127.0.0.2") for _ in range(22)] == [200] * 20 + [429] * 2
    assert [ask(f"127.0.0.{3 + n % 2}", "abcdefgh_secret") for n in range(22)] == [200] * 20 + [429] * 2
    assert ask("127.0.0.3", "abcdefgh_guessed") == 200, "who knows no more than the id uses up nothing of the key's"
    assert ask("127.0.0.3") == 200, "without a key"
    assert len(instance.received) == 42


@pytest.mark.at_length
def test_half_a_head_is_given_ten_seconds_and_reaches_no_instance(stand_ins):
    balancer, [instance] = stand_ins(answer("200 OK"))
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", balancer.port), timeout=60) as caller:
        caller.sendall(b"POST /api/v1/contacts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n")
        said = b"".join(iter(lambda: caller.recv(4096), b""))
    assert said.startswith(b"HTTP/1.1 408 ")
    assert 9 < time.monotonic() - began < 15
    assert not any("/contacts" in request for request in instance.received)
