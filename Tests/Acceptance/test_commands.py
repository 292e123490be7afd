"""The other commands of the program, and what it says where people and machines read it."""

import re
import socket

import pytest

from instance import run
from waiting import eventually, free_port

CANARY = "canary7413"


def test_health_tells_a_ready_instance_from_none(server):
    assert run("health", "--port", str(server.port)) == (0, "ready\n")
    code, output = run("health", "--port", str(free_port()))
    assert (code, output) == (1, "not ready\n")


@pytest.mark.parametrize("host", ["0.0.0.0", "::1", "::", "localhost", "127.0.0.2"])
def test_health_asks_where_the_instance_listens(instances, database, host):
    if ":" in host and not socket.has_ipv6:
        pytest.skip("there is no IPv6 here")
    server = instances(database, LEADS_HOST=host, LEADS_ACCESS="open", ready=False)
    try:
        eventually(lambda: run("health", LEADS_HOST=host, LEADS_PORT=server.port) == (0, "ready\n"), 30,
                   lambda: f"it is never ready:\n{server.output()}")
    finally:
        server.end()


@pytest.mark.parametrize("port", ["0", "http", "65536", "1@example.com:80"])
def test_health_takes_no_port_that_is_none(port):
    code, output = run("health", LEADS_PORT=port)
    assert code != 0 and "LEADS_PORT" in output and "ready" not in output


def test_settings_name_everything_and_hide_secrets():
    code, output = run("settings", DATABASE_URL=f"postgresql://leads:{CANARY}@db/leads", LEADS_PORT=8123)
    assert code == 0 and CANARY not in output
    assert "DATABASE_URL = (hidden)" in output and "LEADS_PORT = 8123" in output


def test_settings_tell_where_each_value_comes_from(tmp_path):
    (tmp_path / "pgpassword").write_text(f"{CANARY}\n")
    (tmp_path / "url").write_text(f"postgresql://leads@db/{CANARY}")
    code, output = run("settings", LEADS_SECRETS_DIRECTORY=tmp_path, DATABASE_URL_FILE=tmp_path / "url", LEADS_LANGUAGE="ru",
                       LEADS_PROT=CANARY)
    assert code == 0 and CANARY not in output
    origins = dict(re.findall(r"^(\w+) = (?:.*\n    )*?.*\n    from: (.*)$", output, re.M))
    assert origins["PGPASSWORD"] == f"the file {tmp_path}/pgpassword"
    assert origins["DATABASE_URL"] == f"the file {tmp_path}/url"
    assert origins["LEADS_LANGUAGE"] == "the environment" and origins["LEADS_PORT"] == "the default"
    assert "LEADS_PROT is no setting" in output


def test_a_secret_that_is_given_twice_starts_nothing(database, tmp_path):
    (tmp_path / "database_url").write_text(database.dsn)
    code, output = run("serve", DATABASE_URL=f"{database.dsn} password={CANARY}", LEADS_SECRETS_DIRECTORY=tmp_path)
    assert code != 0 and "DATABASE_URL" in output and CANARY not in output and "serves" not in output
    assert database.dsn not in output


def test_an_instance_finds_its_database_by_a_secret_in_a_file(instances, database, tmp_path):
    (tmp_path / "database_url").write_text(f"{database.dsn}\n")
    server = instances(None, LEADS_SECRETS_DIRECTORY=tmp_path)
    server.client().operator()
    assert database.count("operators") > 0
    server.end()


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_name_that_looks_like_a_setting_is_warned_about_without_its_value(instances, database, form):
    server = instances(database, LEADS_POOLSIZE=CANARY, LEADS_LOG_FORMAT=form)
    assert server.terminate() == 0
    assert server.output().count("LEADS_POOLSIZE is in the environment and is no setting") == 1
    assert "warning" in server.output() and CANARY not in server.output()


@pytest.mark.parametrize("name, value", [
    ("LEADS_PORT", "0"), ("LEADS_PORT", "http"), ("LEADS_POOL_SIZE", "0"), ("LEADS_LANGUAGE", "fr"),
    ("LEADS_PHONE_REGION", "Narnia"), ("LEADS_LOG_LEVEL", "loud"), ("DATABASE_POOLED", "maybe"),
    ("LEADS_DATABASE_TLS", "perhaps"),
    ("LEADS_PERSONAL_DATA_DAYS", "-1"), ("LEADS_PERSONAL_DATA_DAYS", "36501"), ("LEADS_SNAPSHOT_SECONDS", "0"),
])
def test_a_setting_that_makes_no_sense_is_named_and_nothing_starts(database, name, value):
    code, output = run("serve", **({"DATABASE_URL": database.dsn} | {name: value}))
    assert code != 0 and name in output and "serves" not in output


def test_a_database_that_is_not_there_is_named_without_its_password():
    code, output = run("serve", DATABASE_URL=f"postgresql://leads:{CANARY}@127.0.0.1:1/leads")
    assert code != 0 and "127.0.0.1" in output and CANARY not in output


@pytest.mark.parametrize("url", [f"postgresql://leads:{CANARY}@127.0.0.1:port/leads", f"postgresql://leads:%zz{CANARY}@127.0.0.1/leads",
                                 f"host=127.0.0.1 password='{CANARY}", f"postgresql://leads:1/{CANARY}@127.0.0.1/leads"])
def test_a_database_that_cannot_be_read_is_told_of_without_its_password(url):
    for name in ("DATABASE_URL", "DATABASE_DIRECT_URL"):
        code, output = run("serve", **({"DATABASE_URL": "host=127.0.0.1 port=1"} | {name: url}))
        assert code != 0 and name in output and CANARY not in output and "serves" not in output


@pytest.mark.parametrize("least, mode, refused", [
    ("", "", True), ("", "require", True), ("", "verify-full", False), ("verify-full", "verify-ca", True),
    ("require", "prefer", True), ("require", "require", False), ("off", "disable", False)])
@pytest.mark.parametrize("command", ["serve", "migrate", "check"])
def test_a_database_beyond_this_host_wants_tls(command, least, mode, refused):
    url = f"host=leads.invalid password={CANARY}" + (f" sslmode={mode}" if mode else "")
    code, output = run(command, DATABASE_URL=url, LEADS_DATABASE_TLS=least)
    assert code != 0 and CANARY not in output
    # Whatever is not refused fails to find the host, or the authority's certificate.
    assert ("LEADS_DATABASE_TLS=off" in output) == refused


def test_roles_can_be_made_twice(empty_database):
    for _ in range(2):
        assert run("migrate", "--roles", DATABASE_URL=empty_database.dsn)[0] == 0


def test_personal_data_never_reach_the_log(server, api):
    person = {"lead_external_id": f"id-{CANARY}", "lead_phone": f"+7900 {CANARY}", "lead_email": f"{CANARY}@example.com",
              "lead_name": f"name {CANARY}", "message": f"message {CANARY}"}
    source = api.source()["id"]
    api.contact(source, **person)
    api.post("/api/v1/contacts", {"source_id": 999999} | person).must_be(404)
    api.post("/api/v1/contacts", {"source_id": CANARY} | person).must_be(422)
    api.post("/api/v1/contacts", {"source_id": source} | person | {"message": f"\0{CANARY}"}).must_be(422)
    api.get(f"/api/v1/contacts/{CANARY}?source_id={CANARY}").must_be(422)
    assert CANARY not in server.output()
