"""Registrations that share transactions: what one does to the others, and that nobody sees the difference."""

import collections
import contextlib
import json
import os
import socket
import threading
import time

import pytest

from client import unique
from load import Crowd, generator, in_parallel
from metrics import Metrics
from waiting import eventually
from wire import request

pytestmark = pytest.mark.alone

ROUNDS = int(os.environ.get("LEADS_ROUNDS", 1))
AT_LENGTH = "LEADS_INTAKES" in os.environ
LOCK_TIMEOUT = 1.5  # seconds
HOLD = 8  # seconds for which somebody holds a source; the first of them pass until that is noticed


class Gate:
    """A source whose only operator somebody holds: a registration there keeps its lane, behind which others gather."""

    def __init__(self, instance, database):
        self.instance, self.database = instance, database
        self.api = instance.client()
        self.source, self.operator = self.api.staffed_source(max_load=1_000_000)
        self.crowd = Crowd(instance, most=600)

    def waiting(self) -> int:
        return int(Metrics(self.api).get("leads_intake_requests_waiting"))

    @contextlib.contextmanager
    def shut(self):
        """Until released or the block ends, for less than the lock timeout, what is sent does not begin. One lane only."""
        with self.database.operator_held(self.operator["id"]) as release:
            first = self.crowd.send(0, {"source_id": self.source["id"], "message": "gate"})
            eventually(lambda: self.database.blocked_sessions() == 1, 5, "nobody waits")
            try:
                yield release
            finally:
                release()
                first.result().must_be(201)

    def gather(self, bodies, keys=None) -> list:
        """Sends all of them as one batch, in their order of arrival whatever that is; the answers."""
        with self.shut():
            sent = [self.crowd.send(0, body, keys[number] if keys else None) for number, body in enumerate(bodies)]
            eventually(lambda: self.waiting() + sum(each.done() for each in sent) >= len(sent), 1.2, "they do not arrive")
        return [each.result() for each in sent]


@pytest.fixture
def gate(servers, empty_database):
    return Gate(servers(1, LEADS_INTAKE_LANES=1)[0], empty_database)


def counted(api) -> dict[str, int]:
    metrics = Metrics(api)
    return {name: int(metrics.get(f"leads_intake_{name}_total")) for name in ("batches", "members", "refused")}


# What they share

def test_what_gathers_behind_a_transaction_shares_the_next_one(gate, empty_database):
    source = gate.api.source()["id"]
    before = counted(gate.api)
    answers = gate.gather([{"source_id": source, "message": f"{number}"} for number in range(100)])
    assert {answer.status for answer in answers} == {201}
    after = counted(gate.api)
    assert (after["batches"] - before["batches"], after["members"] - before["members"]) == (2, 101)
    assert len(empty_database.contact_versions()) == 2
    assert gate.waiting() == 0 and Metrics(gate.api).get("leads_intake_lanes_busy") == 0


def test_with_a_batch_of_one_nothing_is_shared(servers, empty_database):
    gate = Gate(servers(1, LEADS_INTAKE_LANES=1, LEADS_INTAKE_BATCH=1)[0], empty_database)
    source = gate.api.source()["id"]
    answers = gate.gather([{"source_id": source} for _ in range(20)])
    assert {answer.status for answer in answers} == {201}
    assert counted(gate.api) == {"batches": 21, "members": 21, "refused": 0}
    assert len(empty_database.contact_versions()) == 21


def test_one_alone_waits_for_nobody(servers, empty_database):
    gate = Gate(servers(1, LEADS_INTAKE_LANES=2)[0], empty_database)
    source = gate.api.source()["id"]
    with gate.shut():
        for _ in range(10):
            assert gate.api.post("/api/v1/contacts", {"source_id": source}).must_be(201).seconds < 0.5
    assert counted(gate.api) == {"batches": 11, "members": 11, "refused": 0}


# What one does to the others

@pytest.mark.parametrize("poisoned", [{0}, {59}, {7, 8, 30}, set(range(0, 60, 2)), set(range(60))],
                         ids=["the first", "the last", "three", "every second", "all"])
