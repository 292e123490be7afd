"""The same requests to the references' models and to the real server: the same status, the same `detail` of a 422.

Where we differ on purpose stands in `DIFFERENCES`, and nowhere else. Each of them must be seen in some request, and
whatever none of them explains fails.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Callable

import pytest

from client import unique
from hostile import DOCUMENTS, MOMENTS, TYPES, VALUES, WORDS, damaged, random_json, random_text
from load import generator
from reference_models import APPLICATIONS, Answer, Reference
from waiting import AT_LENGTH

RANDOM_BODIES = 120 if AT_LENGTH else 30  # for each call
RANDOM_QUERIES = 150 if AT_LENGTH else 37
JSON = {"Content-Type": "application/json"}
INT64 = 2**63

# Every call that has a body: a reference, a method, a path and a body that is right.
BODIES = {
    "A creates an operator": ("A", "POST", "/api/v1/operators/", {"name": "a", "is_active": True, "max_load": 5}),
    "B creates an operator": ("B", "POST", "/api/v1/operators", {"name": "a", "is_active": True, "max_load": 5}),
    "A changes an operator": ("A", "PUT", "/api/v1/operators/1", {"name": "a", "is_active": True, "max_load": 5, "requeue": False}),
    "B changes an operator": ("B", "PATCH", "/api/v1/operators/1", {"name": "a", "is_active": True, "max_load": 5, "requeue": False}),
    "B activates": ("B", "PATCH", "/api/v1/operators/1/activate", {"active": True}),
    "B limits the load": ("B", "PATCH", "/api/v1/operators/1/load-limit", {"max_load": 5}),
    "A creates a source": ("A", "POST", "/api/v1/sources/",
                           {"name": "a", "description": "b", "strategy": "weighted_random", "sticky_days": 1}),
    "B creates a source": ("B", "POST", "/api/v1/sources",
                           {"name": "a", "description": "b", "strategy": "weighted_random", "sticky_days": 1}),
    "B changes a source": ("B", "PATCH", "/api/v1/sources/1",
                           {"name": "a", "description": "b", "strategy": "weighted_capacity", "sticky_days": 1}),
    "B adds weights": ("B", "POST", "/api/v1/sources/1/distribution",
                       {"operator_weights": [{"operator_id": 1, "source_id": 1, "weight": 5}, {"operator_id": 1, "source_id": 1}]}),
    "weights are replaced": ("beyond", "PUT", "/api/v1/sources/1/distribution",
                             {"operator_weights": [{"operator_id": 1, "source_id": 1, "weight": 5}]}),
    "A sets weights": ("A", "POST", "/api/v1/sources/1/weights", [{"operator_id": 1, "weight": 5}, {"operator_id": 1}]),
    "A registers": ("A", "POST", "/api/v1/contacts/",
                    {"source_id": 1, "lead_external_id": "a", "lead_phone": "+79001234567", "lead_email": "a@b.ru", "message": "c"}),
    "B registers": ("B", "POST", "/api/v1/contacts",
                    {"source_id": 1, "lead_phone": "+79001234567", "lead_name": "b", "message": "c", "priority": 1,
                     "source_event_id": "e"}),
    "A sets a status": ("A", "PATCH", "/api/v1/contacts/1/status", {"status": "active"}),
    "B sets a status": ("B", "PATCH", "/api/v1/contacts/1/status", {"is_active": True}),
    "a contact is changed": ("beyond", "PATCH", "/api/v1/contacts/1", {"priority": 1, "message": "m", "operator_id": 1}),
    "a contact is changed otherwise": ("beyond", "PATCH", "/api/v1/contacts/1", {"status": "closed", "message": "m"}),
    "a contact is assigned": ("beyond", "POST", "/api/v1/contacts/1/assign", {"operator_id": 1, "force": True, "reason": "r"}),
    "a contact is transferred": ("beyond", "POST", "/api/v1/contacts/1/transfer", {"operator_id": 1, "force": False}),
    "a contact is released": ("beyond", "POST", "/api/v1/contacts/1/release", {"reason": "r"}),
    # What is in the list is no concern of the request's; see test_contract_batch.py.
    "contacts are registered": ("beyond", "POST", "/api/v1/contacts/batch", [{"source_id": 1, "lead_name": "b"}]),
    "contacts are changed": ("beyond", "POST", "/api/v1/contacts/bulk",
                             {"action": "assign", "ids": [1, 2], "operator_id": 1, "force": True, "reason": "r", "priority": 1}),
    "a lead is changed": ("beyond", "PATCH", "/api/v1/leads/1",
                          {"name": "n", "phone": "+79007654321", "email": "lead@b.ru", "external_id": "the lead"}),
    "leads are merged": ("beyond", "POST", "/api/v1/leads/1/merge", {"into": 2}),
}

PAGE = ["skip", "limit", "order", "cursor"]
LOG = ["after", "limit"]
TIMES = {"created_from", "created_to", "today_from", "from", "to"}
QUERIES = {
    "A lists operators": ("A", "/api/v1/operators/", ["is_active", *PAGE]),
    "B lists operators": ("B", "/api/v1/operators", ["is_active", *PAGE]),
    "A lists sources": ("A", "/api/v1/sources/", PAGE),
    "B lists sources": ("B", "/api/v1/sources", PAGE),
    "A lists contacts": ("A", "/api/v1/contacts/", ["source_id", "operator_id", "lead_id", "created_from", "skip", "limit"]),
    "B lists contacts": ("B", "/api/v1/contacts", ["source_id", "status", "is_active", "created_from", "created_to", *PAGE]),
    "A lists leads": ("A", "/api/v1/leads/", ["skip", "limit"]),
    "B lists leads": ("B", "/api/v1/leads", ["q", *PAGE]),
    "B lists a lead's contacts": ("B", "/api/v1/leads/1/contacts", PAGE),
    "possible duplicates are listed": ("beyond", "/api/v1/leads/duplicates", PAGE),
    "events are listed": ("beyond", "/api/v1/events", LOG),
    "a contact's history is read": ("beyond", "/api/v1/contacts/1/history", LOG),
    "the overview is read": ("beyond", "/api/v1/stats/overview", ["today_from"]),
    "a source's shares are read": ("beyond", "/api/v1/sources/1/shares", ["from", "to"]),
}

DELETED = "999999"
IDS = {
    "A reads an operator": ("A", "GET", "/api/v1/operators/{}"),
    "B reads an operator": ("B", "GET", "/api/v1/operators/{}"),
    "B reads an operator's statistics": ("B", "GET", "/api/v1/operators/{}/stats"),
    "B deletes an operator": ("B", "DELETE", "/api/v1/operators/{}"),
    "A changes an operator": ("A", "PUT", "/api/v1/operators/{}"),
    "B changes an operator": ("B", "PATCH", "/api/v1/operators/{}"),
    "B activates": ("B", "PATCH", "/api/v1/operators/{}/activate"),
    "B limits the load": ("B", "PATCH", "/api/v1/operators/{}/load-limit"),
    "A reads a source": ("A", "GET", "/api/v1/sources/{}"),
    "B reads a source": ("B", "GET", "/api/v1/sources/{}"),
    "B changes a source": ("B", "PATCH", "/api/v1/sources/{}"),
    "A reads weights": ("A", "GET", "/api/v1/sources/{}/weights"),
    "A sets weights": ("A", "POST", "/api/v1/sources/{}/weights"),
    "B reads weights": ("B", "GET", "/api/v1/sources/{}/distribution"),
    "B adds weights": ("B", "POST", "/api/v1/sources/{}/distribution"),
    "weights are replaced": ("beyond", "PUT", "/api/v1/sources/{}/distribution"),
    "A reads a contact": ("A", "GET", "/api/v1/contacts/{}"),
    "B reads a contact": ("B", "GET", "/api/v1/contacts/{}"),
    "A sets a status": ("A", "PATCH", "/api/v1/contacts/{}/status"),
    "B sets a status": ("B", "PATCH", "/api/v1/contacts/{}/status"),
    "a contact is closed": ("beyond", "POST", "/api/v1/contacts/{}/close"),
    "a contact is reopened": ("beyond", "POST", "/api/v1/contacts/{}/reopen"),
    "a contact is changed": ("beyond", "PATCH", "/api/v1/contacts/{}"),
    "a contact is assigned": ("beyond", "POST", "/api/v1/contacts/{}/assign"),
    "a contact is transferred": ("beyond", "POST", "/api/v1/contacts/{}/transfer"),
    "a contact is released": ("beyond", "POST", "/api/v1/contacts/{}/release"),
    "a contact is explained": ("beyond", "GET", "/api/v1/contacts/{}/explain"),
    "a contact's history is read": ("beyond", "GET", "/api/v1/contacts/{}/history"),
    "A reads a lead": ("A", "GET", "/api/v1/leads/{}"),
    "B reads a lead": ("B", "GET", "/api/v1/leads/{}"),
    "B reads a lead's contacts": ("B", "GET", "/api/v1/leads/{}/contacts"),
    "a lead is changed": ("beyond", "PATCH", "/api/v1/leads/{}"),
    "leads are merged": ("beyond", "POST", "/api/v1/leads/{}/merge"),
    "a lead is erased": ("beyond", "DELETE", "/api/v1/leads/{}"),
    "A reads a lead by its external id": ("A", "GET", "/api/v1/leads/by-external/{}"),
    "A reads statistics": ("A", "GET", "/api/v1/contacts/stats/distribution"),
    "B reads statistics": ("B", "GET", "/api/v1/stats/distribution"),
}


def shortened(value) -> str:
    text = repr(value)
    return text if len(text) <= 1000 else f"{text[:800]} ... {len(text)} characters ... {text[-100:]}"


@dataclass
class Case:
    """One request."""

    reference: str
    method: str
    target: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self):
        return f"{self.reference}: {self.method} {self.target} {self.headers} {shortened(self.body)}"


def echoed(value):
    """What of a sent value is sent back: all of it up to a kibibyte, then the beginning of a text, or what stands for the rest."""
    if len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")) <= 1024:
        return value
    if not isinstance(value, str):
        return "[…]" if isinstance(value, list) else "{…}" if isinstance(value, dict) else "…"
    room, kept = 1008, ""
    for character in value:
        room -= 2 if character in '"\\' else 6 if character < " " else len(character.encode(errors="replace"))
        if room < 0:
            break
        kept += character
    return kept + "…"


# Differences in one fault: what theirs and ours say of the same place; None when one says nothing of it.


def is_of(type: str, fault: dict | None) -> bool:
    return fault is not None and fault["type"] == type


def of_nul(theirs, ours) -> bool:
    return is_of("value_error", ours) and ours["ctx"] == {"error": "a string must not contain the character U+0000"} \
        and "\0" in ours["input"]


def of_64_bits(theirs, ours) -> bool:
    if theirs is not None or ours is None or ours["type"] not in ("greater_than_equal", "less_than_equal"):
        return False
    if ours["input"] == "…":
        return True
    number = int(float(ours["input"])) if isinstance(ours["input"], float) else int(str(ours["input"]).strip().partition(".")[0])
    return (number < -INT64 and ours["ctx"] == {"ge": -INT64}) or (number >= INT64 and ours["ctx"] == {"le": INT64 - 1})


def of_exact_value(theirs, ours) -> bool:
    """json.loads has rounded the number to the whole one that theirs took."""
    return (is_of("int_from_float", ours) or is_of("bool_type", ours)) \
        and isinstance(ours["input"], float) and ours["input"].is_integer() and abs(ours["input"]) < INT64


def of_odd_digits(theirs, ours) -> bool:
    return not is_of("int_parsing", theirs) and is_of("int_parsing", ours) and re.fullmatch(r"\s*[+-]?[0-9_]*-[0-9_.]*\s*", ours["input"]) is not None


def of_seconds(theirs, ours) -> bool:
    """A moment as a number of seconds; beyond the years of Python theirs refuses it too, with words about seconds."""
    return (theirs is None or "unix timestamps" in theirs["msg"]) and ours is not None \
        and ours["loc"][-1] in TIMES and re.fullmatch(r"[+-]?[0-9.]+", ours["input"]) is not None


def of_years_in_utc(theirs, ours) -> bool:
    return theirs is None and is_of("datetime_parsing", ours) and re.match(r"0001-01-01T.*\+|9999-12-31T.*-", ours["input"]) is not None


def of_message_bytes(theirs, ours) -> bool:
    return theirs is None and is_of("bytes_too_long", ours) and ours["loc"] == ["body", "message"] \
        and ours["input"].endswith("…")


def of_either_status(theirs, ours) -> bool:
    """We read `status` first and `is_active` without it; each reference knows only its own."""
    places = (["body", "status"], ["body", "is_active"])
    return (is_of("missing", theirs) and theirs["loc"] in places and ours is None) \
        or (is_of("missing", ours) and ours["loc"] == places[1] and theirs is None) \
        or (ours is not None and ours["loc"] == places[0] and theirs is None) \
        or (theirs is not None and theirs["loc"] == places[1] and ours is None)


def of_undecodable_percents(theirs, ours) -> bool:
    if theirs is None or ours is None or not isinstance(theirs["input"], str):
        return False
    return "\ufffd" in theirs["input"] and "%" in ours["input"] and theirs | {"input": 0} == ours | {"input": 0}


# Differences in the whole answer.


def has_error(ours: Answer, error: str) -> bool:
    return ours.status == 422 and [fault.get("ctx") for fault in ours.content["detail"]] == [{"error": error}]


def is_not_utf8(ours: Answer) -> bool:
    return ours.status == 400 and ours.content["code"] == "body_not_utf8"


def says(error: str) -> Callable:
    return lambda case, theirs, ours: has_error(ours, error)


def of_encoded_surrogates(case, theirs, ours) -> bool:
    return re.search(rb"\xed[\xa0-\xbf]", case.body) is not None and is_not_utf8(ours)


def of_other_encodings(case, theirs, ours) -> bool:
    is_wide = case.body[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in case.body[:4]
    return is_wide and (is_not_utf8(ours) or (ours.status == 422 and ours.content["detail"][0]["type"] == "json_invalid"))


def of_constants(case, theirs, ours) -> bool:
    return re.search(rb"NaN|Infinity", case.body) is not None and has_error(ours, "Expecting value")


def of_infinity(case, theirs, ours) -> bool:
    """Python reads 1e400 as infinity, which its answer cannot repeat."""
    return theirs.status == 500 and ours.status == 422 and "Infinity" in json.dumps(ours.content)


def of_giant_integers(case, theirs, ours) -> bool:
    return theirs.status == 400 and re.search(rb"\d{4301}", case.body) is not None and ours.status in (200, 201, 422)


def of_bottomless_nesting(case, theirs, ours) -> bool:
    return has_error(ours, "Too deeply nested")


def of_many_faults(case, theirs, ours) -> bool:
    return theirs.status == ours.status == 422 and len(theirs.content["detail"]) > 1000 \
        and ours.content["detail"] == theirs.content["detail"][:1000]


def of_large_bodies(case, theirs, ours) -> bool:
    return ours.status == 413 and len(case.body) > 65536


def of_either_slash(case, theirs, ours) -> bool:
    return theirs.status == 307 and ours.status in (200, 201, 404, 409, 422)


def of_encoded_slashes(case, theirs, ours) -> bool:
    path = case.target.partition("?")[0].upper()
    return "%2F" in path and theirs.status in (307, 404, 405) and (ours.status == 422 or (ours.status == 404 and "code" in ours.content))


def of_undeclared_bytes(case, theirs, ours) -> bool:
    return theirs.status == 500 and ours.status == 422 and case.headers.get("Content-Type") not in (None, *JSON.values()) \
        and ours.content["detail"][-1]["input"] == echoed(case.body.decode(errors="replace")) != echoed(case.body.decode(errors="ignore"))


def of_null_status(case, theirs, ours) -> bool:
    places = [fault["loc"] for fault in faults_of(ours).values()]
    if [(fault["loc"], fault["input"]) for fault in faults_of(theirs).values()] != [(["body", "status"], None)]:
        return False
    if "is_active" in json.loads(case.body):
        return is_understood(ours) or places == [["body", "is_active"]]
    return places == [["body", "is_active"]] and ours.content["detail"][0]["type"] == "missing"


@dataclass
class Difference:
    """Where we differ from the references on purpose. `fault` judges one fault, `answer` a whole answer."""

    name: str
    why: str
    instead: str
    fault: Callable[[dict | None, dict | None], bool] | None = None
    answer: Callable[[Case, Answer, Answer], bool] | None = None


DIFFERENCES = [
    Difference("U+0000", "PostgreSQL's text cannot hold it, and text that is cut there is worse than none",
               "422 value_error, also where the text is too long", fault=of_nul),
    Difference("integers beyond 64 bits", "the references accept them and fail with 500 in their database",
               "422 with the bounds of 64 bits", fault=of_64_bits),
    Difference("exact value", "0.99999999999999999999 is not 1: no number is rounded before it is judged",
               "422 int_from_float", fault=of_exact_value),
    Difference("moments as seconds", "whether 1753142400 counts seconds or milliseconds is anybody's guess",
               "422 datetime_from_date_parsing", fault=of_seconds),
    Difference("moments outside of the years 1 to 9999 in UTC", "a moment is stored and shown in UTC, where it has no date",
               "422 datetime_parsing", fault=of_years_in_utc),
    Difference("odd texts as integers", "\"0-7\" is nobody's seven; pydantic skips zeros in front of the sign",
               "422 int_parsing", fault=of_odd_digits),
    Difference("a message's bytes", "16 KiB are 16 KiB in the database, whatever the alphabet", "422 bytes_too_long",
               fault=of_message_bytes),
    Difference("status in either word", "one path serves A's `status` and B's `is_active`; `status` is read first",
               "the other's fault is not ours, and `is_active` is what is missing when neither is there", fault=of_either_status),
    Difference("a status of null", "null is as good as nothing here, so that B's clients may send it", "B's answer to the same",
               answer=of_null_status),
    Difference("percents that are no UTF-8", "the caller sees what was sent", "the text as it was sent instead of U+FFFD",
               fault=of_undecodable_percents),
    Difference("duplicate names", "readers disagree about which one counts, so a filter in front may have read the other",
               "422 json_invalid", answer=says("Duplicate name in object")),
    Difference("lone surrogates", "they are no Unicode text; the references fail with 500 over them", "422 json_invalid",
               answer=says("Unpaired surrogate in \\uXXXX escape")),
    Difference("surrogates in the bytes", "they are no UTF-8; Python lets them pass", "400", answer=of_encoded_surrogates),
    Difference("byte order mark", "RFC 8259 lets no sender write one", "422 json_invalid", answer=says("Unexpected UTF-8 BOM")),
    Difference("UTF-16 and UTF-32", "RFC 8259 allows UTF-8 alone; Python guesses", "400 or 422 json_invalid",
               answer=of_other_encodings),
    Difference("NaN and Infinity", "they are no JSON; the references fail with 500 when they have to repeat them",
               "422 json_invalid", answer=of_constants),
    Difference("1e400", "it is JSON and a number; the references read infinity and fail with 500 when they have to repeat it",
               "422 with the number as it was sent", answer=of_infinity),
    Difference("integers of more than 4300 digits", "Python will not read them and the references blame the body",
               "422 as for any integer out of bounds; ignored in a field nobody reads", answer=of_giant_integers),
    Difference("nesting beyond 128", "no request needs it; Python gives up somewhere near 1000", "422 json_invalid",
               answer=of_bottomless_nesting),
    Difference("more than 1000 faults", "an answer must not be a thousand times as large as the request",
               "the first 1000", answer=of_many_faults),
    Difference("large bodies", "the references read whatever comes", "413", answer=of_large_bodies),
    Difference("either slash", "the references redirect with 307, and clients lose their bodies", "both forms are served",
               answer=of_either_slash),
    Difference("encoded slashes", "uvicorn decodes the path before it is divided, so that an id can change the route",
               "the segment is judged as an id", answer=of_encoded_slashes),
    Difference("bytes that are no text, declared as something else", "the references fail with 500 when they repeat them",
               "422 with U+FFFD for what is no UTF-8", answer=of_undeclared_bytes),
]


def same(left, right) -> bool:
    """Equality of decoded JSON in which 1, 1.0 and true are three things, and the order of faults counts."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def faults_of(answer: Answer) -> dict[str, dict]:
    return {json.dumps(fault["loc"]): fault for fault in answer.content["detail"]} if answer.status == 422 else {}


