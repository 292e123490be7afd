"""POST /contacts/batch: many registrations at once, each answered by itself."""

import threading

import pytest

from database import Database
from instance import migrate
from load import in_parallel
from metrics import Metrics
from postgres import Cluster
from waiting import eventually

PATH = "/api/v1/contacts/batch"
UNKNOWN = 999_999


def batch(api, items: list, **options) -> list[dict]:
    answers = api.post(PATH, items, **options).must_be(200).json
    assert len(answers) == len(items)
    return answers


def statuses(answers: list[dict]) -> list[int]:
    return [answer["status"] for answer in answers]


def contacts_of(api, source: int) -> list[dict]:
    return api.get(f"/api/v1/contacts?source_id={source}&limit=1000").must_be(200).json


def test_each_item_is_answered_in_order(api):
    source, operator = api.staffed_source(max_load=10)
    first = api.contact(source["id"], source_event_id="first")
    answers = batch(api, [
        {"source_id": source["id"], "lead_phone": "8 900 123-45-67", "lead_name": "Иван", "message": "раз"},
        {"source_id": source["id"], "source_event_id": "first", "message": "another"},
        {"source_id": UNKNOWN},
        {"source_id": source["id"], "lead_phone": "+79001234567", "message": "два"},
        {"source_id": "x", "priority": 10},
    ])
    assert statuses(answers) == [201, 200, 404, 201, 422]
    assert answers[1] == {"status": 200, "contact": api.read("contacts", first["id"])}
    assert answers[2] == {"status": 404, "detail": "Source not found", "code": "source_not_found"}
    assert [set(answer) for answer in (answers[0], answers[4])] == [{"status", "contact"}, {"status", "detail"}]
    assert [(fault["type"], fault["loc"]) for fault in answers[4]["detail"]] == [
        ("int_parsing", ["body", 4, "source_id"]), ("less_than_equal", ["body", 4, "priority"])]
    one, other = answers[0]["contact"], answers[3]["contact"]
    assert one["lead_id"] == other["lead_id"] and one["id"] < other["id"] and other["message"] == "два"
    assert [contact["id"] for contact in contacts_of(api, source["id"])] == [first["id"], one["id"], other["id"]]
    assert api.load(operator["id"]) == 3


@pytest.mark.parametrize("item, type, loc", [
    (None, "model_attributes_type", []), ([], "model_attributes_type", []), ("x", "model_attributes_type", []),
    ({}, "missing", ["source_id"]), ({"source_id": None}, "int_type", ["source_id"]),
    ({"source_id": 1, "message": "\0"}, "value_error", ["message"]),
    ({"source_id": 1, "lead_name": "x" * 201}, "string_too_long", ["lead_name"]),
])
def test_a_faulty_item_fails_alone(api, item, type, loc):
    source = api.source()["id"]
    answers = batch(api, [{"source_id": source}, item, {"source_id": source}])
    assert statuses(answers) == [201, 422, 201]
    [fault] = answers[1]["detail"]
    assert (fault["type"], fault["loc"]) == (type, ["body", 1, *loc])
    assert len(contacts_of(api, source)) == 2


@pytest.mark.parametrize("body, type", [
    (b"{}", "list_type"), (b"null", "list_type"), (b'"x"', "list_type"), (b"", "missing"), (b"[1", "json_invalid"),
    (b"[%s]" % b",".join([b"{}"] * 1001), "too_long"),
])
def test_what_is_no_list_of_at_most_1000_is_refused_as_a_whole(api, body, type):
    [fault] = api.post(PATH, raw=body).must_be(422).json["detail"]
    assert fault["type"] == type and fault["loc"][0] == "body"


def test_an_empty_list_is_answered_with_one(api):
    assert batch(api, []) == []


def test_texts_are_in_the_language_asked_for(api):
    [answer] = batch(api, [{"source_id": UNKNOWN}], headers={"Accept-Language": "ru"})
    assert answer["detail"] == "Источник не найден"


def test_a_repeated_event_within_one_batch_is_one_contact(api):
    source = api.source()["id"]
    answers = batch(api, [{"source_id": source, "source_event_id": "e", "message": str(n)} for n in range(3)])
    assert statuses(answers) == [201, 200, 200]
    assert {answer["contact"]["id"] for answer in answers} == {contacts_of(api, source)[0]["id"]}
    assert answers[2]["contact"]["message"] == "0"


def test_the_limit_holds_within_a_batch_and_order_decides_who_waits(api):
    source, operator = api.staffed_source(max_load=5)
    contacts = [answer["contact"] for answer in batch(api, [{"source_id": source["id"]}] * 8)]
    assert [contact["status"] for contact in contacts] == ["active"] * 5 + ["new"] * 3
    assert {contact["waiting_reason"] for contact in contacts[5:]} == {"all_at_limit"}
    assert api.load(operator["id"]) == 5
    api.close_contact(contacts[2]["id"])
    assert api.read("contacts", contacts[5]["id"])["operator_id"] == operator["id"]


