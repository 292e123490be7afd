"""The rules of distribution as the product defines them, in memory, for `test_model.py` to hold the server to.

Where the rules leave a choice (a draw, a tie) the model takes the server's, which must be one of those allowed.
"""

from dataclasses import dataclass, field
from fractions import Fraction

STRATEGIES = ("weighted_random", "weighted_capacity", "smooth_weighted", "round_robin", "least_loaded", "most_free")


@dataclass
class Operator:
    id: int
    max_load: int
    is_active: bool
    is_archived: bool = False
    load: int = 0
    last_assigned: int = 0  # the tick of its last assignment of any kind; 0: never

    @property
    def capacity(self) -> int:
        return max(0, self.max_load - self.load)


@dataclass
class Source:
    id: int
    strategy: str
    sticky_days: int
    weights: dict[int, int] = field(default_factory=dict)
    turns: dict[int, int] = field(default_factory=dict)  # of round_robin: the tick of an operator's last one
    credits: dict[int, Fraction] = field(default_factory=dict)
    rounding: Fraction = Fraction(0)  # how far a scaled credit may be from the server's


@dataclass
class Contact:
    id: int
    lead: int
    source: int
    priority: int
    message: str | None
    arrival: int
    version: int = 1
    status: str = "new"
    operator: int | None = None
    last_operator: int | None = None
    released_by: set[int] = field(default_factory=set)

    @property
    def place(self) -> tuple[int, int]:
        return -self.priority, self.arrival


@dataclass(frozen=True)
class Event:
    kind: str
    from_: int | None = None
    to: int | None = None
    reason: str | None = None
    actor: str | None = "api"  # None: whoever, for whatever reason
    data: tuple = ()


@dataclass(frozen=True)
class Decision:
    rule: str
    operator: int
    eligible: tuple | None = None  # (operator, weight, load, max_load) of all it could have been; None: not asked


class Refusal(Exception):
    """What a request is answered with when nothing is changed: any of these codes, where several apply."""

    def __init__(self, *codes: str):
        super().__init__(codes)
        self.codes = codes


