"""Processes are killed, sessions are cut, instances are told to stop: nothing acknowledged is lost."""

import pathlib
import shutil
import signal
import tempfile
import threading

import pytest

from client import Unreachable
from database import Database, terminate_others
from instance import Instance, migrate
from load import Background, Traffic, in_parallel, until
from postgres import Cluster
from processes import is_alive, kill_tree, mentioning
from waiting import eventually

pytestmark = pytest.mark.faults

LONGEST_ANSWER = 6.0
CLIENTS = 16


class Load(Background):
    """Clients that register contacts as long as the block lasts."""

    def __init__(self, traffic: Traffic, source: int, switch_away_from: Instance | None = None):
        super().__init__(self._register, ends_within=30)
        self.traffic, self.source = traffic, source
        self._victim = switch_away_from

    def _register(self, stop: threading.Event):
        survivors = [instance for instance in self.traffic.instances if instance is not self._victim]

        def register(thread, number):
            instance = self.traffic.instances[thread % len(self.traffic.instances)]
            if instance is self._victim and not instance.is_running:
                instance = survivors[0]
            answer = self.traffic.register(thread, self.source, f"contact {number}", instance)
            if answer is None or answer.status == 503:
                stop.wait(0.02)

        in_parallel(CLIENTS, register, until(stop), seconds=90)

    def must_go_on(self, contacts: int = 200, within: float = 15) -> None:
        """So many contacts more are acknowledged."""
        target = len(self.traffic.acknowledged) + contacts
        eventually(lambda: len(self.traffic.acknowledged) >= target, within,
                   lambda: f"no progress: {self.traffic.outcomes} {self.traffic.complaints}")


def team(instance: Instance) -> int:
    """A source of three operators who never fill up."""
    api = instance.client()
    return api.source({api.operator(max_load=1_000_000)["id"]: weight for weight in (1, 2, 3)})["id"]


@pytest.fixture
def durable_cluster():
    cluster = Cluster(durable=True)
    try:
        yield cluster.start()
    finally:
        cluster.remove()


def test_a_killed_postgresql_costs_only_time(durable_cluster, instances):
    with durable_cluster.connect() as admin:
        admin.execute("create database leads")
    database = Database(durable_cluster.dsn("leads"))
    migrate(database.dsn)
    server = instances(database)
    pid, source, traffic = server.pid, team(server), Traffic([server])
    with Load(traffic, source) as load:
        for _ in range(2):
            load.must_go_on()
            durable_cluster.kill()
            must_refuse_politely(server, source)
            assert traffic.outcomes[503] > 0
            durable_cluster.start()
            load.must_go_on()
    eventually(server.is_ready, 5, "the instance stays unready")
    traffic.must_have_ended_only_with(201, 503)
    assert traffic.slowest <= LONGEST_ANSWER
    assert server.is_running and server.pid == pid
    stored = traffic.must_be_stored_once_in(database)
    assert database.broken_loads() == [] and database.stranded() == []
    print(f"\nPostgreSQL killed twice: answers {dict(traffic.outcomes)}, slowest {traffic.slowest:.2f} s, "
          f"all {len(traffic.acknowledged)} acknowledged among {len(stored)} stored")


def must_refuse_politely(server: Instance, source: int) -> None:
    """Without its database the instance says 503 and when to come again; it is alive but not ready."""
    api = server.client()
    for method, path, body in (("POST", "/api/v1/contacts", {"source_id": source}), ("GET", "/api/v1/operators", ...),
                               ("POST", "/api/v1/operators", {"name": "x"}), ("GET", "/api/v1/stats/distribution", ...)):
        answer = api.request(method, path, body).must_be(503)
        assert int(answer.headers["Retry-After"]) >= 0 and answer.json["detail"]
        assert answer.seconds <= LONGEST_ANSWER
    api.get("/livez").must_be(200)
    eventually(lambda: api.get("/readyz").status == 503, 5, "/readyz stays 200 without a database")
    api.get("/nowhere").must_be(404)
    api.post("/api/v1/operators", {}).must_be(422)


def test_a_killed_instance_takes_nothing_along(servers, empty_database):
    victim, survivor = servers(2)
    source, traffic = team(survivor), Traffic([victim, survivor])
    with Load(traffic, source, switch_away_from=victim) as load:
        load.must_go_on()
        victim.kill()
        load.must_go_on()
    traffic.must_have_ended_only_with(201, "unreachable")
    assert traffic.slowest <= LONGEST_ANSWER
    stored = traffic.must_be_stored_once_in(empty_database)
    assert len(stored) - len(traffic.acknowledged) <= CLIENTS
    eventually(lambda: empty_database.open_transactions() == [], 5,
               lambda: f"locks are left: {empty_database.open_transactions()}")
    assert empty_database.broken_loads() == [] and empty_database.stranded() == []