def is_understood(answer: Answer) -> bool:
    """The request was valid; what it asks for may still be missing or taken."""
    return answer.status in (200, 201) or (answer.status in (400, 404, 409) and (answer.content or {}).get("code") in UNDERSTOOD)


UNDERSTOOD = {"operator_not_found", "source_not_found", "contact_not_found", "lead_not_found", "source_mismatch", "source_name_taken",
              "operator_at_limit", "operator_inactive", "lead_key_taken", "contact_closed", "contact_unassigned", "decision_not_found"}


def agree(case: Case, theirs: Answer, ours: Answer) -> bool:
    if theirs.status == 200:
        return is_understood(ours)
    if theirs.status == 422:
        return ours.status == 422 and same(theirs.content["detail"], ours.content["detail"])
    if theirs.status == 404:
        return ours.status == 404 and same(theirs.content, ours.content)
    return ours.status == theirs.status


def explanations(case: Case, theirs: Answer, ours: Answer) -> set[str] | None:
    """The names of the differences between the two answers, or None when something is left without a name."""
    for difference in DIFFERENCES:
        if difference.answer and difference.answer(case, theirs, ours):
            return {difference.name}
    if not (theirs.status == 422 or theirs.status == 200) or not (ours.status == 422 or is_understood(ours)):
        return None
    they_say, we_say, names = faults_of(theirs), faults_of(ours), set()
    for place in [*they_say, *(place for place in we_say if place not in they_say)]:
        their_fault, our_fault = they_say.get(place), we_say.get(place)
        if not same(their_fault, our_fault):
            found = {d.name for d in DIFFERENCES if d.fault and d.fault(their_fault, our_fault)}
            if not found:
                return None
            names |= found
    return names or None


