"""Waiting for a condition, always with a deadline; and what several runs at a time share."""

import os
import socket
import time

# Whether tests take the time they want (`make prove`), or as little as shows what they are about.
AT_LENGTH = "LEADS_AT_LENGTH" in os.environ
_issued_ports: set[int] = set()
# Which of those who run parts of the tests at the same time this is, and how many they are. (The system gives out odd ports.)
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def eventually(condition, within: float, message: str, every: float = 0.02):
    """Returns the first truthy value of `condition`; fails with `message` after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within} s: {message() if callable(message) else message}")
        time.sleep(every)


def free_port() -> int:
    """A TCP port nobody listens on and that this run has not given out before, nor another worker of it will."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _issued_ports and port // 2 % _workers == _worker:
            _issued_ports.add(port)
            return port
