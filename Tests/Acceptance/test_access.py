"""Who may do what: keys, people, sessions, roles, and modes, through the front door."""

import contextlib
import itertools
import json
import re
import select
import socket
import subprocess
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import Client, Unreachable, unique
from instance import run
from statements import StatementLog
from waiting import eventually
from wire import request

PASSWORD = "correct horse battery"
WRONG = "wrong horse battery"


def bearer(key: str) -> dict:
    return {"Authorization": f"Bearer {key}"}


class Access:
    """A closed server, its first admin signed in, and whoever is asked for."""

    def __init__(self, server, database):
        self.server = server
        self.database = database
        self.numbers = itertools.count(1)
        output = self.command("people", "invite", "--login", "root", "--name", "Root", "--role", "admin")
        self.admin = self.sign_up(output)
        eventually(lambda: server.client().get("/api/v1/operators").status == 401, 5, "access does not close")

    def command(self, *arguments: str) -> str:
        code, output = run(*arguments, DATABASE_URL=self.database.dsn)
        assert code == 0, output
        return output

    def sign_up(self, text: str, password: str = PASSWORD) -> dict:
        """The header fields of a session of whoever uses the link in a text."""
        token = re.search(r"/sign-in#([\w-]{43})", text).group(1)
        answer = Client(self.server.port).post("/api/v1/session/password", {"token": token, "password": password}).must_be(200)
        return session(answer)

    def ask(self, method: str, path: str, body=..., who: dict | None = None, **options):
        client = Client(self.server.port)
        try:
            return client.request(method, path, body, headers=(self.admin if who is None else who) | options.pop("headers", {}), **options)
        finally:
            client.close()

    def key(self, role: str, **fields) -> dict:
        return self.ask("POST", "/api/v1/keys", {"name": unique("Key"), "role": role} | fields).must_be(201).json

    def person(self, role: str, **fields) -> dict:
        """The header fields of a session of a new person."""
        login = f"person{next(self.numbers)}"
        made = self.ask("POST", "/api/v1/people", {"login": login, "name": unique("Person"), "role": role} | fields).must_be(201)
        return self.sign_up(made.json["url"])


def session(answer) -> dict:
    cookie = answer.headers["Set-Cookie"]
    assert re.fullmatch(r"leads=[\w-]{43}; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax", cookie), cookie
    return {"Cookie": cookie.split(";")[0]}


@pytest.fixture(scope="module")
def access(instances, database):
    instance = instances(database)
    yield Access(instance, database)
    instance.end()


def test_open_mode_ends_for_good_with_the_first_person(servers):
    server = servers(1)[0]
    api = server.client()
    assert api.get("/readyz").json == {"status": "ready", "access": "open"}
    assert "anybody who reaches this server" in server.output()
    assert api.get("/api/v1/me").json["access"] == "open"
    made = api.post("/api/v1/people/first", {"login": "Anna", "name": "Anna"}).must_be(201).json
    assert made["person"]["role"] == "admin" and made["url"].startswith(f"http://127.0.0.1:{server.port}/sign-in#")
    assert api.get("/readyz").json["access"] == "closed"
    assert api.get("/api/v1/operators").must_be(401).json["code"] == "unauthenticated"
    assert api.post("/api/v1/people/first", {"login": "b", "name": "B"}).must_be(409).json["code"] == "access_closed"


def test_access_is_not_closed_with_nobody_left_to_administer_it(servers):
    api = servers(1)[0].client()
    for path, body in (("/api/v1/keys", {"name": "x", "role": "admin"}), ("/api/v1/people", {"login": "a", "name": "A", "role": "supervisor"})):
        assert api.post(path, body).must_be(409).json["code"] == "admin_first"
    assert api.get("/readyz").json["access"] == "open"
    api.post("/api/v1/people", {"login": "a", "name": "A", "role": "admin"}).must_be(201)
    assert api.get("/api/v1/operators").status == 401


