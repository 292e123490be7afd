"""Load from many threads, with a deadline."""

import collections
import concurrent.futures
import itertools
import os
import random
import threading
import time

from client import Api, Response, Unreachable
from database import BROKEN_LOADS

_NOTHING_LEFT = object()


def generator(name: str) -> random.Random:
    """Random numbers whose seed is printed; LEADS_SEED repeats a run."""
    seed = int(os.environ.get("LEADS_SEED", random.SystemRandom().randrange(1_000_000)))
    print(f"{name}: LEADS_SEED={seed}")
    return random.Random(seed)


def in_parallel(threads: int, work, items, seconds: float) -> None:
    """Calls `work(thread, item)` for every item from `threads` threads. Fails with the first exception,
    or when the items are not done in time; a call in progress ends by its own client's timeout."""
    remaining = iter(items)
    lock = threading.Lock()
    failures = []
    deadline = time.monotonic() + seconds

    def next_item():
        with lock:
            return next(remaining, _NOTHING_LEFT)

    def run(thread: int):
        try:
            while not failures and time.monotonic() < deadline:
                item = next_item()
                if item is _NOTHING_LEFT:
                    return
                work(thread, item)
        except BaseException as error:
            failures.append(error)

    crew = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(threads)]
    for member in crew:
        member.start()
    for member in crew:
        member.join(max(0, deadline - time.monotonic()) + 15)
    if failures:
        raise failures[0]
    assert not any(member.is_alive() for member in crew), "clients hang"
    assert next_item() is _NOTHING_LEFT, f"the load is not done within {seconds} s"


class Background:
    """Runs `work(stop)` in a thread until the `with` block ends; its exception fails the block."""

    def __init__(self, work, ends_within: float = 20):
        self.stop = threading.Event()
        self._failure = None
        self._ends_within = ends_within
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)

    def _run(self, work):
        try:
            work(self.stop)
        except BaseException as error:
            self._failure = error

    @property
    def is_working(self) -> bool:
        return self._thread.is_alive()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self.stop.set()
        self._thread.join(self._ends_within)
        if kind is None:
            assert not self._thread.is_alive(), "a background thread hangs"
            if self._failure:
                raise self._failure


class Sampler(Background):
    """Looks for operators over their limit or with a wrong load, again and again, each time in one snapshot."""

    def __init__(self, database):
        super().__init__(self._sample)
        self.database = database
        self.samples = 0

    def _sample(self, stop: threading.Event):
        with self.database.connect() as connection:
            while not stop.is_set():
                broken = connection.execute(BROKEN_LOADS).fetchall()
                assert broken == [], f"(operator, load, max_load, ceiling, recount): {broken}"
                self.samples += 1
                stop.wait(0.005)


def until(stop: threading.Event):
    """0, 1, 2, … until the event is set: load without a fixed end."""
    for number in itertools.count():
        if stop.is_set():
            return
        yield number


class Crowd:
    """Registrations sent at once, each over a connection of its own."""

    def __init__(self, *instances, timeout: float = 20, most: int = 128):
        self.instances, self.timeout = instances, timeout
        self._executor = concurrent.futures.ThreadPoolExecutor(most)

    def send(self, number: int, body: dict, key: str | None = None) -> concurrent.futures.Future:
        """A POST at the instance whose turn it is; its answer, once there is one. A key is an `Idempotency-Key`."""
        headers = {} if key is None else {"Idempotency-Key": key}

        def work():
            client = self.instances[number % len(self.instances)].client(self.timeout)
            try:
                return client.post("/api/v1/contacts", body, headers=headers)
            finally:
                client.close()

        return self._executor.submit(work)


class Traffic:
    """Registers contacts at several instances and remembers how each attempt ended."""

    def __init__(self, instances, timeout: float = 10):
        self.instances = list(instances)
        self.acknowledged: dict[str, int] = {}
        self.outcomes = collections.Counter()
        self.complaints: list[str] = []
        self.slowest = 0.0
        self._timeout = timeout
        self._clients: dict = {}
        self._lock = threading.Lock()

    def client(self, thread: int, instance=None) -> Api:
        """The client of a thread, of the thread's instance unless another is named."""
        instance = instance or self.instances[thread % len(self.instances)]
        return self._clients.setdefault((thread, instance.port), instance.client(self._timeout))

    def register(self, thread: int, source_id: int, message: str, instance=None, **fields) -> Response | None:
        """Each message is sent once: what became of it can be looked up by it. None: no answer."""
        began = time.monotonic()
        try:
            body = {"source_id": source_id, "message": message} | fields
            response = self.client(thread, instance).post("/api/v1/contacts", body)
        except Unreachable as error:
            response, outcome, complaint = None, "unreachable", str(error)
        else:
            outcome, complaint = response.status, response.text
            if response.status == 503 and not (response.headers["Retry-After"] or "").isdigit():
                outcome = "503 without Retry-After"
        with self._lock:
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.outcomes[outcome] += 1
            if outcome == 201:
                self.acknowledged[message] = response.json["id"]
            elif len(self.complaints) < 20:
                self.complaints.append(f"{outcome}: {complaint[:300]}")
        return response

    def must_have_ended_only_with(self, *outcomes) -> None:
        assert set(self.outcomes) <= set(outcomes), f"{self.outcomes}\n" + "\n".join(self.complaints)

    def must_be_stored_once_in(self, database) -> dict[str, list[int]]:
        """Every acknowledged contact is there, once; all that is there, by message."""
        stored = database.ids_by_message()
        wrong = {m: stored.get(m) for m, id in self.acknowledged.items() if stored.get(m) != [id]}
        twice = {m: ids for m, ids in stored.items() if len(ids) > 1}
        assert not wrong and not twice, f"lost or doubled: {list((wrong | twice).items())[:10]}"
        assert len(self.acknowledged) == self.outcomes[201]
        return stored
