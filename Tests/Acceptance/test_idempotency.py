"""`Idempotency-Key`: a registration with a key is made once, and whoever repeats it is told the same."""

import collections
import concurrent.futures
import json
import os
import threading
import time

import pytest

from client import Unreachable, unique
from database import terminate_others
from load import Crowd, generator, in_parallel
from waiting import eventually
from wire import Request, Wire, request

pytestmark = pytest.mark.alone

KEYS = int(os.environ.get("LEADS_KEYS", 150))
LOCK_TIMEOUT = 1.5  # seconds


def register(api, key: str | None, source_id: int | None = None, /, raw: bytes | None = None, **fields):
    """One POST; its answer, whatever it is."""
    headers = {} if key is None else {"Idempotency-Key": key}
    if raw is not None:
        return api.post("/api/v1/contacts", raw=raw, headers=headers)
    return api.post("/api/v1/contacts", {"source_id": source_id} | fields, headers=headers)


def is_replay(answer) -> bool:
    assert answer.headers["Idempotent-Replayed"] in (None, "true")
    return answer.headers["Idempotent-Replayed"] == "true"


def must_be_first(answer, status: int = 201):
    answer.must_be(status)
    assert not is_replay(answer)
    return answer


def must_be_replay(answer, first):
    assert (answer.status, answer.body) == (first.status, first.body)
    assert is_replay(answer)
    assert answer.headers["Content-Type"] == first.headers["Content-Type"]
    return answer


def contacts_of(api, source_id: int) -> list[int]:
    return [contact["id"] for contact in api.get(f"/api/v1/contacts?source_id={source_id}&limit=1000").must_be(200).json]


def test_a_repeated_request_is_answered_with_the_same_bytes_and_makes_nothing(api, database):
    source, operator = api.staffed_source()
    key = unique("key")
    first = must_be_first(register(api, key, source["id"], lead_phone="+79005550001", message="Привет ☃"))
    for _ in range(3):
        must_be_replay(register(api, key, source["id"], lead_phone="+79005550001", message="Привет ☃"), first)
    assert contacts_of(api, source["id"]) == [first.json["id"]]
    assert api.load(operator["id"]) == 1
    assert api.read("leads", first.json["lead_id"])["contact_count"] == 1
    assert database.idempotency_keys()[key] == 3


def test_without_a_key_every_request_is_one_of_its_own(api):
    source = api.source()["id"]
    for _ in range(2):
        must_be_first(register(api, None, source, lead_phone="+79005550001"))
    assert len(contacts_of(api, source)) == 2


def test_the_answer_stays_what_it_was_whatever_becomes_of_the_contact(api):
    source, operator = api.staffed_source()
    other, key, body = api.operator(), unique("key"), {"lead_email": f"{unique('a').replace(' ', '')}@one.ru", "message": "one"}
    first = must_be_first(register(api, key, source["id"], **body))
    id = first.json["id"]
    for change in (
        lambda: api.post(f"/api/v1/contacts/{id}/transfer", {"operator_id": other["id"], "force": True}).must_be(200),
        lambda: api.patch(f"/api/v1/contacts/{id}", {"message": "two", "priority": 9}).must_be(200),
        lambda: api.close_contact(id),
        lambda: api.reopen_contact(id),
        lambda: api.archive_operator(operator["id"]),
        lambda: api.patch(f"/api/v1/sources/{source['id']}", {"name": unique("Renamed")}).must_be(200),
    ):
        change()
        must_be_replay(register(api, key, source["id"], **body), first)
    assert api.read("contacts", id)["message"] == "two"
    assert contacts_of(api, source["id"]) == [id]


def test_another_instance_and_one_started_later_answer_the_same(servers, instances, empty_database):
    one, two = servers(2)
    source = one.client().staffed_source()[0]["id"]
    first = must_be_first(register(one.client(), "key", source, message="one"))
    must_be_replay(register(two.client(), "key", source, message="one"), first)
    assert one.terminate() == 0
    two.kill()
    later = instances(empty_database)
    must_be_replay(register(later.client(), "key", source, message="one"), first)
    register(later.client(), "key", source, message="two").must_be(422)
    assert empty_database.count("contacts") == 1
    later.end()