def integer(digits: str) -> int | str:
    """Python refuses to read integers that we repeat."""
    return int(digits) if len(digits.lstrip("-")) <= 4300 else digits


class Comparison:
    """Sends requests to both, and keeps what differed."""

    def __init__(self, client):
        self.client, self.reference = client, Reference()
        self.requests = 0
        self.seen: Counter = Counter()

    def ask_us(self, case: Case) -> Answer:
        if len(case.body) > 60_000:
            self.client.close()
        headers = {"Content-Type": None} | case.headers if case.body else case.headers
        answer = self.client.request(case.method, case.target, raw=case.body or None, headers=headers)
        return Answer(answer.status, json.loads(answer.body, parse_int=integer) if answer.body else None)

    def check(self, case: Case) -> str | None:
        """What is wrong, or nothing."""
        ours = self.ask_us(case)
        theirs = self.reference.ask(case.reference, case.method, case.target, case.headers, case.body)
        if theirs.status == 422:
            theirs = Answer(422, {"detail": [fault | {"input": echoed(fault["input"])} for fault in theirs.content["detail"]]})
        self.requests += 1
        if agree(case, theirs, ours):
            return None
        names = explanations(case, theirs, ours)
        if names is None:
            return f"{case}\n  theirs {theirs.status} {shortened(theirs.content)}\n  ours   {ours.status} {shortened(ours.content)}"
        self.seen.update(names)
        return None

    def check_all(self, cases) -> None:
        wrong = [found for found in map(self.check, cases) if found]
        assert not wrong, f"{len(wrong)} answers differ:\n" + "\n".join(wrong[:10])


