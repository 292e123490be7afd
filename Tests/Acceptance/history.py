"""Judges a history: replays what PostgreSQL recorded, commit by commit, and says what no commit may do.

Every object of the product has a row lock that orders the commits that touch it, so one pass in commit order is enough.

    python history.py FILE      judges a history that a failed test kept
"""

import bisect
import collections
import json
import pathlib
import sys
from dataclasses import dataclass
from datetime import datetime

from record import Commit, commits, kept

PATIENCE = 1.0  # seconds a contact may wait beside an operator who could take it
END_OF_QUEUE = 1 << 62
AT_ONCE = 30  # commits between a transaction's reading a queue and its own commit, at most


@dataclass(slots=True)
class Operator:
    is_active: bool
    max_load: int
    load: int
    ceiling: int
    count: int = 0  # of its active contacts, counted by us

    @property
    def is_free(self) -> bool:
        return self.is_active and self.count < self.max_load


@dataclass(slots=True, frozen=True)
class Contact:
    lead: int
    source: int
    operator: int | None
    status: str
    priority: int
    arrival: int
    waiting_reason: str | None
    is_forced: bool
    version: int
    released_by: frozenset
    message: str | None

    def differs(self, other: "Contact") -> bool:
        """Whether it is another version; why nobody was found is not a part of it."""
        return any(getattr(self, name) != getattr(other, name) for name in (
            "operator", "status", "priority", "arrival", "released_by", "message"))

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands in its source's queue."""
        return -self.priority, self.arrival


class Line:
    """The waiting contacts of one source."""

    def __init__(self):
        self.open: list[tuple] = []  # (place, contact id) of those anybody may take, in order
        self.picky: dict[int, Contact] = {}  # those that some operators have released

    def join(self, id: int, contact: Contact) -> None:
        if contact.released_by:
            self.picky[id] = contact
        else:
            bisect.insort(self.open, (contact.place, id))

    def leave(self, id: int, contact: Contact) -> None:
        if contact.released_by:
            del self.picky[id]
        else:
            del self.open[bisect.bisect_left(self.open, (contact.place, id))]

    def __bool__(self) -> bool:
        return bool(self.open or self.picky)


@dataclass
class Violation:
    kind: str
    text: str
    number: int
    commit: Commit
    objects: tuple


