"""The server against `model.py`, request by request: after each one all that can be seen must be as the rules say.

    .venv/bin/python -m pytest -c Tests/Acceptance/pytest.ini Tests/Acceptance/test_model.py -s
    LEADS_MODEL_SEQUENCES=500 …    as many sequences of 50 requests as `make stress` runs
    LEADS_SEED=12345 …             a printed seed again; the server's own draws differ
    LEADS_MODEL_SHRINK=1 …         look for fewer requests that fail; it may take minutes
"""

import copy
import itertools
import json
import os
import signal
import time
from collections import Counter

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (RuleBasedStateMachine, initialize, precondition, rule,
                                 run_state_machine_as_test)

from load import generator
from model import STRATEGIES, Event, Model, Operator, Refusal, Source
from shapes import check_contact, check_operator

SEQUENCES = int(os.environ.get("LEADS_MODEL_SEQUENCES", 20))
STEPS = 50
AT_ONCE = 1.0  # seconds: capacity that appears is used at once, not by a sweep
UNKNOWN = 999_999_999
STATUS = {"contact_not_found": 404, "operator_not_found": 404, "value_error": 422}  # every other refusal is a 409
sequences = itertools.count(1)

some = st.integers(0, 59)  # one of however many there are
limits = st.sampled_from([1, 1, 1, 2, 2, 3, 5, 8])
priorities = st.sampled_from([0, 0, 0, 5, 9])
weights = st.lists(st.sampled_from([100, 100, 250, 700, None]), min_size=6, max_size=6)  # of each operator, in order
strategies = st.sampled_from([*STRATEGIES, *STRATEGIES[2:]])  # the first two leave all to chance
matches = st.sampled_from([None, None, None, None, "right", "stale", "*", "garbage"])
reasons = st.sampled_from([None, "он просил"])
messages = st.sampled_from(["", "Здравствуйте", "Позвоните"])
keys = st.tuples(*[st.sampled_from([None, None, 0, 1, 2])] * 3)  # external id, phone, e-mail: which of three