def test_a_key_of_another_request_is_refused(api, database):
    source, other = api.staffed_source()[0]["id"], api.staffed_source()[0]["id"]
    key = unique("key")
    first = must_be_first(register(api, key, source, message="one"))
    for id, fields in ((source, {}), (source, {"message": "two"}), (other, {"message": "one"}),
                       (source, {"message": "one", "priority": 1}), (source, {"message": "one", "lead_name": "A"}),
                       (source, {"message": "one", "source_event_id": "e"})):
        answer = register(api, key, id, **fields).must_be(422)
        assert (answer.json["code"], type(answer.json["detail"])) == ("idempotency_key_reused", str)
        assert not is_replay(answer)
    must_be_replay(register(api, key, source, message="one"), first)
    assert contacts_of(api, source) == [first.json["id"]] and contacts_of(api, other) == []


def test_a_key_of_another_request_is_refused_in_the_callers_language(api):
    source, key = api.source()["id"], unique("key")
    register(api, key, source)
    headers = {"Idempotency-Key": key, "Accept-Language": "ru"}
    answer = api.post("/api/v1/contacts", {"source_id": source, "message": "x"}, headers=headers).must_be(422)
    assert answer.json["code"] == "idempotency_key_reused" and "ключ" in answer.json["detail"]


def test_refusals_are_not_stored(api, database):
    source, key = api.source()["id"], unique("key")
    for _ in range(2):
        answer = register(api, key, source + 1).must_be(404)
        assert answer.json["code"] == "source_not_found" and not is_replay(answer)
        assert not is_replay(register(api, key, source, priority=10).must_be(422))
        assert not is_replay(register(api, key, raw=b"{").must_be(422))
    assert key not in database.idempotency_keys()
    assert api.source()["id"] == source + 1
    first = must_be_first(register(api, key, source + 1))
    must_be_replay(register(api, key, source + 1), first)
    # What cannot be read at all is told so, also with a key that is known.
    register(api, key, source, priority=10).must_be(422)
    register(api, key, raw=b"{").must_be(422)


SAME = [
    '{"source_id": %d, "message": "a\\"b", "priority": 0}',
    '{"message":"a\\"b","source_id":%d}',
    '\n{ "source_id" : "%d" , "message" : "a\\u0022b" }\t',
    '{"source_id": %d.0, "message": "a\\"b", "priority": "0"}',
    '{"source_id": %d, "message": "a\\"b", "lead_name": null, "lead_phone": null, "priority": 0.0}',
    '{"source_id": %d, "message": "a\\"b", "colour": "red", "more": [{"deep": 1}]}',
    '{"source_id": %de0, "message": "\\u0061\\"b"}',
]


def test_two_bodies_that_mean_the_same_are_the_same(api):
    source = api.staffed_source()[0]["id"]
    for written in SAME:
        key = unique("key")
        first = must_be_first(register(api, key, raw=(written % source).encode()))
        for other in SAME:
            must_be_replay(register(api, key, raw=(other % source).encode()), first)


def test_two_bodies_that_differ_in_a_field_are_not_the_same(api):
    source, key = api.staffed_source(max_load=1000)[0]["id"], unique("key")
    # A value that moves from one field to the next must not make the same text.
    names = ("lead_external_id", "lead_phone", "lead_email", "lead_name", "message", "source_event_id")
    bodies = [{name: "7"} for name in names] + [{"lead_phone": "7", "lead_email": "7"}, {"message": "77"}, {"message": '7"'},
              {"message": "null"}, {"message": '7","7'}, {"priority": 7}, {"lead_name": "é"}, {"message": "7\\"}, {}]
    for number, body in enumerate(bodies):
        first = must_be_first(register(api, f"{key} {number}", source, **body), 201)
        for other in bodies:
            if other == body:
                must_be_replay(register(api, f"{key} {number}", source, **other), first)
            else:
                answer = register(api, f"{key} {number}", source, **other).must_be(422)
                assert answer.json["code"] == "idempotency_key_reused", (body, other)


def with_header_lines(api, lines: list[bytes], source_id: int):
    """One POST with exactly these header lines beside the usual ones."""
    headers = [(b"Content-Type", b"application/json"), *(tuple(line.split(b": ", 1)) for line in lines)]
    wire = Wire(api._connection.port, connections=1)
    try:
        raw = request("POST", b"/api/v1/contacts", headers, json.dumps({"source_id": source_id}).encode())
        return next(iter(wire.exchange([Request(raw, "POST", is_alone=True)])))[1]
    finally:
        wire.close()


