"""Fixtures: a PostgreSQL cluster, databases on it, and instances of the real binary."""

import itertools
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

pytest.register_assert_rewrite(
    "balancer", "browser", "client", "containers", "database", "instance", "listener", "load", "logs", "metrics", "openapi", "pages",
    "postgres", "processes", "record", "history", "shapes", "statements", "turmoil", "waiting")

from client import Api
from database import Database
from instance import BINARY, Instance, migrate
from postgres import Cluster
from processes import is_alive
from record import Record
from waiting import AT_LENGTH, eventually

SECONDS_PER_TEST = 120
# How registrations share transactions in tests marked `every_intake`: `LEADS_INTAKES="1x512 4x512 2x1"`, lanes × batch.
INTAKES = [dict(zip(("LEADS_INTAKE_LANES", "LEADS_INTAKE_BATCH"), each.split("x")))
           for each in os.environ.get("LEADS_INTAKES", "").split()]


def pytest_generate_tests(metafunc):
    if INTAKES and metafunc.definition.get_closest_marker("every_intake") and "intake" in metafunc.fixturenames:
        metafunc.parametrize("intake", INTAKES, indirect=True, ids=lambda settings: "{} lanes, batch {}".format(*settings.values()))


def pytest_collection_modifyitems(config, items):
    """What takes longest begins first, lest all wait for it at the end; what only repeats at length what others show is for `make prove`."""
    items.sort(key=lambda item: item.get_closest_marker("first") is None)
    if AT_LENGTH:
        return
    long = [item for item in items if item.get_closest_marker("at_length")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest.fixture
def intake(request) -> dict:
    """Settings of the intake; none unless the test is for every intake."""
    return getattr(request, "param", {})


@pytest.fixture(scope="session")
def cluster():
    cluster = Cluster()
    try:
        yield cluster.start()
    finally:
        cluster.remove()


@pytest.fixture(scope="session")
def new_database(cluster):
    """Makes empty, migrated databases, each a copy of one template."""
    assert os.access(BINARY, os.X_OK), f"no binary at {BINARY}: build it or set LEADS_BINARY"
    numbers = itertools.count(1)
    with cluster.connect() as admin:
        admin.execute("create database template_leads")
        migrate(cluster.dsn("template_leads"))

        def make() -> Database:
            name = f"leads_{next(numbers)}"
            admin.execute(f"create database {name} template template_leads strategy file_copy")
            return Database(cluster.dsn(name))

        yield make


@pytest.fixture(scope="module")
def database(new_database):
    """One database for all tests of a module; they keep apart by sources and operators of their own."""
    return new_database()


@pytest.fixture(scope="session")
def instances(tmp_path_factory):
    """Starts instances: `instances(database, LEADS_LANGUAGE="ru")`. All are ended at the end."""
    logs = tmp_path_factory.mktemp("logs")
    numbers = itertools.count(1)
    mine: list[Instance] = []

    def start(database: Database | None, *arguments: str, ready: bool = True, port: int | None = None,
              **settings) -> Instance:
        if database is not None:
            settings["DATABASE_URL"] = database.dsn
        instance = Instance(logs / f"instance-{next(numbers)}.log", *arguments, port=port, **settings)
        mine.append(instance)
        return instance.wait_until_ready() if ready else instance

    yield start
    for instance in mine:
        instance.end()


@pytest.fixture(scope="module")
def server(instances, database):
    """One instance on the module's database, open whoever is invited there: requests of all kinds make people and keys."""
    instance = instances(database, LEADS_ACCESS="open")
    yield instance
    instance.end()


@pytest.fixture
def api(server):
    """A client of the module's instance."""
    client = server.client()
    yield client
    client.close()


@pytest.fixture
def empty_database(new_database):
    """A database for one test."""
    return new_database()


@pytest.fixture
def record(empty_database):
    """What is committed on the test's database, from before its instances start."""
    record = Record(empty_database)
    yield record
    record.close()


@pytest.fixture
def servers(instances, empty_database, intake):
    """Starts n instances on one empty database: `servers(3)`."""
    mine: list[Instance] = []

    def start(n: int, **settings) -> list[Instance]:
        mine.extend(instances(empty_database, ready=False, **intake | settings) for _ in range(n))
        return [instance.wait_until_ready() for instance in mine]

    yield start
    for instance in mine:
        instance.end()


@pytest.fixture
def embedded_home():
    """A directory for data of instances that start PostgreSQL themselves; its account can reach it."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="leads-embedded-", dir="/tmp"))
    home.chmod(0o755)
    servers = len(Instance.started)
    yield home
    for server in Instance.started[servers:]:
        server.end()
    for path in home.rglob("postmaster.pid"):
        pid = int(path.read_text().split()[0])
        if is_alive(pid):
            subprocess.run(["kill", "-QUIT", str(pid)], check=False)
            eventually(lambda: not is_alive(pid), 20, "PostgreSQL does not end")
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def empty_api(servers) -> Api:
    """A client of an instance on an empty database: the first ids are 1."""
    return servers(1)[0].client()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """No test may hang for ever; `@pytest.mark.seconds(n)` is for one that has more to do than others."""
    marker = item.get_closest_marker("seconds")
    seconds = marker.args[0] if marker else SECONDS_PER_TEST

    def too_long(*_):
        raise TimeoutError(f"{item.name} took longer than {seconds} s")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    try:
        return (yield)
    finally:
        signal.alarm(0)


def pytest_runtest_setup(item):
    item.log_sizes = {id(instance): instance.log.stat().st_size for instance in Instance.started if instance.log.exists()}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the instances logged meanwhile."""
    report = yield
    if report.failed:
        for instance in Instance.started:
            if not instance.log.exists():
                continue
            with instance.log.open("rb") as log:
                log.seek(getattr(item, "log_sizes", {}).get(id(instance), 0))
                said = log.read().decode(errors="replace")
            if said:
                report.sections.append((f"leads-crm on port {instance.port}, pid {instance.pid}", said[-6000:]))
    return report