class Sequence(RuleBasedStateMachine):
    """One sequence of requests, with operators and sources of its own. `api` is set by the test."""

    api = None
    steps = 0

    def __init__(self):
        super().__init__()
        self.number = next(sequences)
        self.model = Model()
        self.histories: dict[int, list[int]] = {}  # ids of the events seen of each contact
        self.trace: list[str] = []
        self.operator_ids: list[int] = []
        self.source_ids: list[int] = []
        self.contact_ids: list[int] = []
        self.before = {name: self.last_id(name) for name in ("operators", "contacts")}

    def last_id(self, collection: str) -> int:
        last = self.api.get(f"/api/v1/{collection}?order=desc&limit=1").must_be(200).json
        return last[0]["id"] if last else 0

    # A step

    def ask(self, method: str, path: str, body, change, headers=None, is_requeue=False):
        """Sends a request, does `change(model, answer)` to the model, and compares.

        Contacts put back at once into the queues of several sources may be placed source by source: the order of the
        queue binds within a source. Then, `is_requeue`, the model may do either.
        """
        answer = self.api.request(method, f"/api/v1{path}", body, headers=headers)
        type(self).steps += 1
        sent = "" if body is ... else json.dumps(body, ensure_ascii=False)
        self.trace.append(f"{method} {path} {sent} {headers or ''} -> {answer.status}")
        deadline, is_by_source = time.monotonic() + AT_ONCE, False
        while True:
            try:
                self.follow(answer, change, is_by_source)
                return answer
            except AssertionError as difference:
                is_by_source = is_requeue and not is_by_source
                if time.monotonic() > deadline:
                    self.explain(answer, difference)
                    raise
            time.sleep(0.02)

    def explain(self, answer, difference: AssertionError) -> None:
        asked = "\n".join(self.trace[-25:])
        before = "\n".join(map(str, [
            *self.model.operators.values(), *self.model.sources.values(), *self.model.contacts.values()]))
        shown = [(each["id"], each["status"], each["operator_id"], each["version"]) for each in self.listed("contacts")]
        difference.add_note(
            f"the last requests:\n{asked}\nthe last answer: {answer.text[:1500]}\nthe model before it:\n{before}\n"
            f"contact, status, operator, version after it:\n{shown}")

    def follow(self, answer, change, is_by_source: bool) -> None:
        listed = {each["id"]: check_contact(each) for each in self.listed("contacts")}
        tails = {id: self.news_of(id) for id, each in listed.items()
                 if id not in self.model.contacts or each["version"] != self.model.contacts[id].version}
        model = copy.deepcopy(self.model)
        model.is_by_source = is_by_source
        model.news, model.decisions, model.seen = [], {}, {
            id: [event["to_operator_id"] for event in tail if event["to_operator_id"]] for id, tail in tails.items()}
        try:
            change(model, answer)
        except Refusal as refusal:
            must_be_refused(answer, refusal)
            model = copy.deepcopy(self.model)
            model.news, model.decisions = [], {}
        else:
            assert answer.status in (200, 201), f"refused with {answer.status}: {answer.text}"
        self.compare(model, listed)
        self.compare_events(model.news, tails)
        self.compare_decisions(model)
        self.model = model
        for id, tail in tails.items():
            self.histories.setdefault(id, []).extend(event["id"] for event in tail)

    def listed(self, collection: str) -> list:
        return self.api.get(f"/api/v1/{collection}?limit=1000&cursor={self.before[collection]}").must_be(200).json

    def news_of(self, contact: int) -> list[dict]:
        """The events of a contact that have not been seen."""
        events = self.api.get(f"/api/v1/contacts/{contact}/history").must_be(200).json
        known = self.histories.get(contact, [])
        assert [event["id"] for event in events[:len(known)]] == known, "history was rewritten"
        return events[len(known):]

    def compare(self, model: Model, listed: dict[int, dict]) -> None:
        expected = {each.id: {
            "lead_id": each.lead, "source_id": each.source, "status": each.status, "operator_id": each.operator,
            "priority": each.priority, "message": each.message, "version": each.version,
            "waiting_reason": model.waiting_reason(each),
        } for each in model.contacts.values()}
        assert {id: {key: each[key] for key in expected.get(id, each)} for id, each in listed.items()} == expected
        for each in listed.values():
            assert (each["assigned_at"] is None) == (model.contacts[each["id"]].operator is None)
            assert (each["updated_at"] is None) == (each["version"] == 1)
        shown = [(each["id"], each["is_active"], each["max_load"], each["current_load"])
                 for each in map(check_operator, self.listed("operators"))]
        assert shown == [(each.id, each.is_active, each.max_load, each.load)
                         for each in model.operators.values() if not each.is_archived]
        queue = self.api.get("/api/v1/queue").must_be(200).json
        groups = Counter((each.source, model.waiting_reason(each)) for each in model.waiting())
        mine = [(each["source_id"], each["reason"], each["count"])
                for each in queue if each["source_id"] in model.sources]
        assert mine == sorted((*group, count) for group, count in groups.items())

    def compare_events(self, expected: list[tuple[int, Event]], tails: dict[int, list[dict]]) -> None:
        assert {id for id, _ in expected} == tails.keys()
        for id, tail in tails.items():
            mine = [event for contact, event in expected if contact == id]
            is_small = lambda kind: kind in ("priority_changed", "message_changed")
            seen = sorted(tail, key=lambda event: is_small(event["kind"]))
            mine.sort(key=lambda event: is_small(event.kind))
            assert len(seen) == len(mine), f"{seen} instead of {mine}"
            for shown, event in zip(seen, mine):
                must_be_event(shown, event)

    def compare_decisions(self, model: Model) -> None:
        for id, decision in model.decisions.items():
            if model.contacts[id].status != "active":
                continue
            shown = self.api.get(f"/api/v1/contacts/{id}/explain").must_be(200).json
            assert (shown["rule"], shown["operator_id"], shown["outcome"]) == (decision.rule, decision.operator, "placed")
            if decision.eligible is not None:
                considered = [(each["operator_id"], each["weight"], each["load"], each["max_load"])
                              for each in shown["candidates"] if each["eligible"]]
                assert considered == list(decision.eligible) and shown["reproduced"] is True, f"explained: {shown}"

    # What the rules choose from

    def operator(self, number: int) -> int:
        return self.operator_ids[number % len(self.operator_ids)] if number < 57 else UNKNOWN

    def source(self, number: int) -> int:
        return self.source_ids[number % len(self.source_ids)]

    def contact(self, number: int) -> int:
        return self.contact_ids[number % len(self.contact_ids)] if number < 59 and self.contact_ids else UNKNOWN

    def present(self) -> int:
        return sum(not each.is_archived for each in self.model.operators.values())

    def known_operator(self, number: int) -> int:
        mine = [each.id for each in self.model.operators.values() if not each.is_archived]
        return mine[number % len(mine)]

    def if_match(self, contact: int, match: str | None) -> str | None:
        version = self.model.contacts[contact].version if contact in self.model.contacts else 1
        return {"right": f'"{version}"', "stale": f'"{version - 1}"', "garbage": '"gestern"'}.get(match, match)

    # Operators, sources, weights

    @initialize(
        operators=st.lists(limits, min_size=2, max_size=4) | st.lists(st.just(1), min_size=2, max_size=3),
        sources=st.lists(st.tuples(strategies, weights), min_size=1, max_size=3), contacts=st.integers(0, 9))
    def begin(self, operators, sources, contacts):
        for max_load in operators:
            self.new_operator(max_load=max_load, is_active=True)
        for strategy, weights in sources:
            self.new_source(strategy=strategy, sticky_days=30 * (contacts % 2))
            self.set_weights(form="PUT distribution", source=len(self.source_ids) - 1, weights=weights, stranger=None)
        for number in range(contacts):
            self.register(source=number, keys=(None, None, None), priority=0, message="")

    @precondition(lambda self: len(self.operator_ids) < 6)
    @rule(max_load=limits, is_active=st.booleans())
    def new_operator(self, max_load, is_active):
        name = f"Operator {self.number}.{len(self.operator_ids)}"
        body = {"name": name, "max_load": max_load, "is_active": is_active}

        def change(model, answer):
            id = answer.json["id"]
            model.operators[id] = Operator(id, max_load, is_active)

        self.operator_ids.append(self.ask("POST", "/operators", body, change).json["id"])

    @rule(operator=some, is_active=st.sampled_from([None, True, True, False]), max_load=st.none() | limits,
          form=st.sampled_from(["patch", "patch", "activate", "load-limit"]))
    def change_operator(self, operator, is_active, max_load, form):
        id = self.known_operator(operator)
        if form == "activate":
            is_active, max_load = bool(is_active), None
            path, body = f"/operators/{id}/activate", {"active": is_active}
        elif form == "load-limit":
            is_active, max_load = None, max_load or 2
            path, body = f"/operators/{id}/load-limit", {"max_load": max_load}
        else:
            path, body = f"/operators/{id}", {"is_active": is_active, "max_load": max_load}
        self.ask("PATCH", path, body, lambda model, _: model.change_operator(id, is_active, max_load))

    @rule(operator=some, for_a_while=st.booleans())
    def send_home(self, operator, for_a_while):
        id = self.known_operator(operator)
        self.ask("PATCH", f"/operators/{id}", {"is_active": False, "requeue": True},
                 lambda model, _: model.change_operator(id, is_active=False, requeue=True), is_requeue=True)
        if for_a_while:
            self.change_operator(operator=operator, is_active=True, max_load=None, form="patch")

    @precondition(lambda self: self.present() > 3)
    @rule(operator=some)
    def archive(self, operator):
        id = self.known_operator(operator)
        self.ask("DELETE", f"/operators/{id}", ..., lambda model, _: model.archive(id), is_requeue=True)

    @precondition(lambda self: len(self.source_ids) < 3)
    @rule(strategy=strategies, sticky_days=st.sampled_from([0, 30]))
    def new_source(self, strategy, sticky_days):
        name = f"Source {self.number}.{len(self.source_ids)}"
        body = {"name": name, "strategy": strategy, "sticky_days": sticky_days}

        def change(model, answer):
            id = answer.json["id"]
            model.sources[id] = Source(id, strategy, sticky_days)

        self.source_ids.append(self.ask("POST", "/sources", body, change).json["id"])

    @rule(source=some, strategy=st.none() | strategies, sticky_days=st.sampled_from([None, 0, 30]))
    def change_source(self, source, strategy, sticky_days):
        id = self.source(source)
        self.ask("PATCH", f"/sources/{id}", {"strategy": strategy, "sticky_days": sticky_days},
                 lambda model, _: model.change_source(id, strategy, sticky_days))

    @rule(source=some, weights=weights, form=st.sampled_from(["PUT distribution", "POST distribution", "POST weights"]),
          stranger=st.sampled_from([None] * 9 + ["unknown", "archived", "nobody"]))
    def set_weights(self, source, weights, form, stranger):
        source, (method, name) = self.source(source), form.split()
        mine = {id: weight for id, weight in zip(self.operator_ids, weights)
                if weight and not self.model.operators[id].is_archived}
        if stranger == "nobody":
            mine = {}
        elif stranger:
            mine[UNKNOWN if stranger == "unknown" else self.operator_ids[0]] = 1

        def change(model, _):
            if any(id == UNKNOWN or model.operators[id].is_archived for id in mine):
                raise Refusal("operator_not_found")
            kept = model.sources[source].weights if form == "POST distribution" else {}
            model.set_weights(source, kept | mine)

        rows = [{"operator_id": id, "source_id": source, "weight": weight} for id, weight in mine.items()]
        body = rows if name == "weights" else {"operator_weights": rows}
        self.ask(method, f"/sources/{source}/{name}", body, change)

    # Contacts

    @rule(source=some, keys=keys, priority=priorities, message=messages)
    def register(self, source, keys, priority, message):
        source = self.source(source)
        write = {"lead_external_id": "client {}-{}", "lead_phone": "+79{:07}{:02}", "lead_email": "c{}-{}@example.com"}
        given = {key: text.format(self.number, number)
                 for (key, text), number in zip(write.items(), keys) if number is not None}
        body = {"source_id": source, "priority": priority, "message": message or None} | given

        def change(model, answer):
            model.register(answer.json["id"], source, answer.json["lead_id"], given, priority, message or None)

        answer = self.ask("POST", "/contacts", body, change)
        self.must_be_shown(answer.json)
        self.contact_ids.append(answer.json["id"])

    @rule(source=some, number=st.integers(1, 4), priority=priorities)
    def register_some(self, source, number, priority):
        for _ in range(number):
            self.register(source, (None, None, None), priority, "")

    def must_be_shown(self, contact: dict) -> None:
        assert contact == self.api.read("contacts", contact["id"])

    def change_contact(self, method: str, id: int, suffix: str, body, match: str | None, part) -> None:
        """`part(model)` is one of the model's changes, to be called with the contact."""
        sent = self.if_match(id, match)
        answer = self.ask(method, f"/contacts/{id}{suffix}", body,
                          lambda model, _: model.change(id, *part(model), if_match=sent),
                          headers={"If-Match": sent} if sent else None)
        if answer.status == 200:
            self.must_be_shown(answer.json)

    @rule(contact=some, match=matches)
    def close(self, contact, match):
        self.change_contact("POST", self.contact(contact), "/close", ..., match, lambda model: [model.close])

    @rule(contact=some, match=matches)
    def reopen(self, contact, match):
        self.change_contact("POST", self.contact(contact), "/reopen", ..., match, lambda model: [model.reopen])

    @rule(contact=some, operator=some, force=st.booleans(), reason=reasons, match=matches,
          action=st.sampled_from(["assign", "transfer"]))
    def assign(self, contact, operator, force, reason, match, action):
        contact = self.contact(contact)
        last = self.model.contacts[contact].last_operator if contact in self.model.contacts else None
        operator = last if last and operator % 4 == 0 else self.operator(operator)
        self.change_contact(
            "POST", contact, f"/{action}", {"operator_id": operator, "force": force, "reason": reason},
            match, lambda model: [
                lambda contact: model.assign(contact, operator, force, reason, transfer=action == "transfer")])

    @rule(contact=some, reason=reasons, match=matches)
    def release(self, contact, reason, match):
        body = {"reason": reason} if reason else ...
        self.change_contact("POST", self.contact(contact), "/release", body, match, lambda model: [
            lambda contact: model.release(contact, reason)])

    @rule(contact=some, match=matches, operator=some, fields=st.fixed_dictionaries({}, optional={
        "status": st.sampled_from(["active", "closed"]), "operator_id": st.booleans(), "priority": st.integers(0, 9),
        "message": st.none() | messages}))
    def patch(self, contact, match, operator, fields):
        body = dict(fields)
        if "operator_id" in fields:
            body["operator_id"] = self.operator(operator) if fields["operator_id"] else None

        def parts(model):
            if {"status", "operator_id"} <= body.keys():
                raise Refusal("value_error")
            if "status" in body:
                yield model.close if body["status"] == "closed" else model.reopen
            if body.get("operator_id"):
                yield lambda contact: model.assign(contact, body["operator_id"])
            elif "operator_id" in body:
                yield model.release
            if "priority" in body:
                yield lambda contact: model.prioritise(contact, body["priority"])
            if body.get("message") is not None:
                yield lambda contact: model.say(contact, body["message"])

        self.change_contact("PATCH", self.contact(contact), "", body, match, lambda model: list(parts(model)))

    @rule(contact=some, is_active=st.booleans())
    def set_status(self, contact, is_active):
        id = self.contact(contact)
        self.ask("PATCH", f"/contacts/{id}/status", {"is_active": is_active},
                 lambda model, _: model.change(id, model.reopen if is_active else model.close))

    @rule(action=st.sampled_from(["close", "reopen", "assign", "transfer", "release", "priority"]),
          contacts=st.lists(some, min_size=1, max_size=5), operator=some, force=st.booleans(), reason=reasons,
          priority=st.integers(0, 9))
    def bulk(self, action, contacts, operator, force, reason, priority):
        ids, operator = [self.contact(number) for number in contacts], self.operator(operator)
        body = {"action": action, "ids": ids, "operator_id": operator, "force": force, "reason": reason,
                "priority": priority}

        def change(model, answer):
            part = {
                "close": model.close, "reopen": model.reopen,
                "release": lambda contact: model.release(contact, reason),
                "priority": lambda contact: model.prioritise(contact, priority),
            }.get(action, lambda contact: model.assign(contact, operator, force, reason, action == "transfer"))
            assert [item["id"] for item in answer.json] == ids
            for item in answer.json:
                try:
                    model.change(item["id"], part)
                except Refusal as refusal:
                    assert item["contact"] is None and item["code"] in refusal.codes and item["detail"]
                    assert item["status"] == STATUS.get(item["code"], 409)
                else:
                    contact, shown = model.contacts[item["id"]], check_contact(item["contact"])
                    assert item["status"] == 200
                    assert [shown[key] for key in ("id", "version", "status", "operator_id", "priority")] == [
                        contact.id, contact.version, contact.status, contact.operator, contact.priority]

        self.ask("POST", "/contacts/bulk", body, change)


