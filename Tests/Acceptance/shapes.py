"""The shapes of the contract: which keys, in which order, of which form."""

import re

OPERATOR = ["id", "name", "is_active", "max_load", "current_load", "created_at", "updated_at"]
SOURCE = ["id", "name", "description", "strategy", "sticky_days", "created_at", "updated_at"]
SOURCE_WITH_WEIGHTS = [*SOURCE, "operator_weights"]
NESTED_WEIGHT = ["id", "source_id", "operator_id", "weight", "created_at", "operator"]
DISTRIBUTION_ROW = ["id", "operator_id", "source_id", "weight", "created_at"]
WEIGHT_ROW = ["id", "source_id", "operator_id", "weight"]
CONTACT = [
    "id", "lead_id", "source_id", "operator_id", "status", "is_active", "message", "priority", "source_event_id",
    "waiting_reason", "version", "created_at", "assigned_at", "closed_at", "updated_at", "lead_external_id",
    "lead_email", "lead_phone", "lead", "operator", "source",
]
LEAD = ["id", "external_id", "phone", "email", "name", "created_at", "updated_at", "contact_count"]
LEAD_WITH_CONTACTS = [*LEAD, "contacts"]
POSSIBLE_DUPLICATE = ["lead", "other_lead", "kind", "found_at"]
NESTED_SOURCE = ["id", "name", "description", "created_at"]
STATISTICS = ["by_operator", "by_source", "summary"]
OPERATOR_STATISTICS = [
    "operator_id", "operator_name", "total_contacts", "active_contacts", "load_percentage", "max_load",
]
SOURCE_STATISTICS = ["source_id", "source_name", "total_contacts"]
SUMMARY = ["total_leads", "total_contacts", "active_contacts", "operators_online", "operators_total"]
STATISTICS_OF_AN_OPERATOR = ["operator", "contacts_total", "contacts_active", "by_source"]
NAMED_OPERATOR = ["id", "name", "is_active", "max_load", "current_load"]
SOURCE_OF_AN_OPERATOR = ["source_id", "source_name", "count"]
CONTACT_DISTRIBUTION = ["source_id", "source_name", "operator_id", "operator_name", "contacts_count"]
OVERVIEW = ["waiting", "oldest_waiting_seconds", "contacts_per_minute", "time_to_assign", "operators", "sources"]
OVERVIEW_OPERATOR = ["id", "name", "is_active", "max_load", "current_load", "today"]
SOURCE_SHARE = ["operator_id", "name", "weight", "target_share", "actual_share", "contacts", "low", "high"]
OVERVIEW_SOURCE = ["id", "name", "today", "waiting"]

EVENT = ["id", "contact_id", "kind", "from_operator_id", "to_operator_id", "reason", "actor", "at", "data"]
ACTOR = ["kind", "id", "name"]

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def is_timestamp(value) -> bool:
    return isinstance(value, str) and bool(_TIMESTAMP.fullmatch(value))


def _check_times(thing: dict, *names: str) -> None:
    for name in names:
        assert thing[name] is None or is_timestamp(thing[name]), f"{name}: {thing[name]!r}"
    assert is_timestamp(thing["created_at"])


def check_operator(operator: dict) -> dict:
    assert list(operator) == OPERATOR
    _check_times(operator, "updated_at")
    assert type(operator["id"]) is type(operator["max_load"]) is type(operator["current_load"]) is int
    assert type(operator["is_active"]) is bool
    return operator


def check_source(source: dict, keys=SOURCE) -> dict:
    assert list(source) == keys
    _check_times(source, "updated_at")
    for row in source.get("operator_weights", []):
        assert list(row) == NESTED_WEIGHT and is_timestamp(row["created_at"])
        assert row["source_id"] == source["id"] and row["operator_id"] == check_operator(row["operator"])["id"]
    return source


def check_contact(contact: dict) -> dict:
    """The keys, and what must hold between them in any contact."""
    assert list(contact) == CONTACT
    assert list(contact["lead"]) == LEAD
    assert list(contact["source"]) == NESTED_SOURCE
    _check_times(contact, "assigned_at", "closed_at", "updated_at")
    _check_times(contact["lead"], "updated_at")
    _check_times(contact["source"])
    status = contact["status"]
    assert status in ("new", "active", "closed")
    assert contact["is_active"] is (status != "closed")
    assert contact["lead_id"] == contact["lead"]["id"] and contact["source_id"] == contact["source"]["id"]
    assert type(contact["version"]) is int and contact["version"] >= 1
    if contact["operator"] is None:
        assert contact["operator_id"] is None and status != "active"
    else:
        assert contact["operator_id"] == check_operator(contact["operator"])["id"] and status != "new"
    assert (contact["waiting_reason"] is not None) == (status == "new")
    assert (contact["closed_at"] is not None) == (status == "closed")
    assert status != "active" or contact["assigned_at"] is not None
    return contact