GOOD_KEYS = [b"a", b"0", b"a" * 255, b'"quoted"', b"'; drop table contacts; --", b"two words", b"a,b", b"\\", b"%00", b"!~",
             b"550e8400-e29b-41d4-a716-446655440000", b"null", b"A"]
BAD_KEYS = [b"", b" ", b"\t ", b"a" * 256, b"a" * 5000, "ключ".encode(), "é".encode("latin-1"), b"\xff\xfe", b"a\tb"]


@pytest.mark.parametrize("key", GOOD_KEYS, ids=lambda key: f"{key[:40]!r} of {len(key)}")
def test_any_printable_key_of_1_to_255_characters_is_a_key_of_its_own(api, key):
    source = api.source()["id"]
    first = with_header_lines(api, [b"Idempotency-Key: " + key], source)
    assert first.status == 201 and "idempotent-replayed" not in first.headers
    again = with_header_lines(api, [b"idempotency-KEY:   " + key + b"  "], source)
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (201, first.body, "true")


@pytest.mark.parametrize("key", BAD_KEYS, ids=lambda key: f"{key[:40]!r} of {len(key)}")
def test_any_other_key_is_a_400_and_nothing_is_registered(api, key):
    source = api.source()["id"]
    for _ in range(2):
        answer = with_header_lines(api, [b"Idempotency-Key: " + key], source)
        assert answer.status == 400, answer.body
        assert "idempotent-replayed" not in answer.headers
    assert contacts_of(api, source) == []


def test_control_characters_in_a_key_get_no_answer_but_400(api):
    source = api.source()["id"]
    for key in (b"a\x01b", b"a\x7fb", b"a\x00b"):
        answer = with_header_lines(api, [b"Idempotency-Key: " + key], source)
        assert answer is None or answer.status == 400
    assert contacts_of(api, source) == []


@pytest.mark.parametrize("second", [b"other", b"one"])
def test_two_keys_in_one_request_are_a_400(api, second):
    """Sent again with its headers in another order, or by way of a proxy that keeps one of them, it would be another request."""
    source = api.source()["id"]
    answer = with_header_lines(api, [b"Idempotency-Key: one", b"Idempotency-Key: " + second], source)
    assert answer.status == 400, answer.body
    assert contacts_of(api, source) == []


def test_only_registrations_are_made_once(api):
    key, name = unique("key"), unique("Operator")
    headers = {"Idempotency-Key": key}
    first, second = (api.post("/api/v1/operators", {"name": name}, headers=headers).must_be(201) for _ in range(2))
    assert first.json["id"] != second.json["id"] and not is_replay(second)
    source = api.source()["id"]
    must_be_first(register(api, key, source))


def test_a_key_and_an_event_together(api, database):
    source = api.staffed_source()[0]["id"]
    keys, event = [unique("key") for _ in range(3)], unique("event")
    first = must_be_first(register(api, keys[0], source, source_event_id=event, message="one"))
    must_be_replay(register(api, keys[0], source, source_event_id=event, message="one"), first)
    # The same event under another key is the same contact, as it is now, and that answer is kept too.
    api.close_contact(first.json["id"])
    second = must_be_first(register(api, keys[1], source, source_event_id=event, message="one"), 200)
    assert (second.json["id"], second.json["status"]) == (first.json["id"], "closed")
    api.reopen_contact(first.json["id"])
    must_be_replay(register(api, keys[1], source, source_event_id=event, message="one"), second)
    must_be_replay(register(api, keys[0], source, source_event_id=event, message="one"), first)
    # An event is the same whatever else is said; a key is not.
    third = must_be_first(register(api, keys[2], source, source_event_id=event, message="two"), 200)
    assert third.json["id"] == first.json["id"]
    register(api, keys[0], source, source_event_id=event, message="two").must_be(422)
    assert contacts_of(api, source) == [first.json["id"]]