@pytest.fixture(scope="module")
def comparison(server):
    client = server.client()
    source, operator = client.staffed_source()
    contact = client.contact(source["id"])
    assert (source["id"], operator["id"], contact["id"]) == (1, 1, 1)
    comparison = Comparison(client)
    yield comparison
    comparison.reference.close()
    client.close()


EITHER_STATUS = """{"status":"active","is_active":true}|{"status":"active","is_active":false}|{"status":"closed","is_active":"x"}
{"status":"x","is_active":true}|{"status":null,"is_active":true}|{"status":7,"is_active":[]}|{"status":"x","is_active":null}""".replace("\n", "|").split("|")


def encoded(body) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def parts_of(body) -> list[dict]:
    """The objects of a body whose fields can be replaced."""
    return body if isinstance(body, list) else [body, *body.get("operator_weights", [])]


def with_field(right, part: int, name: str, text: str) -> bytes:
    """The right body with the JSON text in place of one field's value."""
    body = json.loads(encoded(right))
    parts_of(body)[part][name] = "@@"
    return encoded(body).replace(b'"@@"', text.encode(errors="surrogatepass"))


def without_field(right, part: int, name: str) -> bytes:
    body = json.loads(encoded(right))
    del parts_of(body)[part][name]
    return encoded(body)


