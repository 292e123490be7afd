"""What PostgreSQL itself recorded: the changes of every commit, in the order of the commits, by logical decoding."""

import gzip
import itertools
import pathlib
import re
from dataclasses import dataclass, field
from datetime import datetime

# The columns that are looked at; the rest of the record is passed over.
COLUMNS = {
    "operators": {"id", "archived_at"},
    "operator_loads": {"operator_id", "is_active", "max_load", "load", "ceiling"},
    "sources": {"id", "strategy", "sticky_days"},
    "weights": {"id", "source_id", "operator_id", "weight"},
    "leads": {"id", "external_id", "contact_count"},
    "contacts": {
        "id", "lead_id", "source_id", "operator_id", "status", "priority", "arrival", "waiting_reason", "is_forced",
        "version", "released_by", "message", "source_event_id",
    },
    "idempotency_keys": {"key", "contact_id", "status", "replays"},
    "events": {
        "id", "contact_id", "kind", "from_operator_id", "to_operator_id", "reason", "actor_kind", "data",
    },
}
END = "end of the record"

_CHANGE = re.compile(r'table (?:"(?:[^"]|"")*"|[^\s."]+)\.("(?:[^"]|"")*"|[^\s:"]+): (INSERT|UPDATE|DELETE|TRUNCATE):')
_COLUMN = re.compile(
    r"""("(?:[^"]|"")*"|[^\s\["]+)\[((?:"(?:[^"]|"")*"|[^\[\]"]|\[\])*)\]:('(?:[^']|'')*'|[^\s]+)""")
_COMMIT = re.compile(r"COMMIT (\d+) \(at ([^)]+)\)")
_INTEGERS = {"bigint", "integer", "smallint"}
_slots = itertools.count(1)


@dataclass
class Change:
    table: str
    kind: str
    row: dict
    text: str


@dataclass
class Commit:
    xid: int
    at: datetime
    changes: list[Change] = field(default_factory=list)


def value(type: str, text: str):
    """A value as `test_decoding` prints it."""
    if text == "null":
        return None
    if text.startswith("'"):
        text = text[1:-1].replace("''", "'")
    if type in _INTEGERS:
        return int(text)
    if type == "boolean":
        return text == "true"
    if type in ("bigint[]", "integer[]"):
        return tuple(int(element) for element in text[1:-1].split(",") if element)
    return text


def columns(text: str, wanted: set[str] | None = None) -> dict:
    """The columns in a line of `test_decoding`; those that were not written because they did not change are left out."""
    found = {}
    for match in _COLUMN.finditer(text):
        name, type, raw = match.groups()
        if name.startswith('"'):
            name = name[1:-1].replace('""', '"')
        if (wanted is None or name in wanted) and raw != "unchanged-toast-datum":
            found[name] = value(type, raw)
    return found


def change(line: str) -> Change | None:
    """What a line says about one of the tables looked at."""
    match = _CHANGE.match(line)
    if not match:
        return None
    table, kind = match.groups()
    if table not in COLUMNS:
        return None
    text = line[match.end():]
    if kind == "UPDATE" and text.startswith(" old-key: "):
        # An old key comes before the new row; no column that is looked at holds these words.
        text = text[text.index(" new-tuple: "):]
    return Change(table, kind, columns(text, COLUMNS[table]), line)


def commits(lines):
    """The commits that changed one of the tables, from the lines of `test_decoding`."""
    changes: list[Change] = []
    for line in lines:
        if line.startswith("table "):
            found = change(line)
            if found:
                changes.append(found)
        elif line.startswith("BEGIN"):
            changes = []
        elif line.startswith("COMMIT") and changes:
            xid, at = _COMMIT.match(line).groups()
            yield Commit(int(xid), datetime.fromisoformat(at), changes)


class Record:
    """Everything committed on a database from now on. Open it before the traffic; close it to let the WAL go."""

    def __init__(self, database):
        self.database = database
        self.name = f"record_{next(_slots)}"
        self.lines: list[str] = []
        self.ended_at: datetime | None = None
        database.rows("select pg_create_logical_replication_slot(%s, 'test_decoding')", self.name)

    def read(self) -> list[str]:
        """The lines since the last call. What commits after the call began may or may not be among them."""
        new: list[str] = []
        with self.database.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            # Decoding reads what is flushed; a commit that waits for its own flush flushes all before it.
            connection.execute("set synchronous_commit = on")
            self.ended_at = connection.execute(
                "select clock_timestamp() from pg_logical_emit_message(true, %s, '')", (END,)).fetchone()[0]
            while True:
                piece = connection.execute("""
                    select data from pg_logical_slot_get_changes(
                        %s, null, 50000, 'include-xids', '1', 'include-timestamp', '1', 'skip-empty-xacts', '1')
                """, (self.name,)).fetchall()
                new += [line for (line,) in piece]
                if not piece or any(line.startswith("message:") and END in line for (line,) in piece):
                    self.lines += new
                    return new

    def keep(self, path: pathlib.Path) -> pathlib.Path:
        """Writes the lines to a file; `kept` reads them."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt", compresslevel=3) as file:
            file.write("\0".join(self.lines))
        return path

    def close(self) -> None:
        self.database.rows("select pg_drop_replication_slot(%s)", self.name)


def kept(path: pathlib.Path) -> list[str]:
    with gzip.open(path, "rt") as file:
        return file.read().split("\0")