def test_a_poisoned_member_fails_alone(gate, empty_database, poisoned):
    source, operator = gate.api.staffed_source(max_load=45)
    empty_database.poison("poison %")
    bodies = [{"source_id": source["id"], "message": f"{'poison' if number in poisoned else 'contact'} {number}",
               "lead_phone": f"+7905777{number // 2:04}"} for number in range(60)]
    keys = [f"key {number}" if number % 3 else None for number in range(60)]
    answers = gate.gather(bodies, keys)
    for number, answer in enumerate(answers):
        if number in poisoned:
            assert answer.status in (500, 503), answer.text
        else:
            assert answer.must_be(201).json["message"] == f"contact {number}"
    stored = {message: ids for message, ids in empty_database.ids_by_message().items() if message != "gate"}
    assert stored == {bodies[number]["message"]: [answer.json["id"]] for number, answer in enumerate(answers) if number not in poisoned}
    assert empty_database.idempotency_keys().keys() == {
        key for number, key in enumerate(keys) if key and number not in poisoned}
    leads = {answers[number].json["lead_id"] for number in range(60) if number not in poisoned}
    assert empty_database.count("leads") == len(leads) + 1
    assert gate.api.load(operator["id"]) == min(45, 60 - len(poisoned))
    assert empty_database.broken_loads() == [] and empty_database.tally_drift() == [] and empty_database.stranded() == []
    # None of them is left behind: what comes next is stored.
    assert gate.gather([{"source_id": source["id"]} for _ in range(5)])[0].status == 201


def test_a_poisoned_member_beside_a_held_key_fails_alone(gate, empty_database):
    """Two misfortunes in one batch."""
    source = gate.api.staffed_source(max_load=1000)[0]["id"]
    empty_database.poison("poison %")
    before = empty_database.locked_keys()
    phone = {"lead_phone": "+79057770000"}
    with empty_database.operator_held(gate.operator["id"]):
        sent = gate.crowd.send(0, {"source_id": gate.source["id"]} | phone)
        (number,) = eventually(lambda: empty_database.locked_keys() - before, 5, "no key is locked")
    sent.result().must_be(201)
    bodies = [{"source_id": source, "message": f"contact {number}"} for number in range(20)]
    bodies[3] |= phone
    bodies[8]["message"] = "poison 8"
    with empty_database.key_held(number):
        answers = gate.gather(bodies)
    statuses = {number: answer.status for number, answer in enumerate(answers)}
    assert statuses.pop(3) == 503 and statuses.pop(8) in (500, 503)
    assert set(statuses.values()) == {201}, statuses


def test_members_that_are_refused_leave_the_others_alone(gate, empty_database):
    source = gate.api.source()["id"]
    bodies = [{"source_id": source if number % 2 else 10**6 + number, "lead_phone": f"+7905777{number % 7:04}"} for number in range(40)]
    answers = gate.gather(bodies)
    assert [answer.status for answer in answers] == [201 if number % 2 else 404 for number in range(40)]
    assert empty_database.count("contacts") == 21 and empty_database.count("leads") == 8


def test_a_lead_somebody_holds_fails_its_own_requests_only(gate, empty_database):
    source = gate.api.staffed_source(max_load=1000)[0]["id"]
    lead = gate.api.contact(source, lead_phone="+79057770000")["lead_id"]
    with empty_database.lead_held(lead):
        answers = gate.gather([{"source_id": source, "lead_phone": f"+7905777{number:04}"} for number in range(20)])
    assert [answer.status for answer in answers] == [503] + [201] * 19
    assert answers[0].headers["Retry-After"].isdigit()


