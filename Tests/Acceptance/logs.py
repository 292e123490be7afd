"""Reading the log of an instance that logs in JSON."""

import json

from instance import Instance
from waiting import eventually


def records(instance: Instance) -> list[dict]:
    """Every line but blank ones and those the program prints for people, each of which must be a JSON object."""
    found = []
    for line in instance.output().splitlines():
        if not line or line.startswith("Leads CRM serves http://"):
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            raise AssertionError(f"a line that is no JSON: {line!r}") from None
        assert isinstance(record, dict) and {"at", "level", "message"} <= record.keys(), line
        found.append(record)
    return found


def answers(instance: Instance) -> list[dict]:
    """The records of requests."""
    return [record for record in records(instance) if record["message"] == "answered"]


def answer_to(instance: Instance, request_id: str) -> dict:
    """The one record of a request."""
    def find():
        return [record for record in answers(instance) if record["request_id"] == request_id]

    [record] = eventually(find, 5, f"no record of the request {request_id}")
    return record
