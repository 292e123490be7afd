"""`leads-crm check`: what it finds, what it mends, what it says when it cannot, and that traffic is no drift."""

import json
import pathlib
import re
import shutil
import tempfile
import time

import pytest

from instance import run
from load import Background, Traffic, generator, in_parallel, until
from processes import mentioning
from waiting import AT_LENGTH

CANARY = "canary7413"
CHECKS = ["guards", "loads", "ceilings", "limits", "counts", "tallies", "quarters", "spans", "leads", "decisions", "events", "queue"]
CLEAN, WRONG, UNKNOWN = 0, 1, 2


def check(database, *arguments: str, user: str | None = None, **settings) -> tuple[int, str]:
    url = database.dsn if user is None else f"{database.dsn}?user={user}"
    return run("check", *arguments, DATABASE_URL=url, **settings)


def must_be_clean(database) -> None:
    code, output = check(database)
    lines = output.splitlines()
    assert code == CLEAN, output
    assert [line.split()[:2] for line in lines] == [[name, "ok"] for name in CHECKS], output


@pytest.fixture
def roles(empty_database):
    code, output = run("migrate", "--roles", DATABASE_URL=empty_database.dsn)
    assert code == 0, output


@pytest.fixture
def busy(servers, empty_database):
    """An instance, one operator with 5 of 5 contacts, and three that wait; the operator's id and the source's."""
    api = servers(1, LEADS_SWEEP_SECONDS=3600)[0].client()
    source, operator = api.staffed_source(max_load=5)
    for number in range(8):
        api.contact(source["id"], lead_external_id=f"id {number % 4}", lead_name=f"name {CANARY}",
                    lead_phone=f"+7900123456{number}", lead_email=f"{CANARY}@example.com", message=f"message {CANARY}")
    return api, operator["id"], source["id"]


def by_hand(database, *statements: str) -> None:
    with database.connect() as connection:
        for statement in statements:
            connection.execute(statement)


def test_it_is_listed_and_explained():
    code, output = run("--help")
    assert code == 0 and "check" in output
    code, output = run("check", "--help")
    assert code == 0 and "--repair" in output and "Exit codes" in output


def test_nothing_is_found_where_nothing_is_wrong(busy, empty_database):
    must_be_clean(empty_database)
    code, output = check(empty_database, "--repair")
    assert code == CLEAN and "Mended" not in output and "again" not in output


def test_drift_is_named_and_mended_while_an_instance_serves(busy, empty_database):
    api, operator, source = busy
    by_hand(empty_database,
            f"update operator_loads set load = 7, ceiling = 9 where operator_id = {operator}",
            "update leads set contact_count = contact_count + 1",
            "insert into contact_tally_changes (source_id, contacts) values (999999, 5)")
    code, output = check(empty_database)
    assert code == WRONG
    assert f"operator {operator}: load 7, recount 5" in output
    assert [line.split()[0] for line in output.splitlines() if " found (" in line] == ["loads", "ceilings", "counts", "tallies"]
    assert CANARY not in output and "example.com" not in output and "+7900" not in output and "id 1" not in output

    def serve(stop):
        for _ in until(stop):
            contact = api.contact(source)["id"]
            api.close_contact(contact)

    with Background(serve):
        code, output = check(empty_database, "--repair")
    assert code == CLEAN, output
    assert f"operator {operator}: load 7 → 5, ceiling 9 → 5" in output and "Checked again:" in output
    assert CANARY not in output
    must_be_clean(empty_database)
    assert api.load(operator) == 5


def test_many_findings_are_cut_short(empty_database):
    by_hand(empty_database, "insert into leads (name, contact_count) select 'x', 1 from generate_series(1, 30)")
    code, output = check(empty_database)
    assert code == WRONG and output.count("    lead ") == 20 and "    … and 10 more\n" in output


