"""Debian's HAProxy with the configuration that docker-compose.yml uses, in front of instances of these tests."""

import contextlib
import csv
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading

from client import Api
from database import Database
from instance import REPOSITORY, Instance
from waiting import eventually, free_port

HAPROXY = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")
CONFIGURATION = REPOSITORY / "deploy/haproxy.cfg"


def environment(bind: str, instances: list[str], rate: int = 100_000_000) -> dict:
    """What the configuration wants to know; these tests ask as often as they can."""
    return {"LEADS_BALANCER_BIND": bind, "LEADS_BALANCER_RATE": str(rate)} | {f"LEADS_APP_{n}": address for n, address in enumerate(instances, 1)}


class Balancer:
    """HAProxy before the given ports, started as its container does it, and asked about its servers as it is built to
    be: at the socket of its master process, which needs no line in the configuration."""

    def __init__(self, ports: list[int], hosts: list[str] = ["127.0.0.1"] * 3, command: list[str] = [], **settings):
        """`command` runs HAProxy, for instance with another file of name servers."""
        assert HAPROXY, "no haproxy: make test installs it"
        self.port = free_port()
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="leads-ha-", dir="/tmp"))
        self.log = self.home / "log"
        addresses = [f"{host}:{port}" for host, port in zip(hosts, ports)]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, HAPROXY, "-W", "-db", "-S", str(self.home / "master"), "-f", CONFIGURATION],
                env=os.environ | environment(f"127.0.0.1:{self.port}", addresses, **settings),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        try:
            eventually(self._serves, 10, lambda: f"haproxy does not start:\n{self.output()}")
        except BaseException:
            self.end()
            raise

    def _serves(self) -> bool:
        assert self.process.poll() is None, f"haproxy ended:\n{self.output()}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return bool(self.servers())
        return False

    def servers(self) -> dict[str, str]:
        """UP, DOWN or on the way, by name."""
        with socket.socket(socket.AF_UNIX) as master:
            master.settimeout(5)
            master.connect(str(self.home / "master"))
            master.sendall(b"@1 show stat\n")
            master.shutdown(socket.SHUT_WR)
            said = b"".join(iter(lambda: master.recv(65536), b"")).decode()
        rows = csv.DictReader(said.removeprefix("# ").splitlines())
        return {row["svname"]: row["status"] for row in rows
                if row["pxname"] == "instances" and (row["svname"] or "").startswith("app-")}

    def wait_until_up(self, *numbers: int, within: float = 10) -> None:
        """HAProxy sends requests to these instances, counted from 1."""
        eventually(lambda: all(self.servers()[f"app-{n}"] == "UP" for n in numbers), within,
                   lambda: f"not up: {self.servers()}\n{self.output()[-3000:]}")

    def wait_until_down(self, number: int, within: float = 10) -> None:
        eventually(lambda: self.servers()[f"app-{number}"].startswith("DOWN"), within,
                   lambda: f"not down: {self.servers()}\n{self.output()[-3000:]}")

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def client(self, timeout: float = 10) -> Api:
        return Api(self.port, timeout)

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        shutil.rmtree(self.home, ignore_errors=True)


class StandIn:
    """Something in an instance's place that is ready and answers what it is told to, and remembers what it was sent."""

    def __init__(self, answer: bytes | None | dict[str, bytes], address: tuple[str, int] = ("127.0.0.1", 0)):
        """`answer` is sent as it is, or the one for the method; without one the connection is broken off."""
        self.received: list[str] = []
        self._answer = answer
        self._listener = socket.create_server(address)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                if not (part := connection.recv(65536)):
                    return
                request += part
            if b" /readyz " in request:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                self.received.append(request.decode())
                answers = self._answer
                answer = answers.get(self.received[-1].split()[0]) if isinstance(answers, dict) else answers
                if answer:
                    connection.sendall(answer)

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class NameServer:
    """Answers as Docker's does: a container has an address while it runs, and otherwise no name."""

    HOST = "127.7.7.7"

    def __init__(self):
        self.addresses: dict[str, str] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.HOST, 53))
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                query, client = self._socket.recvfrom(4096)
                if len(query) <= 12:
                    continue  # no question follows the head
                length = query[12]
                end = 12 + 1 + length + 1 + 4  # a name of one label, its end, type and class
                address = self.addresses.get(query[13:13 + length].decode())
                is_asked = address and query[end - 4:end - 2] == b"\0\1"
                record = b"\xc0\x0c\0\1\0\1\0\0\2\x58\0\4" + socket.inet_aton(address) if is_asked else b""
                head = query[:2] + (b"\x81\x80" if address else b"\x81\x83") + b"\0\1" + bytes([0, bool(record)]) + bytes(4)
                self._socket.sendto(head + query[12:end] + record, client)

    def end(self) -> None:
        self._socket.close()


class Trio:
    """Three instances on one database behind HAProxy, drained before they stop as in docker-compose.yml."""

    DRAIN_SECONDS = 3

    def __init__(self, start, database: Database):
        """`start` is the fixture `instances`."""
        self._start, self.database = start, database
        settings = {"LEADS_DRAIN_SECONDS": self.DRAIN_SECONDS}
        self.instances: list[Instance] = [start(database, ready=False, **settings) for _ in range(3)]
        for instance in self.instances:
            instance.wait_until_ready()
        self.balancer = Balancer([instance.port for instance in self.instances])
        self.balancer.wait_until_up(1, 2, 3)

    def start_again(self, number: int) -> None:
        """An instance in the place of the ended one, counted from 1; HAProxy sends requests to it."""
        port = self.instances[number - 1].port
        self.instances[number - 1] = self._start(self.database, port=port, LEADS_DRAIN_SECONDS=self.DRAIN_SECONDS)
        self.balancer.wait_until_up(number)

    def end(self) -> None:
        self.balancer.end()
        for instance in self.instances:
            if instance.is_running:
                instance.kill()