def fresh(body: bytes) -> bytes:
    """With names that nobody has, where a name was `a`."""
    return body.replace(b'"name": "a"', f'"name": "{unique("Parity")}"'.encode())


def body_cases(call: str):
    reference, method, path, right = BODIES[call]
    for body in [b"", *DOCUMENTS, encoded(right)]:
        yield Case(reference, method, path, body, JSON)
    for number, part in enumerate(parts_of(right)):
        for name in part:
            yield Case(reference, method, path, fresh(without_field(right, number, name)), JSON)
            for value in VALUES:
                yield Case(reference, method, path, fresh(with_field(right, number, name, value)), JSON)
    if path.endswith("/status"):
        for text in EITHER_STATUS:
            yield Case(reference, method, path, text.encode(), JSON)
    whole = fresh(encoded(right))
    for end in range(len(whole)):
        yield Case(reference, method, path, whole[:end], JSON)


@pytest.mark.parametrize("call", BODIES)
def test_hand_picked_bodies_are_answered_as_the_references_answer_them(comparison, call):
    comparison.check_all(body_cases(call))


def random_body(random, right) -> bytes:
    """A right body with some fields replaced, dropped or added, and then perhaps some bytes damaged."""
    body = json.loads(encoded(right))
    texts = []
    for part in parts_of(body):
        for name in list(part):
            fate = random.random()
            if fate < 0.4:
                part[name] = f"@{len(texts)}@"
                texts.append(random_json(random))
            elif fate < 0.5:
                del part[name]
        if random.random() < 0.1:
            part[random_text(random)] = f"@{len(texts)}@"
            texts.append(random_json(random))
    if random.random() < 0.1:
        body, texts = "@0@", [random_json(random)]
    raw = encoded(body)
    for number, text in enumerate(texts):
        raw = raw.replace(b'"@%d@"' % number, text.encode(errors="surrogatepass"))
    if random.random() < 0.4:
        raw = damaged(random, raw)
    return raw