def test_a_lead_somebody_holds_and_somebody_insists_on_delays_the_others_once(servers, empty_database):
    """Whoever looks at a lead in psql, and forgets to end the transaction; its bot sends what it has to say again and again."""
    instance = servers(1, LEADS_INTAKE_LANES=1)[0]
    clients = [instance.client(20) for _ in range(4)]
    api = clients[0]
    source = api.staffed_source(max_load=100_000)[0]["id"]
    insisting = {"source_id": source, "lead_phone": "+79057770000"}
    lead = api.contact(source, lead_phone="+79057770000")["lead_id"]
    times, refused = [], []

    def send(thread, _):
        if thread == 0:  # insists
            refused.append(api.post("/api/v1/contacts", insisting).status)
            return
        times.append(clients[thread].post("/api/v1/contacts", {"source_id": source}).must_be(201).seconds)
        time.sleep(0.01)

    def moments():
        end = time.monotonic() + HOLD
        while time.monotonic() < end:
            yield

    with empty_database.lead_held(lead):
        in_parallel(4, send, moments(), seconds=40)
    slow = [seconds for seconds in times if seconds > 0.6]
    print(f"  {len(times)} others, slow ones {slow}; the held one's answers {collections.Counter(refused)}")
    assert set(refused) == {503}
    # The three who wait when it is found out, and again each time it is asked after.
    assert len(slow) <= 6


def test_keys_held_one_after_the_other_fail_their_own_requests_only(gate, empty_database):
    """Each for less than the lock timeout, together for longer than a statement may take."""
    source = gate.api.staffed_source(max_load=1000)[0]["id"]
    numbers = []
    for number in range(3):
        before = empty_database.locked_keys()
        body = {"source_id": gate.source["id"], "lead_phone": f"+7905777{number:04}"}
        with empty_database.operator_held(gate.operator["id"]):
            sent = gate.crowd.send(0, body)
            numbers.append(eventually(lambda: empty_database.locked_keys() - before, 5, "no key is locked").pop())
        sent.result().must_be(201)
    with contextlib.ExitStack() as held:
        for place, number in enumerate(sorted(numbers)):
            release = held.enter_context(empty_database.key_held(number))
            timer = threading.Timer(1.3 * (place + 1), release)
            timer.start()
            held.callback(timer.join)
        answers = gate.gather([{"source_id": source, "lead_phone": f"+7905777{number:04}"} for number in range(20)])
        assert [answer.status for answer in answers[3:]] == [201] * 17
        assert {answer.status for answer in answers[:3]} <= {201, 503}


