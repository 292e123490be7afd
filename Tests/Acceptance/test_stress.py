"""Many clients, three instances, one database: what must hold at every moment, and what must hold at rest."""

import pytest

from client import Api
from load import Background, Sampler, Traffic, generator, in_parallel, until
from waiting import eventually

pytestmark = [pytest.mark.stress, pytest.mark.every_intake]

OPERATORS, MAX_LOAD = 10, 5
AT_ONCE = 1.5  # seconds: shorter than any sweep, so a lost wake-up is not mended unseen


@pytest.fixture
def three(servers, empty_database, cluster):
    """Three instances; at the end of the test PostgreSQL has seen no deadlock and no instance has ended."""
    log, deadlocks = cluster.log_size(), empty_database.deadlocks()
    instances = servers(3)
    pids = [instance.pid for instance in instances]
    yield instances
    assert [instance.pid for instance in instances if instance.is_running] == pids
    assert [instance.terminate() for instance in instances] == [0, 0, 0]
    eventually(lambda: empty_database.sessions() == 0, 10, "sessions outlive their instances")
    assert "deadlock detected" not in cluster.log_since(log)
    assert empty_database.deadlocks() == deadlocks
    print(f"  deadlocks {empty_database.deadlocks() - deadlocks}, exit codes 0 0 0")


def close_some(api: Api, random, share: float = 0.5) -> int:
    """Closes a part of the active contacts; how many were active."""
    active = [contact["id"] for contact in api.get("/api/v1/contacts?status=active&limit=1000").must_be(200).json]
    for id in random.sample(active, max(1, int(len(active) * share)) if active else 0):
        api.post(f"/api/v1/contacts/{id}/close").must_be(200)
    return len(active)


def closers(instances, random):
    """Work for the background: one closer per instance, until told to stop."""

    def work(stop):
        clients = [instance.client() for instance in instances]
        in_parallel(len(clients), lambda thread, _: close_some(clients[thread], random), until(stop), seconds=90)

    return work


def must_be_at_rest(database) -> None:
    """Nobody waits beside an operator who could take them, and every load is the recount."""
    eventually(lambda: database.stranded() == [], AT_ONCE, lambda: f"they wait beside capacity: {database.stranded()}")
    assert database.broken_loads() == []


def team(api: Api) -> list[int]:
    return [api.operator(max_load=MAX_LOAD)["id"] for _ in range(OPERATORS)]


def test_under_load_limits_hold_and_nobody_waits_beside_capacity(three, empty_database):
    random, api, traffic = generator("mixed load"), three[0].client(), Traffic(three)
    operators = team(api)
    sources = [api.source({id: random.randint(1, 9) for id in random.sample(operators, random.randint(3, OPERATORS))})["id"]
               for _ in range(8)]
    phones = [f"+7902{number:07}" for number in range(500)]

    def register(thread, number):
        traffic.register(thread, random.choice(sources), f"contact {number}", lead_phone=random.choice(phones))

    with Sampler(empty_database) as sampler:
        with Background(closers(three, random), ends_within=60):
            in_parallel(64, register, range(2000), seconds=60)
        must_be_at_rest(empty_database)
        assert empty_database.waiting_reasons().keys() <= {"all_at_limit", "behind_queue"}
        clients = [instance.client() for instance in three]
        with Background(closers(three, random), ends_within=60):
            eventually(lambda: set(empty_database.status_of_contacts().values()) == {"closed"}, 60,
                       lambda: f"they are never placed: {empty_database.waiting_reasons()}", every=0.2)
    assert sampler.samples >= 20
    must_be_at_rest(empty_database)
    traffic.must_have_ended_only_with(201)
    assert len(traffic.must_be_stored_once_in(empty_database)) == 2000
    assert empty_database.count("leads") <= len(phones)
    assert empty_database.placed_by_event() == 2000
    assert empty_database.overtakings() == []
    assert sum(client.load(id) for client, id in zip(clients, operators)) == 0
    print(f"  answers {dict(traffic.outcomes)}, slowest {traffic.slowest:.2f} s, {empty_database.count('leads')} leads of "
          f"{len(phones)} phones, {sampler.samples} samples of {OPERATORS} operators: 0 over the limit, 0 with drift")


def test_without_closers_the_slots_fill_exactly(three, empty_database):
    api, traffic = three[0].client(), Traffic(three)
    operators = team(api)
    source = api.source({id: weight for weight, id in enumerate(operators, 1)})["id"]
    answers = {}

    def register(thread, number):
        answers[number] = traffic.register(thread, source, f"contact {number}")

    with Sampler(empty_database):
        in_parallel(64, register, range(400), seconds=60)
    traffic.must_have_ended_only_with(201)
    slots = OPERATORS * MAX_LOAD
    answered = [answer.json["status"] for answer in answers.values()]
    assert (answered.count("active"), answered.count("new")) == (slots, 400 - slots)
    stored = list(empty_database.status_of_contacts().values())
    assert (stored.count("active"), stored.count("new")) == (slots, 400 - slots)
    assert empty_database.waiting_reasons() == {"all_at_limit": 400 - slots}
    assert [api.load(id) for id in operators] == [MAX_LOAD] * OPERATORS
    must_be_at_rest(empty_database)
    print(f"\n400 contacts for {slots} places: {stored.count('active')} active, {stored.count('new')} waiting")