def test_an_answer_and_its_contact_are_one_commit(api, database):
    source, key = api.staffed_source()[0]["id"], unique("key")
    id = must_be_first(register(api, key, source, message="one")).json["id"]
    assert len(database.commits_of(key, id)) == 1


def test_an_answer_given_again_is_a_write(api, database):
    """A transaction that only reads would not wait for a synchronous standby to have what it read (trap T11)."""
    source, key = api.source()["id"], unique("key")
    first = must_be_first(register(api, key, source))
    versions = [database.row_version(key)]
    for _ in range(3):
        must_be_replay(register(api, key, source), first)
        versions.append(database.row_version(key))
    assert len(set(versions)) == 4
    # Also when there is nothing else to do in the same transaction, and for one of another body.
    assert database.idempotency_keys()[key] == 3


def test_a_database_that_cannot_be_written_acknowledges_nothing(servers, empty_database):
    api = servers(1)[0].client()
    source = api.source()["id"]
    first = must_be_first(register(api, "key", source))
    empty_database.set_read_only(True)
    try:
        for _ in range(5):
            answer = register(api, "key", source)
            assert answer.status == 503, answer.text
            assert not is_replay(answer) and (answer.headers["Retry-After"] or "").isdigit()
            assert register(api, "new", source).status == 503
    finally:
        empty_database.set_read_only(False)
    eventually(lambda: register(api, "key", source).status == 201, 10, "the database can be written again")
    must_be_replay(register(api, "key", source), first)
    assert empty_database.count("contacts") == 1


def test_a_request_that_could_not_be_stored_may_be_sent_again(api, database):
    source, operator = api.staffed_source()
    key = unique("key")
    with database.operator_held(operator["id"]):
        answer = register(api, key, source["id"]).must_be(503)
        assert not is_replay(answer)
    time.sleep(int(answer.headers["Retry-After"]))
    first = must_be_first(register(api, key, source["id"]))
    must_be_replay(register(api, key, source["id"]), first)


def test_duplicates_wait_for_the_first_and_are_answered_as_it_is(servers, empty_database):
    instances = servers(3)
    api = instances[0].client()
    source, operator = api.staffed_source()
    crowd = Crowd(*instances)
    with empty_database.operator_held(operator["id"]) as release:
        sent = [crowd.send(number, {"source_id": source["id"], "message": "one"}, "key") for number in range(12)]
        eventually(lambda: empty_database.blocked_sessions() >= 3, 5, "nobody waits")
        time.sleep(0.3)
        assert not any(each.done() for each in sent)
        release()
    answers = [each.result() for each in sent]
    assert collections.Counter((answer.status, is_replay(answer)) for answer in answers) == {(201, False): 1, (201, True): 11}
    assert len({answer.body for answer in answers}) == 1
    assert empty_database.count("contacts") == 1


def test_the_same_key_for_different_requests_at_once_is_the_first_ones(servers, empty_database):
    """In one transaction, and in those of three instances."""
    instances = servers(3)
    api = instances[0].client()
    source, operator = api.staffed_source(max_load=1000)
    for round in range(5):
        crowd = Crowd(*instances)
        with empty_database.operator_held(operator["id"]) as release:
            sent = [crowd.send(number, {"source_id": source["id"], "message": f"{number // 6}"}, f"key {round}")
                    for number in range(18)]
            time.sleep(0.5)
            release()
        answers = [each.result() for each in sent]
        made = [answer for answer in answers if answer.status == 201]
        assert len(made) == 6 and len({answer.body for answer in made}) == 1
        assert [is_replay(answer) for answer in made].count(False) == 1
        assert {(answer.status, answer.json["code"]) for answer in answers if answer not in made} == {(422, "idempotency_key_reused")}
        assert empty_database.count("contacts") == round + 1


def key_number(database, api, key: str | None, **fields) -> int:
    """By which number a key of a request is locked: seen while one with it cannot go on, and comes to nothing."""
    source, operator = api.staffed_source()
    before = database.locked_keys()
    with database.operator_held(operator["id"]):
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            sent = executor.submit(register, api, key, source["id"], **fields)
            seen = eventually(lambda: database.locked_keys() - before, 5, "no key is locked")
            sent.result().must_be(503)
    assert len(seen) == 1
    return seen.pop()


