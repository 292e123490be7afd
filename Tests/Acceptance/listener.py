"""Server-Sent Events as a browser hears them: a thread that listens, and what it has heard."""

import http.client
import json
import socket
import threading
import time
from dataclasses import dataclass

from waiting import eventually

STREAM = "/api/v1/events/stream"


@dataclass
class Heard:
    id: int
    kind: str
    data: str
    at: float

    @property
    def event(self) -> dict:
        return json.loads(self.data)


class Listener:
    """One stream. One that is `deaf` takes nothing before it is told to `listen`."""

    def __init__(self, port: int, after: int | None = None, last_event_id: object = None, deaf: bool = False, timeout: float = 90):
        query = "" if after is None else f"?after={after}"
        headers = {"Accept": "text/event-stream"} | ({} if last_event_id is None else {"Last-Event-ID": str(last_event_id)})
        self.heard: list[Heard] = []
        self.comments: list[float] = []
        """The id with which it would come back."""
        self.last_event_id: int | None = None
        self.retry: int | None = None
        """How the stream ended: "complete", "broken off", or not yet."""
        self.end: str | None = None
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self._connection.connect()
        # http.client lets go of the socket of an answer that closes the connection.
        self._socket = self._connection.sock
        self._connection.request("GET", STREAM + query, headers=headers)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, (self._answer.status, self._answer.read())
        self.headers = self._answer.headers
        self._thread = threading.Thread(target=self._listen, daemon=True)
        if not deaf:
            self.listen()

    def listen(self) -> "Listener":
        self._thread.start()
        return self

    def _listen(self) -> None:
        text = b""
        try:
            while piece := self._answer.read1(65536):
                *blocks, text = (text + piece).split(b"\n\n")
                now = time.monotonic()
                for block in blocks:
                    self._take(block.decode(), now)
            self.end = "complete"
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            self.end = "broken off"

    def _take(self, block: str, now: float) -> None:
        fields = {}
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            assert name not in fields, f"twice: {block!r}"
            fields[name] = value
        if "" in fields:
            self.comments.append(now)
        if "retry" in fields:
            self.retry = int(fields["retry"])
        if "id" in fields:
            self.last_event_id = int(fields["id"])
        if "data" in fields:
            self.heard.append(Heard(self.last_event_id, fields["event"], fields["data"], now))

    @property
    def ids(self) -> list[int]:
        return [each.id for each in self.heard]

    @property
    def events(self) -> list[dict]:
        return [each.event for each in self.heard]

    def wait_until_open(self) -> "Listener":
        eventually(lambda: self.retry is not None, 5, "nothing is said at first")
        return self

    def hear(self, count: int, within: float = 10) -> list[Heard]:
        """All that has been heard, once it is so much."""
        eventually(lambda: len(self.heard) >= count, within, lambda: f"only {len(self.heard)} of {count} events; {self.end}")
        return self.heard

    def wait_until_ended(self, within: float = 5) -> str:
        return eventually(lambda: self.end, within, "the stream does not end")

    def close(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()
        self._connection.close()
        if self._thread.is_alive():
            self._thread.join(5)
