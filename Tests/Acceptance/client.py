"""A small HTTP client: one object per thread, one connection kept alive."""

import http.client
import json
import select
import time
from dataclasses import dataclass
from itertools import count

_numbers = count(1)


def unique(word: str) -> str:
    """A name no other test of this run uses."""
    return f"{word} {next(_numbers)}"


def is_stream(headers: http.client.HTTPMessage) -> bool:
    """Whether the answer has no end: of such a one, what comes at once is all that is read."""
    return headers.get_content_type() == "text/event-stream"


class Unreachable(Exception):
    """No complete answer: whether the request took effect is unknown."""


@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    def must_be(self, status: int) -> "Response":
        assert self.status == status, f"{self.status} instead of {status}: {self.body[:2000]!r}"
        return self


class Client:
    """Requests to one instance. Paths are given whole, as `/api/v1/operators`."""

    def __init__(self, port: int, timeout: float = 10):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def close(self) -> None:
        self._connection.close()

    def _leave_a_closed_connection(self) -> None:
        """A server may close an idle connection; the next request then needs a new one."""
        socket = self._connection.sock
        if socket is not None and select.select([socket], [], [], 0)[0]:
            self.close()

    def request(self, method: str, path: str, json_body=..., *, raw: bytes | None = None, headers=None) -> Response:
        """`json_body` is sent as JSON, `raw` as it is (both with a JSON Content-Type unless `headers` has one)."""
        headers = dict(headers or {})
        if json_body is not ...:
            raw = json.dumps(json_body, ensure_ascii=False).encode()
        if raw is not None:
            headers.setdefault("Content-Type", "application/json")
            if headers["Content-Type"] is None:
                del headers["Content-Type"]
        self._leave_a_closed_connection()
        began = time.monotonic()
        try:
            try:
                self._connection.request(method, path, raw, headers)
            except (BrokenPipeError, ConnectionResetError):
                if self._connection.sock is None:
                    raise  # otherwise the server may have answered before it read the whole body
            answer = self._connection.getresponse()
            if is_stream(answer.headers):
                body = answer.read1()
                self.close()
            else:
                body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(f"{method} {path}: {error!r}") from error
        return Response(answer.status, answer.headers, body, time.monotonic() - began)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, json_body=..., **options):
        return self.request("POST", path, json_body, **options)

    def put(self, path, json_body=..., **options):
        return self.request("PUT", path, json_body, **options)

    def patch(self, path, json_body=..., **options):
        return self.request("PATCH", path, json_body, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)


class Api(Client):
    """The same in the words of the product; every method insists on success and returns the decoded answer."""

    def operator(self, **fields) -> dict:
        return self.post("/api/v1/operators", {"name": unique("Operator")} | fields).must_be(201).json

    def source(self, weights: dict[int, int] | None = None, **fields) -> dict:
        source = self.post("/api/v1/sources", {"name": unique("Source")} | fields).must_be(201).json
        if weights:
            self.distribute(source["id"], weights)
        return source

    def distribute(self, source_id: int, weights: dict[int, int]) -> list:
        rows = [{"operator_id": id, "source_id": source_id, "weight": weight} for id, weight in weights.items()]
        path = f"/api/v1/sources/{source_id}/distribution"
        return self.post(path, {"operator_weights": rows}).must_be(201).json

    def staffed_source(self, max_load: int = 10, **fields) -> tuple[dict, dict]:
        """A source with one operator of its own."""
        operator = self.operator(max_load=max_load)
        return self.source({operator["id"]: 1}, **fields), operator

    def contact(self, source_id: int, **fields) -> dict:
        return self.post("/api/v1/contacts", {"source_id": source_id} | fields).must_be(201).json

    def close_contact(self, id: int) -> dict:
        return self.post(f"/api/v1/contacts/{id}/close").must_be(200).json

    def reopen_contact(self, id: int) -> dict:
        return self.post(f"/api/v1/contacts/{id}/reopen").must_be(200).json

    def change_lead(self, id: int, **fields) -> dict:
        return self.patch(f"/api/v1/leads/{id}", fields).must_be(200).json

    def erase_lead(self, id: int, force: bool = False) -> None:
        answer = self.delete(f"/api/v1/leads/{id}{'?force=true' if force else ''}").must_be(200)
        assert answer.json == {"message": "Lead erased"}

    def merge_lead(self, id: int, into: int) -> dict:
        return self.post(f"/api/v1/leads/{id}/merge", {"into": into}).must_be(200).json

    def change_operator(self, id: int, **fields) -> dict:
        return self.patch(f"/api/v1/operators/{id}", fields).must_be(200).json

    def archive_operator(self, id: int) -> None:
        self.delete(f"/api/v1/operators/{id}").must_be(200)

    def read(self, collection: str, id: int | None = None) -> dict | list:
        return self.get(f"/api/v1/{collection}" + (f"/{id}" if id is not None else "")).must_be(200).json

    def load(self, operator_id: int) -> int:
        return self.read("operators", operator_id)["current_load"]
