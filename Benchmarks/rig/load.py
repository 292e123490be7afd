"""Who asks: wrk over HTTP, pgbench by SQL."""

import dataclasses
import pathlib
import re
import selectors
import socket
import statistics
import tempfile
import threading
import time

from rig.servers import BENCHMARKS, Database, Failed, pgbench, run


# Seconds.
WARM_UP = 2


@dataclasses.dataclass
class Measured:
    """One turn of one side: how many a second, and how long one took, in milliseconds."""

    rate: float
    p50: float
    p99: float
    # What a script counted: registered, closed, refused.
    counted: tuple[int, int, int] | None = None
    # How many answers were no success.
    bad: int = 0
    # What was done in all, and the processor time of the servers for each, in microseconds.
    done: int = 0
    cost: float | None = None

    def times(self, count: float) -> "Measured":
        """The same when what was counted as one is so many."""
        return dataclasses.replace(self, rate=self.rate * count, done=round(self.done * count))

    def __str__(self) -> str:
        return f"{self.rate:8.0f}/s   p50 {self.p50:8.3f}   p99 {self.p99:8.3f} ms" + (
            f"   {self.cost:6.0f} µs" if self.cost is not None else "") + (
            f"   NOT 2xx: {self.bad}" if self.bad else "")


def milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([0-9.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[unit]


def wrk(url: str, clients: int, seconds: float, script: str | None = None, *arguments, count: bool = False,
        threads: int = 1, key: str | None = None) -> Measured:
    """wrk on a URL, with a script of Benchmarks/load; keep-alive. `key` is shown with each request."""
    command = ["wrk", "-t", threads, "-c", clients, "-d", f"{max(1, round(seconds))}s", "--latency", "--timeout", "10s"]
    if script:
        command += ["-s", BENCHMARKS / "load" / script]
    said = run(*command, url, *(["--", *arguments] if arguments else []),
               environment=({"BENCH_COUNT": "1"} if count else {}) | ({"BENCH_KEY": key} if key else {}))
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    p50, p99 = (re.search(rf"^\s+{percent}%\s+(\S+)", said, re.MULTILINE) for percent in (50, 99))
    if not (rate and p50 and p99):
        raise Failed(f"wrk says:\n{said}")
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    counted = re.search(r"^counted (\d+) (\d+) (\d+)", said, re.MULTILINE)
    refused = int(bad[1]) if bad else 0
    requests = int(re.search(r"(\d+) requests in", said)[1])
    return Measured(
        # Only what succeeded.
        float(rate[1]) * (1 - refused / max(1, requests)), milliseconds(p50[1]), milliseconds(p99[1]),
        tuple(int(n) for n in counted.groups()) if counted else None,
        refused + (sum(int(n) for n in broken.groups()) if broken else 0), done=requests - refused)


def word() -> str:
    """Something no other run has used: leads must be new."""
    return f"w{time.time_ns() // 1000}"


def register(url: str, source: int, clients: int, seconds: float, key: str | None = None) -> Measured:
    """POST /contacts, each with a lead of its own."""
    return wrk(url, clients, seconds, "register.lua", source, word(), key=key)


def reference(database: Database, source: int, connections: int, seconds: float, script: str = "reference.pgbench",
              latencies: bool = False, **variables) -> Measured:
    """pgbench -M prepared; with `latencies`, percentiles instead of the mean (which costs it some writing).

    Its connections are new and plan everything first. So as not to count that, two more seconds are run and left out.
    """
    length = max(1, round(seconds))
    with tempfile.TemporaryDirectory(prefix="leads-pgbench-") as directory:
        log = ["-l", f"--log-prefix={directory}/log"] if latencies else []
        settings = [part for name, value in variables.items() for part in ("-D", f"{name}={value}")]
        said = run(pgbench(), "-n", "-M", "prepared", "-c", connections, "-j", min(2, connections),
                   "-T", length + WARM_UP, "-P", 1, "-D", f"source={source}", *settings,
                   "--max-tries", 10, *log,
                   "-f", BENCHMARKS / script, environment=database.environment, errors_too=True)
        each = re.findall(r"^progress: [0-9.]+ s, ([0-9.]+) tps, lat ([0-9.]+) ms", said, re.MULTILINE)[WARM_UP:]
        if not each:
            raise Failed(f"pgbench says:\n{said}")
        p50 = p99 = statistics.mean(float(latency) for _, latency in each)
        if latencies:
            # client, transaction, microseconds, …
            times = [int(line.split()[2]) / 1000 for file in pathlib.Path(directory).iterdir()
                     for line in file.read_text().splitlines() if line.split()[2].isdigit()]
            times = sorted(times[len(times) * WARM_UP // (length + WARM_UP):])
            p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
        failed = re.search(r"^number of failed transactions: (\d+)", said, re.MULTILINE)
        processed = re.search(r"^number of transactions actually processed: (\d+)", said, re.MULTILINE)
        return Measured(statistics.mean(float(rate) for rate, _ in each), p50, p99, bad=int(failed[1]) if failed else 0,
                        done=int(processed[1]))


class Client:
    """One connection that sends the same GET again and again; costs next to nothing itself."""

    def __init__(self, port: int, path: str):
        self.path = path
        self.request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def time(self) -> float:
        """Milliseconds from asking to the end of the answer, which must be a success."""
        begun = time.perf_counter()
        self.socket.sendall(self.request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._receive()
        head, _, body = answer.partition(b"\r\n\r\n")
        missing = int(re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)[1]) - len(body)
        while missing > 0:
            missing -= len(self._receive())
        taken = (time.perf_counter() - begun) * 1000
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise Failed(f"{self.path}: {head[:100]!r} {body[:300]!r}")
        return taken

    def _receive(self) -> bytes:
        received = self.socket.recv(262144)
        if not received:
            raise Failed(f"{self.path}: the connection was closed")
        return received

    def close(self) -> None:
        self.socket.close()


class Streams:
    """Streams of events that are open while the `with` lasts. What comes is thrown away within the system, without being
    copied: those who listen would be elsewhere."""

    def __init__(self, port: int, count: int):
        self.received = 0
        self._selector = selectors.DefaultSelector()
        self._over = threading.Event()
        for _ in range(count):
            stream = socket.create_connection(("127.0.0.1", port), timeout=10)
            stream.sendall(b"GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if b" 200 " not in stream.recv(65536).split(b"\r\n", 1)[0]:
                raise Failed("a stream is not opened")
            self._selector.register(stream, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def _listen(self) -> None:
        buffer = bytearray(1 << 20)
        while not self._over.wait(0.02):
            for key, _ in self._selector.select(0.1):
                received = key.fileobj.recv_into(buffer, flags=socket.MSG_TRUNC)
                if received == 0:
                    raise Failed("a stream has ended")
                self.received += received

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
