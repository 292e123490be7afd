"""GET /stats/overview: how things are, against what the rows say."""

import datetime
import urllib.parse

import time
from random import Random

import pytest

from load import generator, in_parallel
from shapes import check_overview, fault, must_have_faults
from waiting import eventually

pytestmark = pytest.mark.alone

PATH = "/api/v1/stats/overview"
UTC = datetime.UTC
QUARTER = datetime.timedelta(minutes=15)


def overview(api, since: str | None = None) -> dict:
    query = "" if since is None else f"?today_from={urllib.parse.quote(since)}"
    return check_overview(api.get(PATH + query).must_be(200).json)


def soon(api, expected, read, since: str | None = None) -> dict:
    """What is shown within the second that an answer serves for."""
    shown = {}

    def is_shown() -> bool:
        shown.update(overview(api, since))
        return read(shown) == expected

    eventually(is_shown, 3, lambda: f"{read(shown)} instead of {expected}", every=0.1)
    return shown


def midnight() -> datetime.datetime:
    return datetime.datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def quarter(moment: datetime.datetime) -> datetime.datetime:
    return moment - (moment - moment.replace(minute=0, second=0, microsecond=0)) % QUARTER


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_empty_system_has_an_empty_overview(empty_api, slash):
    assert check_overview(empty_api.get(PATH + slash).must_be(200).json) == {
        "waiting": 0, "oldest_waiting_seconds": None, "contacts_per_minute": [0] * 60,
        "time_to_assign": {"p50": None, "p95": None}, "operators": [], "sources": [],
    }


def test_the_overview_counts_what_is_there(empty_api):
    api = empty_api
    since = (datetime.datetime.now(UTC) - datetime.timedelta(hours=1)).isoformat()
    busy, idle = api.operator(name="Анна", max_load=2), api.operator(name="Bob", is_active=False)
    source, quiet = api.source({busy["id"]: 1}, name="Бот"), api.source(name="Form")
    contacts = [api.contact(source["id"])["id"] for _ in range(4)]
    api.close_contact(contacts[0])
    shown = soon(api, 1, lambda shown: shown["waiting"], since)
    assert shown["operators"] == [
        {"id": busy["id"], "name": "Анна", "is_active": True, "max_load": 2, "current_load": 2, "today": 3},
        {"id": idle["id"], "name": "Bob", "is_active": False, "max_load": 10, "current_load": 0, "today": 0}]
    assert shown["sources"] == [
        {"id": source["id"], "name": "Бот", "today": 4, "waiting": 1},
        {"id": quiet["id"], "name": "Form", "today": 0, "waiting": 0}]
    assert sum(shown["contacts_per_minute"][-3:]) == sum(shown["contacts_per_minute"]) == 4
    assert 0 <= shown["oldest_waiting_seconds"] < 60
    assert 0 <= shown["time_to_assign"]["p50"] <= shown["time_to_assign"]["p95"] < 60


def test_whoever_waits_longest_is_the_oldest_whatever_the_place_in_the_queue(empty_api, empty_database):
    source = empty_api.source()["id"]
    first, second = (empty_api.contact(source, priority=priority)["id"] for priority in (9, 0))
    empty_database.move_back(second, minutes=50)
    empty_database.move_back(first, minutes=10)
    shown = soon(empty_api, 2, lambda shown: shown["waiting"])
    assert 3000 <= shown["oldest_waiting_seconds"] < 3060


def test_minutes_are_those_of_registering(empty_api, empty_database):
    source = empty_api.source()["id"]
    for ago in (0, 1, 1, 30, 58, 90):
        empty_database.move_back(empty_api.contact(source)["id"], minutes=ago)
    # A minute may have begun in between.
    shown = soon(empty_api, [1, 1, 1, 2], lambda shown: sorted(count for count in shown["contacts_per_minute"] if count))
    counts = shown["contacts_per_minute"]
    assert counts.index(2) - [place for place, count in enumerate(counts) if count][0] == 57


def test_the_time_to_assign_is_that_to_the_first_operator_of_the_last_hour(empty_api, empty_database):
    api = empty_api
    source, operator = api.staffed_source(max_load=100)
    other = api.operator(max_load=100)["id"]
    ids = [api.contact(source["id"])["id"] for _ in range(20)]
    with empty_database.connect() as connection:
        for seconds, id in enumerate(ids):
            connection.execute("""
                update contacts set first_assigned_at = created_at + make_interval(secs => %s) where id = %s
            """, (seconds, id))
    # What is done with it later makes no difference.
    api.post(f"/api/v1/contacts/{ids[0]}/transfer", {"operator_id": other}).must_be(200)
    api.close_contact(ids[1])
    # What is older does not count, nor does what waits.
    old = api.contact(source["id"])["id"]
    with empty_database.connect() as connection:
        connection.execute("update contacts set first_assigned_at = created_at + interval '9 hours' where id = %s", (old,))
    empty_database.move_back(old, minutes=61)
    api.contact(api.source()["id"])
    shown = soon(api, 1, lambda shown: shown["waiting"])
    assert shown["time_to_assign"] == {"p50": pytest.approx(9.5), "p95": pytest.approx(18.05)}