class Model:
    def __init__(self):
        self.operators: dict[int, Operator] = {}
        self.sources: dict[int, Source] = {}
        self.contacts: dict[int, Contact] = {}
        self.owners: dict[tuple[str, str], int] = {}  # the lead a key belongs to
        self.external_ids: dict[int, str | None] = {}  # of every lead
        self.ticks = 0
        self.is_by_source = False  # sources are served one after the other, by id
        self.news: list[tuple[int, Event]] = []  # contact and event, of the step under way
        self.seen: dict[int, list[int]] = {}  # where the server placed each contact in the step, in order
        self.decisions: dict[int, Decision] = {}  # the last one on each contact placed in the step

    def tick(self) -> int:
        self.ticks += 1
        return self.ticks

    # Who can take a contact

    def excluded(self, contact: Contact) -> set[int]:
        configured = self.sources[contact.source].weights.keys()
        return set() if configured <= contact.released_by else contact.released_by & configured

    def eligible(self, contact: Contact) -> list[int]:
        excluded = self.excluded(contact)
        able = (self.operators[id] for id in sorted(self.sources[contact.source].weights) if id not in excluded)
        return [each.id for each in able if each.is_active and each.capacity > 0]

    def waiting_reason(self, contact: Contact) -> str | None:
        if contact.status != "new":
            return None
        configured = [self.operators[id] for id in self.sources[contact.source].weights]
        if not configured:
            return "no_operators"
        active = [each for each in configured if each.is_active]
        if not active:
            return "all_inactive"
        if not any(each.capacity for each in active):
            return "all_at_limit"
        return "behind_queue" if self.eligible(contact) else "excluded"

    def waiting(self) -> list[Contact]:
        return sorted((each for each in self.contacts.values() if each.status == "new"), key=lambda each: each.place)

    def choices(self, source: Source, eligible: list[int]) -> list[int]:
        """Those of the eligible whom the strategy may choose."""
        operators = [self.operators[id] for id in eligible]
        match source.strategy:
            case "weighted_random" | "weighted_capacity":
                return eligible
            case "smooth_weighted":
                credits = {id: source.credits[id] + source.weights[id] for id in eligible}
                largest = max(credits.values())
                first = next(id for id in eligible if credits[id] == largest)
                near = [id for id in eligible if largest - credits[id] <= 2 * source.rounding]
                return near if source.rounding else [first]
            case "round_robin":
                return [min(eligible, key=lambda id: (source.turns.get(id, 0), id))]
            case "least_loaded":
                ranks = {each.id: (each.load, -each.capacity, each.last_assigned) for each in operators}
            case "most_free":
                ranks = {each.id: (-Fraction(each.capacity, each.max_load), -each.capacity, each.last_assigned)
                         for each in operators}
        return [id for id in eligible if ranks[id] == min(ranks.values())]

    def place(self, contact: Contact, eligible: list[int], preferred: int | None = None, rule: str = "") -> int:
        """With the preferred operator if it is eligible, otherwise as the strategy says; who it is."""
        weights, operators = self.sources[contact.source].weights, self.operators
        considered = tuple((id, weights[id], operators[id].load, operators[id].max_load) for id in eligible)
        if preferred in eligible:
            operator = preferred
        else:
            operator, rule = self.choose(contact, eligible), "strategy"
        self.give(contact, operator, Decision(rule, operator, considered))
        source = self.sources[contact.source]
        if source.strategy == "round_robin":
            source.turns[operator] = self.ticks
        return operator

    def choose(self, contact: Contact, eligible: list[int]) -> int:
        source = self.sources[contact.source]
        self.bound(source, eligible)
        choices = self.choices(source, eligible)
        seen = self.seen.get(contact.id) or [None]
        assert seen[0] in choices, f"contact {contact.id} goes to {choices} by {source.strategy}, not to {seen[0]}"
        if source.strategy == "smooth_weighted":
            for id in eligible:
                source.credits[id] += source.weights[id]
            source.credits[seen[0]] -= sum(source.weights[id] for id in eligible)
        return seen[0]

    def bound(self, source: Source, eligible: list[int]) -> None:
        """Nobody who competes owes, or is owed, more than the sum of the competing weights."""
        if len(eligible) > 1:
            most = sum(source.weights[id] for id in eligible)
            source.credits |= {id: max(-most, min(most, source.credits[id])) for id in eligible}

    # What changes a contact, a part of a request each: says whether it did

    def tell(self, contact: Contact, kind: str, **fields) -> bool:
        self.news.append((contact.id, Event(kind, **fields)))
        return True

    def give(self, contact: Contact, operator: int, decision: Decision) -> None:
        seen = self.seen.get(contact.id) or [None]
        assert seen.pop(0) == operator, f"contact {contact.id} goes to {operator}"
        if contact.operator is not None:
            self.operators[contact.operator].load -= 1
        contact.status, contact.operator, contact.last_operator = "active", operator, operator
        self.operators[operator].load += 1
        self.operators[operator].last_assigned = self.tick()
        self.decisions[contact.id] = decision

    def take(self, contact: Contact) -> int | None:
        """The contact waits; the operator that had it."""
        operator, contact.operator, contact.status = contact.operator, None, "new"
        if operator is not None:
            self.operators[operator].load -= 1
        return operator

    def close(self, contact: Contact) -> bool:
        if contact.status == "closed":
            return False
        if contact.status == "active":
            self.operators[contact.operator].load -= 1
        contact.status = "closed"
        return self.tell(contact, "closed", from_=contact.operator)

    def reopen(self, contact: Contact) -> bool:
        if contact.status != "closed":
            return False
        before, contact.operator, contact.status = contact.operator, None, "new"
        eligible = self.eligible(contact)
        if not eligible:
            contact.arrival = self.tick()
            return self.tell(contact, "reopened", from_=before, reason=self.waiting_reason(contact))
        operator = self.place(contact, eligible, before, "returned")
        return self.tell(contact, "reopened", from_=before, to=operator)

    def assign(self, contact: Contact, operator_id: int, force=False, reason=None, transfer=False) -> bool:
        operator = self.operators.get(operator_id)
        codes = []
        if contact.status == "closed":
            codes.append("contact_closed")
        if transfer and contact.status == "new":
            codes.append("contact_unassigned")
        if operator is None or operator.is_archived:
            codes.append("operator_not_found")
        elif contact.operator == operator_id and not codes:
            return False
        elif not force and not operator.is_active:
            codes.append("operator_inactive")
        elif not force and operator.capacity == 0:
            codes.append("operator_at_limit")
        if codes:
            raise Refusal(*codes)
        is_forced = not operator.is_active or operator.capacity == 0
        before, data = contact.operator, (("forced", True),) if is_forced else ()
        self.give(contact, operator_id, Decision("forced" if is_forced else "manual", operator_id))
        contact.released_by.discard(operator_id)
        kind = "assigned" if before is None else "transferred"
        return self.tell(contact, kind, from_=before, to=operator_id, reason=reason, data=data)

    def release(self, contact: Contact, reason=None) -> bool:
        if contact.status == "closed":
            raise Refusal("contact_closed")
        if contact.status == "new":
            return False
        contact.released_by.add(contact.operator)
        return self.tell(contact, "released", from_=self.take(contact), reason=reason)

    def prioritise(self, contact: Contact, priority: int) -> bool:
        if priority == contact.priority:
            return False
        data = ("from", contact.priority), ("to", priority)
        contact.priority = priority
        return self.tell(contact, "priority_changed", data=data)

    def say(self, contact: Contact, message: str) -> bool:
        if (message or None) == contact.message:
            return False
        contact.message = message or None
        return self.tell(contact, "message_changed")

    # What a caller asks for

    def register(self, id: int, source_id: int, lead: int, keys: dict, priority: int, message) -> None:
        source = self.sources[source_id]
        last = self.last_operator(lead) if source.sticky_days else None
        contact = self.contacts[id] = Contact(id, self.lead(lead, keys), source_id, priority, message, self.tick())
        eligible = self.eligible(contact)
        if not eligible:
            self.tell(contact, "registered", reason=self.waiting_reason(contact))
            return
        self.tell(contact, "registered", to=self.place(contact, eligible, last, "sticky"))

    def last_operator(self, lead: int) -> int | None:
        """Who has the lead's latest contact, or had it when it was closed; those given back to the queue do not count."""
        had = [each for each in self.contacts.values() if each.lead == lead and each.operator is not None]
        return max(had, key=lambda each: each.id).operator if had else None

    def lead(self, seen: int, keys: dict[str, str]) -> int:
        """The lead these keys mean, strongest first. A new one has the id the server gave it."""
        external_id = keys.get("lead_external_id")
        for key in keys.items():
            lead = self.owners.get(key)
            known = self.external_ids.get(lead)
            if lead and (key[0] == "lead_external_id" or None in (known, external_id) or known == external_id):
                break
        else:
            assert seen not in self.external_ids, f"a new lead for {keys}, not lead {seen}"
            lead = seen
        assert lead == seen, f"lead {lead} by {keys}, not {seen}"
        self.external_ids[lead] = self.external_ids.get(lead) or external_id
        for key in keys.items():
            self.owners.setdefault(key, lead)
        return lead

    def change(self, id: int, *parts, if_match: str | None = None) -> None:
        """A request about one contact, one step of its version. Each part is called with it; the first may refuse."""
        contact = self.contacts.get(id)
        if contact is None:
            raise Refusal("contact_not_found")
        if if_match not in (None, "*", f'"{contact.version}"'):
            raise Refusal("version_conflict")
        contact.version += any([part(contact) for part in parts])
        self.serve()

    def serve(self) -> None:
        """Capacity that appears goes to whoever waits first of those who can use it."""
        for contact in sorted(self.waiting(), key=lambda each: self.is_by_source and each.source):
            if eligible := self.eligible(contact):
                self.tell(contact, "assigned", to=self.place(contact, eligible), actor="system")
                contact.version += 1

    def change_operator(self, id: int, is_active=None, max_load=None, requeue=False) -> None:
        operator = self.operators[id]
        operator.is_active = operator.is_active if is_active is None else is_active
        operator.max_load = operator.max_load if max_load is None else max_load
        if requeue:
            self.requeue(id)
        self.serve()

    def requeue(self, id: int) -> None:
        for contact in self.contacts.values():
            if contact.operator == id and contact.status == "active":
                self.tell(contact, "released", from_=self.take(contact), actor=None)
                contact.version += 1

    def archive(self, id: int) -> None:
        operator = self.operators[id]
        operator.is_active, operator.is_archived = False, True
        self.requeue(id)
        for source in self.sources.values():
            self.set_weights(source.id, {other: w for other, w in source.weights.items() if other != id}, serve=False)
        self.serve()

    def change_source(self, id: int, strategy: str | None, sticky_days: int | None) -> None:
        """Another strategy begins without a memory."""
        source = self.sources[id]
        source.sticky_days = source.sticky_days if sticky_days is None else sticky_days
        if strategy not in (None, source.strategy):
            source.strategy, source.turns, source.rounding = strategy, {}, Fraction(0)
            source.credits = dict.fromkeys(source.weights, Fraction(0))

    def set_weights(self, source_id: int, weights: dict[int, int], serve: bool = True) -> None:
        source = self.sources[source_id]
        source.turns = {id: turn for id, turn in source.turns.items() if id in weights}
        before, source.weights = source.weights, weights
        if before != weights:
            kept = [id for id in weights if id in before]
            scale = Fraction(sum(weights.values()), sum(before.values())) if before else Fraction(1)
            credits = {id: source.credits[id] * scale for id in kept}
            mean = sum(credits.values()) / len(kept) if kept else Fraction(0)
            source.credits = {id: credits.get(id, mean) for id in weights}
            source.rounding = source.rounding * scale + 1 if any(source.credits.values()) else Fraction(0)
        if serve:
            self.serve()
