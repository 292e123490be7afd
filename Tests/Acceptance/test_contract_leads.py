"""Leads: listed with their contacts, by id, by the id they have elsewhere, and page by page."""

import unicodedata
from urllib.parse import quote

import pytest

from client import unique
from shapes import check_contact, check_lead, fault, must_be_error, must_have_faults, too_large, too_small

PATH = "/api/v1/leads"
IN_LIST, BY_ID = 20, 1000  # how many contacts a lead comes with


@pytest.fixture
def source(api) -> int:
    return api.source()["id"]


def read(api, id: int) -> dict:
    return check_lead(api.read("leads", id))


def by_external(api, external_id: str, slash: str = ""):
    return api.get(f"{PATH}/by-external/{quote(external_id, safe='')}{slash}")


def with_contacts(api, database, source: int, count: int) -> tuple[int, list[int]]:
    """A lead with so many contacts, most of them written by SQL: the lead and all its contacts in order."""
    lead = api.contact(source, lead_external_id=unique("much"))["lead_id"]
    database.add_waiting_contacts(lead, source, count - 1)
    return lead, [id for (id,) in database.rows("select id from contacts where lead_id = %s order by id", lead)]


# By id

def test_a_lead_is_read_with_its_contacts(api):
    source, operator = api.staffed_source()
    phone = "+7 900 555-12-12"
    first = api.contact(source["id"], lead_phone=phone, lead_name="Анна", message="Первое")
    second = api.contact(source["id"], lead_phone="89005551212", lead_email="anna@example.com")
    assert first["lead_id"] == second["lead_id"]
    lead = read(api, first["lead_id"])
    assert api.get(f"{PATH}/{lead['id']}/").must_be(200).json == lead
    assert (lead["phone"], lead["email"], lead["name"], lead["external_id"]) == (phone, "anna@example.com", "Анна", None)
    assert lead["contact_count"] == 2
    assert lead["contacts"] == [api.read("contacts", contact["id"]) for contact in (first, second)]
    assert lead["contacts"][0]["operator"]["current_load"] == 2


def test_a_lead_by_id_has_its_latest_thousand_contacts(api, database, source):
    lead, ids = with_contacts(api, database, source, BY_ID + 3)
    shown = read(api, lead)
    assert shown["contact_count"] == BY_ID + 3
    assert [contact["id"] for contact in shown["contacts"]] == ids[3:]


def test_a_lead_counts_closed_and_reopened_contacts_once(api):
    source, _ = api.staffed_source()
    contact = api.contact(source["id"], lead_external_id=unique("returns"))
    for change in (api.close_contact, api.reopen_contact, api.close_contact):
        change(contact["id"])
        shown = read(api, contact["lead_id"])
        assert shown["contact_count"] == len(shown["contacts"]) == 1
        assert shown["contacts"][0]["status"] == api.read("contacts", contact["id"])["status"]


def test_an_unknown_lead_is_a_404(api):
    for path in ("999999", "999999/contacts", "999999/contacts/", "0", "-1"):
        must_be_error(api.get(f"{PATH}/{path}"), 404, "Lead not found", "lead_not_found")


# By external id

@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("external_id", [
    "client 77", "Клиент № 7", "a/b/c", "/", "50%", "%2F", "a+b", "a?b=c&d#e", "..", "stats", "{lead_id}", "🙂", "a;b",
    "a" * 255, "ы" * 255,
])
def test_a_lead_is_found_by_its_external_id(api, source, external_id, slash):
    lead = api.contact(source, lead_external_id=external_id)["lead_id"]
    found = check_lead(by_external(api, external_id, slash).must_be(200).json)
    assert (found["id"], found["external_id"]) == (lead, external_id)
    assert found == read(api, lead)


def test_external_ids_are_compared_trimmed(api, source):
    lead = api.contact(source, lead_external_id="  trimmed 1\t")["lead_id"]
    for given in ("trimmed 1", " trimmed 1", "trimmed 1\n", "\u00a0trimmed 1\u2003"):
        assert by_external(api, given).must_be(200).json["id"] == lead
    assert read(api, lead)["external_id"] == "  trimmed 1\t"


def test_external_ids_are_compared_in_unicodes_composed_form(api, source):
    composed = "Чай на йоде é"
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    lead = api.contact(source, lead_external_id=decomposed)["lead_id"]
    for form in (composed, decomposed):
        assert by_external(api, form).must_be(200).json["id"] == lead


def test_external_ids_differ_in_case(api, source):
    api.contact(source, lead_external_id="Case-1")
    assert by_external(api, "case-1").status == 404


def test_a_phone_is_no_external_id(api, source):
    api.contact(source, lead_phone="+79005550101", lead_email="no-id@example.com")
    for key in ("+79005550101", "no-id@example.com"):
        assert by_external(api, key).status == 404


@pytest.mark.parametrize("external_id", ["nobody", "Никто", " ", "a" * 256, "x" * 5000, "\ufeff"])
def test_an_unknown_external_id_is_a_404(api, external_id):
    must_be_error(by_external(api, external_id), 404, "Lead not found", "lead_not_found")


def test_an_external_id_that_is_no_utf_8_is_a_404(api):
    must_be_error(api.get(f"{PATH}/by-external/%FF%FE"), 404, "Lead not found", "lead_not_found")


def test_an_external_id_with_a_nul_is_a_422(api, source):
    api.contact(source, lead_external_id="cut")
    [found] = by_external(api, "cut\0short").must_be(422).json["detail"]
    assert found["loc"] == ["path", "external_id"] and found["input"] == "cut\0short"


# The list

