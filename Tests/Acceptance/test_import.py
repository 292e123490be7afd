"""`leads-crm import`: files of contacts, by the real binary: what is taken, what is refused, and that no line is lost or taken
twice, however often the import is killed."""

import csv
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from database import terminate_others
from instance import BINARY, run
from load import generator
from processes import mentioning
from waiting import eventually

ALL_IN, SOME_FAILED, UNFINISHED, MISUSE, STOPPED = 0, 1, 2, 64, 130
CANARY = "canary7413"


class Import:
    """One file and where it is imported."""

    def __init__(self, database, path: pathlib.Path, source: int | str | None):
        self.database, self.path = database, path
        self.arguments = ["import", str(path)] + ([] if source is None else ["--source", str(source)])

    def run(self, *options: str, **settings) -> tuple[int, str]:
        return run(*self.arguments, *options, **({"DATABASE_URL": self.database.dsn} | settings))

    def must(self, code: int, *options: str) -> str:
        found, output = self.run(*options)
        assert found == code, output
        return output

    def start(self) -> subprocess.Popen:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("LEADS_", "DATABASE_", "PG"))}
        return subprocess.Popen([BINARY, *self.arguments], env=environment | {"DATABASE_URL": self.database.dsn},
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    @property
    def state(self) -> pathlib.Path:
        return self.path.with_name(self.path.name + ".progress")

    @property
    def errors(self) -> pathlib.Path:
        return self.path.with_suffix(".errors" + self.path.suffix)

    def rejected(self) -> list[dict]:
        if self.path.suffix == ".jsonl":
            return [json.loads(line) for line in self.errors.read_text().splitlines()]
        text = self.errors.read_text()
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if ";" in text.splitlines()[0] else ","))


@pytest.fixture
def source(api):
    return api.source()["id"]


@pytest.fixture
def files(tmp_path, database, source):
    """Writes a file and imports it into the source of the test: `files("x.csv", text)`."""

    def write(name: str, text: str | bytes, source: int | str | None = source) -> Import:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Import(database, path, source)

    return write


def contacts_of(database, source: int) -> list[tuple]:
    return database.contacts_in_order(source)