@pytest.mark.parametrize("lanes", [1, 2] if AT_LENGTH else [2])
def test_a_source_somebody_holds_does_not_fail_the_others(servers, empty_database, lanes):
    """Whoever looks at an operator in psql, and forgets to end the transaction."""
    instance = servers(1, LEADS_INTAKE_LANES=lanes)[0]
    api = instance.client()
    held, operator = api.staffed_source(max_load=1000)
    free = api.staffed_source(max_load=100_000)[0]
    outcomes, slowest = collections.Counter(), collections.Counter()
    clients = [instance.client(20) for _ in range(16)]

    def send(thread, _):
        name, source = ("held", held) if thread % 4 == 0 else ("free", free)
        answer = clients[thread].post("/api/v1/contacts", {"source_id": source["id"]})
        outcomes[name, answer.status] += 1
        slowest[name] = max(slowest[name], answer.seconds)
        if answer.status == 503:
            assert answer.headers["Retry-After"].isdigit()

    def moments(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            yield

    in_parallel(16, send, moments(1.5), seconds=30)
    usual = outcomes["free", 201] / 1.5
    outcomes.clear()
    with empty_database.operator_held(operator["id"]):
        in_parallel(16, send, moments(HOLD), seconds=40)
    rate = outcomes["free", 201] / HOLD
    print(f"  {lanes} lanes: {dict(outcomes)}, the free one's {rate:.0f}/s instead of {usual:.0f}/s; slowest {dict(slowest)}")
    assert {status for name, status in outcomes if name == "free"} == {201}
    assert outcomes["held", 503] > 0
    # Behind a lane that has just found out, and one that is about to.
    assert slowest["held"] < 2 * LOCK_TIMEOUT + 1
    assert rate > 0.4 * usual


def test_a_busy_source_somebody_held_is_served_as_before_soon_after(servers, empty_database):
    """Instances that crowd one source wait for each other all the time; what one gives up must not make the next give up."""
    instances = servers(3, LEADS_INTAKE_LANES=4)
    api = instances[0].client()
    operators = [api.operator(max_load=100_000)["id"] for _ in range(10)]
    source = api.source(dict.fromkeys(operators, 1))["id"]
    clients = [instances[thread % 3].client(20) for thread in range(48)]
    outcomes, released = [], []

    def send(thread, _):
        sent = time.monotonic()
        answer = clients[thread].post("/api/v1/contacts", {"source_id": source})
        outcomes.append((sent, answer.status))
        if answer.status == 503:
            time.sleep(0.05)  # less patient than Retry-After asks for

    def hold():
        time.sleep(1)
        with empty_database.operator_held(operators[0]):
            time.sleep(2.2)
        released.append(time.monotonic())

    holder = threading.Thread(target=hold)
    holder.start()
    end = time.monotonic() + 8

    def moments():
        while time.monotonic() < end:
            yield

    in_parallel(48, send, moments(), seconds=40)
    holder.join()
    after = collections.Counter(
        (int(sent - released[0]), status) for sent, status in outcomes if sent > released[0])
    print(f"  by second after the release: {sorted(after.items())}")
    assert any(status == 503 for sent, status in outcomes if sent < released[0])
    late = collections.Counter(status for sent, status in outcomes if sent > released[0] + 3)
    assert set(late) == {201}, f"3 s after: {late}"
    assert empty_database.broken_loads() == [] and empty_database.deadlocks() == 0


def test_what_is_held_up_is_counted_like_all_else(servers, empty_database):
    api = servers(1)[0].client()
    source, operator = api.staffed_source()
    with empty_database.operator_held(operator["id"]):
        for _ in range(6):
            api.post("/api/v1/contacts", {"source_id": source["id"]}).must_be(503)
    eventually(lambda: api.post("/api/v1/contacts", {"source_id": source["id"]}).status == 201, 5, "it is held no more", every=1)
    sent = sum(Metrics(api).requests("POST", "/api/v1/contacts", status) for status in (201, 503))
    uses = counted(api)
    assert (uses["members"] + uses["refused"], uses["batches"] > 1) == (sent, True)


def test_a_request_that_waits_for_an_operator_is_answered_after_the_lock_timeout(servers, empty_database):
    instance = servers(1)[0]
    api = instance.client()
    source, operator = api.staffed_source()
    with empty_database.operator_held(operator["id"]):
        answer = api.post("/api/v1/contacts", {"source_id": source["id"]}).must_be(503)
    assert answer.headers["Retry-After"].isdigit()
    assert LOCK_TIMEOUT <= answer.seconds < LOCK_TIMEOUT + 0.8


def test_a_full_queue_turns_further_requests_away_at_once_and_recovers(servers, empty_database):
    gate = Gate(servers(1, LEADS_INTAKE_LANES=1, LEADS_INTAKE_QUEUE=5)[0], empty_database)
    source = gate.api.source()["id"]
    for round in range(3):
        before = counted(gate.api)
        with gate.shut():
            sent = [gate.crowd.send(0, {"source_id": source, "message": f"{round}.{number}"}) for number in range(5)]
            eventually(lambda: gate.waiting() == 5, 1, "they do not arrive")
            for number in range(10):
                answer = gate.api.post("/api/v1/contacts", {"source_id": source, "message": f"{round} refused {number}"}).must_be(503)
                assert (answer.json["code"], type(answer.json["detail"])) == ("intake_full", str)
                assert answer.headers["Retry-After"].isdigit() and answer.seconds < 0.5
            # All else is served meanwhile, and faults are told.
            gate.api.get("/readyz").must_be(200)
            gate.api.read("contacts")
            gate.api.post("/api/v1/contacts", {}).must_be(422)
            assert gate.waiting() == 5
        assert [each.result().status for each in sent] == [201] * 5
        after = counted(gate.api)
        assert {name: after[name] - before[name] for name in after} == {"batches": 2, "members": 6, "refused": 10}
        gate.api.contact(source, message=f"{round} after")
    assert gate.waiting() == 0
    assert len(empty_database.ids_by_message()) == 3 * 6 + 1 and empty_database.count("contacts") == 3 * 7


def test_a_flood_in_one_source_does_not_make_another_wait(servers, empty_database):
    """Whoever comes last, behind 300 of another source, is in the next batch: contacts' ids are drawn batch by batch."""
    batch = 20
    gate = Gate(servers(1, LEADS_INTAKE_LANES=1, LEADS_INTAKE_BATCH=batch)[0], empty_database)
    flooded, calm, quiet = (gate.api.source()["id"] for _ in range(3))
    with gate.shut():
        flood = [gate.crowd.send(0, {"source_id": flooded}) for _ in range(300)]
        eventually(lambda: gate.waiting() == 300, 1, "they do not arrive")
        few = [gate.crowd.send(0, {"source_id": source}) for source in (calm, quiet) for _ in range(5)]
        eventually(lambda: gate.waiting() == 310, 0.3, "they do not arrive")
    flood, few = ([each.result().must_be(201).json["id"] for each in sent] for sent in (flood, few))
    ahead = sum(id < max(few) for id in flood)
    assert ahead <= batch - len(few), f"{ahead} of the flood went before"
    # In order of arrival within a source, as near as connections allow.
    assert [id for id in few[:5]] == sorted(few[:5]) or max(few[:5]) - min(few[:5]) <= batch


def test_large_contacts_share_a_transaction_like_small_ones(gate, empty_database):
    random = generator("large contacts")
    source = gate.api.staffed_source(max_load=1000)[0]["id"]
    messages = ["".join(random.choices("abcя☃𝄞\"\\\n", k=400 * number)) for number in range(20)]
    answers = gate.gather([{"source_id": source, "message": message} for message in messages],
                          [f"key {number}" for number in range(20)])
    for message, answer in zip(messages, answers):
        assert answer.must_be(201).json["message"] == message
        assert gate.api.read("contacts", answer.json["id"]) == answer.json
    assert len(empty_database.contact_versions()) == 2
    again = [gate.crowd.send(0, {"source_id": source, "message": message}, f"key {number}").result() for number, message in enumerate(messages)]
    assert [answer.body for answer in again] == [answer.body for answer in answers]


def test_what_waits_for_a_lane_is_registered_before_the_instance_stops(gate, empty_database):
    source = gate.api.source()["id"]
    with gate.shut() as release:
        sent = [gate.crowd.send(0, {"source_id": source, "message": f"{number}"}) for number in range(50)]
        eventually(lambda: gate.waiting() == 50, 1, "they do not arrive")
        gate.instance.process.terminate()
        time.sleep(0.2)
        release()
    answers = [each.result() for each in sent]
    assert {answer.status for answer in answers} == {201}
    assert gate.instance.exit_code() == 0
    assert len(empty_database.ids_by_message()) == 51 and empty_database.count("contacts") == 51


def leave(port: int, body: dict, key: str | None, after: float) -> None:
    """Sends a registration and is gone before the answer."""
    headers = [(b"Content-Type", b"application/json")] + ([(b"Idempotency-Key", key.encode())] if key else [])
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(request("POST", b"/api/v1/contacts", headers, json.dumps(body).encode()))
        time.sleep(after)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, not a goodbye


def test_clients_that_leave_harm_nobody_and_are_stored_once_at_most(gate, empty_database):
    random = generator("clients that leave")
    source, operator = gate.api.staffed_source(max_load=100_000)
    left = 0
    for round in range(4):
        with gate.shut():
            staying = [gate.crowd.send(0, {"source_id": source["id"], "message": f"stays {round}.{number}"}) for number in range(30)]
            leavers = [threading.Thread(target=leave, args=(
                gate.instance.port, {"source_id": source["id"], "message": f"leaves {left + number}"},
                f"key {left + number}", random.uniform(0, 0.4))) for number in range(30)]
            for each in leavers:
                each.start()
            time.sleep(0.3)
        for each in leavers:
            each.join(10)
        left += len(leavers)
        assert {each.result().status for each in staying} == {201}
    eventually(lambda: gate.waiting() == 0 and Metrics(gate.api).get("leads_intake_lanes_busy") == 0, 5, "requests are left over")
    stored = empty_database.ids_by_message()
    gone = {message: ids for message, ids in stored.items() if message.startswith("leaves")}
    assert all(len(ids) == 1 for ids in gone.values())
    assert sum(message.startswith("stays") for message in stored) == 120
    assert gate.api.load(operator["id"]) == 120 + len(gone) and empty_database.broken_loads() == []
    # Whoever comes back has its contact, once.
    for number in range(left):
        answer = gate.crowd.send(0, {"source_id": source["id"], "message": f"leaves {number}"}, f"key {number}").result().must_be(201)
        assert answer.json["id"] == gone.get(f"leaves {number}", [answer.json["id"]])[0]
    assert all(len(ids) == 1 for message, ids in empty_database.ids_by_message().items() if message != "gate")
    print(f"  {len(gone)} of {left} stored")


# What they are told

class House:
    """Sources that share operators, and people known by some of their keys."""

    def __init__(self, api, random):
        self.api, self.random = api, random
        strategies = ["weighted_random", "smooth_weighted", "round_robin", "least_loaded", "most_free", "weighted_capacity"]
        self.operators = [api.operator(max_load=random.randint(1, 12))["id"] for _ in range(6)]
        if random.random() < 0.5:
            api.change_operator(self.operators[0], is_active=False)
        self.sources = []
        for team in (self.operators[:3], self.operators[2:5], self.operators[5:], self.operators[:1], []):
            source = api.source(strategy=random.choice(strategies), sticky_days=random.choice((0, 30)), description=random.choice((None, "d")))
            if team:
                api.distribute(source["id"], {id: random.randint(1, 5) for id in team})
            self.sources.append(source["id"])
        self.events = 0

    def body(self) -> dict:
        random = self.random
        person = random.randrange(25)
        known = {"lead_external_id": f"p{person}", "lead_phone": f"+7906{person:07}", "lead_email": f"P{person}@one.ru"}
        body = {name: known[name] for name in random.sample(sorted(known), random.choice((0, 1, 1, 2, 3)))}
        if random.random() < 0.15:  # somebody else's phone, which makes a possible duplicate
            body["lead_phone"] = f"8 906 {random.randrange(25):07}"
        if random.random() < 0.1:
            body["lead_email"] = "not an address"
        if random.random() < 0.3:
            body["lead_name"] = random.choice(("Анна", "Zoë", "A\tB", "𝄞"))
        if random.random() < 0.3:
            body["priority"] = random.randrange(4)
        if random.random() < 0.5:
            body["message"] = random.choice(("", "hello", "\"\\", "a\u2028b")) + str(random.random())
        if random.random() < 0.2:
            body["source_event_id"] = f"event {random.randrange(12)}"
        return body | {"source_id": random.choice(self.sources + [10**9] * (random.random() < 0.05))}


def told_of_a_contact_earlier(answer: dict, now: dict) -> list[str]:
    """What an answer says that cannot have been so, given how things are now, nothing but registrations between."""
    wrong = []
    for name in ("id", "lead_id", "source_id", "operator_id", "status", "is_active", "message", "priority", "source_event_id",
                 "version", "created_at", "assigned_at", "closed_at", "updated_at", "source"):
        if answer[name] != now[name]:
            wrong.append(f"{name}: {answer[name]!r} is {now[name]!r}")
    for name in ("external_id", "phone", "email", "name"):
        if answer["lead"][name] not in (None, now["lead"][name]):
            wrong.append(f"lead.{name}: {answer['lead'][name]!r} is {now['lead'][name]!r}")
    if not 1 <= answer["lead"]["contact_count"] <= now["lead"]["contact_count"]:
        wrong.append("lead.contact_count")
    if answer["operator"] and not 1 <= answer["operator"]["current_load"] <= now["operator"]["current_load"]:
        wrong.append("operator.current_load")
    for name in ("external_id", "phone", "email"):
        if answer[f"lead_{name}"] != answer["lead"][name]:
            wrong.append(f"lead_{name}")
    return wrong


@pytest.mark.parametrize("seed", range(3 * ROUNDS))
def test_answers_of_one_transaction_are_what_is_stored_field_by_field(gate, empty_database, seed):
    """Nothing happens after the batch, so what its members were told must be what everybody reads."""
    random = generator(f"one transaction {seed}")
    house = House(gate.api, random)
    compared = collections.Counter()
    for _ in range(4):
        bodies = [house.body() for _ in range(random.choice((10, 30, 90)))]
        for _ in range(len(bodies) // 6):
            bodies[random.randrange(len(bodies))] = dict(random.choice(bodies))
        keys = [f"key {random.randrange(200)}" if random.random() < 0.3 else None for _ in bodies]
        answers = gate.gather(bodies, keys)
        versions = collections.Counter()
        for body, key, answer in zip(bodies, keys, answers):
            if answer.headers["Idempotent-Replayed"]:
                compared["replayed"] += 1
                continue
            if answer.status not in (200, 201):
                # Of an unknown source it is told so, unless the key was another request's.
                assert answer.status == 422 and key or answer.status == 404 and body["source_id"] == 10**9, answer.text
                compared[answer.status] += 1
                continue
            now = gate.api.read("contacts", answer.json["id"])
            if answer.status == 200:
                # Of an earlier transaction's contact it is told how it was before this one.
                assert answer.json["source_event_id"] == body["source_event_id"] and answer.json["id"] == now["id"]
                assert told_of_a_contact_earlier(answer.json, now) == []
            else:
                assert answer.json == now, (body, key)
                versions[now["id"]] += 1
            compared[answer.status] += 1
        assert set(versions.values()) <= {1}
        for id in [contact["id"] for contact in gate.api.read("contacts") if contact["status"] == "active"]:
            if random.random() < 0.4:
                gate.api.close_contact(id)
        if random.random() < 0.5:
            gate.api.change_operator(random.choice(house.operators), is_active=random.random() < 0.7, max_load=random.randint(1, 12))
    # Not `broken_loads`: limits were lowered below loads.
    assert empty_database.load_drift() == [] and empty_database.tally_drift() == [] and empty_database.event_drift() == []
    print(f"  {dict(compared)}")


@pytest.mark.parametrize("settings", [{"LANES": 1, "BATCH": 1}, {"LANES": 2}, {"LANES": 4}, {"LANES": 4, "BATCH": 3}],
                         ids=lambda settings: " ".join(f"{name.lower()} {value}" for name, value in settings.items()))
def test_answers_hold_whatever_the_lanes_and_batches(servers, empty_database, settings):
    random = generator(f"lanes and batches {settings}")
    instances = servers(2, **{f"LEADS_INTAKE_{name}": value for name, value in settings.items()})
    api = instances[0].client()
    house, crowd = House(api, random), Crowd(*instances, most=48)
    events: dict[tuple, set[int]] = collections.defaultdict(set)
    for _ in range(3):
        bodies = [house.body() for _ in range(100)]
        answers = [each.result() for each in [crowd.send(number, body) for number, body in enumerate(bodies)]]
        for body, answer in zip(bodies, answers):
            if body["source_id"] == 10**9:
                answer.must_be(404)
                continue
            assert answer.status in (200, 201), answer.text
            now = api.read("contacts", answer.json["id"])
            assert told_of_a_contact_earlier(answer.json, now) == [], body
            if event := body.get("source_event_id"):
                events[body["source_id"], event].add(answer.json["id"])
        ids = [answer.json["id"] for answer in answers if answer.status == 201]
        assert len(set(ids)) == len(ids)
        for contact in api.read("contacts"):
            if contact["status"] == "active" and random.random() < 0.4:
                api.close_contact(contact["id"])
    assert all(len(ids) == 1 for ids in events.values())
    assert empty_database.broken_loads() == [] and empty_database.tally_drift() == [] and empty_database.event_drift() == []
    assert empty_database.stranded() == [] and empty_database.deadlocks() == 0