def test_a_storm_of_terminated_sessions_blows_over(servers, empty_database):
    [server] = servers(1)
    pid, source, traffic = server.pid, team(server), Traffic([server])

    def storm(stop):
        with empty_database.connect() as connection:
            for _ in until(stop):
                terminate_others(connection)
                stop.wait(0.15)

    with Load(traffic, source) as load:
        load.must_go_on()
        with Background(storm):
            load.must_go_on(within=20)
        load.must_go_on(within=10)
    traffic.must_have_ended_only_with(201, 503)
    assert traffic.slowest <= LONGEST_ANSWER and server.is_running and server.pid == pid
    traffic.must_be_stored_once_in(empty_database)
    assert empty_database.broken_loads() == []


def test_a_slow_lock_does_not_stop_other_sources(servers, empty_database):
    [server] = servers(1)
    api = server.client()
    (blocked, operator), (free, _) = api.staffed_source(), api.staffed_source()
    traffic = Traffic([server])
    with empty_database.operator_held(operator["id"]), Background(
            lambda stop: traffic.register(0, blocked["id"], "blocked")) as waiting:
        eventually(lambda: empty_database.blocked_sessions() > 0, 5, "nobody waits for the held row")
        assert api.contact(free["id"])["status"] == "active"
        eventually(lambda: not waiting.is_working, LONGEST_ANSWER, "a request waits for ever for a lock")
    traffic.must_have_ended_only_with(503)
    assert api.contact(blocked["id"])["status"] == "active"
    assert "blocked" not in empty_database.ids_by_message()


def test_reports_that_wait_leave_connections_to_registrations(servers, empty_database):
    [server] = servers(1)
    source = server.client().staffed_source(max_load=1000)[0]["id"]
    traffic, answers = Traffic([server]), []

    def report(thread, _):
        answers.append(server.client().get("/api/v1/stats/distribution").status)

    with empty_database.connect(autocommit=False) as holder:
        holder.execute("lock table contact_tallies in access exclusive mode")
        with Background(lambda stop: in_parallel(40, report, range(40), seconds=30), ends_within=40):
            eventually(lambda: empty_database.blocked_sessions() >= 3, 5, "no report waits for the table")
            in_parallel(4, lambda thread, n: traffic.register(thread, source, f"contact {n}"), range(60), seconds=30)
            holder.rollback()
    traffic.must_have_ended_only_with(201)
    assert traffic.slowest < 1, "registrations waited behind reports"
    assert set(answers) <= {200, 503} and 200 in answers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_finished_before_the_instance_ends(servers, empty_database, number):
    [server] = servers(1)
    source, operator = server.client().staffed_source()
    traffic = Traffic([server])
    with empty_database.operator_held(operator["id"]) as release:
        with Background(lambda stop: traffic.register(0, source["id"], "in flight")):
            eventually(lambda: empty_database.blocked_sessions() > 0, 5, "nobody waits for the held row")
            server.process.send_signal(number)
            eventually(lambda: stops_serving(server), 1, "it still says it is ready")
            assert server.is_running
            release()
    assert server.exit_code() == 0
    traffic.must_have_ended_only_with(201)
    traffic.must_be_stored_once_in(empty_database)


def stops_serving(server: Instance) -> bool:
    try:
        return server.client(timeout=2).get("/readyz").status != 200
    except Unreachable:
        return True


def test_sigterm_under_load_leaves_nothing_stored_that_was_not_answered(servers, empty_database):
    stopped, survivor = servers(2)
    source, traffic = team(survivor), Traffic([stopped, survivor])
    with Load(traffic, source, switch_away_from=stopped) as load:
        load.must_go_on()
        assert stopped.terminate() == 0
        load.must_go_on()
    traffic.must_have_ended_only_with(201, 503, "unreachable")
    stored = traffic.must_be_stored_once_in(empty_database)
    assert stored.keys() == traffic.acknowledged.keys()
    assert empty_database.broken_loads() == [] and empty_database.stranded() == []


def test_two_instances_may_migrate_and_start_at_once(cluster, instances):
    with cluster.connect() as admin:
        admin.execute("create database unmigrated")
    database = Database(cluster.dsn("unmigrated"))
    pair = [instances(database, ready=False) for _ in range(2)]
    for server in pair:
        server.wait_until_ready()
    id = pair[0].client().operator()["id"]
    assert pair[1].client().read("operators", id)["id"] == id
    assert [server.terminate() for server in pair] == [0, 0]


def test_an_instance_that_cannot_reach_its_database_at_the_start_says_so(instances, cluster):
    database = Database(cluster.dsn("no_such_database"))
    server = instances(database, ready=False)
    try:
        eventually(lambda: "no_such_database" in server.output() or not server.is_running, 15, "it says nothing")
        assert not server.is_ready()
    finally:
        server.end()


