"""Everything at once: contacts that come, end, return and move while operators, limits, weights and strategies change."""

import collections
import itertools
import random
import threading
from dataclasses import dataclass

from client import Api, Response, unique
from load import in_parallel

# What a caller may be told: it was done, it is gone, somebody else was first, come back later.
ANSWERS = {200, 201, 404, 409, 503}
SPOTLIGHT = 60  # calls before the crowd moves on to other sources; those it leaves must be left in order


def routes(api: Api) -> dict[str, set[str]]:
    """The methods of each path the instance documents."""
    return {path: set(methods) for path, methods in api.get("/openapi.json").must_be(200).json["paths"].items()}


def strategies(api: Api) -> list[str]:
    """The strategies a source may have."""
    def choices(node):
        if isinstance(node, dict):
            found = node.get("strategy")
            if isinstance(found, dict):
                for form in (found, *found.get("anyOf", ())):
                    if "enum" in form:
                        return form["enum"]
            node = list(node.values())
        if isinstance(node, list):
            for child in node:
                if found := choices(child):
                    return found
        return None

    return [name for name in choices(api.get("/openapi.json").json["components"]) if name]


@dataclass(frozen=True)
class House:
    """Who works where."""

    operators: int
    sources: int
    waiting: int = 0  # contacts that wait in each source from the beginning
    leap: int = 0  # a limit that is now and then given to somebody, to whom a whole queue then goes at once
    patience: float = 1.0  # seconds a contact may wait beside capacity: more where a queue is served in several passes


MANY_SOURCES = House(operators=30, sources=24)
LONG_QUEUES = House(operators=8, sources=4, waiting=700, leap=900, patience=3)