@pytest.mark.parametrize("slash", ["", "/"])
def test_leads_are_listed_in_order_of_id_with_their_contacts(empty_api, slash):
    api = empty_api
    source, _ = api.staffed_source(max_load=2)
    people = [{"lead_external_id": "1"}, {"lead_phone": "+79005550202"}, {"lead_email": "c@example.com"}, {}]
    contacts = [api.contact(source["id"], **person) for person in people + people[:2]]
    listed = [check_lead(lead) for lead in api.get(PATH + slash).must_be(200).json]
    assert [lead["id"] for lead in listed] == [contact["lead_id"] for contact in contacts[:4]]
    assert [lead["contact_count"] for lead in listed] == [2, 2, 1, 1]
    assert listed == [read(api, lead["id"]) for lead in listed]
    assert api.get(f"{PATH}{slash}?skip=1&limit=2").json == listed[1:3]
    assert api.get(f"{PATH}{slash}?order=desc&limit=2").json == listed[:1:-1]


def test_without_leads_the_list_is_an_empty_array(empty_api):
    assert empty_api.get(PATH).must_be(200).json == []


def test_a_listed_lead_has_its_latest_twenty_contacts(empty_api, empty_database):
    source = empty_api.source()["id"]
    many = [with_contacts(empty_api, empty_database, source, count) for count in (IN_LIST - 1, IN_LIST, IN_LIST + 5)]
    listed = [check_lead(lead) for lead in empty_api.read("leads")]
    for lead, (id, contacts) in zip(listed, many, strict=True):
        assert (lead["id"], lead["contact_count"]) == (id, len(contacts))
        assert [contact["id"] for contact in lead["contacts"]] == contacts[-IN_LIST:]


@pytest.mark.parametrize("path", ["", "/1/contacts"])
@pytest.mark.parametrize("query, faults", [
    ("skip=-1", [too_small(["query", "skip"], "-1", 0)]), ("limit=0", [too_small(["query", "limit"], "0", 1)]),
    ("limit=1001", [too_large(["query", "limit"], "1001", 1000)]),
    ("order=up", [fault("literal_error", ["query", "order"], "Input should be 'asc' or 'desc'", "up",
                        expected="'asc' or 'desc'")]),
])
def test_a_faulty_list_query_is_a_422(api, path, query, faults):
    must_have_faults(api.get(f"{PATH}{path}?{query}"), *faults)


# A lead's contacts

@pytest.mark.parametrize("slash", ["", "/"])
def test_a_leads_contacts_are_listed_in_order_of_id(api, source, slash):
    person, other = {"lead_external_id": unique("mine")}, {"lead_external_id": unique("theirs")}
    contacts = [api.contact(source, **each) for each in (person, other, person, person)]
    ids = [contact["id"] for contact in contacts if contact["lead_id"] == contacts[0]["lead_id"]]
    path = f"{PATH}/{contacts[0]['lead_id']}/contacts{slash}"
    listed = [check_contact(contact) for contact in api.get(path).must_be(200).json]
    assert listed == [api.read("contacts", id) for id in ids] and len(ids) == 3
    for query, expected in (("skip=1", ids[1:]), ("limit=2", ids[:2]), ("order=desc", ids[::-1]), ("skip=3", []),
                            (f"cursor={ids[0]}", ids[1:]), (f"cursor={ids[2]}&order=desc", ids[1::-1])):
        assert [contact["id"] for contact in api.get(f"{path}?{query}").json] == expected, query


def test_of_a_leads_many_contacts_a_hundred_are_listed_unless_told_otherwise(api, database, source):
    lead, ids = with_contacts(api, database, source, 150)
    for query, expected in (("", ids[:100]), ("?limit=1000", ids), ("?skip=100", ids[100:])):
        listed = api.get(f"{PATH}/{lead}/contacts{query}").must_be(200).json
        assert [contact["id"] for contact in listed] == expected


# Clients of the references

def test_a_client_of_reference_a_finds_its_lead_and_its_contacts(api):
    """It asks with slashes at the ends and knows leads by its own ids, which are often numbers."""
    source, operator = api.staffed_source()
    for _ in range(2):
        api.post("/api/v1/contacts/", {"source_id": source["id"], "lead_external_id": "100500",
                                       "lead_email": "a@example.com", "lead_phone": "+79005550303"}).must_be(201)
    lead = check_lead(api.get(f"{PATH}/by-external/100500/").must_be(200).json)
    assert {"id", "external_id", "phone", "email", "created_at"} <= lead.keys()
    contacts = api.get(f"{PATH}/{lead['id']}/contacts/").must_be(200).json
    assert [contact["operator_id"] for contact in contacts] == [operator["id"]] * 2
    assert lead["id"] in [each["id"] for each in api.get(f"{PATH}/?skip=0&limit=1000").must_be(200).json]


def test_a_client_of_reference_b_sees_who_asks_how_often(api):
    """It asks without slashes and shows each lead's name, phone and contacts."""
    source, _ = api.staffed_source()
    for text in ("Хочу узнать об услугах", "И о ценах"):
        contact = api.post("/api/v1/contacts", {"source_id": source["id"], "lead_phone": "+79005550404",
                                                "lead_name": "Петр Сидоров", "message": text}).must_be(201).json
    [lead] = [lead for lead in api.get(f"{PATH}?skip=0&limit=1000").must_be(200).json if lead["id"] == contact["lead_id"]]
    assert (lead["name"], lead["phone"], lead["contact_count"]) == ("Петр Сидоров", "+79005550404", 2)
    assert [each["message"] for each in lead["contacts"]] == ["Хочу узнать об услугах", "И о ценах"]
    answer = api.get(f"{PATH}/999999", headers={"Accept-Language": "ru"})
    must_be_error(answer, 404, "Лид не найден", "lead_not_found")
