"""GET /contacts?q=: contacts found by what somebody types of the lead, or of what the lead said."""

from urllib.parse import quote

import pytest

from pages import pages
from shapes import check_contact, must_have_faults, too_long

PATH = "/api/v1/contacts"

CONTACTS = {
    "anna": {"lead_name": "Анна Петрова", "lead_phone": "8 (900) 123-45-67", "lead_email": "Anna.P@Example.com",
             "message": "Хочу вернуть деньги за билет"},
    "anna again": {"lead_phone": "+79001234567", "message": "Жду ответа по ВОЗВРАТУ"},
    "john": {"lead_name": "John O'Brien", "lead_external_id": "CRM-17", "message": "Write to sales@example.com, order №4711"},
    "pyotr": {"lead_name": "Пётр Иванов", "lead_external_id": "crm-170"},
    "unnamed": {"message": "Ёлка с доставкой. Анна советовала!"},
    "percent": {"message": "100% _sure_ \\back\\ 🙂 <b>alert(1)</b>"},
    "long": {"message": "начало " + "и так далее " * 700 + "конец"},
}


@pytest.fixture(scope="module")
def contacts(server) -> dict[str, int]:
    api = server.client()
    source = api.source()["id"]
    made = {name: api.contact(source, **fields)["id"] for name, fields in CONTACTS.items()}
    api.close_contact(made["john"])
    return made


def search(api, text: str, more: str = "") -> list[int]:
    found = api.get(f"{PATH}?q={quote(text, safe='')}{more}").must_be(200).json
    return [check_contact(contact)["id"] for contact in found]


@pytest.mark.parametrize("text, names", [
    # By the lead, as leads are found.
    ("анна", ["anna", "anna again", "unnamed"]), ("петр", ["anna", "anna again", "pyotr"]), ("о'бр", []), ("o'br", ["john"]),
    ("8 900 123", ["anna", "anna again"]), ("+79001234567", ["anna", "anna again"]), ("anna.p@", ["anna", "anna again"]),
    ("CRM-17", ["john", "pyotr"]), ("нна", []),
    # By words of the message, or how they begin, in any order and either case.
    ("деньги", ["anna"]), ("билет верн", ["anna"]), ("возврат", ["anna again"]), ("ВОЗВРАТ", ["anna again"]), ("елка", ["unnamed"]),
    ("Ёлка", ["unnamed"]), ("доставкой ёлка", ["unnamed"]), ("4711", ["john"]), ("sales@example.com", ["john"]), ("конец начало", ["long"]),
    ("озврат", []), ("деньги елка", []), ("sure", ["percent"]), ("back", ["percent"]), ("alert", ["percent"]),
    # Nothing in it means anything to the database.
    ("%", []), ("_", []), ("\\", []), ("'", []), ("' | '", []), ("деньги & !билет", ["anna"]), ("деньги:*", ["anna"]), ("🙂", []),
    ("(", []), ("x" * 255, []), ("и " * 100, ["pyotr", "long"]),
])
def test_contacts_are_found_by_what_is_typed(api, contacts, text, names):
    assert search(api, text) == [contacts[name] for name in names], text


@pytest.mark.parametrize("query", ["", "q=", "q=%20%20", "q=%C2%A0"])
def test_who_searches_for_nothing_gets_all(api, contacts, query):
    found = [contact["id"] for contact in api.get(f"{PATH}?{query}&limit=1000").must_be(200).json]
    assert set(contacts.values()) <= set(found)


def test_a_search_goes_with_all_filters(api, contacts):
    assert search(api, "crm", "&status=closed") == [contacts["john"]]
    assert search(api, "crm", "&is_active=true") == [contacts["pyotr"]]
    assert search(api, "деньги", "&status=closed") == []
    assert search(api, "анна", "&order=desc") == [contacts[name] for name in ("unnamed", "anna again", "anna")]
    other = api.source()["id"]
    mine = api.contact(other, lead_phone="+79001234567", message="деньги")
    assert search(api, "деньги", f"&source_id={other}") == search(api, "анна", f"&source_id={other}") == [mine["id"]]
    assert search(api, "деньги", f"&lead_id={mine['lead_id']}") == [contacts["anna"], mine["id"]]
    assert search(api, "деньги", f"&created_from={mine['created_at']}") == [mine["id"]]
    assert search(api, "анна", f"&created_from={mine['created_at']}") == [mine["id"]]
    assert search(api, "деньги", f"&created_to={mine['created_at']}&cursor={contacts['anna']}") == [mine["id"]]
    api.close_contact(mine["id"])