@pytest.mark.parametrize("extra", [{}, {"message": "ы" * 8000}], ids=["small", "large"])
def test_1000_registrations_of_several_sources(api, database, extra):
    """With long messages it is a body of 16 MB, which no other route takes."""
    sources = [api.staffed_source(max_load=1000)[0]["id"] for _ in range(3)]
    items = [{"source_id": sources[n % 3], "source_event_id": f"event {n}", "lead_external_id": f"many {n}"} | extra
             for n in range(1000)]
    answers = batch(api, items)
    assert statuses(answers) == [201] * 1000
    ids = [answer["contact"]["id"] for answer in answers]
    assert ids == sorted(ids) and len(set(ids)) == 1000
    assert [answer["contact"]["source_event_id"] for answer in answers] == [item["source_event_id"] for item in items]
    again = batch(api, items)
    assert statuses(again) == [200] * 1000 and [answer["contact"]["id"] for answer in again] == ids
    assert database.broken_loads() == []


def test_a_body_beyond_32_mib_is_a_413(api):
    answer = api.post(PATH, raw=b"[" + b" " * 33_554_432 + b"]").must_be(413)
    assert answer.json["code"] == "body_too_large"


def test_the_same_batches_at_once_make_each_contact_once(server, api):
    source, operator = api.staffed_source(max_load=150)
    items = [{"source_id": source["id"], "source_event_id": f"e{n}", "lead_phone": f"+7900555{n % 50:04}"} for n in range(300)]
    clients, answered, lock = [server.client(30) for _ in range(6)], [], threading.Lock()

    def send(thread, number):
        sent = items if number % 2 else items[::-1]
        answers = batch(clients[thread], sent)
        with lock:
            answered.extend((item["source_event_id"], answer["contact"]["id"]) for item, answer in zip(sent, answers))

    in_parallel(6, send, range(12), seconds=60)
    assert len(answered) == 3600 and len(set(answered)) == 300
    contacts = contacts_of(api, source["id"])
    assert len(contacts) == 300 and len({contact["lead_id"] for contact in contacts}) == 50
    assert api.load(operator["id"]) == 150


def test_each_item_is_counted(servers):
    api = servers(1)[0].client()
    source, _ = api.staffed_source(max_load=2)
    batch(api, [{"source_id": source["id"], "source_event_id": "e"}] * 2 + [{"source_id": source["id"]}] * 3 + [{}])
    counted = Metrics(api).registrations()
    assert counted == {"placed": 2, "waiting": 2, "repeated": 1, "replayed": 0, "refused": 1, "failed": 0}


def test_a_registration_reads_no_leads_that_came_since_its_plans_were_made(empty_database, instances):
    empty_database.never_analyse_leads()
    server = instances(empty_database, LEADS_POOL_SIZE=1, LEADS_SWEEP_SECONDS=3600)
    api = server.client()
    source, _ = api.staffed_source(max_load=1000)
    items = [{"source_id": source["id"]}] * 500
    batch(api, items)
    empty_database.add_leads(50_000)
    empty_database.reset_statistics()
    batch(api, items)
    assert server.terminate() == 0
    eventually(lambda: empty_database.sessions() == 0, 5, "sessions stay")
    assert empty_database.rows_read() < 20_000


def test_when_the_database_goes_away_midway_what_is_stored_is_told(instances):
    """The second transaction waits for an operator that the first has no need of, and PostgreSQL is killed meanwhile. A
    transaction has 512 members."""
    cluster = Cluster(durable=True).start()
    try:
        database = Database(cluster.dsn("postgres"))
        migrate(database.dsn)
        server = instances(database)
        api = server.client(30)
        (first, _), (second, operator) = api.staffed_source(max_load=1000), api.staffed_source(max_load=1000)
        items = [{"source_id": (first if n < 512 else second)["id"], "source_event_id": str(n)} for n in range(1000)]
        got = []
        with database.connect(autocommit=False) as other:
            other.execute("select 1 from operator_loads where operator_id = %s for update", (operator["id"],))
            sender = threading.Thread(target=lambda: got.append(api.post(PATH, items)))
            sender.start()
            eventually(lambda: database.value("select count(*) from contacts") == 512, 10, "the first half is not stored")
            eventually(database.blocked_sessions, 10, "the second half does not wait")
            cluster.kill()
            sender.join(30)
        [answer] = got
        answers = answer.must_be(200).json
        assert statuses(answers) == [201] * 512 + [503] * 488
        assert {answers[n]["code"] for n in (512, 999)} == {"unavailable"}
        assert "a batch was registered in part" in server.output()
        cluster.start()
        server.wait_until_ready()
        assert Metrics(api).registrations()["failed"] == 488
        again = batch(api, items)
        assert statuses(again) == [200] * 512 + [201] * 488
        assert database.value("select count(*) from contacts") == 1000
    finally:
        cluster.remove()


def test_when_nothing_was_registered_the_whole_request_is_refused(api, database):
    source, operator = api.staffed_source()
    with database.operator_held(operator["id"]):
        answer = api.post(PATH, [{"source_id": source["id"]}, {}]).must_be(503)
    assert answer.json["code"] == "unavailable" and answer.headers["Retry-After"]
    assert contacts_of(api, source["id"]) == []
