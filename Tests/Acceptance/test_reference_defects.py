"""The defects of the two references that must not come back: where each is tested, and those tested only here."""

import pathlib
import re

import pytest

from client import unique
from pages import next_page
from shapes import check_contact, check_source
from waiting import eventually

OLD = 20_000  # contacts of one operator, one lead and one source that nobody should have to read

ELSEWHERE = {
    "A: every distribution crashes, operator.load_limit does not exist": [
        "test_contract_contacts.py::test_a_contact_goes_to_the_only_operator",
        "test_distribution.py::test_weighted_capacity_follows_weight_times_free_capacity",
        "test_distribution.py::test_weights_of_10_and_30_share_5000_contacts_as_one_to_three",
    ],
    "A: deleting a weighted operator breaks the source": [
        "test_contract_archiving.py::test_the_weights_of_an_archived_operator_are_gone_and_its_sources_still_read",
        "test_contract_archiving.py::test_a_closed_contact_still_shows_its_archived_operator",
    ],
    "A: reading a source with weights is a 500": [
        "test_contract_sources.py::test_a_source_shows_its_weights_with_their_operators",
    ],
    "B: all keys must match, so a lead with another phone is another lead": [
        "test_contract_contacts.py::test_one_key_in_common_is_enough",
        "test_contract_contacts.py::test_a_further_phone_or_email_identifies_the_lead_too",
    ],
    "B: once two leads share a value, every contact with it is a 500": [
        "test_contract_contacts.py::test_of_keys_of_two_leads_the_stronger_wins",
        "test_reference_defects.py::test_a_value_that_two_leads_share_is_no_obstacle",
    ],
    "B: unknown operators are stored as dangling weights": [
        "test_contract_sources.py::test_an_unknown_operator_is_a_404_and_no_weight_is_stored",
        "test_contract_archiving.py::test_an_archived_operator_gets_no_weight_and_nothing_is_stored",
    ],
    "B: an operator that fills up is full for ever": [
        "test_contract_contacts.py::test_closing_frees_the_operator",
        "test_contract_contacts.py::test_closing_places_the_oldest_waiting_contact_each_time",
    ],
    "both: the limit overshoots under concurrency": [
        "test_stress.py::test_without_closers_the_slots_fill_exactly",
        "test_stress.py::test_under_load_limits_hold_and_nobody_waits_beside_capacity",
    ],
    "both: the load is a count(*) for each operator": [
        "test_reference_defects.py::test_a_registration_reads_nothing_of_the_past",
        "test_statements.py::test_a_registration_takes_as_many_statements_whatever_is_there",
    ],
    "both: lists load the whole table": [
        "test_reference_defects.py::test_lists_and_statistics_read_little_of_the_past",
        "test_paging.py::test_the_links_lead_to_every_element_once_in_order",
        "test_statements.py::test_a_request_takes_as_many_statements_for_a_hundred_as_for_one",
    ],
}


@pytest.mark.parametrize("defect", ELSEWHERE)
def test_the_tests_of_a_defect_are_where_this_says(defect):
    for reference in ELSEWHERE[defect]:
        file, name = reference.split("::")
        text = (pathlib.Path(__file__).parent / file).read_text()
        assert re.search(rf"^def {name}\(", text, re.M), reference


def test_a_value_that_two_leads_share_is_no_obstacle(api, database):
    """Two people with one phone, as reference B would have stored them; then everything that mentions the phone."""
    source = api.source()["id"]
    phone, email = "+79005551717", "shared@example.com"
    ids = [unique("person") for _ in range(2)]
    for id in ids * 2:
        check_contact(api.contact(source, lead_external_id=id, lead_phone=phone, lead_email=email))
    leads = [api.get(f"/api/v1/leads/by-external/{id.replace(' ', '%20')}").must_be(200).json for id in ids]
    assert leads[0]["id"] != leads[1]["id"] and [lead["contact_count"] for lead in leads] == [2, 2]
    for keys in ({"lead_phone": phone}, {"lead_email": email}, {"lead_phone": phone, "lead_email": email},
                 {"lead_phone": "8 900 555-17-17", "lead_name": "Кто-то"}):
        assert check_contact(api.contact(source, **keys))["lead_id"] in [lead["id"] for lead in leads]
    # Even two leads that have the very same columns, written by somebody else's SQL.
    with database.connect() as connection:
        connection.execute("insert into leads (phone, email) select %s, %s from generate_series(1, 2)", (phone, email))
    assert check_contact(api.contact(source, lead_phone=phone))["lead_id"] in [lead["id"] for lead in leads]


