"""Signing in by the company's OpenID provider: an independent one, a real browser's steps, what it says of roles."""

import http.client
import json
import re
import subprocess
import sys
import urllib.parse

import pytest
from selenium.webdriver.common.keys import Keys

from browser import Browser
from client import Client
from test_access import Access
from waiting import eventually, free_port

CLAIMS = [
    {"sub": "anna", "name": "Anna", "email": "anna@shop.example", "email_verified": True, "groups": ["crm-admins", "others"]},
    {"sub": "boris", "name": "Boris", "email": "boris@shop.example", "email_verified": True},
    {"sub": "carl", "name": "Carl", "email": "boris@shop.example", "email_verified": False},
    {"sub": "dora", "name": "Dora", "email": "root", "email_verified": True},
    {"sub": "egor", "name": "Egor", "email": "egor@shop.example", "email_verified": True, "groups": ["crm-line"]},
    {"sub": "fanny", "name": "Fanny", "email": "fanny@shop.example", "email_verified": True, "groups": ["crm-team"]},
]


@pytest.fixture(scope="module")
def provider():
    port = free_port()
    arguments = [argument for claims in CLAIMS for argument in ("--user-claims", json.dumps(claims))]
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), *arguments],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/.well-known/openid-configuration")
            return json.loads(connection.getresponse().read())["issuer"]
        except OSError:
            return None
        finally:
            connection.close()

    yield eventually(answers, 30, "the provider does not start")
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def access(instances, database, provider):
    port = free_port()
    instance = instances(
        database, port=port, LEADS_PUBLIC_URL=f"http://localhost:{port}", LEADS_OIDC_ISSUER=provider, LEADS_OIDC_CLIENT_ID="leads",
        LEADS_OIDC_CLIENT_SECRET="of the client", LEADS_OIDC_ROLE_CLAIM="groups", LEADS_OIDC_ROLES="crm-admins=admin, crm-team=supervisor, crm-line=operator")
    yield Access(instance, database)
    instance.end()


def begin(access) -> tuple[str, str]:
    """Where the browser is sent, and the cookie it was given."""
    answer = access.ask("GET", "/api/v1/session/provider", who={}).must_be(303)
    cookie = answer.headers["Set-Cookie"]
    assert re.search(r"Max-Age=600; Path=/api/v1/session/provider; HttpOnly; SameSite=Lax$", cookie)
    return answer.headers["Location"], cookie.split(";")[0]