def test_after_every_burst_nobody_waits_beside_capacity(three, empty_database):
    """Registration that finds all full races with closing, in bursts: later traffic cannot mend a lost wake-up."""
    random, api, traffic = generator("bursts"), three[0].client(), Traffic(three)
    source = api.source({api.operator(max_load=2)["id"]: 1, api.operator(max_load=1)["id"]: 1})["id"]
    clients = [instance.client() for instance in three * 4]

    def act(thread, step):
        if isinstance(step, str):
            traffic.register(thread, source, step)
        else:
            clients[thread].post(f"/api/v1/contacts/{step}/close").must_be(200)

    for burst in range(60):
        active = [id for id, status in empty_database.status_of_contacts().items() if status == "active"]
        steps = active + [f"contact {burst}.{number}" for number in range(random.randint(0, 6))]
        random.shuffle(steps)
        in_parallel(len(clients), act, steps, seconds=20)
        must_be_at_rest(empty_database)
    traffic.must_have_ended_only_with(201)
    traffic.must_be_stored_once_in(empty_database)
    assert empty_database.overtakings() == []


def test_while_operators_and_weights_change_nobody_is_forgotten(three, empty_database):
    """Registration that concludes "nobody" and capacity that appears must exclude each other."""
    random, api, traffic = generator("changing configuration"), three[0].client(), Traffic(three)
    operators = team(api)
    sources = [api.source({id: 1 for id in random.sample(operators, 3)})["id"] for _ in range(6)]

    def reconfigure(stop):
        client = three[1].client()
        for _ in until(stop):
            operator, source = random.choice(operators), random.choice(sources)
            path = f"/api/v1/operators/{operator}/activate"
            client.patch(path, {"active": False}).must_be(200)
            rows = [{"operator_id": id, "source_id": source, "weight": random.randint(1, 9)}
                    for id in random.sample(operators, random.randint(0, 4))]
            client.put(f"/api/v1/sources/{source}/distribution", {"operator_weights": rows}).must_be(200)
            client.patch(path, {"active": True}).must_be(200)

    def register(thread, number):
        traffic.register(thread, random.choice(sources), f"contact {number}")

    with Sampler(empty_database), Background(closers(three, random), ends_within=60), Background(reconfigure):
        in_parallel(32, register, range(1000), seconds=60)
    traffic.must_have_ended_only_with(201)
    traffic.must_be_stored_once_in(empty_database)
    must_be_at_rest(empty_database)


def test_reopening_and_closing_at_once_keeps_the_limits(three, empty_database):
    random, api = generator("reopening"), three[0].client()
    operator = [api.operator(max_load=2)["id"] for _ in range(3)]
    source = api.source(dict.fromkeys(operator, 1))["id"]
    contacts = [api.contact(source)["id"] for _ in range(12)]
    clients = [three[thread % 3].client() for thread in range(24)]

    def change(thread, _):
        action = random.choice(("close", "reopen"))
        clients[thread].post(f"/api/v1/contacts/{random.choice(contacts)}/{action}").must_be(200)

    with Sampler(empty_database):
        in_parallel(24, change, range(1500), seconds=60)
    must_be_at_rest(empty_database)


NOTATIONS = ("8 (900) 123-45-67", "+7 900 123-45-67", "79001234567", "+79001234567", "8-900-123-45-67", "8 900 1234567")


def test_200_contacts_of_one_person_at_once_make_one_lead(three, empty_database):
    traffic = Traffic(three)
    source = three[0].client().staffed_source(max_load=1000)[0]["id"]

    def register(thread, number):
        traffic.register(thread, source, f"contact {number}", lead_phone=NOTATIONS[number % len(NOTATIONS)])

    in_parallel(64, register, range(200), seconds=60)
    traffic.must_have_ended_only_with(201)
    assert len(traffic.must_be_stored_once_in(empty_database)) == 200
    assert empty_database.count("leads") == 1
    assert three[1].client().read("contacts", 1)["lead"]["contact_count"] == 200
    print(f"\n200 contacts of one person by 64 clients: {empty_database.count('leads')} lead, answers {dict(traffic.outcomes)}")


def test_people_known_by_different_keys_at_once_stay_one_lead_each(three, empty_database):
    """Keys of one lead arrive in different orders and pairs; the person is the same throughout."""
    random, traffic = generator("different keys"), Traffic(three)
    api = three[0].client()
    source = api.source()["id"]
    people = [{"lead_external_id": f"p{n}", "lead_phone": f"+7903{n:07}", "lead_email": f"p{n}@one.ru"} for n in range(20)]
    for person in people:
        api.contact(source, **person)

    def register(thread, number):
        person = random.choice(people)
        keys = random.sample(sorted(person), random.randint(1, 3))
        traffic.register(thread, source, f"contact {number}", **{key: person[key] for key in keys})

    in_parallel(64, register, range(600), seconds=60)
    traffic.must_have_ended_only_with(201)
    assert empty_database.count("leads") == len(people)