def table(rows: list[dict], delimiter: str = ",") -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def lines(rows: list[dict]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


PEOPLE = [
    {"lead_name": "Анна", "lead_phone": "8 (900) 123-45-67", "lead_email": "A@Example.com", "message": "раз, \"два\"\nтри; четыре",
     "priority": 5},
    {"lead_name": "Boris", "lead_phone": "+7 900 1234568", "lead_email": "", "message": "", "priority": 0},
]
STORED = [("Анна", "8 (900) 123-45-67", "A@Example.com", None, "раз, \"два\"\nтри; четыре", 5), ("Boris", "+7 900 1234568")]


def test_it_is_listed_and_explained():
    assert "import" in run("--help")[1]
    code, output = run("import", "--help")
    assert code == 0 and "--dry-run" in output and "Exit codes" in output


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_as_spreadsheets_write_it(files, database, source, delimiter):
    imported = files("people.csv", b"\xef\xbb\xbf" + table(PEOPLE, delimiter).encode())
    output = imported.must(ALL_IN)
    assert "2 registered" in output and "0 failed" in output
    first, second = contacts_of(database, source)
    assert first == STORED[0] and second[:2] == STORED[1] and second[2:] == (None, None, None, 0)
    assert database.value("select count(*) from lead_identities where value = '+79001234567'") == 1
    assert not imported.errors.exists()


def test_objects_a_line(files, database, source):
    imported = files("people.jsonl", lines([*PEOPLE, {"lead_external_id": "x", "unknown": {"a": [1]}}]))
    imported.must(ALL_IN)
    found = contacts_of(database, source)
    assert found[0] == STORED[0] and found[1][:2] == STORED[1] and found[2][3] == "x"


def test_a_source_by_its_name_and_lines_with_their_own(files, database, api, source):
    name = api.read("sources", source)["name"]
    other = api.source()["id"]
    imported = files("people.csv", f"lead_name,source_id\nAnna,\nBoris,{other}\nVera,999999\n", name)
    output = imported.must(SOME_FAILED)
    assert "2 registered" in output and "1 failed" in output
    assert [row[0] for row in contacts_of(database, source)] == ["Anna"]
    assert [row[0] for row in contacts_of(database, other)] == ["Boris"]
    [rejected] = imported.rejected()
    assert rejected == {"line": "4", "error": "source_id: there is no such source", "lead_name": "Vera", "source_id": "999999"}
    homeless = files("others.csv", "lead_name\nAnna\n", None)
    homeless.must(SOME_FAILED)
    assert homeless.rejected()[0]["error"] == "source_id: Field required"


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_faulty_lines_go_to_a_file_that_can_be_mended_and_imported(files, database, source, delimiter):
    text = table([{"note": "n", "lead_name": f"Name {n}", "priority": "x" if n % 3 == 1 else 1} for n in range(9)], delimiter)
    imported = files("people.csv", text)
    output = imported.must(SOME_FAILED)
    assert "6 registered" in output and "3 failed" in output and "Columns not imported: note" in output
    rejected = imported.rejected()
    assert [row["line"] for row in rejected] == ["3", "6", "9"]
    assert {row["error"] for row in rejected} == {"priority: Input should be a valid integer, unable to parse string as an integer"}
    assert rejected[0]["lead_name"] == "Name 1" and rejected[0]["priority"] == "x" and rejected[0]["note"] == "n"
    mended = files("people.errors.csv", imported.errors.read_text().replace(f"x{os.linesep}", "2\n"))
    assert "3 registered" in mended.must(ALL_IN)
    assert sorted(row[0] for row in contacts_of(database, source)) == [f"Name {n}" for n in range(9)]


def test_faulty_objects_go_to_a_file_that_can_be_mended_and_imported(files, database, source):
    imported = files("people.jsonl", '{"lead_name": "Anna"}\n{"lead_name": 7}\nnonsense\n{"lead_name": "Vera"}\n')
    imported.must(SOME_FAILED)
    assert imported.rejected() == [
        {"line": 2, "error": "lead_name: Input should be a valid string", "lead_name": 7},
        {"line": 3, "error": "it is no JSON: Expecting value, at character 1", "text": "nonsense"}]
    mended = files("people.errors.jsonl", imported.errors.read_text().replace("7", '"Boris"'))
    mended.must(ALL_IN)
    assert [row[0] for row in contacts_of(database, source)] == ["Anna", "Vera", "Boris", None]


@pytest.mark.parametrize("kept", [True, False])
def test_mended_lines_are_never_lost_to_another_import_of_the_file(files, api, kept):
    """Into another source, anew, or with the state gone."""
    imported = files("people.csv", "lead_name,priority\nAnna,x\nBoris,1\n")
    imported.must(SOME_FAILED)
    mended = imported.errors.read_text().replace("x", "2")
    imported.errors.write_text(mended)
    if not kept:
        imported.state.unlink()
    again = files("people.csv", "lead_name,priority\nAnna,x\nBoris,1\n", api.source()["id"])
    output = again.must(SOME_FAILED)
    [other] = again.path.parent.glob("people.errors.1.csv")
    assert other.read_text() == mended and other.name in output
    assert again.rejected()[0]["priority"] == "x"
    files("people.csv", "lead_name,priority\nAnna,3\n", api.source()["id"]).must(ALL_IN)
    assert again.rejected()[0]["priority"] == "x", "with nothing to write, nothing is touched"


def stopped(imported: Import, database, source: int, until: int) -> int:
    """How many contacts were stored when a signal stopped the import."""
    process = imported.start()
    eventually(lambda: len(contacts_of(database, source)) >= until, 30, "it does not go on")
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=20)[0].decode()
    assert process.returncode == STOPPED, output
    return len(contacts_of(database, source))


def test_mended_lines_are_never_lost_to_an_import_that_goes_on(files, database, source):
    imported = files("people.csv", table(many(NUMBER, FAULTY)))
    stopped(imported, database, source, 1000)
    mended = imported.errors.read_text().replace(",x", ",1")
    imported.errors.write_text(mended)
    output = imported.must(SOME_FAILED)
    [other] = imported.path.parent.glob("people.errors.1.csv")
    assert other.read_text() == mended and other.name in output
    assert imported.errors.read_text().startswith("line,error,lead_phone")
    assert len(imported.rejected()) == NUMBER // FAULTY - len(list(csv.DictReader(io.StringIO(mended, newline=""))))


def test_a_file_of_errors_taken_away_begins_again(files, database, source):
    imported = files("people.csv", table(many(NUMBER, FAULTY)))
    stopped(imported, database, source, 1000)
    taken = imported.rejected()
    imported.errors.rename(imported.errors.with_name("taken.csv"))
    imported.must(SOME_FAILED)
    assert imported.errors.read_bytes().startswith(b"line,error,lead_phone")
    assert len(taken) + len(imported.rejected()) == NUMBER // FAULTY


