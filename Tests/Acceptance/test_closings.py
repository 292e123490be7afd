"""Closings that share transactions: what one does to the others, and that nobody sees the difference."""

import collections
import concurrent.futures
import contextlib
import time

import pytest

from load import in_parallel
from logs import records
from metrics import Metrics
from waiting import eventually

pytestmark = pytest.mark.alone

HOLD = 4  # seconds for which somebody holds an operator


class Closer:
    """Closes contacts of an instance, each over a connection of its own."""

    def __init__(self, instance, database):
        self.instance, self.database = instance, database
        self.api = instance.client()
        self._executor = concurrent.futures.ThreadPoolExecutor(200)

    def counted(self, name: str) -> int:
        return int(Metrics(self.api).get(f"leads_closings_{name}"))

    def send(self, contact: int, **change):
        def work():
            client = self.instance.client(20)
            try:
                if change:
                    return client.patch(f"/api/v1/contacts/{contact}", {"status": "closed", **change})
                return client.post(f"/api/v1/contacts/{contact}/close")
            finally:
                client.close()

        return self._executor.submit(work)

    @contextlib.contextmanager
    def gate(self):
        """Until the block ends, what is sent does not begin; for less time than a closing waits."""
        source, operator = self.api.staffed_source(max_load=1)
        contact = self.api.contact(source["id"])["id"]
        with self.database.operator_held(operator["id"]) as release:
            first = self.send(contact)
            eventually(lambda: self.database.blocked_sessions() == 1, 5, "nobody waits")
            yield
            release()
            first.result().must_be(200)

    def gather(self, contacts) -> list:
        """Closes all of them as one batch; the answers."""
        with self.gate():
            sent = [self.send(contact) for contact in contacts]
            eventually(lambda: self.counted("requests_waiting") == len(sent), 0.7, "they do not arrive")
        return [each.result() for each in sent]


@pytest.fixture
def closer(servers, empty_database):
    return Closer(servers(1)[0], empty_database)


def test_what_gathers_behind_a_transaction_shares_the_next_one(closer, empty_database):
    source, operator = closer.api.staffed_source(max_load=100)
    contacts = [closer.api.contact(source["id"])["id"] for _ in range(60)]
    answers = closer.gather(contacts)
    assert [answer.must_be(200).json["id"] for answer in answers] == contacts
    assert {answer.json["operator"]["current_load"] for answer in answers} == {0}
    for answer in answers:
        assert closer.api.get(f"/api/v1/contacts/{answer.json['id']}").must_be(200).json == answer.json
    assert {name: closer.counted(name) for name in ("batches_total", "members_total", "refused_total",
                                                    "requests_waiting", "lanes_busy")} == {
        "batches_total": 2, "members_total": 61, "refused_total": 0, "requests_waiting": 0, "lanes_busy": 0}
    assert empty_database.broken_loads() == [] and empty_database.tally_drift() == []


def test_a_contact_that_cannot_be_closed_fails_alone(closer, empty_database):
    source, operator = closer.api.staffed_source(max_load=100)
    drifted_source, drifted = closer.api.staffed_source(max_load=100)
    contacts = [closer.api.contact((drifted_source if number == 17 else source)["id"])["id"] for number in range(40)]
    with empty_database.connect() as connection:
        connection.execute("update operator_loads set load = 0 where operator_id = %s", (drifted["id"],))
    answers = closer.gather(contacts)
    assert [answer.status for answer in answers] == [500 if number == 17 else 200 for number in range(40)]
    told = [record for record in records(closer.instance) if "operator_loads_load_not_negative" in str(record)]
    assert len(told) == 1
    assert closer.api.load(operator["id"]) == 0


def test_an_operator_somebody_holds_does_not_stop_the_closings_of_others(closer, empty_database):
    """Whoever looks at an operator in psql, and forgets to end the transaction."""
    api = closer.api
    held_source, held = api.staffed_source(max_load=100)
    source, operator = api.staffed_source(max_load=100_000)
    theirs = [api.contact(held_source["id"])["id"] for _ in range(4)]
    clients = [closer.instance.client(20) for _ in range(12)]
    outcomes, times = collections.Counter(), []

    def close(thread, _):
        if thread < 4:
            answer = clients[thread].post(f"/api/v1/contacts/{theirs[thread]}/close")
            outcomes["held", answer.status] += 1
            if answer.status == 503:
                assert answer.headers["Retry-After"].isdigit() and answer.json["code"] == "unavailable"
            return
        contact = clients[thread].contact(source["id"])["id"]
        answer = clients[thread].post(f"/api/v1/contacts/{contact}/close")
        outcomes["free", answer.status] += 1
        times.append(answer.seconds)

    def moments(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            yield

    with empty_database.operator_held(held["id"]):
        in_parallel(12, close, moments(HOLD), seconds=30)
        for contact in theirs:
            assert api.get(f"/api/v1/contacts/{contact}").must_be(200).json["status"] == "active"
    print(f"  {dict(outcomes)}, slowest {sorted(times)[-10:]}")
    assert {status for name, status in outcomes if name == "free"} == {200}
    assert {status for name, status in outcomes if name == "held"} == {503}
    # Once, each client one.
    assert sum(seconds > 0.4 for seconds in times) <= 8 and max(times) < 2
    for contact in theirs:
        api.close_contact(contact)
    assert empty_database.broken_loads() == []