def test_a_source_reads_with_weights_before_and_after_its_operators_are_deleted(api):
    operators = [api.operator()["id"] for _ in range(3)]
    source = api.source(dict.fromkeys(operators, 2))["id"]
    while operators:
        shown = api.read("sources", source)
        check_source(shown, [*shown])
        assert [row["operator_id"] for row in shown["operator_weights"]] == operators
        api.archive_operator(operators.pop())
    assert api.read("sources", source)["operator_weights"] == []
    assert api.contact(source)["waiting_reason"] == "no_operators"


# What is read of a long past

@pytest.fixture(scope="module")
def past(new_database, instances):
    """A database with an operator, a source and a lead of 20 000 closed contacts each, and a few of everything else."""
    database = new_database()
    server = instances(database)
    api = server.client()
    source, operator = api.staffed_source(max_load=1000)
    lead = api.contact(source["id"], lead_phone="+79005550000")["lead_id"]
    for _ in range(20):
        api.contact(source["id"])
    database.add_closed_contacts(lead, source["id"], operator["id"], OLD)
    server.end()
    eventually(lambda: database.sessions() == 0, 5, "sessions stay")
    return database, {"source": source["id"], "operator": operator["id"], "lead": lead}


@pytest.fixture
def rows_read_by(past, instances):
    """Counts the rows PostgreSQL read for requests: the instance that makes them has a life of its own."""
    database, _ = past

    def count(work) -> int:
        server = instances(database, LEADS_SWEEP_SECONDS=3600)
        database.reset_statistics()
        work(server.client())
        assert server.terminate() == 0
        eventually(lambda: database.sessions() == 0, 5, "sessions stay")
        return database.rows_read()

    return count


def test_a_recount_would_be_noticed(past):
    """The measure itself: whoever counts the operator's contacts reads all of them."""
    database, ids = past
    database.reset_statistics()
    database.value("select count(*) from contacts where operator_id = %s", ids["operator"])
    eventually(lambda: database.rows_read() >= OLD, 5, "the measure measures nothing")


def test_a_registration_reads_nothing_of_the_past(rows_read_by, past):
    _, ids = past

    def register(api):
        for keys in ({}, {"lead_phone": "+79005550000"}):
            contact = api.contact(ids["source"], **keys)
            api.close_contact(contact["id"])
            api.reopen_contact(contact["id"])

    assert rows_read_by(register) < 300


@pytest.mark.parametrize("path", [
    "contacts?limit=10", "contacts?limit=10&order=desc", "contacts?limit=10&source_id={source}",
    "contacts?limit=10&operator_id={operator}", "contacts?limit=10&lead_id={lead}&order=desc",
    "contacts?limit=10&cursor=19000", "contacts?limit=10&source_id={source}&cursor=19000", "contacts?limit=10&status=active",
    "contacts?limit=10&status=new", "contacts?limit=10&is_active=true&order=desc", "leads?limit=10",
    "leads/{lead}/contacts?limit=10&cursor=19000", "operators", "operators/{operator}", "operators/{operator}/stats",
    "sources/{source}", "stats/distribution", "contacts/stats/distribution",
])
def test_lists_and_statistics_read_little_of_the_past(rows_read_by, past, path):
    _, ids = past
    assert rows_read_by(lambda api: api.get("/api/v1/" + path.format(**ids)).must_be(200)) < 1000


def test_a_deep_page_reads_no_more_than_the_first(rows_read_by):
    """Pages of 10, because a table as small as this one PostgreSQL rather reads whole than walk to 100 rows."""
    pages = []

    def follow(api):
        for _ in range(100):
            pages.append(next_page(api.get(pages[-1]).must_be(200)))

    for direction in ("asc", "desc"):
        pages[:] = [f"/api/v1/contacts?limit=10&order={direction}"]
        whole = rows_read_by(follow)
        first, last = (rows_read_by(lambda api: api.get(page).must_be(200)) for page in (pages[0], pages[-1]))
        assert 10 <= first < 200 and last <= first * 1.5 and whole <= 100 * first * 1.5