def must_be_refused(answer, refusal: Refusal) -> None:
    said = answer.json
    code = said["detail"][0]["type"] if answer.status == 422 else said.get("code")
    assert code in refusal.codes, f"{answer.status} {answer.text} instead of {refusal.codes}"
    assert answer.status == STATUS.get(code, 409)


def must_be_event(shown: dict, event: Event) -> None:
    assert (shown["kind"], shown["from_operator_id"], shown["to_operator_id"]) == (event.kind, event.from_, event.to)
    if event.actor is not None:
        assert (shown["actor"]["kind"], shown["reason"]) == (event.actor, event.reason), f"{shown} instead of {event}"
    data = shown["data"] or {}
    assert {key: data.get(key) for key, _ in event.data} == dict(event.data), f"{shown} instead of {event}"
    assert "forced" not in data or ("forced", True) in event.data, f"{shown} instead of {event}"


@pytest.mark.first
@pytest.mark.parametrize("part", range(-(-SEQUENCES // 25)))
def test_the_server_does_what_the_model_does(server, database, part):
    random, count, phases = generator("model"), min(25, SEQUENCES - 25 * part), [Phase.generate]
    seed = random.randrange(2**32) + part
    if "LEADS_MODEL_SHRINK" in os.environ:
        signal.alarm(1800)
        phases.append(Phase.shrink)

    class Played(Sequence):
        api = server.client()

    run_state_machine_as_test(hypothesis.seed(seed)(Played), settings=settings(
        max_examples=count, stateful_step_count=STEPS, database=None, deadline=None, print_blob=False,
        suppress_health_check=list(HealthCheck), phases=phases))
    assert Played.steps >= count * STEPS * 0.5
    assert database.load_drift() == [] and database.tally_drift() == []
    print(f"  {count} sequences, {Played.steps} requests")