class History:
    """The state after each commit, and the violations on the way."""

    def __init__(self, patience: float = PATIENCE):
        self.patience = patience
        self.operators: dict[int, Operator] = {}
        self.archived: set[int] = set()
        self.contacts: dict[int, Contact] = {}
        self.weights: dict[int, tuple[int, int]] = {}
        self.team: dict[int, dict[int, int]] = collections.defaultdict(dict)  # source → operator → weight
        self.sources_of: dict[int, set[int]] = collections.defaultdict(set)
        self.lines: dict[int, Line] = collections.defaultdict(Line)
        # By source: the last commits by which somebody left the line, and from which place.
        self.left: dict[int, collections.deque] = collections.defaultdict(lambda: collections.deque(maxlen=AT_ONCE))
        self.leads: dict[int, int] = {}
        self.contacts_of_lead: collections.Counter = collections.Counter()
        self.lead_by_external_id: dict[str, int] = {}
        self.contact_by_event: dict[tuple[int, str], int] = {}
        self.replays: dict[str, int] = {}  # by Idempotency-Key: how often its answer was given again
        self.idle_since: dict[int, tuple[datetime, int]] = {}
        self.longest_idle = 0.0
        self.longest_line = 0
        self.commits: list[Commit] = []
        self.violations: list[Violation] = []
        self.counts: collections.Counter = collections.Counter()
        self._now: datetime | None = None

    def follow(self, lines) -> "History":
        """Replays the commits that the lines tell of; they go on where the last ones ended."""
        for commit in commits(lines):
            self.replay(commit)
        return self

    # One commit.

    def replay(self, commit: Commit) -> None:
        self.commits.append(commit)
        self._now = max(self._now, commit.at) if self._now else commit.at
        self.was: dict[int, Contact | None] = {}
        self.events: dict[int, list[dict]] = collections.defaultdict(list)
        self.touched_operators: set[int] = set()
        self.touched_sources: set[int] = set()
        self.touched_leads: set[int] = set()
        self.freed: set[int] = set()  # operators of whom a place became free
        self.answers: list[dict] = []  # to requests with a key, stored by this commit
        for change in commit.changes:
            getattr(self, f"_{change.table}")(change.kind, change.row)
        for id in self.touched_operators:
            self.touched_sources |= self.sources_of[id]
        self._check_counters()
        self._check_answers()
        for id, was in self.was.items():
            self._check_events(id, was, self.contacts.get(id))
        self._check_assignments()
        self._check_conclusions()
        self._check_idleness()

    def end(self, at: datetime) -> "History":
        """Nothing was committed any more until `at`: who still waits beside capacity has waited until then."""
        self._now = max(self._now, at) if self._now else at
        for source in list(self.idle_since):
            self._idleness_ends(source)
        return self

    def _operators(self, kind: str, row: dict) -> None:
        if row.get("archived_at"):
            self.archived.add(row["id"])

    def _operator_loads(self, kind: str, row: dict) -> None:
        id = row["operator_id"]
        self.touched_operators.add(id)
        if kind == "INSERT":
            self.operators[id] = Operator(row["is_active"], row["max_load"], row["load"], row["ceiling"])
        elif kind == "UPDATE":
            operator = self.operators[id]
            if row["is_active"] > operator.is_active or row["max_load"] > operator.max_load:
                self.freed.add(id)
            operator.is_active, operator.max_load = row["is_active"], row["max_load"]
            operator.load, operator.ceiling = row["load"], row["ceiling"]

    def _sources(self, kind: str, row: dict) -> None:
        if kind == "UPDATE":
            self.counts["changes of sources"] += 1

    def _weights(self, kind: str, row: dict) -> None:
        if kind in ("DELETE", "UPDATE"):
            source, operator = self.weights.pop(row["id"])
            del self.team[source][operator]
            self.sources_of[operator].discard(source)
            self.touched_sources.add(source)
        if kind in ("INSERT", "UPDATE"):
            source, operator = row["source_id"], row["operator_id"]
            self.weights[row["id"]] = source, operator
            self.team[source][operator] = row["weight"]
            self.sources_of[operator].add(source)
            self.touched_sources.add(source)

    def _leads(self, kind: str, row: dict) -> None:
        if kind == "DELETE":
            return
        self.touched_leads.add(row["id"])
        self.leads[row["id"]] = row["contact_count"]
        if row.get("external_id"):
            known = self.lead_by_external_id.setdefault(row["external_id"].strip(), row["id"])
            if known != row["id"]:
                self.violated("lead", f"leads {known} and {row['id']} have the external id {row['external_id']!r}")

    def _contacts(self, kind: str, row: dict) -> None:
        id = row["id"]
        old = self.contacts.pop(id, None)
        self.was.setdefault(id, old)
        new = None
        if kind != "DELETE":
            new = Contact(
                row["lead_id"], row["source_id"], row["operator_id"], row["status"], row["priority"], row["arrival"],
                row["waiting_reason"], row["is_forced"], row["version"],
                frozenset(row.get("released_by") or ()) or (old.released_by if old and "released_by" not in row
                                                            else frozenset()),
                row.get("message", old.message if old else None))
            self.contacts[id] = new
            if kind == "INSERT" and row.get("source_event_id") is not None:
                known = self.contact_by_event.setdefault((new.source, row["source_event_id"]), id)
                if known != id:
                    self.violated("event id", f"contacts {known} and {id} are the same event of source {new.source}")
            if kind == "UPDATE" and new.version != old.version + new.differs(old):
                self.violated("version", f"contact {id}: version {old.version} → {new.version} by one change",
                               ("contact", id))
        for contact, step in ((old, -1), (new, 1)):
            if contact is None:
                continue
            self.touched_sources.add(contact.source)
            self.touched_leads.add(contact.lead)
            self.contacts_of_lead[contact.lead] += step
            if contact.status == "active":
                self.touched_operators.add(contact.operator)
                if contact.operator in self.operators:
                    self.operators[contact.operator].count += step
        if old and old.status == "active" and not (new and new.operator == old.operator and new.status == "active"):
            self.freed.add(old.operator)
        if old and old.status == "new":
            self.lines[old.source].leave(id, old)
            self.left[old.source].append((len(self.commits), old.place))
        if new and new.status == "new":
            self.lines[new.source].join(id, new)

    def _idempotency_keys(self, kind: str, row: dict) -> None:
        key = row["key"]
        if kind == "INSERT":
            self.answers.append(row)
            self.replays[key] = row["replays"]
        elif kind == "UPDATE":
            self.counts["answers given again"] += 1
            if row["replays"] <= self.replays[key]:
                self.violated("answer", f"{key!r} was replayed {self.replays[key]} times, then {row['replays']}")
            self.replays[key] = row["replays"]
        elif kind == "DELETE":
            self.replays.pop(key, None)

    def _events(self, kind: str, row: dict) -> None:
        if kind == "INSERT":
            self.counts[row["kind"]] += 1
            if row["contact_id"] is not None:
                self.events[row["contact_id"]].append(row)

    # What must hold.

    def _check_counters(self) -> None:
        """The stored numbers are the recount, and what is over the limit is explained."""
        for id in self.touched_operators:
            operator = self.operators.get(id)
            if operator is None:
                self.violated("eligibility", f"operator {id} does not exist", ("operator", id))
            elif operator.load != operator.count:
                self.violated("counter", f"operator {id}: load {operator.load}, but {operator.count} active contacts",
                               ("operator", id))
            elif not max(operator.load, operator.max_load) <= operator.ceiling:
                self.violated("counter", f"operator {id}: {operator} is above its ceiling", ("operator", id))
        for id in self.touched_leads:
            if self.leads.get(id) != self.contacts_of_lead[id]:
                self.violated("counter", f"lead {id}: contact_count {self.leads.get(id)}, but "
                                          f"{self.contacts_of_lead[id]} contacts")

    def _check_answers(self) -> None:
        """An answer is stored by the commit that registers its contact, or tells of one that was there."""
        for row in self.answers:
            id, key = row["contact_id"], row["key"]
            self.counts["answers stored"] += 1
            if id not in self.contacts:
                self.violated("answer", f"{key!r} is answered with contact {id}, which does not exist")
            elif row["status"] not in (200, 201) or (row["status"] == 201) != (id in self.was and self.was[id] is None):
                self.violated("answer", f"{key!r} is answered {row['status']} with contact {id}, which this commit "
                                         f"{'changed' if id in self.was else 'did not make'}", ("contact", id))

    def _check_events(self, id: int, was: Contact | None, now: Contact | None) -> None:
        """The events of the same commit lead from what the contact was to what it is."""
        def standing(contact):
            return (contact.status, contact.operator, contact.priority) if contact else None

        state = standing(was)
        try:
            for event in self.events.get(id, ()):
                state = self._after(state, event, now)
            if state != standing(now):
                raise ValueError(f"events lead to {state}")
            if was == now or was and now and was.version < now.version and not self.events.get(id):
                raise ValueError("no event, or nothing changed")
        except ValueError as error:
            kinds = [event["kind"] for event in self.events.get(id, ())]
            self.violated("event", f"contact {id}: {standing(was)} → {standing(now)} with the events {kinds}: {error}",
                           ("contact", id))

    @staticmethod
    def _after(state, event: dict, now: Contact | None):
        kind, source, target = event["kind"], event["from_operator_id"], event["to_operator_id"]

        def must(condition):
            if not condition:
                raise ValueError(f"{kind} {source} → {target} does not follow {state}")

        placed = ("active", target) if target is not None else ("new", None)
        if kind == "registered":
            must(state is None and now is not None)
            must((target is None) == (event["reason"] is not None))
            return *placed, now.priority
        must(state is not None)
        status, operator, priority = state
        if kind == "assigned":
            must(target is not None and (status == "new" or status == "active" and source == operator != target))
            return "active", target, priority
        if kind == "transferred":
            must(status == "active" and source == operator and target not in (None, operator))
            return "active", target, priority
        if kind == "released":
            must(status == "active" and source == operator)
            # A contact that somebody else takes at once may be told of in one event.
            return *placed, priority
        if kind == "closed":
            must(status != "closed" and source == operator)
            return "closed", operator, priority
        if kind == "reopened":
            must(status == "closed" and source == operator)
            return *placed, priority
        if kind == "priority_changed":
            data = json.loads(event["data"])
            must(data["from"] == priority and data["to"] != priority)
            return status, operator, data["to"]
        return state

    def _excluded(self, contact: Contact) -> frozenset:
        """Who may not get it: who released it, unless everybody configured did."""
        if not contact.released_by or contact.released_by >= self.team[contact.source].keys():
            return frozenset()
        return contact.released_by

    def _check_assignments(self) -> None:
        assigned = [
            (id, was, now) for id, was in self.was.items()
            if (now := self.contacts.get(id)) and now.status == "active"
            and not (was and was.status == "active" and was.operator == now.operator)
        ]
        limited = set()
        for id, was, now in assigned:
            operator = self.operators.get(now.operator)
            if operator is None:
                continue
            events = self.events.get(id, ())
            by_hand = any(e["kind"] in ("assigned", "transferred") and e["actor_kind"] == "api"
                          and e["to_operator_id"] == now.operator for e in events)
            forced = by_hand and any(e["data"] and json.loads(e["data"]).get("forced") is True for e in events)
            objects = ("contact", id), ("operator", now.operator)
            if now.operator in self.archived:
                self.violated("eligibility", f"contact {id} goes to operator {now.operator}, who is archived", *objects)
            self.counts["assigned by hand" if by_hand else "assigned automatically"] += 1
            if now.is_forced and not forced:
                self.violated("forced", f"contact {id} is forced, but no event says so", *objects)
            if forced:
                self.counts["forced"] += 1
                if operator.is_active and operator.count <= operator.max_load:
                    self.violated("forced", f"contact {id} is called forced, but operator {now.operator} had room",
                                   *objects)
                continue
            limited.add(now.operator)
            if not operator.is_active:
                self.violated("eligibility", f"contact {id} goes to operator {now.operator}, who is not active",
                               *objects)
            if by_hand:
                continue
            if now.operator not in self.team[now.source]:
                self.violated("eligibility", f"contact {id} goes to operator {now.operator}, who has no weight on "
                                              f"source {now.source}", *objects, ("source", now.source))
            if now.operator in self._excluded(now):
                self.violated("eligibility", f"contact {id} goes to operator {now.operator}, who released it", *objects)
            self._check_overtaking(id, was, now)
        for id in limited:
            operator = self.operators[id]
            if operator.count > operator.max_load:
                self.violated("limit", f"operator {id} is given a contact and has {operator.count} of "
                                        f"{operator.max_load}", ("operator", id))

    def _check_overtaking(self, id: int, was: Contact | None, now: Contact) -> None:
        """Nobody waited before, and still waits, who stands ahead of a contact its operator has just got: in the
        contact's source, and in all sources of an operator who got it because a place became free."""
        # A reopened contact has no place in the queue: it comes after all who wait at its priority.
        place = (-now.priority, END_OF_QUEUE) if was and was.status == "closed" else (was or now).place
        for source in self.sources_of[now.operator] if now.operator in self.freed else {now.source}:
            ahead = self._first_ahead(source, place, now.operator)
            if ahead is not None:
                waiting = self.contacts[ahead]
                if source != now.source and self._has_just_moved(source, waiting.place):
                    self.counts["across sources, past one who had just become the first"] += 1
                    continue
                self.violated(
                    "overtaking" if source == now.source else "overtaking across sources",
                    f"contact {id} (priority {now.priority}, arrival {now.arrival}, "
                    f"{was.status if was else 'registered'}) goes to operator {now.operator} before contact {ahead} "
                    f"(priority {waiting.priority}, arrival {waiting.arrival}), which waits in source {source}",
                    ("contact", id), ("contact", ahead), ("operator", now.operator), ("source", source))

    def _first_ahead(self, source: int, place: tuple, operator: int) -> int | None:
        """Who waited in a source before the commit, still does, stands ahead of the place and may go to the operator."""
        line = self.lines.get(source)
        if not line:
            return None
        for other_place, other in line.open:
            if other_place >= place:
                break
            if self._waited_before(other):
                return other
        for other, contact in line.picky.items():
            if contact.place < place and self._waited_before(other) and operator not in self._excluded(contact):
                return other
        return None

    def _has_just_moved(self, source: int, place: tuple) -> bool:
        """Whether somebody ahead of the place has just left the line. Then a transaction at the same time may have counted
        on that one, found him gone, and gone on with its other sources: among those, order is kept at best effort."""
        return any(place_left < place and len(self.commits) - AT_ONCE <= number < len(self.commits)
                   for number, place_left in self.left[source])

    def _waited_before(self, id: int) -> bool:
        if id not in self.was:
            return True
        was = self.was[id]
        return was is not None and was.status == "new"

    def _check_conclusions(self) -> None:
        """Whoever begins to wait because nobody can take it, waits because nobody can take it."""
        for id, was in self.was.items():
            now = self.contacts.get(id)
            if now and now.status == "new" and not (was and was.status == "new"):
                self.counts["began to wait"] += 1
                if now.waiting_reason != "behind_queue":
                    for operator in self.team[now.source].keys() - self._excluded(now):
                        if self.operators[operator].is_free:
                            self.violated(
                                "nobody", f"contact {id} begins to wait ({now.waiting_reason}), but operator {operator} "
                                          f"could take it", ("contact", id), ("operator", operator),
                                ("source", now.source))
                            break

    def _check_idleness(self) -> None:
        for source in self.touched_sources:
            self.longest_line = max(self.longest_line, len(self.lines[source].open))
            if self._is_idle(source):
                self.idle_since.setdefault(source, (self._now, len(self.commits)))
            elif source in self.idle_since:
                self._idleness_ends(source)

    def _is_idle(self, source: int) -> bool:
        """Somebody waits beside an operator who could take it."""
        line = self.lines.get(source)
        if not line:
            return False
        free = {id for id in self.team[source] if self.operators[id].is_free}
        if not free:
            return False
        return bool(line.open) or any(free - self._excluded(contact) for contact in line.picky.values())

    def _idleness_ends(self, source: int) -> None:
        since, number = self.idle_since.pop(source)
        seconds = (self._now - since).total_seconds()
        self.longest_idle = max(self.longest_idle, seconds)
        if seconds > self.patience:
            self.violated("idle capacity", f"in source {source} somebody waited beside an operator who could take it "
                                            f"for {seconds:.2f} s, since commit {number}", ("source", source))

    # What is said about it.

    def violated(self, kind: str, text: str, *objects) -> None:
        """Notes that something happened, by the last commit, that must not."""
        self.violations.append(Violation(kind, text, len(self.commits), self.commits[-1], objects))

    def report(self, most: int = 5) -> str:
        """The violations in words, the first of each kind with the last commits that touched its objects."""
        kinds = collections.Counter(violation.kind for violation in self.violations)
        said = [f"{len(self.violations)} violations in {len(self.commits)} commits, the first in number "
                f"{self.violations[0].number}: {dict(kinds)}"]
        told = set()
        for violation in self.violations:
            if violation.kind in told or len(told) >= most:
                continue
            told.add(violation.kind)
            said.append(f"\n{violation.kind}: {violation.text}\n  {self._title(violation.number - 1)}")
            numbers = {violation.number - 1}
            for key in violation.objects:
                # The trace goes on after the violation; look back from it.
                earlier = [n for n in range(max(0, violation.number - 4000), violation.number)
                           if key in self._objects(n)][-4:]
                numbers.update(earlier)
            for number in sorted(numbers)[-10:]:
                said.append(f"    {self._title(number)}")
                changes = [change for change in self.commits[number].changes if change.table != "leads"]
                said += [f"      {change.table} {change.kind} {change.row}" for change in changes[:12]]
                if len(changes) > 12:
                    said.append(f"      … and {len(changes) - 12} more")
        return "\n".join(said)

    def _title(self, number: int) -> str:
        commit = self.commits[number]
        return f"commit {number + 1}, xid {commit.xid}, {commit.at:%H:%M:%S.%f}"

    def _objects(self, number: int) -> set[tuple]:
        found = set()
        for change in self.commits[number].changes:
            if change.table == "contacts":
                found.add(("contact", change.row["id"]))
            elif change.table == "operator_loads":
                found.add(("operator", change.row["operator_id"]))
            elif change.table == "weights" and "source_id" in change.row:
                found.add(("source", change.row["source_id"]))
        return found


if __name__ == "__main__":
    judged = History().follow(kept(pathlib.Path(sys.argv[1])))
    print(judged.report() if judged.violations else f"{len(judged.commits)} commits, no violation")
    sys.exit(bool(judged.violations))