class Turmoil:
    """A house with little room, and a crowd that uses every call there is. The same seed asks for the same things."""

    def __init__(self, instances, house: House, database, seed: int):
        self.instances = instances
        self.house = house
        self.seed = seed
        self.outcomes = collections.Counter()
        self.complaints: list[str] = []
        self.changes = 0
        self._lock = threading.Lock()
        self._clients: dict[int, Api] = {}
        api = instances[0].client()
        draw = random.Random(seed)
        known = routes(api)
        self.strategies = strategies(api)
        self.actions = [
            (40, self._register), (6, self._repeat), (40, self._close), (6, self._reopen), (3, self._limit), (3, self._activate),
            (2, self._weigh), (1, self._plan), (1, self._archive),
        ]
        for weight, path, method, action in (
            (6, "/api/v1/contacts/{contact_id}/assign", "post", self._assign),
            (6, "/api/v1/contacts/{contact_id}/transfer", "post", self._transfer),
            (6, "/api/v1/contacts/{contact_id}/release", "post", self._release),
            (3, "/api/v1/contacts/{contact_id}", "patch", self._change),
            (1, "/api/v1/contacts/bulk", "post", self._bulk),
            (4, "/api/v1/contacts/batch", "post", self._batch),
        ):
            if method in known.get(path, ()):
                self.actions.append((weight, action))
        self.operators = [api.operator(max_load=draw.randint(1, 3))["id"] for _ in range(house.operators)]
        self.teams: dict[int, list[int]] = {}
        for number in range(house.sources):
            first = number * house.operators // house.sources
            team = [self.operators[(first + n) % house.operators] for n in range(4)]
            source = api.source(strategy=draw.choice(self.strategies), sticky_days=draw.choice((0, 0, 30)))["id"]
            if house.waiting:
                lead = api.contact(source)["lead_id"]
                database.add_waiting_contacts(lead, source, house.waiting)
            api.distribute(source, {id: draw.randint(1, 5) for id in draw.sample(team, draw.randint(1, 4))})
            self.teams[source] = team
        self.sources = list(self.teams)
        self.recent = {source: collections.deque(maxlen=30) for source in self.sources}
        self.keyed: collections.deque = collections.deque(maxlen=60)  # requests with a key, lately sent
        self.told: dict[str, bytes] = {}  # what was answered to each key
        self._pools: dict[tuple[int, str], list[int]] = collections.defaultdict(list)

    @property
    def can(self) -> list[str]:
        return [action.__name__.strip("_") for _, action in self.actions]

    def run(self, is_enough, seconds: float, threads: int = 12) -> None:
        """Until it is enough, which is asked now and then; everybody pauses meanwhile, and what then still waits beside
        capacity is left waiting."""
        def numbers():
            for number in itertools.count():
                if number % 500 == 0 and is_enough():
                    return
                yield number

        in_parallel(threads, self._act, numbers(), seconds)

    def must_have_been_answered(self) -> None:
        assert {status for _, status in self.outcomes} <= ANSWERS, f"{self.outcomes}\n" + "\n".join(self.complaints)
        assert not self.complaints, "\n".join(self.complaints)

    def answers(self) -> dict[int, int]:
        total = collections.Counter()
        for (_, status), count in self.outcomes.items():
            total[status] += count
        return dict(total)

    def _act(self, thread: int, number: int) -> None:
        draw = random.Random(f"{self.seed} {number}")
        # Fuller and emptier by turns, so that queues form and drain.
        tide = (0, 25, -25)[number // 1500 % 3]
        weights = [max(1, weight + (tide if action == self._register else -tide if action == self._close else 0))
                   for weight, action in self.actions]
        [(_, action)] = draw.choices(self.actions, weights)
        spot = random.Random(f"{self.seed} spot {number // SPOTLIGHT}").randrange(self.house.sources)
        source = self.sources[(spot + draw.randint(0, 1)) % self.house.sources] if draw.random() < 0.9 else draw.choice(self.sources)
        action(self._client(thread), draw, source)

    def _client(self, thread: int) -> Api:
        return self._clients.setdefault(thread, self.instances[thread % len(self.instances)].client())

    def _note(self, action: str, response: Response, changes: bool = True) -> Response:
        with self._lock:
            self.outcomes[action, response.status] += 1
            self.changes += changes and response.status < 300
            if response.status not in ANSWERS and len(self.complaints) < 20:
                self.complaints.append(f"{action} {response.status}: {response.text[:300]}")
        return response

    def _contact(self, api: Api, draw, source: int, status: str | None = None) -> int | None:
        """A contact of the source: one lately registered, or one that had the status when it was last looked up."""
        if status is None or draw.random() < 0.1:
            return draw.choice(self.recent[source]) if self.recent[source] else None
        pool = self._pools[source, status]
        while True:
            try:
                return pool.pop()
            except IndexError:
                path = f"/api/v1/contacts?source_id={source}&status={status}&limit=12&order=desc"
                found = self._note("list", api.get(path), False)
                ids = [contact["id"] for contact in found.json] if found.status == 200 else []
                if not ids:
                    return None
                draw.shuffle(ids)
                pool.extend(ids)

    def _register(self, api: Api, draw, source: int) -> None:
        body = self._registration(draw, source)
        key = f"key {draw.getrandbits(40)}" if draw.random() < 0.4 else None
        answer = self._post(api, body, key, "register")
        if key:
            self.keyed.append((key, body))
        if answer.status == 201:
            self._remember(answer.json)

    def _batch(self, api: Api, draw, source: int) -> None:
        body = [self._registration(draw, draw.choice((source, source, draw.choice(self.sources))))
                for _ in range(draw.randint(1, 8))]
        answer = self._note("batch", api.post("/api/v1/contacts/batch", body))
        for item in answer.json if answer.status == 200 else []:
            if item["status"] == 201:
                self._remember(item["contact"])

    def _registration(self, draw, source: int) -> dict:
        lead = draw.randint(1, 300)
        fields = {"lead_external_id": f"lead {lead}"} if draw.random() < 0.5 else {"lead_phone": f"+7904{lead:07}"}
        if draw.random() < 0.3:
            fields = {"lead_email": f"new{draw.getrandbits(40)}@example.com"}
        if draw.random() < 0.1:
            fields["source_event_id"] = f"event {draw.randrange(500)}"
        return {"source_id": source, "priority": draw.choice((0, 0, 0, 1, 2))} | fields

    def _remember(self, contact: dict) -> None:
        self.recent[contact["source_id"]].append(contact["id"])
        self._pools[contact["source_id"], contact["status"]].append(contact["id"])

    def _repeat(self, api: Api, draw, source: int) -> None:
        """A request that was sent before, perhaps to another instance, and perhaps without success."""
        if self.keyed:
            key, body = draw.choice(list(self.keyed))
            self._post(api, body, key, "repeat")

    def _post(self, api: Api, body: dict, key: str | None, action: str) -> Response:
        """Whoever sends a key is told what those before were told."""
        answer = self._note(action, api.post("/api/v1/contacts", body, headers={"Idempotency-Key": key} if key else None))
        if key and answer.status < 300:
            with self._lock:
                if self.told.setdefault(key, answer.body) != answer.body:
                    self.complaints.append(f"{key}: {self.told[key][:300]!r}, then {answer.body[:300]!r}")
        return answer

    def _close(self, api: Api, draw, source: int) -> None:
        for _ in range(draw.randint(1, 3)):
            contact = self._contact(api, draw, source, "active")
            if contact:
                self._note("close", api.post(f"/api/v1/contacts/{contact}/close"))

    def _reopen(self, api: Api, draw, source: int) -> None:
        contact = self._contact(api, draw, source)
        if contact:
            self._note("reopen", api.post(f"/api/v1/contacts/{contact}/reopen"))

    def _assign(self, api: Api, draw, source: int, action: str = "assign") -> None:
        contact = self._contact(api, draw, source, "new" if action == "assign" else "active")
        if contact:
            body = {"operator_id": draw.choice(self.teams[source]), "force": draw.random() < 0.2, "reason": "it's mine"}
            self._note(action, api.post(f"/api/v1/contacts/{contact}/{action}", body))

    def _transfer(self, api: Api, draw, source: int) -> None:
        self._assign(api, draw, source, "transfer")

    def _release(self, api: Api, draw, source: int) -> None:
        contact = self._contact(api, draw, source, "active")
        if contact:
            self._note("release", api.post(f"/api/v1/contacts/{contact}/release", {"reason": "not mine"}))

    def _change(self, api: Api, draw, source: int) -> None:
        contact = self._contact(api, draw, source, draw.choice(("new", "active")))
        if contact:
            body = draw.choice((
                {"priority": draw.randint(0, 2)}, {"priority": draw.randint(0, 2)}, {"message": f"it's {draw.random()}"},
                {"operator_id": None}, {"operator_id": draw.choice(self.teams[source]), "priority": draw.randint(0, 2)},
                {"status": "closed"}, {"status": "active", "priority": draw.randint(0, 2)},
            ))
            self._note("change", api.patch(f"/api/v1/contacts/{contact}", body))

    def _bulk(self, api: Api, draw, source: int) -> None:
        ids = draw.sample(list(self.recent[source]), min(len(self.recent[source]), 5))
        action = draw.choice(("close", "reopen", "release", "assign", "transfer", "priority"))
        body = {"action": action, "ids": ids}
        if action in ("assign", "transfer"):
            body["operator_id"] = draw.choice(self.teams[source])
        if action == "priority":
            body["priority"] = draw.randint(0, 2)
        if ids:
            self._note("bulk", api.post("/api/v1/contacts/bulk", body))

    def _limit(self, api: Api, draw, source: int) -> None:
        operator = draw.choice(self.teams[source])
        limit = self.house.leap if self.house.leap and draw.random() < 0.1 else draw.randint(1, 4)
        self._note("limit", api.patch(f"/api/v1/operators/{operator}", {"max_load": limit}))

    def _activate(self, api: Api, draw, source: int) -> None:
        operator, active = draw.choice(self.teams[source]), draw.random() < 0.65
        body = {"is_active": active} | ({"requeue": True} if not active and draw.random() < 0.4 else {})
        self._note("activate", api.patch(f"/api/v1/operators/{operator}", body))

    def _archive(self, api: Api, draw, source: int) -> None:
        """An operator goes for good; another takes its place in all its teams, with a weight on this source only."""
        operator = draw.choice(self.teams[source])
        answer = self._note("archive", api.delete(f"/api/v1/operators/{operator}"))
        if answer.status >= 300:
            return
        body = {"name": unique("Operator"), "max_load": draw.randint(1, 3)}
        answer = self._note("hire", api.post("/api/v1/operators", body))
        if answer.status != 201:
            return
        for team in self.teams.values():
            if operator in team:
                team[team.index(operator)] = answer.json["id"]
        rows = [{"operator_id": answer.json["id"], "source_id": source, "weight": draw.randint(1, 5)}]
        self._note("add weights", api.post(f"/api/v1/sources/{source}/distribution", {"operator_weights": rows}))

    def _weigh(self, api: Api, draw, source: int) -> None:
        team = draw.sample(self.teams[source], draw.choice((0, 1, 2, 3, 4, 4)))
        rows = [{"operator_id": id, "source_id": source, "weight": draw.randint(1, 5)} for id in team]
        send, name = draw.choice(((api.put, "replace weights"), (api.post, "add weights")))
        self._note(name, send(f"/api/v1/sources/{source}/distribution", {"operator_weights": rows}))

    def _plan(self, api: Api, draw, source: int) -> None:
        body = {"strategy": draw.choice(self.strategies), "sticky_days": draw.choice((0, 30))}
        self._note("plan", api.patch(f"/api/v1/sources/{source}", body))
