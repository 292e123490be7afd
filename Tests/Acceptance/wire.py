"""HTTP/1.1 by hand: bytes out, answers in, many requests in flight on a few connections kept alive."""

import gzip
import socket
from dataclasses import dataclass


@dataclass
class Request:
    raw: bytes
    method: str = "GET"
    """What may be answered; None where HTTP itself is bent."""
    statuses: frozenset[int] | None = None
    """Whether the server may end the connection instead of keeping it."""
    is_alone: bool = False


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def request(method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes | None, chunks: list[int] | None = None) -> bytes:
    """A request as it goes over the wire. With `chunks`, the body is divided at these places."""
    lines = [b"%s %s HTTP/1.1" % (method.encode(), target), b"Host: localhost", *(b"%s: %s" % header for header in headers)]
    if body is not None and chunks is not None:
        edges = [0, *chunks, len(body)]
        pieces = [body[start:end] for start, end in zip(edges, edges[1:]) if end > start]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        lines.append(b"Transfer-Encoding: chunked")
    elif body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body or b""])


class _Connection:
    def __init__(self, port: int, timeout: float):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb", 65536)

    def close(self) -> None:
        self.reader.close()
        self.socket.close()

    def read(self, method: str) -> Answer | None:
        """The next answer, None when the server has closed."""
        while True:
            try:
                line = self.reader.readline()
            except ConnectionError:
                return None
            if not line:
                return None
            status, headers = int(line.split(b" ", 2)[1]), {}
            while (line := self.reader.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            if status >= 200:
                break
        if method == "HEAD" or status in (204, 304):
            return Answer(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked" and headers.get("content-type") == "text/event-stream":
            # It has no end.
            return Answer(status, headers, self.reader.read(int(self.reader.readline(), 16)))
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.reader.readline(), 16):
                body += self.reader.read(size)
                self.reader.readline()
            self.reader.readline()
            return Answer(status, headers, body)
        body = self.reader.read(int(headers.get("content-length", 0)))
        return Answer(status, headers, gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body)


class Wire:
    """A few connections to one instance. Each carries a batch of requests at a time, so that they meet in the server."""

    def __init__(self, port: int, connections: int = 4, batch: int = 16, timeout: float = 20):
        self.port, self.batch, self.timeout = port, batch, timeout
        self._connections: list[_Connection | None] = [None] * connections

    def close(self) -> None:
        for number in range(len(self._connections)):
            self._drop(number)

    def _drop(self, number: int) -> None:
        if self._connections[number]:
            self._connections[number].close()
        self._connections[number] = None

    def exchange(self, requests):
        """Sends all of them; every request with its answer, None when the server closed instead of answering."""
        batches = self._batches(requests)
        while turn := [batch for _, batch in zip(self._connections, batches)]:
            while any(turn):
                for number, batch in enumerate(turn):
                    if batch:
                        self._send(number, batch)
                for number, batch in enumerate(turn):
                    if batch:
                        answered = self._read(number, batch)
                        yield from answered
                        turn[number] = batch[len(answered):]

    def _batches(self, requests):
        batch, size = [], 0
        for each in requests:
            if batch and (each.is_alone or len(batch) >= self.batch or size + len(each.raw) > 200_000):
                yield batch
                batch, size = [], 0
            batch.append(each)
            size += len(each.raw)
            if each.is_alone:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _send(self, number: int, batch: list[Request]) -> None:
        if batch[0].is_alone or self._connections[number] is None:
            self._drop(number)
            self._connections[number] = _Connection(self.port, self.timeout)
        try:
            self._connections[number].socket.sendall(b"".join(each.raw for each in batch))
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server may have answered and closed before it read everything

    def _read(self, number: int, batch: list[Request]) -> list[tuple[Request, Answer | None]]:
        """The answers to the first of the batch, at least one. What follows a closed connection must be sent again."""
        answered = []
        for each in batch:
            answer = self._connections[number].read(each.method)
            if answer is None and answered:
                self._drop(number)
                break
            answered.append((each, answer))
            if answer is None or each.is_alone or answer.headers.get("connection", "").lower() == "close":
                self._drop(number)
                break
        return answered
