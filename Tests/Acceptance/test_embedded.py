"""Who may do what in the PostgreSQL that an instance starts itself."""

import shutil
import signal
import subprocess

import psycopg
import pytest

from database import Database, embedded
from instance import migrate, run
from metrics import Metrics
from postgres import Cluster
from waiting import eventually


def owners(database: Database) -> set[str]:
    """Of everything that is the product's."""
    return {owner for (owner,) in database.owners()}


def test_nobody_is_superuser_while_it_serves(embedded_home, instances):
    server = instances(None, "--data-directory", str(embedded_home / "data"), LEADS_SWEEP_SECONDS=1)
    api = server.client()
    source, _ = api.staffed_source()
    api.contact(source["id"])
    database = embedded(embedded_home / "data")
    eventually(lambda: database.roles_connected() == {"leads_app"}, 5, lambda: f"{database.roles_connected()} are connected")
    assert owners(database) == {"leads_owner"}
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        embedded(embedded_home / "data", "leads_app").rows("select * from pg_authid")


def test_commands_that_share_it_have_the_rights_they_need(embedded_home, instances):
    data = embedded_home / "data"
    server = instances(None, "--data-directory", str(data))
    api = server.client()
    source, operator = api.staffed_source()
    api.contact(source["id"])
    (embedded_home / "people.csv").write_text("lead_phone\n+79001234567\n")
    code, output = run("import", str(embedded_home / "people.csv"), "--source", str(source["id"]), "--data-directory", str(data))
    assert code == 0, output
    embedded(data).break_load(operator["id"])
    for arguments, expected in ((["check"], 1), (["check", "--repair"], 0), (["check"], 0)):
        code, output = run(*arguments, "--data-directory", str(data))
        assert code == expected, output
    assert server.terminate() == 0
    # And when they start it themselves.
    for arguments in (["migrate"], ["migrate", "--roles"], ["check", "--repair"],
                      ["import", str(embedded_home / "people.csv"), "--source", str(source["id"]), "--anew"]):
        code, output = run(*arguments, "--data-directory", str(data))
        assert code == 0, (arguments, output)


def test_data_of_an_earlier_version_are_brought_over_without_a_question(embedded_home, instances):
    """There everything belonged to the superuser, whom instances connected as."""
    cluster = Cluster()
    try:
        cluster.start()
        with cluster.connect() as admin:
            admin.execute("create database leads")
        migrate(cluster.dsn("leads"))
        database = Database(cluster.dsn("leads"))
        server = instances(database)
        api = server.client()
        source, _ = api.staffed_source()
        made = api.contact(source["id"])
        assert server.terminate() == 0
        assert owners(database) == {"postgres"}
        cluster.process.send_signal(signal.SIGTERM)
        eventually(lambda: cluster.process.poll() is not None, 20, "PostgreSQL does not end")
        data = embedded_home / "data"
        data.mkdir(mode=0o700)
        shutil.copytree(cluster.home / "data", data / "data")
        subprocess.run(["chown", "-R", "--reference", str(cluster.home / "data"), str(data)], check=True)
    finally:
        cluster.remove()
    server = instances(None, "--data-directory", str(data))
    api = server.client()
    assert api.get(f"/api/v1/contacts/{made['id']}").must_be(200).json["id"] == made["id"]
    api.contact(source["id"])
    eventually(lambda: embedded(data).roles_connected() == {"leads_app"}, 5, "the superuser is still connected")
    assert owners(embedded(data)) == {"leads_owner"}
    assert not [rule for rule in embedded(data).access_rules() if rule[0] != "local" and rule[1] != "reject"]


def test_analysts_connect_at_once(embedded_home, instances):
    instances(None, "--data-directory", str(embedded_home / "data"))
    assert embedded(embedded_home / "data", "leads_report").load_drift() == []


def test_an_analysts_old_snapshot_is_told_and_ended_and_nobody_elses(embedded_home, instances):
    server = instances(None, "--data-directory", str(embedded_home / "data"), LEADS_SNAPSHOT_SECONDS=1, LEADS_SWEEP_SECONDS=1)
    with embedded(embedded_home / "data").connect(autocommit=False) as administrator, \
            embedded(embedded_home / "data", "leads_report").connect(autocommit=False) as analyst:
        for connection in (administrator, analyst):
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.execute("select count(*) from report.contacts")
        api = server.client()
        eventually(lambda: Metrics(api).get("leads_oldest_snapshot_seconds") >= 1, 10, "the snapshot does not age")
        eventually(lambda: "leads_report" not in embedded(embedded_home / "data").roles_connected(), 10, "the analyst is still there")
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            analyst.execute("select 1")
        assert administrator.execute("select 1").fetchone() == (1,)
    eventually(lambda: "ended sessions of leads_report" in server.output(), 5, "nothing is said about it")