def test_what_is_written_beside_a_file_is_for_the_eyes_of_the_account_alone(files):
    imported = files("people.csv", "lead_phone,priority\n+79001234567,1\n+79001234568,x\n")
    imported.path.chmod(0o644)
    imported.must(1)
    assert [path.stat().st_mode & 0o777 for path in (imported.state, imported.errors)] == [0o600, 0o600]
    assert "personal data" in run("import", "--help")[1]


def test_what_stands_in_a_file_is_repeated_nowhere_but_in_the_file_of_errors(files):
    imported = files("people.csv", f"lead_name,priority\n{CANARY},{CANARY}\n\"{CANARY}\" x,1\n{CANARY}\n")
    for options in ((), ("--dry-run",)):
        assert CANARY not in imported.must(SOME_FAILED, *options)
    assert CANARY not in imported.state.read_text()


def test_a_dry_run_changes_nothing_and_needs_no_database(files, database, source):
    imported = files("people.csv", "lead_name,priority\nAnna,1\nBoris,x\n")
    code, output = imported.run("--dry-run", DATABASE_URL="postgresql://127.0.0.1:1/nowhere")
    assert code == SOME_FAILED and "line 3: priority: Input should be" in output
    assert "2 lines: 1 can be imported, 1 would fail" in output
    assert [path.name for path in imported.path.parent.iterdir()] == ["people.csv"]
    assert contacts_of(database, source) == []


def test_the_same_file_again_makes_no_second_contact_whatever_is_left_of_the_state(files, database, source):
    """Nor do lines that are equal count as one."""
    imported = files("people.csv", "lead_name\n" + "Anna\n" * 1200)
    imported.must(ALL_IN)
    assert "nothing is left to do" in imported.must(ALL_IN)
    imported.state.unlink()
    output = imported.must(ALL_IN)
    assert "0 registered" in output and "1 200 there already" in output
    imported.state.write_text("{}")
    imported.must(ALL_IN)
    renamed = files("renamed.csv", imported.path.read_text())
    assert "1 200 there already" in renamed.must(ALL_IN)
    assert len(contacts_of(database, source)) == 1200


def test_own_event_ids_decide_who_is_there_already(files, database, source):
    imported = files("people.csv", "lead_name,source_event_id\nAnna,1\nBoris,2\nAnna,1\n")
    assert "2 registered" in imported.must(ALL_IN)
    grown = files("people.csv", "lead_name,source_event_id\nAnna,1\nBoris,2\nAnna,1\nVera,3\n")
    output = grown.must(ALL_IN)
    assert "1 registered" in output and "3 there already" in output
    assert [row[0] for row in contacts_of(database, source)] == ["Anna", "Boris", "Vera"]


def test_a_file_that_has_changed_is_refused_lest_its_lines_be_registered_again(files, database, source):
    files("people.csv", "lead_name\nAnna\nBoris\n").must(ALL_IN)
    changed = files("people.csv", "lead_name\nAnna\nBoris\nVera\n")
    assert "--anew" in changed.must(MISUSE)
    assert len(contacts_of(database, source)) == 2
    changed.must(ALL_IN, "--anew")
    assert len(contacts_of(database, source)) == 5


def test_another_database_or_source_is_another_import(files, database, source, api, empty_database, instances):
    files("people.csv", "lead_name\nAnna\n").must(ALL_IN)
    other = api.source()["id"]
    files("people.csv", "lead_name\nAnna\n", other).must(ALL_IN)
    assert len(contacts_of(database, other)) == 1
    server = instances(empty_database)
    elsewhere = Import(empty_database, files("people.csv", "lead_name\nAnna\n").path, server.client().source()["id"])
    elsewhere.must(ALL_IN)
    assert empty_database.count("contacts") == 1
    server.end()


@pytest.mark.parametrize("name, text, options", [
    ("people.txt", "lead_name\nAnna\n", []), ("people.csv", "name\nAnna\n", []), ("people.csv", "", []),
    ("people.csv", "lead_name,lead_name\n", []), ("people.csv", "lead_name\nAnna\n", ["--source", "no such source"]),
    ("people.csv", "lead_name\nAnna\n", ["--nonsense"]), ("people.csv", b"\xff\xfel\0", []),
])
def test_what_makes_no_sense_is_a_misuse(files, database, name, text, options):
    before = database.count("contacts")
    assert files(name, text).run(*options)[0] == MISUSE
    assert database.count("contacts") == before