# The embedded PostgreSQL

class Embedded:
    """Instances on one embedded data directory, and the PostgreSQL that lives in it."""

    def __init__(self, home: pathlib.Path, instances):
        self.home, self.data = home, home / "data"
        self._instances = instances
        self._postmasters: set[int] = set()

    def start(self, ready: bool = True) -> Instance:
        server = self._instances(None, "--data-directory", str(self.data), ready=ready)
        self.postmaster()
        return server

    def postmaster(self) -> int | None:
        """The pid that PostgreSQL wrote into its directory, if it is alive."""
        for path in self.home.rglob("postmaster.pid"):
            pid = int(path.read_text().split()[0])
            if is_alive(pid) and b"postgres" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                self._postmasters.add(pid)
                return pid
        return None

    def remove(self) -> None:
        self.postmaster()
        for pid in filter(is_alive, self._postmasters):
            kill_tree(pid)
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture
def embedded(instances):
    home = pathlib.Path(tempfile.mkdtemp(prefix="leads-e-", dir="/tmp"))
    home.chmod(0o755)
    embedded = Embedded(home, instances)
    servers = len(Instance.started)
    try:
        yield embedded
    finally:
        for server in Instance.started[servers:]:
            server.end()
        embedded.remove()


def fill(server: Instance, contacts: int = 20) -> dict[int, str]:
    """Contacts and what was answered for each."""
    api = server.client()
    source = api.staffed_source(max_load=contacts // 2)[0]["id"]
    made = [api.contact(source, message=f"Сообщение {n}")["id"] for n in range(contacts)]
    return {id: api.get(f"/api/v1/contacts/{id}").must_be(200).text for id in made}


def must_still_have(server: Instance, contacts: dict[int, str]) -> None:
    api = server.client()
    for id, text in contacts.items():
        assert api.get(f"/api/v1/contacts/{id}").must_be(200).text == text
    assert api.staffed_source()[0]["id"] > 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_embedded_data_outlive_a_clean_stop(embedded, number):
    server = embedded.start()
    contacts = fill(server)
    postmaster = embedded.postmaster()
    assert postmaster, "no postmaster.pid below the data directory"
    server.process.send_signal(number)
    assert server.exit_code() == 0
    eventually(lambda: not is_alive(postmaster), 5, "the embedded PostgreSQL was left running")
    must_still_have(embedded.start(), contacts)


@pytest.mark.parametrize("moment", ["Initialising", "Starting PostgreSQL", "Creating the database", "migration"])
def test_a_stop_while_everything_starts_leaves_nothing_running(embedded, moment):
    server = embedded.start(ready=False)
    eventually(lambda: moment in server.output(), 30, lambda: f"never: {moment}\n{server.output()}", every=0.002)
    assert server.terminate() == 0
    assert mentioning(str(embedded.data)) == [], server.output()
    assert embedded.start().terminate() == 0


def test_the_embedded_data_outlive_a_killed_server(embedded):
    server = embedded.start()
    contacts = fill(server)
    server.kill()
    again = embedded.start()
    must_still_have(again, contacts)
    postmaster = embedded.postmaster()
    assert again.terminate() == 0
    eventually(lambda: not is_alive(postmaster), 5, "the PostgreSQL that was taken over was left running")


def test_the_embedded_data_outlive_the_death_of_everything(embedded):
    server = embedded.start()
    contacts = fill(server)
    postmaster = embedded.postmaster()
    server.kill()
    kill_tree(postmaster)
    must_still_have(embedded.start(), contacts)


def test_an_embedded_instance_survives_the_death_of_its_postgresql(embedded):
    """Its data are there again: it restarts PostgreSQL itself, or ends so that a supervisor restarts both."""
    server = embedded.start()
    contacts = fill(server)
    kill_tree(embedded.postmaster())
    eventually(lambda: not server.is_running or server.is_ready(), 30, "it neither recovers nor ends")
    must_still_have(server if server.is_running else embedded.start(), contacts)


def test_a_second_instance_on_the_same_directory_is_refused(embedded):
    first = embedded.start()
    contacts = fill(first)
    postmaster = embedded.postmaster()
    second = embedded.start(ready=False)
    assert second.exit_code(within=30) != 0
    assert str(embedded.data) in second.output(), f"not a word about the directory:\n{second.output()}"
    assert "fatal error" not in second.output().lower(), "a trap is no message"
    assert embedded.postmaster() == postmaster
    must_still_have(first, contacts)


def test_a_taken_port_is_refused(servers, empty_database, instances):
    [first] = servers(1)
    second = Instance(first.log.parent / "second.log", "--port", str(first.port), DATABASE_URL=empty_database.dsn)
    try:
        assert second.exit_code(within=30) != 0
        assert "already in use" in second.output()
    finally:
        second.end()
    assert first.is_ready()