def test_what_is_no_counter_is_left_to_people(busy, empty_database):
    _, operator, _ = busy
    by_hand(empty_database,
            "insert into leads (external_id) values ('nobody')",
            "alter table contacts disable trigger user",
            f"""update contacts set status = 'active', operator_id = {operator}, waiting_reason = null, waiting_since = null,
                assigned_at = now(), first_assigned_at = now() where status = 'new'""",
            "alter table contacts enable trigger user")
    code, output = check(empty_database, "--repair")
    assert code == WRONG, output
    again = output.partition("Checked again:")[2]
    assert [line.split()[0] for line in again.splitlines() if " found (" in line] == ["limits", "leads"]
    assert f"operator {operator}: 8 active contacts, limit 5, forced 0" in again
    assert empty_database.load_drift() == [] and empty_database.tally_drift() == []


def test_who_waits_beside_capacity_is_placed(busy, empty_database):
    api, operator, _ = busy
    by_hand(empty_database, f"update operator_loads set max_load = 7 where operator_id = {operator}")
    code, output = check(empty_database)
    assert code == WRONG and "queue     3 found (waiting contacts: 3)" in output
    code, output = check(empty_database, "--repair")
    assert code == CLEAN and "Queues served: 1" in output, output
    assert api.load(operator) == 7


def test_json_says_the_same(busy, empty_database):
    code, output = check(empty_database, "--json")
    report = json.loads(output)
    assert code == CLEAN and [entry["name"] for entry in report["checks"]] == CHECKS
    by_hand(empty_database, "update operator_loads set load = 4")
    code, output = check(empty_database, "--json", "--repair")
    report = json.loads(output)
    assert code == CLEAN
    assert [entry["name"] for entry in report["found_before"] if entry["findings"]] == ["loads", "queue"]
    assert [(entry["name"], entry["findings"]) for entry in report["mended"]] == [("loads", 1)]


def test_leads_app_checks_but_may_not_mend(roles, busy, empty_database):
    code, output = check(empty_database, user="leads_app")
    assert code == CLEAN, output
    by_hand(empty_database, "update operator_loads set load = 4")
    code, output = check(empty_database, user="leads_app")
    assert code == WRONG and "load 4, recount 5" in output
    code, output = check(empty_database, "--repair", user="leads_app")
    assert code == UNKNOWN and "leads_app may not write counters" in output and "DATABASE_DIRECT_URL" in output
    assert len(empty_database.load_drift()) == 1
    code, output = check(empty_database, "--repair", user="leads_app", DATABASE_DIRECT_URL=empty_database.dsn)
    assert code == CLEAN, output


def test_an_account_without_rights_is_told_which_one_has_them(roles, empty_database):
    by_hand(empty_database, "drop role if exists leads_nobody", "create role leads_nobody login")
    code, output = check(empty_database, user="leads_nobody")
    assert code == UNKNOWN and "permission denied" in output and "leads_app" in output


def test_the_three_seconds_of_sessions_do_not_cut_it_short(roles, busy, empty_database):
    """A view that takes its time, read with the role's limit of 3 s."""
    by_hand(empty_database, """
        create or replace view report.stranded as
        select c.id as contact_id, c.source_id, c.waiting_since from contacts c where (select pg_sleep(4)) is null
    """)
    code, output = check(empty_database, user="leads_app")
    assert code == CLEAN, output


@pytest.mark.parametrize("damage", [
    "drop table schema_migrations", "delete from schema_migrations where version = 2",
    "delete from schema_repeatables where name = 'report/report.sql'",
])
def test_an_older_schema_is_told_and_not_migrated(empty_database, damage):
    by_hand(empty_database, damage)
    code, output = check(empty_database)
    assert code == UNKNOWN and "leads-crm migrate" in output
    assert check(empty_database)[0] == UNKNOWN


def test_a_database_that_is_not_there_is_named_without_its_password():
    code, output = run("check", DATABASE_URL=f"postgresql://leads:{CANARY}@127.0.0.1:1/leads")
    assert code == UNKNOWN and "127.0.0.1" in output and CANARY not in output


def test_locks_that_others_hold_are_told(busy, empty_database):
    by_hand(empty_database, "update operator_loads set load = 4")
    with empty_database.connect(autocommit=False) as other:
        other.execute("select from operator_loads for update")
        code, output = check(empty_database, "--repair")
    assert code == UNKNOWN and "nothing was changed" in output
    assert len(empty_database.load_drift()) == 1