def test_a_search_follows_changes(api):
    source, operator = api.staffed_source()
    contact = api.contact(source["id"], lead_name="Quasimodo", message="bells")["id"]
    assert search(api, "quasi") == search(api, "bell") == [contact]
    api.patch(f"{PATH}/{contact}", {"message": "towers"}).must_be(200)
    assert search(api, "bell") == [] and search(api, "tow") == [contact]
    api.change_lead(api.read("contacts", contact)["lead_id"], name="Esmeralda")
    assert search(api, "quasi") == [] and search(api, "esm") == [contact]
    assert search(api, "esm", f"&operator_id={operator['id']}") == [contact]


def test_faults_of_a_search(api):
    must_have_faults(api.get(f"{PATH}?q={'x' * 256}"), too_long(["query", "q"], "x" * 256, 255))
    api.get(f"{PATH}?q=a%00b").must_be(422)


def test_what_means_nothing_to_the_database_is_not_logged(api, server, contacts):
    for text in ("🙂", "%", "' | '", "8 900 ()"):
        search(api, text)
    assert "NOTICE" not in server.log.read_text()


@pytest.mark.parametrize("text", ["rare", "common", "late", "+4477", "always", "spoken", "seldom", "c a"])
def test_pages_of_a_search_are_parts_of_one_list(empty_api, empty_database, text):
    """Of leads of whom every contact is, few are, or all but the first hundreds; and of messages, of which the latest five
    thousand are searched."""
    source = empty_api.source()["id"]
    with empty_database.connect() as connection:
        connection.execute("""
            insert into leads (name)
            select 'Always ' || case when n % 700 = 0 then 'Rare' when n % 3 = 0 or n > 5000 then 'Common' else 'Other' end
                || case when n > 300 then ' Late' else ' Early' end
            from generate_series(1, 6000) n""")
        connection.execute("""
            insert into lead_identities (kind, value, lead_id) select 'phone', '+4477' || id, id
            from leads where id % 2 = 0 or id > 2500""")
        connection.execute("""
            insert into contacts (lead_id, source_id, status, waiting_reason, waiting_since, message)
            select case when n <= 300 then n else 301 + (n * 7919) %% 5700 end, %s, 'new', 'no_operators', now(),
                case when n %% 900 = 0 then 'Seldom spoken ' || n when n %% 3 = 0 then 'Said ' || n end
            from generate_series(1, 12000) n""", (source,))
        condition = {
            "rare": "l.name like '%Rare%'", "common": "l.name like '%Common%'", "late": "l.name like '%Late'", "always": "true",
            "c a": "l.name like '%Common%'",
            "+4477": "exists (select from lead_identities where lead_id = l.id)",
            # The word stands only where a message begins with Seldom: else there is none.
            "spoken": "c.message like '%spoken%' and c.id > 7000", "seldom": "c.message like 'Seldom%' and c.id > 7000"}[text]
        expected = [id for (id,) in connection.execute(
            f"select c.id from contacts c join leads l on l.id = c.lead_id where {condition} order by c.id")]
    assert expected
    path = f"{PATH}?q={quote(text)}"
    assert [contact["id"] for answer in pages(empty_api, f"{path}&limit=1000") for contact in answer.json] == expected
    assert [contact["id"] for answer in pages(empty_api, f"{path}&limit=1000&order=desc") for contact in answer.json] == expected[::-1]
    assert [contact["id"] for contact in empty_api.get(f"{path}&skip=2&limit=7").json] == expected[2:9]
    assert empty_api.get(f"{path}&skip=9223372036854775807").must_be(200).json == []
    assert [contact["id"] for contact in empty_api.get(f"{path}&cursor={expected[3]}&limit=5").json] == expected[4:9]