@pytest.mark.parametrize("call", BODIES)
def test_random_bodies_are_answered_as_the_references_answer_them(comparison, call):
    random = generator(call)
    reference, method, path, right = BODIES[call]
    comparison.check_all(Case(reference, method, path, fresh(random_body(random, right)), JSON) for _ in range(RANDOM_BODIES))


@pytest.mark.parametrize("call", BODIES)
def test_a_declared_type_decides_as_in_the_references_whether_a_body_is_read(comparison, call):
    reference, method, path, right = BODIES[call]
    bodies = [encoded(right), b"{", b"\xff", b"plain \xc3\xa9", b""]
    comparison.check_all(Case(reference, method, path, fresh(body), {"Content-Type": type}) for type in TYPES for body in bodies)
    comparison.check_all(Case(reference, method, path, fresh(body)) for body in bodies)


@pytest.mark.parametrize("call", QUERIES)
def test_queries_are_answered_as_the_references_answer_them(comparison, call):
    random = generator(call)
    reference, path, names = QUERIES[call]
    queries = ["", "&&", "=", "&=&", "?", "skip", "skip=", "SKIP=x", "sk%69p=x", "skip=1&skip=x", "skip=x&skip=1", "limit=0&limit=5", "skip[]=x", "skip=x&&"]
    queries += [f"{name}={word}" for name in names for word in WORDS + (MOMENTS if name in TIMES else [])]
    queries += [name for name in names] + [f"{name}=" for name in names]
    for _ in range(RANDOM_QUERIES):
        chosen = [random.choice([*names, "x"]) for _ in range(random.randrange(1, 6))]
        queries.append("&".join(f"{name}={random.choice(MOMENTS if name in TIMES and random.random() < 0.7 else WORDS)}" for name in chosen))
    comparison.check_all(Case(reference, "GET", f"{path}?{query}") for query in queries)