def test_of_many_who_close_it_at_once_one_does(servers):
    three = servers(3)
    answers = []

    def close(number: int):
        client = three[number % 3].client()
        answers.append(client.post("/api/v1/people/first", {"login": f"p{number}", "name": "P"}).status)
        client.close()

    threads = [threading.Thread(target=close, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201] + [409] * 11


@pytest.mark.parametrize("settings, is_open", [
    ({}, True), ({"LEADS_ACCESS": "closed"}, False), ({"LEADS_ACCESS": "open", "LEADS_PUBLIC_URL": "https://crm.example"}, True),
    ({"LEADS_PUBLIC_URL": "http://localhost:8000"}, True), ({"LEADS_HOST": "127.0.0.2"}, True),
    ({"LEADS_HOST": "0.0.0.0", "LEADS_PUBLISHED": "127.0.0.1:8000"}, True),
])
def test_open_is_what_only_this_machine_reaches(instances, empty_database, settings, is_open):
    instance = instances(empty_database, ready=False, **settings)
    address = settings.get("LEADS_HOST", "127.0.0.1").replace("0.0.0.0", "127.0.0.1")

    def answers():
        try:
            done = subprocess.run(["curl", "-s", f"http://{address}:{instance.port}/readyz"], capture_output=True, text=True)
            return f'"access":"{"open" if is_open else "closed"}"' in done.stdout
        finally:
            assert instance.is_running, instance.output()

    eventually(answers, 20, "it does not say so")
    instance.end()


@pytest.mark.parametrize("settings", [
    {"LEADS_HOST": "0.0.0.0"}, {"LEADS_HOST": "::"}, {"LEADS_PUBLIC_URL": "https://crm.example"},
    {"LEADS_HOST": "0.0.0.0", "LEADS_PUBLIC_URL": "http://127.0.0.1:8000"}, {"LEADS_HOST": "0.0.0.0", "LEADS_PUBLISHED": "0.0.0.0:8000"},
    {"LEADS_PUBLIC_URL": "http://localhost, https://crm.example"}, {"LEADS_HOST": "0.0.0.0", "LEADS_ACCESS": "closed"},
])
def test_what_others_reach_does_not_start_without_an_admin_and_does_with_one(instances, empty_database, settings):
    refused = instances(empty_database, ready=False, **settings)
    assert refused.exit_code() != 0
    said = [line for line in refused.output().splitlines() if "leads-crm people invite --login" in line or "LEADS_ACCESS=open" in line or "no admin" in line]
    assert len(said) == 3, refused.output()
    code, output = run("people", "invite", "--login", "root", "--role", "admin", DATABASE_URL=empty_database.dsn)
    assert code == 0 and "/sign-in#" in output
    started = instances(empty_database, ready=False, **settings)
    eventually(lambda: "serves" in started.output(), 20, lambda: started.output())
    is_secure = settings.get("LEADS_PUBLIC_URL", "").startswith("https://")
    assert ("in clear" in started.output()) == (not is_secure), started.output()
    started.end()


def test_a_person_signs_in_and_out(access):
    access.ask("POST", "/api/v1/people", {"login": "Petr@Shop.example", "name": "Пётр", "role": "supervisor"}).must_be(201)
    link = access.command("people", "reset", "petr@shop.example")
    access.sign_up(link, "another good one")
    for login in ("petr@shop.example", " PETR@SHOP.EXAMPLE "):
        answer = access.ask("POST", "/api/v1/session", {"login": login, "password": "another good one"}, {}).must_be(200)
        cookie = session(answer)
        assert answer.json["name"] == "Пётр" and answer.json["role"] == "supervisor"
    me = access.ask("GET", "/api/v1/me", who=cookie).must_be(200).json
    assert (me["kind"], me["login"], me["access"]) == ("person", "petr@shop.example", "closed")
    assert access.ask("DELETE", "/api/v1/session", who=cookie).must_be(200).headers["Set-Cookie"].startswith("leads=; Max-Age=0")
    assert access.ask("GET", "/api/v1/me", who=cookie).status == 401


def test_who_signs_in_again_has_another_token_and_the_one_before_is_of_no_use(access):
    cookie = access.person("analyst")
    me = access.ask("GET", "/api/v1/me", who=cookie).must_be(200).json
    wrong = access.ask("POST", "/api/v1/session", {"login": me["login"], "password": WRONG}, cookie)
    assert wrong.status == 401 and access.ask("GET", "/api/v1/me", who=cookie).status == 200
    again = session(access.ask("POST", "/api/v1/session", {"login": me["login"], "password": PASSWORD}, cookie).must_be(200))
    assert again != cookie
    assert (access.ask("GET", "/api/v1/me", who=cookie).status, access.ask("GET", "/api/v1/me", who=again).status) == (401, 200)
    told = access.ask("GET", f"/api/v1/sessions?person_id={me['id']}").must_be(200).json
    assert len(told) == 1


def test_another_origin_that_may_call_ends_no_session_by_a_cookie(instances, empty_database):
    server = instances(empty_database, LEADS_CORS_ORIGINS="http://front.example")
    access = Access(server, empty_database)
    theirs = access.person("analyst")
    login = access.ask("GET", "/api/v1/me", who=theirs).must_be(200).json["login"]
    access.ask("POST", "/api/v1/session", {"login": login, "password": PASSWORD}, headers={"Origin": "http://front.example"}).must_be(200)
    assert access.ask("GET", "/api/v1/me").status == 200
    server.end()


def test_behind_tls_the_cookie_is_for_tls_alone(instances, empty_database):
    code, output = run("people", "invite", "--login", "root", "--role", "admin", DATABASE_URL=empty_database.dsn)
    assert code == 0, output
    server = instances(empty_database, LEADS_PUBLIC_URL="https://crm.example")
    token = re.search(r"/sign-in#([\w-]{43})", output).group(1)
    client = server.client()
    answer = client.post("/api/v1/session/password", {"token": token, "password": PASSWORD}, headers={"Host": "crm.example"}).must_be(200)
    cookie = answer.headers["Set-Cookie"]
    assert re.fullmatch(r"__Host-leads=[\w-]{43}; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax; Secure", cookie), cookie
    shown = cookie.split(";")[0]
    status = lambda cookie: client.get("/api/v1/me", headers={"Host": "crm.example", "Cookie": cookie}).status
    assert (status(shown), status(shown.removeprefix("__Host-")), status(shown.replace("__Host-", "__host-"))) == (200, 401, 401)
    server.end()


def test_a_link_is_good_once_and_a_password_must_be_good(access):
    made = access.ask("POST", "/api/v1/people", {"login": "olga", "name": "Olga Ivanova", "role": "analyst"}).must_be(201).json
    token = made["url"].split("#")[1]
    ask = lambda path, **fields: access.ask("POST", path, {"token": token} | fields, {})
    assert ask("/api/v1/session/link").must_be(200).json == {"login": "olga", "name": "Olga Ivanova"}
    for weak in ("short", "olga123456", "1234567890", "aaaaaaaaaaaa", "IvanovaOlga!"):
        answer = ask("/api/v1/session/password", password=weak).must_be(422)
        assert answer.json["detail"][0]["loc"] == ["body", "password"] and weak not in answer.text
    later = access.ask("POST", f"/api/v1/people/{made['person']['id']}/link").must_be(201).json
    assert ask("/api/v1/session/link").must_be(404).json["code"] == "link_invalid", "a later link ends the former"
    token = later["url"].split("#")[1]
    session(ask("/api/v1/session/password", password=PASSWORD).must_be(200))
    for path in ("/api/v1/session/link", "/api/v1/session/password"):
        assert ask(path, password=PASSWORD).status == 404
    access.ask("PATCH", f"/api/v1/people/{made['person']['id']}", {"is_disabled": True}).must_be(200)
    assert access.ask("POST", "/api/v1/session", {"login": "olga", "password": PASSWORD}, {}).must_be(401).json["code"] == "sign_in_failed"
    assert access.ask("POST", f"/api/v1/people/{made['person']['id']}/link").status == 404


def test_links_end_after_a_day_and_sessions_after_twelve_hours_or_a_week(access):
    made = access.ask("POST", "/api/v1/people", {"login": "lena", "name": "Lena", "role": "analyst"}).must_be(201).json
    access.database.run_out(made["person"]["id"], link=True)
    token = made["url"].split("#")[1]
    assert access.ask("POST", "/api/v1/session/password", {"token": token, "password": PASSWORD}, {}).status == 404
    for age in ({"used_for": "12 hours"}, {"lasting": "7 days"}):
        who = access.sign_up(access.command("people", "reset", "lena"))
        access.ask("GET", "/api/v1/me", who=who).must_be(200)
        access.database.run_out(made["person"]["id"], **age)
        eventually(lambda: access.ask("GET", "/api/v1/me", who=who).status == 401, 5, f"{age} does not end it")


def test_failures_are_counted_by_login_and_by_address(servers, empty_database):
    access = Access(servers(1)[0], empty_database)
    access.sign_up(access.command("people", "invite", "--login", "anna", "--role", "admin"))
    attempt = lambda login, password=WRONG: access.ask("POST", "/api/v1/session", {"login": login, "password": password}, {})
    assert [attempt("anna").status for _ in range(5)] == [401] * 5
    refused = attempt("ANNA", PASSWORD).must_be(429)
    assert refused.json["code"] == "too_many_attempts" and 0 < int(refused.headers["Retry-After"]) <= 900
    # Nobody's login counts as somebody's: nothing tells which there are.
    assert [attempt("nobody").status for _ in range(6)] == [401] * 5 + [429]
    assert attempt("root", PASSWORD).status == 200, "others are not kept out"
    assert [attempt(f"guess{number}").status for number in range(10)] == [401] * 10
    assert attempt("guess").must_be(429).json["code"] == "too_many_attempts", "twenty from one address"
    assert "guess1" not in empty_database.everything() and WRONG not in empty_database.everything()
    empty_database.forget_failures()
    assert attempt("anna", PASSWORD).status == 200


def test_many_attempts_at_once_are_no_more_than_in_turn(servers, empty_database):
    access = Access(servers(1)[0], empty_database)
    statuses = []

    def attempt():
        statuses.append(access.ask("POST", "/api/v1/session", {"login": "root", "password": WRONG}, {}).status)

    threads = [threading.Thread(target=attempt) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [401] * 5 + [429] * 11


@pytest.mark.parametrize("shown", [
    "", "Bearer", "Bearer ", "Bearer x", "Basic {key}", "{key}", "Bearer {key}x", "Bearer {wrong}", "Bearer {unknown}", "bearer {key} {key}",
    "Bearer {key}, Bearer {key}",
])
def test_what_is_no_key_lets_nobody_in(access, shown):
    key = access.key("supervisor")["key"]
    texts = {"key": key, "wrong": key[:-1] + ("a" if key[-1] != "a" else "b"), "unknown": "crm_zzzzzzzz_" + "a" * 43}
    answer = access.ask("GET", "/api/v1/operators", who={"Authorization": shown.format(**texts)})
    assert answer.must_be(401).headers["WWW-Authenticate"] == "Bearer"
    assert answer.json["code"] == "unauthenticated"
    assert access.ask("GET", "/api/v1/operators", who=bearer(key)).status == 200
    assert access.ask("GET", "/api/v1/operators", who={"Authorization": f"bearer  {key}"}).status == 200


def test_a_key_that_is_shown_goes_before_a_cookie(access):
    key = access.key("intake")["key"]
    assert access.ask("GET", "/api/v1/keys", who=access.admin | bearer(key)).status == 403
    assert access.ask("GET", "/api/v1/keys", who=access.admin | bearer("crm_zzzzzzzz_" + "a" * 43)).status == 401


def test_secrets_are_shown_once_and_kept_nowhere(access):
    made = access.key("admin", rate=1000)
    person = access.ask("POST", "/api/v1/people", {"login": "secretive", "name": "S", "role": "admin"}).must_be(201).json
    cookie = access.sign_up(person["url"], "a secret of many words")
    secrets = [made["key"], made["key"].split("_")[2], person["url"].split("#")[1], cookie["Cookie"].split("=")[1], "a secret of many words"]
    listed = access.ask("GET", "/api/v1/keys").text + access.ask("GET", f"/api/v1/keys/{made['id']}").text + access.ask("GET", "/api/v1/people").text
    listed += access.ask("GET", "/api/v1/events?limit=1000").text + access.ask("GET", "/api/v1/sessions").text + access.ask("GET", "/metrics").text
    kept = access.database.everything()
    for secret in secrets:
        assert secret not in listed and secret not in kept and secret not in access.server.output()


def test_a_key_is_rotated_with_a_grace_and_revoked_for_good(access):
    made = access.key("analyst")
    first, path = made["key"], f"/api/v1/keys/{made['id']}"
    status = lambda key: access.ask("GET", "/api/v1/operators", who=bearer(key)).status
    second = access.ask("POST", f"{path}/rotate", {"grace_seconds": 2}).must_be(200).json["key"]
    assert status(first) == status(second) == 200
    eventually(lambda: status(first) == 401, 6, "the grace does not end")
    third = access.ask("POST", f"{path}/rotate").must_be(200).json["key"]
    assert status(second) == 401 and status(third) == 200
    assert access.ask("DELETE", path).must_be(200).json["revoked_at"]
    assert status(third) == 401
    assert access.ask("POST", f"{path}/rotate").must_be(404).json["code"] == "key_not_found"
    assert access.ask("DELETE", "/api/v1/keys/zzzzzzzz").status == 404
    assert access.ask("POST", "/api/v1/keys", {"name": "x", "role": "intake", "source_ids": [999_999]}).must_be(404).json["code"] == "source_not_found"


def test_somebody_becomes_an_operator_only_as_one_of_them(access):
    person = access.ask("POST", "/api/v1/people", {"login": unique("login"), "name": "Boris", "role": "analyst"}).must_be(201).json["person"]
    path = f"/api/v1/people/{person['id']}"
    [fault] = access.ask("PATCH", path, {"role": "operator"}).must_be(422).json["detail"]
    assert (fault["loc"], fault["msg"]) == (["body", "role"], "Value error, a person whose role is operator needs an operator_id")
    assert access.ask("GET", path).json["role"] == "analyst"
    operator = access.ask("POST", "/api/v1/operators", {"name": unique("Operator")}).must_be(201).json["id"]
    assert access.ask("PATCH", path, {"role": "operator", "operator_id": operator}).must_be(200).json["operator_id"] == operator


def test_the_commands_do_the_same(access):
    key = re.search(r"crm_\w{8}_[\w-]{43}", access.command("keys", "create", "--name", "bot", "--role", "intake", "--rate", "700")).group(0)
    id = key[4:12]
    eventually(lambda: access.ask("GET", "/metrics", who=bearer(key)).status == 200, 10, "the instance does not know the key")
    assert re.search(rf"{id}  intake rate 700/s +bot", access.command("keys", "list"))
    rotated = re.search(r"crm_\w{8}_[\w-]{43}", access.command("keys", "rotate", id)).group(0)
    eventually(lambda: access.ask("GET", "/metrics", who=bearer(key)).status == 401, 10, "the former secret goes on")
    assert access.ask("GET", "/metrics", who=bearer(rotated)).status == 200
    access.command("keys", "revoke", id)
    eventually(lambda: access.ask("GET", "/metrics", who=bearer(rotated)).status == 401, 10, "it is not revoked")
    cookie = access.sign_up(access.command("people", "invite", "--login", "kolya", "--role", "analyst"))
    access.command("people", "role", "kolya", "admin")
    eventually(lambda: access.ask("GET", "/api/v1/keys", who=cookie).status == 200, 10, "the role does not change")
    assert re.search(r"\d+  kolya  admin +kolya", access.command("people", "list"))
    access.command("people", "disable", "kolya")
    eventually(lambda: access.ask("GET", "/api/v1/me", who=cookie).status == 401, 10, "the session goes on")
    events = access.ask("GET", "/api/v1/events?limit=1000").json
    by_command = [event["kind"] for event in events if event["actor"]["kind"] == "command"]
    assert {"key_created", "key_rotated", "key_revoked", "person_invited", "person_changed"} <= set(by_command)
    changed = [event["data"] for event in events if event["kind"] == "person_changed" and event["data"].get("role")]
    assert {"from": "analyst", "to": "admin"} in [data["role"] for data in changed]
    for wrong in (["keys", "create", "--name", "x", "--role", "operator"], ["people", "invite", "--login", "x", "--role", "operator"],
                  ["people", "invite", "--login", "kolya"], ["keys", "revoke", "zzzzzzzz"], ["people", "disable", "nobody"], ["keys", "create", "--name", "x", "--sources", "a"]):
        code, output = run(*wrong, DATABASE_URL=access.database.dsn)
        assert code != 0 and "Error" in output, (wrong, output)


def test_somebody_is_left_who_may_administer(servers, empty_database):
    access = Access(servers(1)[0], empty_database)
    me = access.ask("GET", "/api/v1/me").json
    for change in ({"role": "supervisor"}, {"is_disabled": True}):
        assert access.ask("PATCH", f"/api/v1/people/{me['id']}", change).must_be(409).json["code"] == "last_admin"
    access.person("admin")
    access.ask("PATCH", f"/api/v1/people/{me['id']}", {"role": "supervisor"}).must_be(200)
    assert access.ask("GET", "/api/v1/keys").status == 403


def test_sessions_are_listed_and_ended(access):
    first = access.person("supervisor")
    me = access.ask("GET", "/api/v1/me", who=first).json
    others = [session(access.ask("POST", "/api/v1/session", {"login": me["login"], "password": PASSWORD}, {"User-Agent": f"browser {n}"}))
              for n in range(3)]
    listed = access.ask("GET", "/api/v1/sessions", who=first).json
    assert len(listed) == 4 and [row["id"] for row in listed if row["is_current"]] == [me["session_id"]]
    assert {"browser 0", "browser 1", "browser 2"} <= {row["agent"] for row in listed}
    [one] = [row for row in listed if row["agent"] == "browser 1"]
    stranger = access.person("supervisor")
    assert access.ask("DELETE", f"/api/v1/sessions/{one['id']}", who=stranger).must_be(404).json["code"] == "session_not_found"
    assert access.ask("GET", f"/api/v1/sessions?person_id={me['id']}", who=stranger).status == 404
    access.ask("DELETE", f"/api/v1/sessions/{one['id']}", who=first).must_be(200)
    assert [access.ask("GET", "/api/v1/me", who=other).status for other in others] == [200, 401, 200]
    access.ask("DELETE", "/api/v1/sessions", who=first).must_be(200)
    assert [access.ask("GET", "/api/v1/me", who=other).status for other in [first, *others]] == [200, 401, 401, 401]
    access.ask("DELETE", f"/api/v1/sessions?person_id={me['id']}").must_be(200)
    assert access.ask("GET", "/api/v1/me", who=first).status == 401


def test_another_password_ends_the_other_sessions(access):
    first = access.person("analyst")
    login = access.ask("GET", "/api/v1/me", who=first).json["login"]
    second = session(access.ask("POST", "/api/v1/session", {"login": login, "password": PASSWORD}, {}))
    change = lambda current, password: access.ask("PUT", "/api/v1/me/password", {"current_password": current, "password": password}, first)
    assert change(WRONG, "quite another one").must_be(401).json["code"] == "sign_in_failed"
    assert change(PASSWORD, "short").status == 422
    change(PASSWORD, "quite another one").must_be(200)
    assert (access.ask("GET", "/api/v1/me", who=first).status, access.ask("GET", "/api/v1/me", who=second).status) == (200, 401)
    access.ask("POST", "/api/v1/session", {"login": login, "password": "quite another one"}, {}).must_be(200)


def test_new_passwords_that_are_refused_are_no_failed_attempts(access):
    who = access.person("analyst")
    change = lambda password: access.ask("PUT", "/api/v1/me/password", {"current_password": PASSWORD, "password": password}, who).status
    assert [change("password123") for _ in range(6)] == [422] * 6
    assert change("quite another one") == 200


class Slow:
    """A request whose body is still on its way."""

    def __init__(self, server, path: str, body: dict, who: dict):
        raw = request("POST", path.encode(), [(name.encode(), value.encode()) for name, value in who.items()], json.dumps(body).encode())
        self.rest = raw[-5:]
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        self.began = time.monotonic()
        self.socket.sendall(raw[:-5])

    def finish(self) -> int:
        """The status of the answer."""
        eventually(lambda: time.monotonic() - self.began > 0.6, 5, "time stands still")
        with self.socket:
            self.socket.sendall(self.rest)
            return int(self.socket.recv(4096).split()[1])


def test_what_is_taken_away_while_a_body_comes_is_not_made_use_of(access):
    key, cookie, kept = access.key("admin"), access.person("admin"), access.key("admin")
    person = access.ask("GET", "/api/v1/me", who=cookie).must_be(200).json["id"]
    begin = lambda name, who: Slow(access.server, "/api/v1/keys", {"name": name, "role": "admin"}, who)
    late = [begin("late 1", bearer(key["key"])), begin("late 2", cookie)]
    in_time = begin("in time", bearer(kept["key"]))
    access.ask("DELETE", f"/api/v1/keys/{key['id']}").must_be(200)
    access.ask("PATCH", f"/api/v1/people/{person}", {"is_disabled": True}).must_be(200)
    assert [each.finish() for each in late] == [401, 401] and in_time.finish() == 201
    names = [each["name"] for each in access.ask("GET", "/api/v1/keys").must_be(200).json]
    assert "in time" in names and not {"late 1", "late 2"} & set(names)


def test_access_that_is_closed_while_a_body_comes_is_closed_to_it(servers):
    server = servers(1)[0]
    late = [Slow(server, path, body, {}) for path, body in [
        ("/api/v1/operators", {"name": "late"}), ("/api/v1/keys", {"name": "late", "role": "admin"}),
        ("/api/v1/people", {"login": "late", "name": "late", "role": "admin"}), ("/api/v1/people/first", {"login": "late", "name": "late"})]]
    server.client().post("/api/v1/people/first", {"login": "anna", "name": "Anna"}).must_be(201)
    assert [each.finish() for each in late] == [401, 401, 401, 401]


def test_who_has_not_said_who_that_is_takes_no_room_from_others(access):
    for path in ("/api/v1/session", "/api/v1/session/link", "/api/v1/session/password", "/api/v1/people/first"):
        for length, status in ((16_384, 422), (16_385, 413)):
            assert access.ask("POST", path, who={}, raw=b'{"x":"' + b"x" * (length - 8) + b'"}').status == status, path


def test_what_is_taken_away_is_refused_by_all_instances_within_two_seconds_and_streams_end_within_five(servers, empty_database):
    three = servers(3)
    access = Access(three[0], empty_database)
    for other in three[1:]:
        eventually(lambda: other.client().get("/api/v1/operators").status == 401, 3, "another instance stays open")
    key, cookie = access.key("supervisor"), access.person("supervisor")
    for what, who in (("key", bearer(key["key"])), ("session", cookie)):
        streams = []
        for server in three:
            eventually(lambda: server.client().get("/api/v1/me", headers=who).status == 200, 3, f"{what} is not known")
            stream = Client(server.port, timeout=10)
            stream._connection.request("GET", "/api/v1/events/stream", headers=who)
            answer = stream._connection.getresponse()
            assert answer.status == 200
            answer.read1()
            streams.append(answer)
        began = time.monotonic()
        if what == "key":
            access.ask("DELETE", f"/api/v1/keys/{key['id']}").must_be(200)
        else:
            me = access.ask("GET", "/api/v1/me", who=cookie).json
            access.ask("DELETE", f"/api/v1/sessions?person_id={me['id']}").must_be(200)
        for server in three:
            eventually(lambda: server.client().get("/api/v1/me", headers=who).status == 401, 2 - (time.monotonic() - began), f"{what} goes on")
        refused = time.monotonic() - began
        for answer in streams:
            while answer.read1():
                pass
        print(f"{what}: refused everywhere after {refused:.2f} s, streams ended after {time.monotonic() - began:.2f} s")
        assert time.monotonic() - began < 5


def test_a_stream_that_began_while_access_was_open_ends_when_it_closes(servers, empty_database):
    server = servers(1)[0]
    stream = Client(server.port, timeout=10)
    stream._connection.request("GET", "/api/v1/events/stream")
    answer = stream._connection.getresponse()
    answer.read1()
    Access(server, empty_database)
    began = time.monotonic()
    while answer.read1():
        pass
    assert time.monotonic() - began < 5


def test_who_is_given_another_role_hears_no_more_than_that_allows(servers, empty_database):
    access = Access(servers(1)[0], empty_database)
    cookie = access.person("supervisor")
    me = access.ask("GET", "/api/v1/me", who=cookie).json
    stream = Client(access.server.port, timeout=10)
    stream._connection.request("GET", "/api/v1/events/stream", headers=cookie)
    answer = stream._connection.getresponse()
    answer.read1()
    access.ask("PATCH", f"/api/v1/people/{me['id']}", {"role": "analyst"}).must_be(200)
    began = time.monotonic()
    while answer.read1():
        pass
    assert time.monotonic() - began < 5


def test_a_key_that_could_make_others_has_no_limit_to_get_around(access):
    refused = access.ask("POST", "/api/v1/keys", {"name": "x", "role": "admin", "source_ids": [1]}).must_be(422)
    assert "cannot be limited" in refused.text


def test_a_key_has_its_rate(servers, empty_database):
    access = Access(servers(1)[0], empty_database)
    key = access.key("analyst", rate=5)["key"]
    client = Client(access.server.port)
    answers = [client.get("/api/v1/operators", headers=bearer(key)) for _ in range(14)]
    granted = [answer for answer in answers if answer.status == 200]
    assert 10 <= len(granted) <= 13 and {answer.status for answer in answers} == {200, 429}
    assert granted[0].headers["RateLimit-Policy"] == '"key";q=5;w=1' and granted[0].headers["RateLimit"] == '"key";r=9;t=1'
    refused = answers[-1].must_be(429)
    assert refused.json["code"] == "rate_exceeded" and refused.headers["Retry-After"] == "1"
    eventually(lambda: client.get("/api/v1/operators", headers=bearer(key)).status == 200, 3, "the rate does not come back")
    assert access.ask("GET", "/api/v1/operators", who=bearer(access.key("analyst")["key"])).headers.get("RateLimit") is None


def test_nobody_sees_who_browses_without_signing_in(access):
    """Whoever wants a page is led to where one signs in, and back; programs are told what is missing."""
    html = {"Accept": "text/html,*/*"}
    for path in ("/dashboard", "/dashboard/contacts?status=new&q=a%20b", "/docs", "/"):
        answer = access.ask("GET", path, who=html)
        if path == "/":
            assert answer.must_be(307).headers["Location"] == "/dashboard"
            continue
        location = answer.must_be(303).headers["Location"]
        assert location.startswith("/sign-in?to=") and urllib.parse.unquote(location[12:]) == path
        assert access.ask("GET", path, who={}).status == 401
    for path in ("/livez", "/health", "/readyz", "/"):
        assert access.ask("GET", path, who={}).status == 200
    assert access.ask("GET", "/nowhere", who={}).status == 404
    assert access.ask("OPTIONS", "/api/v1/contacts", who={}).status == 401
    assert access.ask("OPTIONS", "/livez", who={}).status == 204
    assert access.ask("HEAD", "/api/v1/contacts", who={}).status == 401
    for header in ({"X-Request-ID": "x"}, {"X-HTTP-Method-Override": "GET"}, {"X-Original-URL": "/livez"}):
        assert access.ask("GET", "/api/v1/contacts", who=header).status == 401


def test_metrics_are_for_readers_and_programs_unless_they_are_for_everybody(access, instances):
    assert access.ask("GET", "/metrics", who={}).status == 401
    assert access.ask("GET", "/metrics", who=bearer(access.key("intake")["key"])).status == 200
    inside = instances(access.database, LEADS_METRICS_OPEN="true")
    assert inside.client().get("/metrics").status == 200 and inside.client().get("/api/v1/contacts").status == 401
    inside.end()


def test_a_balancer_is_believed_only_where_it_is_trusted(servers, empty_database):
    trusting = servers(1, LEADS_TRUSTED_PROXIES="127.0.0.0/8, ::1")[0]
    access = Access(trusting, empty_database)

    def attempts(server, forwarded: list[str]) -> list[int]:
        return [Client(server.port).post("/api/v1/session", {"login": unique("x"), "password": "y"}, headers={"X-Forwarded-For": address}).status
                for address in forwarded]

    assert attempts(trusting, ["10.0.0.1"] * 21)[-2:] == [401, 429]
    assert attempts(trusting, ["10.0.0.2", "6.6.6.6, 10.0.0.2", "10.0.0.1, 10.0.0.2"]) == [401] * 3
    assert attempts(trusting, ["9.9.9.9, 10.0.0.1", "10.0.0.1, 127.0.0.9"]) == [429] * 2, "what a caller claims stands before what the balancer says"
    assert empty_database.failure_addresses() == {"10.0.0.1", "10.0.0.2"}


def test_events_say_who_it_was(access):
    key, cookie = access.key("supervisor"), access.person("supervisor")
    name = access.ask("GET", "/api/v1/me", who=cookie).json["name"]
    operator = access.ask("POST", "/api/v1/operators", {"name": unique("O")}, bearer(key["key"])).must_be(201).json
    source = access.ask("POST", "/api/v1/sources", {"name": unique("S")}, cookie).must_be(201).json
    access.ask("POST", f"/api/v1/sources/{source['id']}/weights", [{"operator_id": operator["id"]}], cookie).must_be(200)
    contact = access.ask("POST", "/api/v1/contacts", {"source_id": source["id"]}, bearer(key["key"])).must_be(201).json
    access.ask("POST", f"/api/v1/contacts/{contact['id']}/close", who=cookie).must_be(200)
    history = access.ask("GET", f"/api/v1/contacts/{contact['id']}/history").json
    actors = {event["kind"]: event["actor"] for event in history}
    assert actors["registered"] == {"kind": "key", "id": key["id"], "name": key["name"]}
    assert actors["closed"]["kind"] == "person" and actors["closed"]["name"] == name


def test_a_key_is_made_within_its_bounds(access):
    make = lambda **fields: access.ask("POST", "/api/v1/keys", {"name": unique("Key"), "role": "intake"} | fields)
    with access.database.connect() as connection:
        sources = [row[0] for row in connection.execute(
            "insert into sources (name) select 'bound ' || n from generate_series(1, 1001) n returning id")]
    for fields, status in [
        ({"name": "n" * 200}, 201), ({"name": "n" * 201}, 422), ({"name": ""}, 422), ({"source_ids": sources[:1000]}, 201),
        ({"source_ids": sources}, 422), ({"rate": 1}, 201), ({"rate": 100_000}, 201), ({"rate": 0}, 422), ({"rate": 100_001}, 422),
    ]:
        assert make(**fields).status == status, str(fields)[:80]
    rotate = lambda seconds: access.ask("POST", f"/api/v1/keys/{access.key('intake')['id']}/rotate", {"grace_seconds": seconds}).status
    assert [rotate(seconds) for seconds in (0, 604_800, 604_801, -1)] == [200, 200, 422, 422]


def test_whoever_shows_what_nobody_knows_makes_few_questions(cluster, servers, empty_database):
    """Ten a second beside the one that is asked anyway."""
    StatementLog.switch_on(empty_database)
    access = Access(servers(1)[0], empty_database)
    seconds = 0.0

    def guess():
        nonlocal seconds
        began = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            shown = [bearer(f"crm_{number:08}_{'x' * 43}") for number in range(640)]
            assert {answer.status for answer in pool.map(lambda who: access.ask("GET", "/api/v1/me", who=who), shown)} == {401}
        seconds = time.monotonic() - began

    asked = [each for each in StatementLog(cluster, empty_database).of(guess) if "access_version" in each]
    print(f"\n  640 unknown keys in {seconds:.1f} s: {len(asked)} questions")
    assert 1 <= len(asked) <= 11 * seconds + 3


def test_the_line_of_those_whom_nobody_knows_ends(servers, empty_database):
    """A thousand wait; whoever comes then is told to come back."""
    access = Access(servers(1)[0], empty_database)
    head = b"GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer crm_%08d_%s\r\n\r\n"
    with contextlib.ExitStack() as opened:
        callers = [opened.enter_context(socket.create_connection(("127.0.0.1", access.server.port), timeout=10)) for _ in range(1100)]
        poll = select.poll()
        for caller in callers:
            poll.register(caller, select.POLLIN)
        answered = lambda: {descriptor for descriptor, _ in poll.poll(0)}
        with empty_database.connect() as holder, holder.transaction():
            holder.execute("lock table access_version in access exclusive mode")
            for number, caller in enumerate(callers):
                caller.sendall(head % (number, b"x" * 43))
            # One of them began the question that is under way, maybe with others; a thousand wait for the next.
            eventually(lambda: len(answered()) >= 50, 2, "nobody is turned away")
            first = answered()
            assert len(first) <= 100
        for caller in callers:
            turned_away, status = caller.fileno() in first, caller.recv(4096)[:13]
            assert status == b"HTTP/1.1 503 " or status == b"HTTP/1.1 401 " and not turned_away
    eventually(lambda: access.ask("GET", "/api/v1/me").status == 200, 5, "it does not recover")
