"""The other commands of the program, and what it says where people and machines read it."""

import pytest

from instance import run
from waiting import free_port

CANARY = "canary7413"


def test_health_tells_a_ready_instance_from_none(server):
    assert run("health", "--port", str(server.port)) == (0, "ready\n")
    code, output = run("health", "--port", str(free_port()))
    assert (code, output) == (1, "not ready\n")


def test_settings_name_everything_and_hide_secrets():
    code, output = run("settings", DATABASE_URL=f"postgresql://leads:{CANARY}@db/leads", LEADS_PORT=8123)
    assert code == 0 and CANARY not in output
    assert "DATABASE_URL = (hidden)" in output and "LEADS_PORT = 8123" in output


@pytest.mark.parametrize("name, value", [
    ("LEADS_PORT", "0"), ("LEADS_PORT", "http"), ("LEADS_POOL_SIZE", "0"), ("LEADS_LANGUAGE", "fr"),
    ("LEADS_PHONE_REGION", "Narnia"), ("LEADS_LOG_LEVEL", "loud"), ("DATABASE_POOLED", "maybe"),
    ("LEADS_DATABASE_TLS", "perhaps"),
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