@pytest.mark.parametrize("call", IDS)
def test_ids_are_answered_as_the_references_answer_them(comparison, call):
    reference, method, path = IDS[call]
    right = next((encoded(body) for r, m, p, body in BODIES.values() if (r, m, p) == (reference, method, path.format(1))), b"")
    words = WORDS + ["1%2F2", "%2F", "9%2Fx"] if "{}" in path else ["", "?x=1"]
    # A deletion must not take away what the other calls are about.
    words = [word for word in words if word != "1" and not path.startswith(("/api/v1/operators", "/api/v1/leads")) or method != "DELETE"]
    for body in {right, b"{", b"[]", b""} if method != "GET" else [b""]:
        comparison.check_all(Case(reference, method, path.format(word), fresh(body), JSON if body else {}) for word in words)


@pytest.mark.parametrize("call", [*BODIES, *QUERIES, *IDS])
def test_the_other_form_of_a_path_is_served_where_the_references_redirect(comparison, call):
    reference, method, path, body = {
        **{name: (*row, b"") for name, row in IDS.items()},
        **{name: (row[0], "GET", row[1], b"") for name, row in QUERIES.items()},
        **{name: (*row[:3], encoded(row[3])) for name, row in BODIES.items()},
    }[call]
    path = path.format(DELETED)
    other = path.removesuffix("/") if path.endswith("/") else path + "/"
    comparison.check_all([Case(reference, method, other, fresh(body), JSON if body else {})])


