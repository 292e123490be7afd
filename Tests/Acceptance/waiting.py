"""Waiting for a condition, always with a deadline."""

import socket
import time

_issued_ports: set[int] = set()


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
    """A TCP port nobody listens on and that this run has not given out before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _issued_ports:
            _issued_ports.add(port)
            return port