@pytest.fixture
def home():
    """A directory the account of PostgreSQL can reach."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="leads-check-", dir="/tmp"))
    home.chmod(0o755)
    yield home
    shutil.rmtree(home, ignore_errors=True)


def test_the_embedded_database_is_shared_or_started_but_never_made(home, instances):
    data = str(home / "data")
    code, output = run("check", "--data-directory", data)
    assert code == UNKNOWN and "there is no database" in output and not list(home.iterdir())

    server = instances(None, "--data-directory", data)
    api = server.client()
    source, _ = api.staffed_source()
    api.contact(source["id"])
    code, output = run("check", "--data-directory", data)
    assert code == CLEAN and "(operators: 1)" in output, output
    api.contact(source["id"])
    assert server.terminate() == 0

    code, output = run("check", "--data-directory", data)
    assert code == CLEAN and "Starting PostgreSQL" in output and "(operators: 1)" in output, output
    assert mentioning(data) == []


@pytest.mark.stress
def test_a_long_queue_that_is_being_placed_is_waited_for(servers, empty_database):
    api = servers(1, LEADS_SWEEP_SECONDS=3600)[0].client()
    source, operator = api.staffed_source(max_load=1)
    lead = api.contact(source["id"])["lead"]["id"]
    empty_database.add_waiting_contacts(lead, source["id"], 10_000)
    api.change_operator(operator["id"], max_load=1_000_000)
    assert len(empty_database.stranded()) > 0, "it was placed before it could be looked at"
    must_be_clean(empty_database)
    assert api.load(operator["id"]) == 10_001


@pytest.mark.stress
def test_traffic_of_three_instances_is_never_taken_for_drift(servers, empty_database):
    """Queues form and drain, operators come and go, limits rise."""
    random, three = generator("check under load"), servers(3)
    api, traffic = three[0].client(), Traffic(three)
    limits = {api.operator(max_load=20)["id"]: 20 for _ in range(6)}
    operators = list(limits)
    sources = [api.source({id: random.randint(1, 9) for id in random.sample(operators, 4)})["id"] for _ in range(5)]
    phones = [f"+7902{number:07}" for number in range(300)]

    def register(stop):
        def one(thread, number):
            traffic.register(thread, random.choice(sources), f"contact {number}", lead_phone=random.choice(phones),
                             priority=random.randint(0, 2))

        in_parallel(12, one, until(stop), seconds=90)

    def close(stop):
        clients = [instance.client() for instance in three]

        def some(thread, _):
            client = clients[thread]
            active = client.get("/api/v1/contacts?status=active&limit=1000").must_be(200).json
            for contact in random.sample(active, len(active) // 2):
                client.post(f"/api/v1/contacts/{contact['id']}/close").must_be(200)

        in_parallel(3, some, until(stop), seconds=90)

    def reconfigure(stop):
        client = three[1].client()
        for _ in until(stop):
            operator = random.choice(operators)
            client.change_operator(operator, is_active=False, requeue=random.random() < 0.5)
            client.distribute(random.choice(sources), {random.choice(operators): random.randint(1, 9)})
            client.change_operator(operator, is_active=True)
            raised = random.choice(operators)
            limits[raised] += random.randint(0, 20)
            client.change_operator(raised, max_load=limits[raised])

    checks, began = [], time.monotonic()
    with Background(register, 60), Background(close, 60), Background(reconfigure, 60):
        while time.monotonic() - began < (25 if AT_LENGTH else 8):
            checks.append(check(empty_database))
    wrong = [(code, output) for code, output in checks if code != CLEAN]
    assert wrong == [], wrong[0][1]
    queues = [int(re.search(r"\(waiting contacts: (\d+)\)", output)[1]) for _, output in checks]
    assert len(checks) >= 3 and max(queues) > 0
    must_be_clean(empty_database)
    print(f"  {len(checks)} checks beside {sum(traffic.outcomes.values())} registrations {dict(traffic.outcomes)}, queues of {min(queues)} to "
          f"{max(queues)}: 0 findings")