def test_a_file_or_a_database_that_is_not_there_is_named(files, tmp_path):
    code, output = run("import", str(tmp_path / "absent.csv"))
    assert code == UNFINISHED and "absent.csv" in output and "go on" not in output
    code, output = files("people.csv", "lead_name\nAnna\n").run(DATABASE_URL=f"postgresql://leads:{CANARY}@127.0.0.1:1/leads")
    assert code == UNFINISHED and "127.0.0.1" in output and CANARY not in output


@pytest.mark.parametrize("text", ["name\nAnna\n", "lead_name,lead_name\n", b"\xff\xfel\0"])
def test_what_is_wrong_with_a_file_is_said_before_a_database_is_asked(files, text):
    assert files("people.csv", text).run(DATABASE_URL="postgresql://127.0.0.1:1/nowhere")[0] == MISUSE


def many(number: int, faulty: int) -> list[dict]:
    """Every `faulty`th has no valid priority; some phones come back, one message spans two lines."""
    return [{"lead_phone": f"+7900{n % (number // 2):07}", "lead_name": f"Name {n}", "message": f"message {n},\nline",
             "priority": "x" if n % faulty == 0 else n % 10} for n in range(number)]


NUMBER, FAULTY = 12_000, 100
LINES = int(os.environ.get("LEADS_IMPORT_LINES", NUMBER))


@pytest.mark.seconds(300)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_killed_at_any_point_it_goes_on_and_takes_each_line_once(files, database, api, kind):
    random = generator(f"kills of {kind}")
    source, operator = api.staffed_source(max_load=LINES // 2)
    rows = many(LINES, FAULTY)
    imported = files(f"people.{kind}", table(rows) if kind == "csv" else lines(rows), source["id"])
    kills = 0
    while True:
        before = len(contacts_of(database, source["id"]))
        process = imported.start()
        goal = before + random.randrange(1, LINES // 3)
        eventually(lambda: process.poll() is not None or len(contacts_of(database, source["id"])) >= goal, 60,
                   "it does not go on", every=random.random() * 0.02)
        if process.poll() is not None:
            break
        process.kill()
        process.communicate(timeout=10)
        kills += 1
        assert kills < 100
    output = process.communicate()[0].decode()
    assert process.returncode == SOME_FAILED, output
    print(f"killed {kills} times; then: {output}")
    assert kills >= 2
    stored = contacts_of(database, source["id"])
    assert [row[4] for row in stored] == [row["message"] for row in rows if row["priority"] != "x"]
    step = 2 if kind == "csv" else 1
    first = 2 if kind == "csv" else 1
    assert [int(row["line"]) for row in imported.rejected()] == [first + step * n for n in range(0, LINES, FAULTY)]
    assert api.load(operator["id"]) == LINES // 2 and database.broken_loads() == []
    # What a killed run stored and could not note was not there before the import.
    assert " 0 there already" in output
    assert f"{LINES // 1000} 000 lines" in output and f" {len(range(0, LINES, FAULTY)):,} failed".replace(",", " ") in output


def test_a_signal_finishes_what_is_in_hand_and_says_how_to_go_on(files, database, source):
    rows = many(NUMBER, FAULTY)
    imported = files("people.csv", table(rows))
    process = imported.start()
    eventually(lambda: contacts_of(database, source), 30, "it does not begin")
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=20)[0].decode()
    assert process.returncode == STOPPED and "Run it again to go on" in output, output
    stored = len(contacts_of(database, source))
    assert 0 < stored < NUMBER and json.loads(imported.state.read_text())["counts"]["registered"] == stored
    output = imported.must(SOME_FAILED)
    assert "0 there already" in output
    assert len(contacts_of(database, source)) == NUMBER - NUMBER // FAULTY


def test_lost_connections_do_not_end_it(files, database, source):
    imported = files("people.csv", table(many(NUMBER, FAULTY)))
    process = imported.start()
    for part in (1, 2, 3):
        eventually(lambda: len(contacts_of(database, source)) >= part * NUMBER / 5, 30, "it does not go on")
        with database.connect() as connection:
            terminate_others(connection)
    output = process.communicate(timeout=60)[0].decode()
    assert process.returncode == SOME_FAILED and " 0 there already" in output, output
    assert len(contacts_of(database, source)) == NUMBER - NUMBER // FAULTY


def test_a_signal_ends_it_also_while_the_database_takes_nothing(files, database, api):
    source, operator = api.staffed_source()
    imported = files("people.csv", "lead_name\nAnna\n", source["id"])
    with database.operator_held(operator["id"]):
        process = imported.start()
        eventually(database.blocked_sessions, 30, "it does not begin")
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=20)[0].decode()
    assert process.returncode == STOPPED, output
    assert "1 registered" in imported.must(ALL_IN) and len(contacts_of(database, source["id"])) == 1


