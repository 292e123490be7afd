"""One running `leads-crm`."""

import os
import pathlib
import signal
import subprocess

from client import Api, Unreachable
from processes import is_alive
from waiting import eventually, free_port

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("LEADS_BINARY", str(REPOSITORY / ".build/release/leads-crm"))


def _environment(settings: dict) -> dict:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("LEADS_", "DATABASE_", "PG"))}
    return inherited | {name: str(value) for name, value in settings.items()}


def run(*arguments: str, **settings) -> tuple[int, str]:
    """`leads-crm` with the arguments: its exit code and all it printed."""
    done = subprocess.run([BINARY, *arguments], env=_environment(settings), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    return done.returncode, done.stdout.decode(errors="replace")


def migrate(url: str) -> None:
    """`leads-crm migrate` on a database."""
    code, output = run("migrate", DATABASE_URL=url)
    assert code == 0, f"migrate: exit {code}\n{output}"


class Instance:
    """`leads-crm serve` on a port of its own, its log in a file unless it is to go elsewhere. Without `DATABASE_URL` it is
    embedded."""

    started: list["Instance"] = []

    def __init__(self, log: pathlib.Path, *arguments: str, port: int | None = None, stderr: int | None = None,
                 **settings):
        self.port = port or free_port()
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--port", str(self.port), *arguments], env=_environment(settings),
                cwd=log.parent, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output if stderr is None else stderr, start_new_session=True,
            )
        Instance.started.append(self)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None and is_alive(self.pid)

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def client(self, timeout: float = 10) -> Api:
        return Api(self.port, timeout)

    def is_ready(self) -> bool:
        client = self.client(timeout=2)
        try:
            return client.get("/readyz").status == 200
        except Unreachable:
            return False
        finally:
            client.close()

    def wait_until_ready(self, within: float = 30) -> "Instance":
        def ready():
            assert self.is_running, f"leads-crm ended with {self.process.returncode}:\n{self.output()[-4000:]}"
            return self.is_ready()

        eventually(ready, within, lambda: f"/readyz is not 200; the log ends:\n{self.output()[-4000:]}")
        return self

    def exit_code(self, within: float = 20) -> int:
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"leads-crm (pid {self.pid}) does not end within {within} s") from None

    def terminate(self, within: float = 20) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.exit_code(within)

    def kill(self) -> None:
        """kill -9 of this process alone."""
        self.process.kill()
        self.process.wait(10)

    def end(self) -> None:
        """Ends the process whatever it takes."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