def test_a_key_that_is_held_for_longer_is_a_409_for_that_request_alone(servers, empty_database):
    instance = servers(1, LEADS_INTAKE_LANES=1)[0]
    api = instance.client()
    source, operator = api.staffed_source(max_load=1000)
    number = key_number(empty_database, api, "held")
    crowd = Crowd(instance)
    with empty_database.operator_held(operator["id"]) as release, empty_database.key_held(number):
        # The first has the lane; the others gather behind it, in one transaction.
        body = {"source_id": source["id"]}
        blocked = crowd.send(0, body)
        eventually(lambda: empty_database.blocked_sessions() == 1, 5, "nobody waits")
        held = crowd.send(0, body, "held")
        others = [crowd.send(0, body, f"key {each}" if each % 2 else None) for each in range(20)]
        time.sleep(0.5)
        release()
        began = time.monotonic()
        answer = held.result()
        for each in others:
            must_be_first(each.result())
        assert time.monotonic() - began < 2 * LOCK_TIMEOUT + 1
        blocked.result().must_be(201)
        assert answer.status == 409, answer.text
        assert answer.json["code"] == "idempotency_key_in_use" and answer.headers["Retry-After"].isdigit()
        assert not is_replay(answer)
    must_be_first(register(api, "held", source["id"]))
    assert empty_database.count("contacts") == 22


def test_a_lead_that_is_held_is_not_said_to_be_a_key_in_use(servers, empty_database):
    """409 means: the first of these requests is still under way. Here it is somebody else's request about the same lead."""
    api = servers(1)[0].client()
    source, phone = api.staffed_source()[0], {"lead_phone": "+79005550123"}
    number = key_number(empty_database, api, None, **phone)
    with empty_database.key_held(number):
        answer = register(api, "mine", source["id"], **phone)
        assert (answer.status, answer.headers["Retry-After"].isdigit()) == (503, True), answer.text
    must_be_first(register(api, "mine", source["id"], **phone))


