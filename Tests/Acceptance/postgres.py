"""A PostgreSQL cluster of the tests' own, in a short temporary directory."""

import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import tempfile

import psycopg

from processes import kill_tree
from waiting import eventually, free_port


def _binaries() -> pathlib.Path:
    found = pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(found, key=lambda path: int(re.match(r"\d+", path.parts[-3])[0]), default=None)
    assert newest, "no PostgreSQL in /usr/lib/postgresql/*/bin"
    return newest.parent


def _as_postgres(command: list) -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return list(map(str, command))
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *map(str, command)]


class Cluster:
    """initdb, start, stop, kill -9 and start again. `durable` keeps fsync on."""

    def __init__(self, durable: bool = False):
        self.durable = durable
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="leads-pg-", dir="/tmp"))
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.home, account.pw_uid, account.pw_gid)
        self.port = free_port()
        self.log = self.home / "postgres.log"
        self.process: subprocess.Popen | None = None
        subprocess.run(
            _as_postgres([_binaries() / "initdb", "-D", self.home / "data", "-U", self.user, "-A", "trust",
                          "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]),
            check=True, cwd="/", stdout=subprocess.DEVNULL,
        )

    def dsn(self, database: str = "postgres") -> str:
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres", **settings) -> psycopg.Connection:
        return psycopg.connect(self.dsn(database), autocommit=True, connect_timeout=5, **settings)

    def start(self) -> "Cluster":
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.home,
            "max_connections": 200,
            "shared_buffers": "128MB",
            "log_lock_waits": "on",
            # Tests judge histories by logical decoding.
            "wal_level": "logical",
            "lc_messages": "C",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                _as_postgres([_binaries() / "postgres", "-D", self.home / "data", *options]),
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )
        eventually(self._accepts, 30, lambda: f"PostgreSQL does not start:\n{self.log.read_text()[-2000:]}")
        return self

    def _accepts(self) -> bool:
        assert self.process.poll() is None, f"PostgreSQL ended:\n{self.log.read_text()[-2000:]}"
        try:
            self.connect().close()
            return True
        except psycopg.OperationalError:
            return False

    def kill(self) -> None:
        """kill -9 of the postmaster and all its children, as a crash of the machine would."""
        kill_tree(self.process.pid)
        self.process.wait(10)

    def remove(self) -> None:
        """Ends it without a checkpoint: nobody will read the files again."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def log_size(self) -> int:
        return self.log.stat().st_size

    def log_since(self, size: int) -> str:
        with self.log.open("rb") as log:
            log.seek(size)
            return log.read().decode(errors="replace")