def authorize(url: str, sub: str) -> str:
    """What the provider sends the browser back to, when somebody has signed in there."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request("POST", f"{parts.path}?{parts.query}", urllib.parse.urlencode({"sub": sub}), {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    assert answer.status in (302, 303), answer.read()
    back = urllib.parse.urlsplit(answer.headers["Location"])
    connection.close()
    assert back.path == "/api/v1/session/provider/back"
    return f"{back.path}?{back.query}"


def sign_in(access, sub: str):
    url, cookie = begin(access)
    return access.ask("GET", authorize(url, sub), who={"Cookie": cookie})


def who_is(access, answer) -> dict:
    assert answer.must_be(303).headers["Location"] == "/dashboard"
    return access.ask("GET", "/api/v1/me", who={"Cookie": answer.headers["Set-Cookie"].split(";")[0]}).must_be(200).json


def test_a_role_at_the_provider_lets_somebody_in_and_follows_it(access):
    me = who_is(access, sign_in(access, "anna"))
    assert (me["login"], me["name"], me["role"]) == ("anna@shop.example", "Anna", "admin")
    access.ask("PATCH", f"/api/v1/people/{me['id']}", {"role": "analyst"}).must_be(200)
    again = who_is(access, sign_in(access, "anna"))
    assert (again["id"], again["role"]) == (me["id"], "admin")


def test_who_has_no_role_there_has_to_be_invited_by_the_address(access):
    assert sign_in(access, "boris").must_be(403).json["code"] == "forbidden"
    access.ask("POST", "/api/v1/people", {"login": "boris@shop.example", "name": "Boris", "role": "analyst"}).must_be(201)
    assert sign_in(access, "carl").must_be(403).json["code"] == "forbidden", "an address that nobody has made sure of is nobody's"
    me = who_is(access, sign_in(access, "boris"))
    assert (me["login"], me["role"]) == ("boris@shop.example", "analyst")
    access.ask("PATCH", f"/api/v1/people/{me['id']}", {"is_disabled": True}).must_be(200)
    assert sign_in(access, "boris").status == 403


def test_an_operator_is_invited_because_somebody_has_to_say_which_one(access):
    assert sign_in(access, "egor").must_be(403).json["code"] == "forbidden"
    operator = access.ask("POST", "/api/v1/operators", {"name": "Egor"}).must_be(201).json
    access.ask("POST", "/api/v1/people", {"login": "egor@shop.example", "name": "Egor", "role": "operator", "operator_id": operator["id"]}).must_be(201)
    assert who_is(access, sign_in(access, "egor"))["operator_id"] == operator["id"]


def test_in_a_browser_one_signs_in_at_the_provider_and_is_where_one_wanted_to_be(access):
    def at_provider(browser: Browser, sub: str) -> None:
        browser.driver.get(f"http://localhost:{access.server.port}/dashboard/contacts?status=new")
        browser.click("a.button", "Sign in with the company's account")
        browser.type("input[name=sub]", sub)
        browser.press(Keys.ENTER)

    with Browser(refused=(401, 403)) as browser:
        at_provider(browser, "fanny")
        browser.find(".me", "Fanny")
        assert browser.run("return location.pathname + location.search") == "/dashboard/contacts?status=new"
    with Browser(refused=(401, 403)) as browser:
        at_provider(browser, "carl")
        browser.find(".fault", "nobody has invited you here")
        assert browser.run("return location.pathname + location.search") == "/sign-in?to=%2Fdashboard%2Fcontacts%3Fstatus%3Dnew"
        browser.driver.refresh()
        browser.find("a.button", "Sign in with the company's account")
        assert not browser.is_there(".fault", "nobody")
    with Browser("ru", refused=(401, 403)) as browser:
        browser.open(f"http://localhost:{access.server.port}/sign-in?refused=sign_in_failed")
        browser.find(".fault", "Попробуйте ещё раз")
        assert browser.accessibility() == []


@pytest.mark.parametrize("to, leads", [
    ("/dashboard/leads?q=a%2520b", "/dashboard/leads?q=a%20b"), ("/docs", "/docs"), ("//evil.example", "/dashboard"), ("/dashboard.evil.example", "/dashboard"),
    ("https://evil.example/dashboard", "/dashboard"), ("/dashboard/%0d%0aSet-Cookie:x=1", "/dashboard"), ("/dashboard/;x", "/dashboard"), ("", "/dashboard")])
def test_who_comes_back_stays_here_whatever_was_asked(access, to, leads):
    answer = access.ask("GET", f"/api/v1/session/provider?to={to}", who={}).must_be(303)
    cookie = answer.headers["Set-Cookie"].split(";")[0]
    back = access.ask("GET", authorize(answer.headers["Location"], "anna"), who={"Cookie": cookie}).must_be(303)
    assert back.headers["Location"] == leads


def test_who_has_a_password_is_not_taken_over_by_an_address(access):
    assert sign_in(access, "dora").must_be(403).json["code"] == "forbidden"


def test_an_answer_is_good_once_in_the_browser_that_asked(access):
    url, cookie = begin(access)
    back = authorize(url, "anna")
    assert access.ask("GET", back, who={}).must_be(401).json["code"] == "sign_in_failed"
    assert access.ask("GET", back, who={"Cookie": begin(access)[1]}).status == 401
    assert access.ask("GET", back.replace("state=", "state=x"), who={"Cookie": cookie}).status == 401
    who_is(access, access.ask("GET", back, who={"Cookie": cookie}))
    assert access.ask("GET", back, who={"Cookie": cookie}).status == 401


def test_a_provider_that_is_away_is_said(servers):
    port = free_port()
    server = servers(1, LEADS_PUBLIC_URL=f"http://localhost:{port}", LEADS_OIDC_ISSUER="http://127.0.0.1:1", LEADS_OIDC_CLIENT_ID="leads")[0]
    assert Client(server.port).get("/api/v1/session/provider").must_be(503).json["code"] == "provider_unavailable"
    assert Client(server.port).get("/readyz").status == 200


def test_without_a_provider_there_is_none(server):
    for path in ("/api/v1/session/provider", "/api/v1/session/provider/back"):
        assert Client(server.port).get(path).must_be(404).json["code"] == "provider_absent"
