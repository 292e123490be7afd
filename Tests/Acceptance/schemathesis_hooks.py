"""Which of Schemathesis' cases are left out, and why. There are these kinds.

**What pydantic takes all the same.** A JSON schema is strict and pydantic is lax: `"7"` is 7, `0` is false, fields
nobody knows are ignored. The document says what is right; the server, as the references do, takes a little more. So a
case that is to be refused is left out when the references' models take it too, and only then: `test_parity.py` holds
the server to those models.

**Links to nobody.** Schemathesis follows the ids in answers. Where `operator_id` is null, it would ask for the operator
`None`, and expect to find one.

**A lead merged into itself.** It is refused, which no schema of a body can say.

**An `Idempotency-Key` that was sent before.** With another body it is refused, which no schema can say either.
"""

import atexit
import json
import os
import pathlib
import threading
from collections import Counter
from urllib.parse import urlsplit

import requests
import schemathesis

from reference_models import APPLICATIONS, Reference

_own = threading.local()
_counts: Counter = Counter({"kept": 0, "lax": 0, "nobody": 0, "itself": 0, "key": 0})
_keys: set[str] = set()


@atexit.register
def _report() -> None:
    if "LEADS_CASES" in os.environ:
        pathlib.Path(os.environ["LEADS_CASES"]).write_text(json.dumps(_counts))


def _reference() -> Reference:
    if not hasattr(_own, "reference"):
        _own.reference = Reference()
    return _own.reference


def is_taken_by_the_references(case) -> bool:
    arguments = case.as_transport_kwargs(base_url="http://x")
    names = ("method", "url", "headers", "params", "data", "json", "cookies", "files")
    request = requests.Request(**{name: arguments[name] for name in names if name in arguments}).prepare()
    body = request.body or b""
    if not isinstance(body, (bytes, str)):
        return False
    url = urlsplit(request.url)
    headers = {name: value for name, value in request.headers.items() if name.lower() == "content-type"}
    body = body.encode() if isinstance(body, str) else body
    query = f"?{url.query}" if url.query else ""
    return any(_reference().ask(name, request.method, path + query, headers, body).status == 200
               for name in APPLICATIONS for path in (url.path, url.path + "/"))


def leads_to_nobody(case) -> bool:
    return any(value is None for value in (case.path_parameters or {}).values())


def merges_a_lead_into_itself(case) -> bool:
    into = case.body.get("into") if isinstance(case.body, dict) else None
    return case.operation.path.endswith("/merge") and str((case.path_parameters or {}).get("lead_id")) == str(into)


def repeats_a_key(case) -> bool:
    keys = {str(value) for name, value in (case.headers or {}).items() if name.lower() == "idempotency-key"}
    is_known = bool(keys & _keys)
    _keys.update(keys)
    return is_known


@schemathesis.hook
def filter_case(context, case) -> bool:
    if case.meta is None or not case.meta.generation.mode.is_negative:
        kind = "nobody" if leads_to_nobody(case) else "itself" if merges_a_lead_into_itself(case) else (
            "key" if repeats_a_key(case) else None)
    else:
        kind = "lax" if is_taken_by_the_references(case) else "kept"
    if kind:
        _counts[kind] += 1
    return kind in (None, "kept")
