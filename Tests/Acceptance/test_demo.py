"""`leads-crm demo` against a real instance."""

import re
import signal
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from instance import BINARY, run
from load import Background
from waiting import eventually, free_port

OPERATORS = ["Anna Demo", "Boris Demo", "Clara Demo", "David Demo", "Elena Demo", "Farid Demo"]
FICTITIOUS_PHONE = r"\+44(207946|1\d\d496)0\d{3}|\+1\d{3}55501\d\d"


def address(server) -> str:
    return f"http://127.0.0.1:{server.port}"


def demo(server, *arguments: str) -> str:
    """Runs to the end; what it printed."""
    code, output = run("demo", "--url", address(server), *arguments)
    assert code == 0, output
    return output


def number(output: str, pattern: str) -> int:
    found = re.search(pattern, output)
    assert found, f"no {pattern!r} in:\n{output}"
    return int(found[1])


def test_it_fills_an_instance_with_contacts_that_come_and_go(server, database):
    output = demo(server, "--seed", "7", "--rate", "20", "--for", "4")
    sent = number(output, r"Sent (\d+) contacts")
    assert sent >= 30 and "seed 7" in output and re.search(r"errors +none", output)
    assert database.count("contacts") == sent
    assert number(output, r"placed at once +(\d+)") + number(output, r"had to wait +(\d+)") == sent
    assert number(output, r"closed +(\d+)") >= list(database.status_of_contacts().values()).count("closed") > 0
    assert database.broken_loads() == [] and database.stranded() == []


def test_its_people_are_nobody(server, database):
    demo(server, "--rate", "40", "--for", "1")
    leads = database.rows("select phone, email from leads")
    assert len(leads) > 10
    for phone, email in leads:
        assert phone or email
        assert phone is None or re.fullmatch(FICTITIOUS_PHONE, re.sub(r"[^+\d]", "", phone)), phone
        assert email is None or re.search(r"@example\.(com|net|org)$", email), email


def test_a_second_run_finds_what_the_first_one_made(server, database, api):
    demo(server, "--for", "1", "--rate", "1")
    changed = api.change_operator(api.read("operators")[0]["id"], max_load=9, is_active=False)
    demo(server, "--for", "1", "--rate", "5")
    operators = api.read("operators")
    assert [each["name"] for each in operators] == OPERATORS
    assert operators[0]["max_load"] == changed["max_load"] == 9 and all(each["is_active"] for each in operators)
    assert database.count("sources") == 4
    assert database.broken_loads() == []


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_a_summary_and_nobody_on_a_break(server, database, api, sign):
    before = database.count("contacts")
    process = subprocess.Popen([BINARY, "demo", "--url", address(server), "--rate", "30", "--for", "forever"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: database.count("contacts") > before, 10, "it sends nothing")
        process.send_signal(sign)
        output = process.communicate(timeout=10)[0].decode()
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert number(output, r"Sent (\d+) contacts") == database.count("contacts") - before
    assert all(each["is_active"] for each in api.read("operators"))


def test_an_outage_is_said_and_survived(instances, empty_database):
    instance = instances(empty_database)
    process = subprocess.Popen([BINARY, "demo", "--url", address(instance), "--rate", "20", "--for", "forever"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: empty_database.count("contacts") > 0, 10, "it sends nothing")
        instance.kill()
        assert any(b"trying again" in line for line in process.stdout)
        before = empty_database.count("contacts")
        again = instances(empty_database, "--port", str(instance.port), ready=False)
        eventually(lambda: empty_database.count("contacts") > before, 15, "it does not go on")
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=10)[0].decode()
    finally:
        process.kill()
    again.end()
    assert process.returncode == 0 and "answers again" in output and "no answer: " in output
    assert number(output, r"Sent (\d+) contacts") >= empty_database.count("contacts") - 24
    assert empty_database.broken_loads() == []


def test_without_an_instance_it_says_how_to_start_one():
    code, output = run("demo", "--url", f"http://127.0.0.1:{free_port()}")
    assert code != 0 and "make run" in output and "nothing answers" in output


class Doorkeeper(BaseHTTPRequestHandler):
    """A closed instance that knows one key, as far as a demonstration's first request goes."""

    KEY = "crm_abcdefgh_s3cret"
    shown: list[str | None] = []
    moves_to = ""

    def do_GET(self):
        self.shown.append(self.headers["Authorization"])
        status = 307 if self.moves_to else 200 if self.headers["Authorization"] == f"Bearer {self.KEY}" else 401
        body = b'{"detail": "no", "code": "unauthenticated"}' if status == 401 else b'{"message": "somebody else"}'
        self.send_response(status)
        if self.moves_to:
            self.send_header("Location", self.moves_to)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def doorkeeper(monkeypatch):
    """Its address."""
    monkeypatch.setattr(Doorkeeper, "shown", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Doorkeeper) as server, Background(lambda stop: server.serve_forever()):
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("arguments, settings", [
    (["--key", Doorkeeper.KEY], {}), ([], {"LEADS_KEY": Doorkeeper.KEY}), (["--key", Doorkeeper.KEY], {"LEADS_KEY": "other"}),
])
def test_a_closed_instance_is_shown_the_key(doorkeeper, arguments, settings):
    code, output = run("demo", "--url", doorkeeper, *arguments, **settings)
    assert Doorkeeper.shown == [f"Bearer {Doorkeeper.KEY}"]
    assert code != 0 and "is no Leads CRM" in output and "s3cret" not in output


@pytest.mark.parametrize("settings", [{}, {"LEADS_KEY": "crm_abcdefgh_wr0ng"}])
def test_a_closed_instance_that_is_shown_no_key_or_a_wrong_one_is_told_from_none(doorkeeper, settings):
    code, output = run("demo", "--url", doorkeeper, **settings)
    assert code != 0 and "LEADS_KEY" in output and "wr0ng" not in output


def test_a_key_is_not_shown_where_an_answer_points_to(doorkeeper, monkeypatch):
    monkeypatch.setattr(Doorkeeper, "moves_to", f"{doorkeeper}/elsewhere")
    run("demo", "--url", doorkeeper, "--key", Doorkeeper.KEY)
    assert len(Doorkeeper.shown) == 1


def test_help_shows_no_key():
    assert "s3cret" not in run("help", "demo", LEADS_KEY=Doorkeeper.KEY)[1]


@pytest.mark.parametrize("arguments", [
    ["--key", "two words"], ["--key", "a\r\nX-Evil: 1"], ["--rate", "0"], ["--rate", "1e9"], ["--for", "soon"], ["--seed", "-1"], ["--url", "127.0.0.1:8000"],
])
def test_an_option_that_makes_no_sense_is_named(arguments):
    code, output = run("demo", *arguments)
    assert code != 0 and arguments[0] in output
