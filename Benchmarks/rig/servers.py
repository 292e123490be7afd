"""What is measured: a durable PostgreSQL, instances on it, HAProxy before them, and servers without a database."""

import contextlib
import glob
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BENCHMARKS = REPOSITORY / "Benchmarks"
# Programs built elsewhere, another commit's for instance, can be measured with the same questions.
BINARIES = pathlib.Path(os.environ.get("BINARIES", REPOSITORY / ".build/release"))
SOCKET = ".s.PGSQL.5432"
HAPROXY = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")


class Failed(Exception):
    """A benchmark that cannot go on; the text says why."""


def run(*command, environment: dict = {}, errors_too: bool = False) -> str:
    """What the command printed."""
    done = subprocess.run([str(part) for part in command], env=os.environ | environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failed(f"{command[0]}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout + (done.stderr if errors_too else "")


def processor_time(task: int | str, with_ended_children: bool = False) -> float:
    """Seconds of processor time a process, or a thread (`PROCESS/task/THREAD`), has used; 0 if it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{task}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(field) for field in fields[11:15 if with_ended_children else 13]) / os.sysconf("SC_CLK_TCK")


class Process:
    """A server of ours on a port, its log in a file; ends with the `with` that began it."""

    running: list["Process"] = []

    def __init__(self, command: list, log: pathlib.Path, port: int, environment: dict = {}, ready: str = "/readyz"):
        self.port = port
        self.log = log
        Process.running.append(self)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("LEADS_", "DATABASE_", "PG"))}
        # What somebody sets to measure it (LEADS_INTAKE_LANES=4 make bench) reaches the instances.
        chosen = {k: v for k, v in os.environ.items() if k.startswith("LEADS_")}
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command], env=inherited | chosen | environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True)
        try:
            self._wait_until_ready(ready)
        except BaseException:
            self.end()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def _wait_until_ready(self, path: str) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failed(f"{self.log.name} ended:\n{self.log.read_text(errors='replace')[-2000:]}")
            with contextlib.suppress(OSError):
                if self.get(path)[0] == 200:
                    return
            time.sleep(0.05)
        raise Failed(f"{self.log.name} is not ready:\n{self.log.read_text(errors='replace')[-2000:]}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> tuple[int, bytes]:
        return self.send("GET", path)

    def send(self, method: str, path: str, body=None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def processor_time(self) -> float:
        return processor_time(self.process.pid)

    def memory(self) -> float:
        """The resident memory in MB."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise Failed("no VmRSS")

    def end(self) -> None:
        if self in Process.running:
            Process.running.remove(self)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Instance(Process):
    """`leads-crm serve`."""

    def api(self, method: str, path: str, body=None):
        """The decoded answer of a call that must succeed."""
        status, content = self.send(method, f"/api/v1{path}", body)
        if status >= 300:
            raise Failed(f"{method} {path}: {status} {content[:500]!r}")
        return json.loads(content)

    def source(self, operators: int, limit: int = 1_000_000) -> int:
        """A new source served by as many new operators of equal weight; its id.

        Equal weights are the best case for those who lock one operator each, hence for the reference.
        """
        name = f"bench-{time.monotonic_ns()}"
        people = [self.api("POST", "/operators", {"name": f"{name}-{n}", "max_load": limit})["id"]
                  for n in range(operators)]
        source = self.api("POST", "/sources", {"name": name})["id"]
        self.api("POST", f"/sources/{source}/weights", [{"operator_id": id, "weight": 1} for id in people])
        return source


class Database:
    """A database with the product's schema, and as many instances on it as wanted."""

    def __init__(self, rig: "Rig", name: str):
        self.rig = rig
        self.name = name
        self.environment = {"PGHOST": rig.socket_directory, "PGUSER": "postgres", "PGDATABASE": name}
        self.url = f"host={rig.socket_directory} user=postgres dbname={name}"
        rig.sql("postgres", f"create database {name}")
        run(BINARIES / "leads-crm", "migrate", environment={"DATABASE_URL": self.url, "LEADS_LOG_LEVEL": "warning"})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.drop()

    def drop(self) -> None:
        self.rig.sql("postgres", f"drop database {self.name} with (force)")

    def sql(self, *statements: str) -> str:
        return self.rig.sql(self.name, *statements)

    def script(self, name: str, **variables) -> None:
        """Runs a file of this directory with psql."""
        settings = [part for key, value in variables.items() for part in ("-v", f"{key}={value}")]
        run("psql", "-qXAt", "-v", "ON_ERROR_STOP=1", *settings, "-f", BENCHMARKS / name,
            environment=self.environment | {"PGOPTIONS": "-c client_min_messages=warning"})

    def instance(self, **settings) -> Instance:
        port = self.rig.free_port()
        return Instance([BINARIES / "leads-crm", "serve", "--port", port], self.rig.directory / f"instance-{port}.log", port,
                        {"DATABASE_URL": self.url, "LEADS_LOG_LEVEL": "warning"} | settings)

    def tidy(self) -> None:
        """Dead rows of the turn before are not the next one's to carry."""
        self.sql("vacuum operator_loads, sources, contact_tally_changes")

    def fault(self) -> str:
        """What is wrong with the limit or the counters; empty if nothing is."""
        wrong = self.sql("""
            select 'over the limit: ' || count(*) from operator_loads where load > max_load having count(*) > 0
            union all select 'load drift: ' || count(*) from report.load_drift having count(*) > 0
            union all select 'tally drift: ' || count(*) from report.tally_drift having count(*) > 0""")
        return ", ".join(wrong.split("\n")) if wrong else ""


class Rig:
    """Everything a question needs; all of it is gone afterwards."""

    def __init__(self, port: int):
        self.next_port = port
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="leads-bench-", dir="/tmp"))
        self.directory.chmod(0o755)
        self.owner = None

    def __enter__(self):
        try:
            self._start()
            self._age()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        # The PostgreSQL that `make run` has, with its settings. The instance that starts it does nothing else.
        port = self.free_port()
        self.owner = Process(
            [BINARIES / "leads-crm", "serve", "--port", port, "--data-directory", self.directory / "data"],
            self.directory / "owner.log", port, {"LEADS_LOG_LEVEL": "warning", "LEADS_SWEEP_SECONDS": "3600"})
        self.socket_directory = str(self.directory / "data/run")
        if not pathlib.Path(self.socket_directory, SOCKET).exists():
            raise Failed(f"the server's socket is not in {self.socket_directory}")
        self.postmaster = int(pathlib.Path(self.directory, "data/data/postmaster.pid").read_text().split()[0])

    @contextlib.contextmanager
    def preloading(self, library: str):
        """PostgreSQL is started anew with the library, and afterwards without it."""
        for value in (f"'{library}'", "default"):
            self.sql("postgres", f"alter system set shared_preload_libraries = {value}")
            self.owner.end()
            self._start()
            if value != "default":
                yield

    def __exit__(self, *_):
        if self.owner:
            self.owner.end()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _age(self) -> None:
        """Makes the log's files, which a server that has run for a while uses again: in a new one, every 16 MB of it some
        commit waits 60 ms for the next file."""
        switches = "select pg_logical_emit_message(true, 'bench', 'age'); select pg_switch_wal();"
        self.sql("postgres", *[switches] * 60, "checkpoint", "checkpoint")

    def processor_time(self) -> float:
        """Seconds that PostgreSQL, with its ended sessions, and all servers of ours have used; not who asks them."""
        children = pathlib.Path(f"/proc/{self.postmaster}/task/{self.postmaster}/children").read_text().split()
        return (processor_time(self.postmaster, with_ended_children=True)
                + sum(processor_time(int(child)) for child in children)
                + sum(process.processor_time() for process in Process.running))

    def threads(self, instance: Process) -> dict[str, float]:
        """Seconds of processor time, by thread of the instance and by kind of PostgreSQL's processes."""
        used: dict[str, float] = {}

        def add(name: str, seconds: float) -> None:
            used[name] = used.get(name, 0) + seconds

        for thread in pathlib.Path(f"/proc/{instance.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):
                add(f"instance, {(thread / 'comm').read_text().strip()}",
                    processor_time(f"{instance.process.pid}/task/{thread.name}"))
        for child in pathlib.Path(f"/proc/{self.postmaster}/task/{self.postmaster}/children").read_text().split():
            with contextlib.suppress(OSError):
                title = pathlib.Path(f"/proc/{child}/cmdline").read_text().strip("\0 ").removeprefix("postgres: ")
                server = re.fullmatch(r"(checkpointer|background writer|walwriter|autovacuum .*|logical .*)", title.strip())
                add(f"PostgreSQL, {server[1] if server else 'sessions'}", processor_time(int(child)))
        return used

    def free_port(self) -> int:
        while True:
            self.next_port += 1
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.next_port)) != 0:
                    return self.next_port

    def sql(self, database: str, *statements: str) -> str:
        """What psql prints, each statement by itself."""
        commands = [part for statement in statements for part in ("-c", statement)]
        return run("psql", "-qXAt", "-v", "ON_ERROR_STOP=1", *commands, environment={
            "PGHOST": self.socket_directory, "PGUSER": "postgres", "PGDATABASE": database}).strip()

    def database(self, name: str) -> Database:
        return Database(self, name)

    def floor(self) -> Process:
        """Our own HTTP without a database: `GET /trivial`, and `POST /api/v1/contacts` that answers at once."""
        port = self.free_port()
        return Process([BINARIES / "http-floor", port], self.directory / "floor.log", port, ready="/trivial")

    @contextlib.contextmanager
    def balancer(self, instances: list[Instance]):
        """HAProxy with the product's configuration; yields its URL."""
        if not HAPROXY:
            raise Failed("no haproxy: make bench installs it")
        port = self.free_port()
        addresses = {f"LEADS_APP_{n}": f"127.0.0.1:{instance.port}" for n, instance in enumerate(instances, 1)}
        # Its log of every request goes where nobody reads it.
        process = subprocess.Popen(
            [HAPROXY, "-db", "-f", REPOSITORY / "deploy/haproxy.cfg"],
            env=os.environ | addresses | {"LEADS_BALANCER_BIND": f"127.0.0.1:{port}", "LEADS_BALANCER_RATE": "100000000"},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            deadline = time.monotonic() + 20
            while True:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
                    connection.request("GET", "/health")
                    if connection.getresponse().status == 200:
                        break
                if time.monotonic() > deadline:
                    raise Failed("haproxy does not serve")
                time.sleep(0.1)
            # All three have been checked by now.
            time.sleep(2)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def pgbench() -> str:
    """The newest installed: Debian keeps it beside each server."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/pgbench"), key=lambda path: int(path.split("/")[4]))
    return found[-1] if found else "pgbench"