def test_whoever_has_a_contact_now_got_it_today(empty_api):
    api = empty_api
    source, first = api.staffed_source(max_load=5)
    second = api.operator()
    ids = [api.contact(source["id"])["id"] for _ in range(3)]
    since = (datetime.datetime.now(UTC) - datetime.timedelta(hours=1)).isoformat()
    today = lambda shown: [row["today"] for row in shown["operators"]]
    soon(api, [3, 0], today, since)
    api.post(f"/api/v1/contacts/{ids[0]}/transfer", {"operator_id": second["id"]}).must_be(200)
    soon(api, [2, 1], today, since)
    api.close_contact(ids[0])
    soon(api, [2, 1], today, since)
    # The source has but one operator.
    api.reopen_contact(ids[0])
    soon(api, [3, 0], today, since)
    api.post(f"/api/v1/contacts/{ids[1]}/assign", {"operator_id": second["id"]}).must_be(200)
    api.change_operator(first["id"], is_active=False, requeue=True)
    soon(api, [0, 1], today, since)
    api.archive_operator(first["id"])
    soon(api, [1], today, since)


@pytest.mark.parametrize("offset", [0, 3, -8, 5.5, 5.75, 12.75, 14])
def test_days_begin_where_the_viewer_is(empty_api, empty_database, offset):
    """At midnight of any zone, exactly."""
    api = empty_api
    zone = datetime.timezone(datetime.timedelta(hours=offset))
    source, operator = api.staffed_source(max_load=100)
    begin = datetime.datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    now = datetime.datetime.now(UTC)
    for second in (-86_000, -1, 0, 1):
        id = api.contact(source["id"])["id"]
        with empty_database.connect() as connection:
            moment = begin + datetime.timedelta(seconds=second)
            connection.execute("update contacts set created_at = %s, assigned_at = %s, first_assigned_at = %s where id = %s",
                               (moment, moment, moment, id))
    shown = soon(api, 2, lambda shown: shown["sources"][0]["today"], begin.isoformat())
    assert shown["operators"][0]["today"] == 2
    # Whole quarters of an hour count.
    for later in (1, 899):
        assert soon(api, 2, lambda shown: shown["sources"][0]["today"],
                    (begin + datetime.timedelta(seconds=later)).isoformat())
    soon(api, 0, lambda shown: shown["sources"][0]["today"], (now + datetime.timedelta(days=2)).isoformat())


def test_days_have_48_hours_at_most_and_begin_at_midnight_utc(empty_api, empty_database):
    api = empty_api
    source, _ = api.staffed_source(max_load=100)
    now = datetime.datetime.now(UTC)
    moments = [now, midnight() - datetime.timedelta(seconds=1), now - datetime.timedelta(hours=49)]
    for moment in moments:
        id = api.contact(source["id"])["id"]
        with empty_database.connect() as connection:
            connection.execute("update contacts set created_at = %s where id = %s", (moment, id))
    soon(api, 1, lambda shown: shown["sources"][0]["today"])
    for since in ("2020-01-01", "0001-01-01T00:00:00Z"):
        soon(api, 2, lambda shown: shown["sources"][0]["today"], since)
    soon(api, 0, lambda shown: shown["sources"][0]["today"], "9999-12-31T23:59:59Z")


def test_what_is_no_moment_is_a_422(api):
    must_have_faults(
        api.get(f"{PATH}?today_from=yesterday"),
        fault("datetime_from_date_parsing", ["query", "today_from"],
              "Input should be a valid datetime or date, input is too short", "yesterday", error="input is too short"))


# Against a recount