@pytest.mark.stress
@pytest.mark.seconds(60 + KEYS // 4)
def test_many_keys_each_sent_ten_times_at_once_over_three_instances(servers, empty_database):
    instances, random = servers(3), generator("ten times at once")
    api = instances[0].client()
    operators = [api.operator(max_load=1000)["id"] for _ in range(10)]
    sources = [api.source(dict.fromkeys(operators, 1))["id"] for _ in range(3)]
    bodies = {f"key {number}": {"message": f"contact {number}", "lead_phone": f"+7905{random.randrange(KEYS):07}"}
              for number in range(KEYS)}
    sent = [key for key in bodies for _ in range(10)]
    # Those of one key stay near each other, so that they meet.
    sent = [key for _, key in sorted((number + random.uniform(-15, 15), key) for number, key in enumerate(sent))]
    answers, lock, clients = collections.defaultdict(list), threading.Lock(), {}

    def send(thread, key):
        client = clients.setdefault(thread, instances[thread % 3].client(30))
        source = sources[int(key.split()[1]) % 3]
        for _ in range(20):
            answer = register(client, key, source, **bodies[key])
            with lock:
                answers[key].append(answer)
            if answer.status != 409:
                return
            assert answer.headers["Retry-After"].isdigit()
            time.sleep(int(answer.headers["Retry-After"]))

    began = time.monotonic()
    in_parallel(48, send, sent, seconds=40 + KEYS // 5)
    seconds = time.monotonic() - began
    statuses = collections.Counter(answer.status for each in answers.values() for answer in each)
    print(f"  {KEYS} keys × 10 in {seconds:.1f} s: {dict(statuses)}")
    assert set(statuses) <= {201, 409} and statuses[201] == KEYS * 10
    assert statuses[409] <= 0.01 * sum(statuses.values())
    for key, each in answers.items():
        stored = [answer for answer in each if answer.status == 201]
        assert len({answer.body for answer in stored}) == 1, key
        assert [is_replay(answer) for answer in stored].count(False) == 1, key
        assert stored[0].json["message"] == bodies[key]["message"]
    assert {message: len(ids) for message, ids in empty_database.ids_by_message().items()} == {
        body["message"]: 1 for body in bodies.values()}
    # Whoever shares the first one's transaction is answered as it is without a look at what is stored.
    assert len(empty_database.idempotency_keys()) == KEYS and max(empty_database.idempotency_keys().values()) <= 9
    assert empty_database.deadlocks() == 0


@pytest.mark.faults
def test_an_instance_killed_in_the_middle_leaves_each_contact_once(instances, empty_database):
    random = generator("killed in the middle")
    keeper = instances(empty_database)
    api = keeper.client()
    source = api.source({api.operator(max_load=1000)["id"]: 1})["id"]
    unknown = total = 0
    for round in range(4):
        victim = instances(empty_database)
        clients = [victim.client(20) for _ in range(16)]
        # Starts the connections, so that the kill meets requests.
        in_parallel(16, lambda thread, _: clients[thread].get("/health"), range(16), seconds=10)
        answers: dict[str, object] = {}

        def send(thread, key):
            try:
                answers[key] = register(clients[thread], key, source, message=key)
            except Unreachable:
                answers[key] = None

        keys = []

        def until_it_dies():
            while timer.is_alive():
                keys.append(f"key {round}.{len(keys)}")
                yield keys[-1]

        timer = threading.Timer(random.uniform(0.02, 0.25), victim.kill)
        timer.start()
        in_parallel(16, send, until_it_dies(), seconds=30)
        timer.join()
        # What the dead instance's sessions still do in the database is over in a moment.
        for key in keys:
            again = register(api, key, source, message=key)
            if again.status == 409:
                time.sleep(int(again.headers["Retry-After"]))
                again = register(api, key, source, message=key)
            again.must_be(201)
            first = answers[key]
            if first is not None:
                assert first.status == 201
                must_be_replay(again, first)
            else:
                unknown += 1
        total += len(keys)
    stored = empty_database.ids_by_message()
    assert len(stored) == total and all(len(ids) == 1 for ids in stored.values())
    print(f"  {total} requests, {unknown} without an answer")
    assert unknown > 0


@pytest.mark.faults
def test_sessions_that_end_in_the_middle_leave_each_contact_once(servers, empty_database):
    """Every answer is either the contact's or a 503, and a request sent until it is answered makes one contact."""
    instances = servers(2)
    api = instances[0].client()
    source = api.source({api.operator(max_load=1000)["id"]: 1})["id"]
    answers, outcomes = collections.defaultdict(set), collections.Counter()
    clients = [instances[thread % 2].client(20) for thread in range(16)]
    stop = threading.Event()

    def storm():
        with empty_database.connect() as connection:
            while not stop.wait(0.05):
                terminate_others(connection)

    def send(thread, number):
        key = f"key {number // 3}"
        for _ in range(40):
            answer = register(clients[thread], key, source, message=key)
            outcomes[answer.status] += 1
            if answer.status == 201:
                answers[key].add(answer.body)
                return
            assert answer.status in (409, 503), answer.text
            time.sleep(0.05)
        raise AssertionError("never stored")

    raging = threading.Thread(target=storm, daemon=True)
    raging.start()
    threading.Timer(4, stop.set).start()
    try:
        in_parallel(16, send, range(900), seconds=60)
    finally:
        stop.set()
        raging.join(10)
    assert len(answers) == 300 and all(len(bodies) == 1 for bodies in answers.values())
    assert {message: len(ids) for message, ids in empty_database.ids_by_message().items()} == dict.fromkeys(answers, 1)
    print(f"  {dict(outcomes)}")


def test_a_key_is_kept_for_72_hours_and_then_forgotten_by_the_databases_clock(servers, empty_database):
    api = servers(1, LEADS_SWEEP_SECONDS=1)[0].client()
    source = api.source()["id"]
    kept, forgotten = (must_be_first(register(api, key, source, message=key)) for key in ("kept", "forgotten"))
    empty_database.age_idempotency_keys("kept", hours=71)
    empty_database.age_idempotency_keys("forgotten", hours=24 * 30)
    eventually(lambda: empty_database.idempotency_keys().keys() == {"kept"}, 10, "old keys are not removed", every=0.2)
    must_be_replay(register(api, "kept", source, message="kept"), kept)
    # The contact stays; the key is free for another request.
    must_be_first(register(api, "forgotten", source, message="new"))
    assert api.read("contacts", forgotten.json["id"])["message"] == "forgotten"
    assert empty_database.count("contacts") == 3