def check_event(event: dict) -> dict:
    assert list(event) == EVENT and list(event["actor"]) == ACTOR
    assert type(event["id"]) is int and event["id"] >= 1 and is_timestamp(event["at"])
    assert event["kind"] and (event["data"] is None or type(event["data"]) is dict)
    return event


def check_lead(lead: dict) -> dict:
    """A lead with its contacts, which are its own and in order of id."""
    assert list(lead) == LEAD_WITH_CONTACTS
    _check_times(lead, "updated_at")
    ids = [check_contact(contact)["id"] for contact in lead["contacts"]]
    assert ids == sorted(set(ids)) and len(ids) <= lead["contact_count"]
    for contact in lead["contacts"]:
        assert contact["lead"] == {key: lead[key] for key in LEAD}
    return lead


def check_possible_duplicate(pair: dict) -> dict:
    """Two leads, the older one first, without their contacts."""
    assert list(pair) == POSSIBLE_DUPLICATE and is_timestamp(pair["found_at"])
    for lead in (pair["lead"], pair["other_lead"]):
        assert list(lead) == LEAD
        _check_times(lead, "updated_at")
    assert pair["lead"]["id"] < pair["other_lead"]["id"] and pair["kind"] in ("external_id", "phone", "email")
    return pair


def check_statistics_of_an_operator(shown: dict) -> dict:
    assert list(shown) == STATISTICS_OF_AN_OPERATOR and list(shown["operator"]) == NAMED_OPERATOR
    assert all(list(row) == SOURCE_OF_AN_OPERATOR and row["count"] > 0 for row in shown["by_source"])
    assert shown["contacts_total"] == sum(row["count"] for row in shown["by_source"])
    assert shown["contacts_active"] == shown["operator"]["current_load"]
    return shown


def check_overview(shown: dict) -> dict:
    assert list(shown) == OVERVIEW and list(shown["time_to_assign"]) == ["p50", "p95"]
    assert all(list(row) == OVERVIEW_OPERATOR for row in shown["operators"])
    assert all(list(row) == OVERVIEW_SOURCE for row in shown["sources"])
    assert shown["waiting"] == sum(row["waiting"] for row in shown["sources"])
    assert (shown["oldest_waiting_seconds"] is None) == (shown["waiting"] == 0)
    assert len(shown["contacts_per_minute"]) == 60 and all(type(count) is int for count in shown["contacts_per_minute"])
    for part in ("operators", "sources"):
        ids = [row["id"] for row in shown[part]]
        assert ids == sorted(ids)
    return shown


def fault(type: str, loc: list, msg: str, input, **ctx) -> dict:
    """One element of a 422's `detail`."""
    return {"type": type, "loc": loc, "msg": msg, "input": input} | ({"ctx": ctx} if ctx else {})


def missing(loc: list, input) -> dict:
    return fault("missing", loc, "Field required", input)


def not_string(loc: list, input) -> dict:
    return fault("string_type", loc, "Input should be a valid string", input)


def not_integer(loc: list, input) -> dict:
    return fault("int_type", loc, "Input should be a valid integer", input)


def not_parsed(loc: list, input) -> dict:
    return fault("int_parsing", loc, "Input should be a valid integer, unable to parse string as an integer", input)


def fractional(loc: list, input) -> dict:
    message = "Input should be a valid integer, got a number with a fractional part"
    return fault("int_from_float", loc, message, input)


def too_small(loc: list, input, bound: int) -> dict:
    return fault("greater_than_equal", loc, f"Input should be greater than or equal to {bound}", input, ge=bound)


def too_large(loc: list, input, bound: int) -> dict:
    return fault("less_than_equal", loc, f"Input should be less than or equal to {bound}", input, le=bound)


def too_long(loc: list, input: str, bound: int) -> dict:
    return fault("string_too_long", loc, f"String should have at most {bound} characters", input, max_length=bound)


def too_short(loc: list, input: str) -> dict:
    return fault("string_too_short", loc, "String should have at least 1 character", input, min_length=1)


def not_boolean(loc: list, input) -> dict:
    return fault("bool_type", loc, "Input should be a valid boolean", input)


def unclear_boolean(loc: list, input) -> dict:
    return fault("bool_parsing", loc, "Input should be a valid boolean, unable to interpret input", input)


def not_list(loc: list, input) -> dict:
    return fault("list_type", loc, "Input should be a valid list", input)


def not_object(loc: list, input) -> dict:
    message = "Input should be a valid dictionary or object to extract fields from"
    return fault("model_attributes_type", loc, message, input)


def must_have_faults(response, *expected: dict) -> None:
    """A 422 with exactly these faults, in the order of the fields."""
    response.must_be(422)
    assert response.json == {"detail": list(expected)}
    assert response.headers["Content-Type"].startswith("application/json")


def must_be_error(response, status: int, detail: str | None = None, code: str | None = None) -> None:
    """An error of the form {"detail", "code"}."""
    response.must_be(status)
    assert list(response.json) == ["detail", "code"]
    assert response.json["detail"] and (detail is None or response.json["detail"] == detail)
    assert response.json["code"] and (code is None or response.json["code"] == code)