@pytest.mark.parametrize("sweep", [1, 3600])
def test_after_random_changes_by_many_at_once_all_numbers_are_those_of_a_recount(servers, empty_database, sweep):
    """The changes are summed up every second by both instances, or never. Time passes by hand: contacts of three days."""
    random = generator(f"overview, sweep {sweep}")
    instances = servers(2, LEADS_SWEEP_SECONDS=sweep)
    clients = [instances[thread % 2].client() for thread in range(8)]
    api = clients[0]
    operators = [api.operator(max_load=random.randint(2, 8))["id"] for _ in range(6)]
    sources = [api.source({id: random.randint(1, 9) for id in random.sample(operators, 3)})["id"] for _ in range(3)]
    changes = random.choices(
        ["register", "batch", "close", "reopen", "transfer", "release", "bulk", "requeue", "weights", "archive", "past"],
        weights=[40, 4, 20, 10, 10, 8, 3, 3, 6, 1, 20], k=300)
    seeds = [random.random() for _ in changes]
    contacts: list[int] = []

    def change(thread: int, number: int) -> None:
        client, choice = clients[thread], Random(seeds[number])
        operator, source = choice.choice(operators), choice.choice(sources)
        some = [choice.choice(contacts or [1]) for _ in range(5)]
        match changes[number]:
            case "register":
                contacts.append(client.contact(source, priority=choice.randint(0, 2))["id"])
                return
            case "batch":
                answer = client.post("/api/v1/contacts/batch", [{"source_id": choice.choice(sources)} for _ in range(10)])
                contacts.extend(each["contact"]["id"] for each in answer.must_be(200).json)
            case "close" | "reopen" | "release" as word:
                answer = client.post(f"/api/v1/contacts/{some[0]}/{word}")
            case "transfer":
                answer = client.post(f"/api/v1/contacts/{some[0]}/transfer", {"operator_id": operator, "force": choice.random() < 0.5})
            case "bulk":
                answer = client.post("/api/v1/contacts/bulk", {"action": "close", "ids": sorted(set(some))})
            case "requeue":
                client.patch(f"/api/v1/operators/{operator}", {"is_active": False, "requeue": True})
                answer = client.patch(f"/api/v1/operators/{operator}", {"is_active": True})
            case "weights":
                weights = [{"operator_id": id, "weight": 1 + id} for id in choice.sample(operators, choice.randint(0, 3))]
                answer = client.post(f"/api/v1/sources/{source}/weights", weights)
            case "archive":
                answer = client.delete(f"/api/v1/operators/{operator}")
            case "past":
                empty_database.move_back(some[0], minutes=choice.choice((1, 7, 100, 1000)))
                return
        assert answer.status in {200, 404, 409}, (changes[number], answer.status, answer.text)

    in_parallel(len(clients), change, range(len(changes)), seconds=60)
    eventually(lambda: empty_database.stranded() == [], 5, lambda: f"stranded: {empty_database.stranded()}")
    assert empty_database.quarter_drift() == [] and empty_database.tally_drift() == []
    assert empty_database.deadlocks() == 0
    # What was computed for somebody before it came to rest is no longer shown.
    time.sleep(1.1)
    must_be_the_recount(api, empty_database, sources)


def must_be_the_recount(api, database, sources) -> None:
    now = datetime.datetime.now(UTC)
    for zone in (0, 5.5, -8, 12.75):
        midnight = now.astimezone(datetime.timezone(datetime.timedelta(hours=zone))).replace(hour=0, minute=0, second=0, microsecond=0)
        for begin in (midnight, quarter(now - datetime.timedelta(hours=30))):
            shown = overview(api, begin.isoformat())
            assert [(row["id"], row["today"]) for row in shown["operators"]] == database.today_by_operator(begin)
            assert [(row["id"], row["today"], row["waiting"]) for row in shown["sources"]] == database.today_by_source(begin)
    before = datetime.datetime.now(UTC).replace(second=0, microsecond=0)
    counts = overview(api, "2026-01-02")["contacts_per_minute"]
    if before == datetime.datetime.now(UTC).replace(second=0, microsecond=0):
        minutes = [before - datetime.timedelta(minutes=59 - place) for place in range(60)]
        found = database.registered_by_minute(minutes[0], before + datetime.timedelta(minutes=1))
        assert counts == [found.get(minute, 0) for minute in minutes]
    for source in sources:
        for begin, end in ((now - datetime.timedelta(days=7), now + QUARTER), (now - datetime.timedelta(hours=9), now - datetime.timedelta(hours=2))):
            begin, end = quarter(begin), quarter(end)
            query = urllib.parse.urlencode({"from": begin.isoformat(), "to": end.isoformat()})
            rows = api.get(f"/api/v1/sources/{source}/shares?{query}").must_be(200).json
            assert [(row["operator_id"], row["contacts"]) for row in rows if row["contacts"]] == database.given(source, begin, end)


def test_contacts_written_by_sql_are_counted_at_once(empty_api, empty_database):
    source = empty_api.source()["id"]
    lead = empty_api.contact(source)["lead_id"]
    empty_database.add_waiting_contacts(lead, source, 100)
    shown = soon(empty_api, 101, lambda shown: shown["waiting"])
    assert shown["sources"][0]["today"] == sum(shown["contacts_per_minute"]) == 101
