"""The event log over HTTP: its shape, its pages, and readers that follow it while others write."""

import time
from urllib.parse import urlsplit

import pytest

from load import Background, generator, in_parallel
from pages import next_page, pages
from shapes import check_event, must_be_error
from waiting import eventually

EVENTS = "/api/v1/events"


def history(api, id: int, query: str = "") -> list[dict]:
    return [check_event(event) for event in api.get(f"/api/v1/contacts/{id}/history{query}").must_be(200).json]


def follow(api, after: int = 0, limit: int = 100) -> list[dict]:
    """What comes after an event, as far as it has been written."""
    read = []
    while found := api.get(f"{EVENTS}?after={after}&limit={limit}").must_be(200).json:
        read += [check_event(event) for event in found]
        after = found[-1]["id"]
    return read


def test_a_contacts_life_is_its_history(api):
    source, operator = api.staffed_source(max_load=1)
    first, second = api.contact(source["id"]), api.contact(source["id"])
    assert (second["status"], second["waiting_reason"]) == ("new", "all_at_limit")
    api.close_contact(first["id"])
    api.close_contact(second["id"])
    api.reopen_contact(second["id"])
    found = history(api, second["id"])
    assert [event["kind"] for event in found] == ["registered", "assigned", "closed", "reopened"]
    assert found[0]["reason"] == "all_at_limit" and found[0]["to_operator_id"] is None
    assert [event["to_operator_id"] for event in found[1:]] == [operator["id"], None, operator["id"]]
    assert all(event["contact_id"] == second["id"] for event in found)
    assert [event["at"] for event in found] == sorted(event["at"] for event in found)
    own = [event for event in follow(api) if event["contact_id"] == second["id"]]
    assert own == found


def test_a_change_is_in_the_log_as_soon_as_it_has_been_answered(servers):
    writer, reader = (server.client() for server in servers(2, LEADS_SWEEP_SECONDS=3600))
    source = writer.source()
    last = follow(reader)[-1]["id"]
    for _ in range(50):
        contact = writer.contact(source["id"])
        [event] = follow(reader, last)
        assert (event["id"], event["contact_id"], event["kind"]) == (last + 1, contact["id"], "registered")
        assert history(reader, contact["id"]) == [event]
        last = event["id"]


def test_the_log_is_numbered_without_readers_too(servers, empty_database):
    api = servers(1, LEADS_SWEEP_SECONDS=1)[0].client()
    api.contact(api.source()["id"])
    eventually(lambda: empty_database.count("event_log") == 2, 10, "the events have no positions")


def test_pages_follow_each_other_to_the_end(api):
    source = api.source()
    contact = api.contact(source["id"])
    for _ in range(6):
        api.close_contact(contact["id"])
        api.reopen_contact(contact["id"])
    for path in (EVENTS, f"/api/v1/contacts/{contact['id']}/history"):
        whole = api.get(f"{path}?limit=1000").must_be(200)
        assert next_page(whole) is None and len(whole.json) >= 13
        for limit in (1, 5, 13, len(whole.json)):
            parts = [answer.json for answer in pages(api, f"{path}?limit={limit}", at_most=1000)]
            assert sum(parts, []) == whole.json
            assert all(len(part) == limit for part in parts[:-1]) and parts[-1]
        link = urlsplit(next_page(api.get(f"{path}/?limit=2&note=a%20b&after=1").must_be(200)))
        assert link.path == f"{path}/" and link.query.startswith("limit=2&note=a%20b&after=")
        for after in (whole.json[-1]["id"], 9223372036854775807):
            answer = api.get(f"{path}?after={after}").must_be(200)
            assert answer.json == [] and next_page(answer) is None


@pytest.mark.parametrize("id", [999999, 0, -1, 9223372036854775807])
def test_an_unknown_contact_has_no_history(api, id):
    must_be_error(api.get(f"/api/v1/contacts/{id}/history"), 404, "Contact not found", "contact_not_found")


def test_data_is_shown_as_it_is_stored(api, database):
    contact = api.contact(api.source()["id"])
    with database.connect() as connection:
        connection.execute("""
            insert into events (contact_id, kind, actor_kind, actor_id, actor_name, data)
            values (%s, 'priority_changed', 'api', '7', 'бот', %s)
        """, (contact["id"], '{"to": 1.50, "from": {"a": ["\\"", null, "é\\u2028"]}}'))
    event = history(api, contact["id"])[-1]
    assert event["data"] == {"to": 1.5, "from": {"a": ['"', None, "é\u2028"]}}
    assert event["actor"] == {"kind": "api", "id": "7", "name": "бот"}


def test_a_slow_writer_holds_no_reader_up_and_is_not_skipped(servers, empty_database):
    """One transaction holds the first event for seconds; registrations by two instances are read at a third."""
    *writers, reader = (server.client() for server in servers(3))
    source = writers[0].source()
    read = follow(reader)
    last = read[-1]["id"]
    with empty_database.connect(autocommit=False) as slow:
        slow.execute("insert into events (kind) values ('slow')")
        held_since, longest = time.monotonic(), 0
        while len(read) < 300 or time.monotonic() - held_since < 3:
            contacts = [writer.contact(source["id"])["id"] for writer in writers]
            began = time.monotonic()
            found = follow(reader, last)
            longest = max(longest, time.monotonic() - began)
            assert [event["contact_id"] for event in found] == contacts
            read += found
            last = read[-1]["id"]
        assert longest < 1
        slow.commit()
    read += follow(reader, last)
    assert read[-1]["kind"] == "slow" and [event["id"] for event in read] == list(range(1, len(read) + 1))


def test_readers_at_three_instances_see_every_event_once_in_one_order(servers, empty_database):
    random = generator("events")
    started = servers(3, LEADS_SWEEP_SECONDS=1)
    api = started[0].client()
    operators = [api.operator(max_load=5)["id"] for _ in range(3)]
    source = api.source(dict.fromkeys(operators, 1))
    seeds = [random.random() for _ in range(300)]
    clients = [started[number % 3].client() for number in range(6)]

    def live(thread: int, seed: float):
        """A contact is registered and perhaps closed; now and then somebody writes slowly, perhaps in vain."""
        client = clients[thread]
        contact = client.contact(source["id"])
        if seed < 0.7:
            client.close_contact(contact["id"])
        if seed < 0.05:
            with empty_database.connect(autocommit=False) as slow:
                slow.execute("insert into events (kind) values ('slow')")
                time.sleep(10 * seed)
                (slow.commit if seed < 0.03 else slow.rollback)()

    logs = [[], [], []]

    def reading(number: int):
        def work(stop):
            client, is_over = started[number].client(), False
            while not is_over:
                is_over = stop.is_set()
                logs[number] += follow(client, logs[number][-1]["id"] if logs[number] else 0, limit=1 + 7 * number)

        return work

    with Background(reading(0)), Background(reading(1)), Background(reading(2)):
        in_parallel(6, live, seeds, 60)
    committed = empty_database.count("events")
    assert committed > 400
    assert [event["id"] for event in logs[0]] == list(range(1, committed + 1))
    assert logs[1] == logs[0] and logs[2] == logs[0]
    kinds: dict[int, list[str]] = {}
    for event in logs[0]:
        kinds.setdefault(event["contact_id"], []).append(event["kind"])
    lives = (["registered"], ["registered", "closed"], ["registered", "assigned"], ["registered", "assigned", "closed"])
    assert all(life in lives for contact, life in kinds.items() if contact is not None)
    assert empty_database.event_drift() == []
