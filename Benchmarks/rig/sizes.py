"""Databases of two sizes, filled once for all questions that want them."""

import contextlib
import os
import time

from rig import report
from rig.servers import Database, Rig

WAITING = 200
LONG_QUEUE = 100_000


class Sizes:
    """A small and a large one: 10 000 contacts and CONTACTS (5 000 000 unless told otherwise)."""

    small = 10_000
    large = int(os.environ.get("CONTACTS", "5000000"))

    def __init__(self, rig: Rig):
        self.rig = rig
        self.made: dict[int, Database] = {}

    @classmethod
    def of(cls, rig: Rig) -> "Sizes":
        if not hasattr(rig, "sizes"):
            rig.sizes = cls(rig)
        return rig.sizes

    @contextlib.contextmanager
    def filled(self, contacts: int):
        """A database with so many old contacts; the next question may go on with it."""
        if contacts not in self.made:
            begun = time.monotonic()
            database = self.rig.database(f"filled_{contacts}")
            database.script("fill.sql", contacts=contacts, waiting=WAITING)
            self.made[contacts] = database
            report.say(f"{contacts:,} contacts filled in within {time.monotonic() - begun:.0f} s")
        yield self.made[contacts]

    def lengthen_queue(self, database: Database) -> None:
        """Makes LONG_QUEUE contacts wait in the source whose only operator is full."""
        waiting = int(database.sql("select count(*) from contacts where status = 'new'"))
        database.sql(
            f"""
            insert into contacts (lead_id, source_id, status, message, waiting_reason, waiting_since)
            select lead_id, source_id, 'new', message, waiting_reason, now()
            from (select * from contacts where status = 'new' limit 1) one, generate_series(1, {LONG_QUEUE - waiting})
            """, "select fold_contact_tallies()", "vacuum analyze contacts")

    def spoil(self, database: Database) -> None:
        """It is not what it was: the next question begins with a fresh one."""
        self.made = {contacts: other for contacts, other in self.made.items() if other is not database}
        database.drop()