def test_a_connection_as_leads_app_is_enough(files, empty_database):
    code, output = run("migrate", "--roles", DATABASE_URL=empty_database.dsn)
    assert code == 0, output
    source = empty_database.value("insert into sources (name) values ('bot') returning id")
    imported = Import(empty_database, files("people.csv", "lead_name\nAnna\n").path, "bot")
    code, output = imported.run(DATABASE_URL=f"{empty_database.dsn}?user=leads_app")
    assert code == ALL_IN, output
    assert len(contacts_of(empty_database, source)) == 1


def test_the_embedded_database_is_shared_with_an_instance_or_started(tmp_path, instances):
    home = pathlib.Path(tempfile.mkdtemp(prefix="leads-import-", dir="/tmp"))
    home.chmod(0o755)
    try:
        path = tmp_path / "people.csv"
        path.write_text("lead_name\nAnna\n")
        code, output = run("import", str(path), "--source", "1", "--data-directory", str(home / "data"))
        assert code == UNFINISHED and "there is no database" in output and not list(home.iterdir())
        server = instances(None, "--data-directory", str(home / "data"))
        assert server.client().source()["id"] == 1
        for registered in (1, 0):
            code, output = run("import", str(path), "--source", "1", "--data-directory", str(home / "data"))
            assert code == ALL_IN and ("nothing is left to do" in output) == (registered == 0), output
            if registered:
                assert len(server.client().read("contacts")) == 1 and server.terminate() == 0
        assert mentioning(str(home)) == []
    finally:
        shutil.rmtree(home, ignore_errors=True)


def test_instances_serve_meanwhile_and_nobody_waits_beside_capacity(files, database, api):
    source, operator = api.staffed_source(max_load=100)
    imported = files("people.csv", table(many(6000, 10**9 + 7)), source["id"])
    process = imported.start()
    closed = 0
    while process.poll() is None:
        for contact in api.get(f"/api/v1/contacts?source_id={source['id']}&status=active&limit=50").json:
            api.close_contact(contact["id"])
            closed += 1
        api.contact(source["id"], lead_name="by hand")
    assert process.wait() == SOME_FAILED and closed > 0
    process.communicate()
    assert database.broken_loads() == [] and database.load_drift() == []
    eventually(lambda: not database.stranded(), 10, "contacts wait beside capacity")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_random_tables_mean_what_they_mean_to_python(files, database, source, delimiter):
    random = generator("random tables")
    pieces = ['"', ",", ";", "\n", "\r\n", "\t", "a", "ы", " ", "😀", "'", "\\", "\u2028", ""]
    rows = [{"message": "".join(random.choices(pieces, k=random.randrange(12))), "other": "".join(random.choices(pieces, k=3)),
             "lead_name": f"Name {n}"} for n in range(1500)]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0], delimiter=delimiter, quoting=random.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
                            lineterminator=random.choice(("\n", "\r\n")))
    writer.writeheader()
    writer.writerows(rows)
    files("people.csv", text.getvalue()).must(ALL_IN)
    assert [(row[0], row[4]) for row in contacts_of(database, source)] == [
        (row["lead_name"], row["message"] or None) for row in rows]


def test_two_processes_do_not_import_one_file_at_once(files, database, source):
    imported = files("people.csv", table(many(NUMBER, FAULTY)))
    process = imported.start()
    try:
        eventually(lambda: contacts_of(database, source), 30, "it does not begin")
        assert "another process" in imported.must(UNFINISHED)
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_on_a_terminal_a_bar_is_drawn(files, source):
    imported = files("people.csv", table(many(NUMBER, FAULTY)))
    terminal, other = os.openpty()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LEADS_", "DATABASE_", "PG"))}
    process = subprocess.Popen([BINARY, *imported.arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=other,
                               env=environment | {"DATABASE_URL": imported.database.dsn})
    os.close(other)
    drawn = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        drawn += piece
    os.close(terminal)
    assert process.wait(30) == SOME_FAILED
    process.stdout.close()
    bars = [bar for bar in drawn.decode().split("\r") if bar.startswith("[")]
    assert len(bars) > 2 and all(" %, " in bar and "/s" in bar for bar in bars)
    assert any("left" in bar for bar in bars)
