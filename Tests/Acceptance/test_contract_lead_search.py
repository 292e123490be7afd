"""Leads found by what somebody types: beginnings of words, of phone numbers, e-mail addresses and external ids."""

from urllib.parse import quote

import pytest

from pages import pages
from shapes import check_lead, must_have_faults, too_long

PATH = "/api/v1/leads"

PEOPLE = {
    "anna": {"lead_name": "Анна Петрова", "lead_phone": "8 (900) 123-45-67", "lead_email": "Anna.P@Example.com", "lead_external_id": "CRM-17"},
    "pyotr": {"lead_name": "Пётр Иванов-Разумник", "lead_phone": "+7 900 123-99-99", "lead_external_id": "crm-170"},
    "john": {"lead_name": "John O'Brien", "lead_phone": "+1 212 555 0134", "lead_email": "john@example.com"},
    "company": {"lead_name": "ООО «Ромашка» №7", "lead_email": "info@romashka.ru"},
    "unnamed": {"lead_phone": "+49 30 123456", "lead_external_id": "Ключ 1"},
    "strange": {"lead_name": "🙂", "lead_phone": "call my wife", "lead_email": "no address"},
    "percent": {"lead_name": "100% _underscored_ \\back\\", "lead_external_id": "100%"},
}


@pytest.fixture(scope="module")
def people(server) -> dict[str, int]:
    api = server.client()
    source = api.source()["id"]
    return {name: api.contact(source, **fields)["lead_id"] for name, fields in PEOPLE.items()}


def search(api, text: str, more: str = "") -> list[dict]:
    return [check_lead(lead) for lead in api.get(f"{PATH}?q={quote(text, safe='')}{more}").must_be(200).json]


@pytest.mark.parametrize("text, names", [
    ("Анна", ["anna"]), ("анн", ["anna"]), ("петрова анна", ["anna"]), ("  ПЕТР  ", ["anna", "pyotr"]), ("пётр", ["anna", "pyotr"]),
    ("п", ["anna", "pyotr"]), ("а п", ["anna"]), ("Разум", ["pyotr"]), ("Иванов-Раз", ["pyotr"]), ("john", ["john"]), ("o'br", ["john"]),
    ("ромашка", ["company"]), ("ооо рома", ["company"]), ("нна", []), ("anna petrova", []), ("анна иванов", []),
    # Phones in any notation, as far as they have been typed.
    ("8 900 123", ["anna", "pyotr"]), ("+7 (900) 123-4", ["anna"]), ("7900123", ["anna", "pyotr"]), ("900 123-45-67", ["anna"]),
    ("89001239999", ["pyotr"]), ("+1 212", ["john"]), ("1212555", ["john"]), ("+4930", ["unnamed"]), ("8 901", []), ("4567", []),
    # E-mail addresses in either case, external ids too.
    ("anna.p@", ["anna"]), ("INFO@Romashka.RU", ["company"]), ("john@example.com", ["john"]), ("@example", []),
    ("CRM-17", ["anna", "pyotr"]), ("crm-170", ["pyotr"]), ("crm-171", []), ("Ключ", ["unnamed"]), ("ключ 1", []),
    # Nothing in it means anything to the database.
    ("100%", ["percent"]), ("%", []), ("_", []), ("\\", []), ("'", []), ("' | '", []), ("анна & !петрова", ["anna"]), ("анна:*", ["anna"]),
    ("(", []), ("🙂", []), ("call", []), ("x" * 255, []), ("\u200b", []), ("а " * 100, ["anna"]),
])
def test_leads_are_found_by_what_is_typed(api, people, text, names):
    assert [lead["id"] for lead in search(api, text)] == [people[name] for name in names], text


@pytest.mark.parametrize("query", ["", "q=", "q=%20%20", "q=%C2%A0"])
def test_who_searches_for_nothing_gets_all(api, people, query):
    assert [lead["id"] for lead in api.get(f"{PATH}?{query}").must_be(200).json] == sorted(people.values())


def test_a_lead_that_is_found_is_the_one_that_is_listed(api, people):
    listed = {lead["id"]: lead for lead in api.read("leads")}
    for text in ("анна", "+7900", "crm"):
        assert search(api, text) == [listed[lead["id"]] for lead in search(api, text)] != []


def test_faults_of_a_search(api):
    must_have_faults(api.get(f"{PATH}?q={'x' * 256}"), too_long(["query", "q"], "x" * 256, 255))
    api.get(f"{PATH}?q=a%00b").must_be(422)


def test_what_means_nothing_to_the_database_is_not_logged(api, server, people):
    for text in ("🙂", "%", "' | '", "8 900 ()"):
        search(api, text)
    assert "NOTICE" not in server.log.read_text()


def test_a_search_follows_changes_and_merges(api):
    source = api.source()["id"]
    kept, away = (api.contact(source, lead_name=name, lead_phone=phone)["lead_id"]
                  for name, phone in (("Zebedee Kept", "+79005550001"), ("Zebulon Away", "+79005550002")))
    assert [lead["id"] for lead in search(api, "zeb")] == [kept, away]
    api.change_lead(away, name="Quentin", phone="+79005550003")
    assert [lead["id"] for lead in search(api, "zeb")] == [kept]
    for text in ("quent", "+79005550002", "+79005550003"):
        assert [lead["id"] for lead in search(api, text)] == [away]
    api.merge_lead(away, into=kept)
    for text in ("zeb", "+79005550002", "+79005550003"):
        assert [lead["id"] for lead in search(api, text)] == [kept]
    assert search(api, "quent") == []


@pytest.mark.parametrize("text", ["rare", "common", "+4477", "always", "c a"])
def test_pages_of_a_search_are_parts_of_one_list(empty_api, empty_database, text):
    """What every lead matches, what few do, and what none of the first thousands does."""
    with empty_database.connect() as connection:
        connection.execute("""
            insert into leads (name)
            select 'Always ' || case when n % 700 = 0 then 'Rare' when n % 3 = 0 or n > 11000 then 'Common' else 'Other' end
            from generate_series(1, 12000) n""")
        connection.execute("""
            insert into lead_identities (kind, value, lead_id) select 'phone', '+4477' || n, id
            from (select id, row_number() over (order by id) as n from leads) l where n % 2 = 0 or n > 5000""")
        expected = [id for (id,) in connection.execute({
            "rare": "select id from leads where name like '%Rare' order by id",
            "common": "select id from leads where name like '%Common' order by id",
            "always": "select id from leads order by id", "c a": "select id from leads where name like '%Common' order by id",
            "+4477": "select lead_id from lead_identities order by lead_id"}[text])]
    path = f"{PATH}?q={quote(text)}"
    assert [lead["id"] for answer in pages(empty_api, f"{path}&limit=1000") for lead in answer.json] == expected
    assert [lead["id"] for answer in pages(empty_api, f"{path}&limit=1000&order=desc") for lead in answer.json] == expected[::-1]
    assert [lead["id"] for lead in empty_api.get(f"{path}&skip=5&limit=7").json] == expected[5:12]
    assert [lead["id"] for lead in empty_api.get(f"{path}&skip=9000&limit=7").json] == expected[9000:9007]
    assert empty_api.get(f"{path}&skip=9223372036854775807").must_be(200).json == []
    assert [lead["id"] for lead in empty_api.get(f"{path}&cursor={expected[3]}&limit=5").json] == expected[4:9]