def test_every_call_of_the_references_has_been_compared(comparison):
    known = {(row[0], row[1], re.sub(r"\b1\b", "{}", row[2])) for row in BODIES.values()}
    known |= {(row[0], "GET", re.sub(r"\b1\b", "{}", row[1])) for row in QUERIES.values()} | {row[:3] for row in IDS.values()}
    declared = {(name, method, re.sub(r"{\w+}", "{}", route.path)) for name, application in APPLICATIONS.items()
                for route in application.routes for method in route.methods - {"HEAD"}
                if route.path.startswith("/api")}
    assert declared == known


def test_every_operation_that_reads_something_has_a_model(server):
    """But for the stream, whose answer has no end."""
    paths = server.client().get("/openapi.json").must_be(200).json["paths"]
    reading = {(method.upper(), re.sub(r"{\w+}", "{}", path)) for path, item in paths.items() for method, operation in item.items()
               if operation["tags"] != ["Access"] and ("{" in path or "requestBody" in operation or any(p.get("in") == "query" for p in operation.get("parameters", ())))}
    declared = {(method, re.sub(r"{\w+}", "{}", route.path.rstrip("/"))) for application in APPLICATIONS.values()
                for route in application.routes for method in route.methods}
    assert reading - {("GET", "/api/v1/events/stream")} <= declared


def test_every_difference_is_seen_and_there_are_no_others(comparison):
    """The last test of this file: the others have filled the comparison."""
    if comparison.requests < 5000:
        pytest.skip("only a part of this file has run")
    print(f"{comparison.requests} requests compared; differences: {dict(comparison.seen)}")
    assert [d.name for d in DIFFERENCES if d.name not in comparison.seen] == []
