"""Who comes in, and what is offered to whom: the way in, people, keys, sessions and the audit, in a real browser."""

import re
import shlex
import subprocess

import pytest
from selenium.webdriver.common.keys import Keys

from browser import Browser
from client import Api, unique
from waiting import eventually

pytestmark = pytest.mark.first

PASSWORD = "correct horse battery"
# What is written to the console where somebody is not signed in (any more), or may not do something.
REFUSED = (401, 403, 429)
ADMIN_PAGES = ["/people", "/keys", "/audit", "/sessions"]


class Staff:
    """A server whose access is closed, and people who are signed in there by its API."""

    def __init__(self, server):
        self.server = server
        self.api = server.client()
        link = self.api.post("/api/v1/people/first", {"login": "anna", "name": "Anna Petrova"}).must_be(201).json
        self.cookie = self.accept(link["url"])
        self.admin = link["person"]

    def accept(self, url: str, password: str = PASSWORD) -> str:
        """Chooses a password by a link; the cookie of the session that begins."""
        answer = self.api.post("/api/v1/session/password", {"token": url.partition("#")[2], "password": password}).must_be(200)
        return answer.headers["Set-Cookie"].partition(";")[0]

    def sign_in(self, login: str) -> str:
        """The cookie of another session."""
        answer = self.api.post("/api/v1/session", {"login": login, "password": PASSWORD}).must_be(200)
        return answer.headers["Set-Cookie"].partition(";")[0]

    def call(self, method: str, path: str, *body, cookie: str | None = None):
        return self.api.request(method, f"/api/v1{path}", *body, headers={"Cookie": cookie or self.cookie})

    def make(self, path: str, **fields) -> dict:
        return self.call("POST", path, fields).must_be(201).json

    def person(self, role: str, login: str, name: str, operator_id: int | None = None) -> dict:
        """Somebody who has a password."""
        link = self.make("/people", login=login, name=name, role=role, operator_id=operator_id)
        self.accept(link["url"])
        return link["person"]

    def team(self, *names: str) -> tuple[list[dict], dict]:
        """Operators, and a source they serve in turn."""
        operators = [self.make("/operators", name=name, max_load=50) for name in names]
        source = self.make("/sources", name=unique("Source"), strategy="round_robin")
        self.call("POST", f"/sources/{source['id']}/weights", [{"operator_id": each["id"], "weight": 1} for each in operators]).must_be(200)
        return operators, source

    def contact(self, source: dict, **fields) -> dict:
        return self.make("/contacts", source_id=source["id"], **{"lead_external_id": unique("lead")} | fields)


@pytest.fixture
def open_server(servers):
    return servers(1)[0]


@pytest.fixture
def staff(open_server):
    return Staff(open_server)


def address(server, path: str = "") -> str:
    return f"http://127.0.0.1:{server.port}{path}"


def path_of(browser: Browser) -> str:
    return browser.run("return location.pathname + location.search + location.hash")


def sign_in(browser: Browser, server, login: str, path: str = "/dashboard", password: str = PASSWORD) -> None:
    """Comes from the page, signs in and is back there."""
    browser.open(address(server, path))
    browser.until(lambda: path_of(browser).startswith("/sign-in?to="), "to be led to the sign-in page")
    fill(browser, login, password)
    browser.until(lambda: not path_of(browser).startswith("/sign-in"), "to be signed in")
    browser.wait_until_shown()


def fill(browser: Browser, login: str, password: str = PASSWORD) -> None:
    browser.type("input[name=login]", login)
    browser.type("input[name=password]", password)
    browser.press(Keys.ENTER)


def choose_password(browser: Browser, first: str = PASSWORD, second: str | None = None) -> None:
    browser.type("input[name=new-password]", first)
    browser.type("input[name=repeat-password]", second or first)
    browser.click("button[type=submit]")


def shown_link(browser: Browser) -> str:
    return browser.find("dialog .copyable input").get_attribute("value")


def say_ok(browser: Browser) -> None:
    browser.click("dialog button[type=submit]")
    browser.until_gone("dialog")


# From a server that anybody can change to one where everybody is somebody

@pytest.mark.seconds(240)
def test_from_open_access_to_a_colleague_who_sees_no_more_than_what_is_theirs(open_server, empty_database):
    api = open_server.client()
    boris, vera = api.operator(name="Boris"), api.operator(name="Vera")
    source = api.source({boris["id"]: 1, vera["id"]: 1}, name="Form", strategy="round_robin")
    contacts = [api.contact(source["id"], lead_external_id=f"lead {n}", lead_name=f"Lead {n}") for n in range(4)]
    own = [each["id"] for each in contacts if each["operator_id"] == boris["id"]]
    foreign = [each["id"] for each in contacts if each["operator_id"] == vera["id"]]
    assert own and foreign
    with Browser(refused=REFUSED) as browser, Browser(refused=REFUSED) as other:
        for path in ["/dashboard", "/dashboard/contacts", "/dashboard/people"]:
            browser.open(address(open_server, path))
            browser.find(".open", "Anybody who reaches this server can change everything")
            assert not browser.is_there(".me")
        browser.click(".open button", "Protect it now")
        browser.type("dialog input[autocomplete=name]", "Anna Petrova")
        browser.type("dialog input[autocomplete=username]", "Anna@Example.com")
        say_ok_to = browser.find("dialog button[type=submit]")
        assert say_ok_to.text == "Protect it"
        say_ok_to.click()
        # The link is followed at once, and what it carries is gone from the address.
        browser.find("h1", "Welcome, Anna Petrova")
        assert path_of(browser) == "/sign-in"
        assert browser.find("input[name=login]").get_attribute("value") == "anna@example.com"
        assert api.get("/api/v1/contacts").status == 401
        choose_password(browser)
        browser.find(".me", "Anna Petrova")
        assert path_of(browser) == "/dashboard"
        assert not browser.is_there(".open")
        # A colleague is invited.
        browser.click("nav a", "Access")
        browser.find("tbody th", "Anna Petrova")
        browser.click("main button", "Invite")
        browser.type("dialog .field:nth-of-type(1) input", "boris")
        browser.type("dialog .field:nth-of-type(2) input", "Boris Sidorov")
        browser.choose("dialog .field:nth-of-type(3) select", "operator")
        browser.choose("dialog .field:nth-of-type(4) select", str(boris["id"]))
        browser.click("dialog button[type=submit]")
        browser.find("dialog h2", "A link for Boris Sidorov")
        link = shown_link(browser)
        browser.press(Keys.ESCAPE)
        assert browser.is_there("dialog h2", "A link for Boris Sidorov")
        say_ok(browser)
        browser.find("tbody .status.new", "invited")
        assert link not in browser.run("return document.documentElement.outerHTML")
        # The colleague comes with another browser.
        other.open(link)
        other.find("h1", "Welcome, Boris Sidorov")
        choose_password(other)
        other.find(".me", "Boris Sidorov")
        other.until(lambda: path_of(other) == "/dashboard/contacts", "to be where an operator begins")
        assert [each.text for each in other.driver.find_elements("css selector", ".shell nav a")] == ["Contacts", "Leads", "API"]
        shown = lambda: {int(each) for each in other.run("return [...document.querySelectorAll('main tbody tr')].map((each) => each.dataset.key)")}
        other.until(lambda: shown() == set(own), "own contacts alone")
        other.click(f"tr[data-key='{own[0]}'] button", "Close")
        other.find(f"tr[data-key='{own[0]}'] .status.closed")
        # A page that is not for an operator leads to the contacts; a foreign contact is not there.
        other.open(address(open_server, "/dashboard/sources"))
        other.find("h1", "Contacts")
        other.find("#messages", "not for your role")
        other.open(address(open_server, f"/dashboard/contacts?contact={foreign[0]}"))
        other.find("aside .fault", "not found")
        # Who did it is told.
        browser.open(address(open_server, f"/dashboard/contacts?contact={own[0]}"))
        browser.find("aside .history", "Boris Sidorov closed it")
        browser.find("aside .history", "Somebody (access was open) registered it → Boris")


def test_a_key_is_shown_once_works_and_is_revoked(staff):
    _, source = staff.team("Boris")
    with Browser(refused=REFUSED) as browser:
        sign_in(browser, staff.server, "anna", "/dashboard/keys")
        browser.find(".empty h2", "No keys yet")
        browser.click("main button", "Make a key")
        browser.type("dialog .field:nth-of-type(1) input", "Telegram bot")
        browser.choose("dialog .field:nth-of-type(3) select", "some")
        browser.find("dialog .boxes")
        # Whoever may do everything is limited to no sources.
        browser.choose("dialog .field:nth-of-type(2) select", "admin")
        assert not browser.find("dialog .field:nth-of-type(3) select").is_enabled() and not browser.is_there("dialog .boxes")
        browser.choose("dialog .field:nth-of-type(2) select", "intake")
        browser.choose("dialog .field:nth-of-type(3) select", "some")
        browser.click("dialog button[type=submit]")
        browser.find("dialog .fault", "Choose a source")
        browser.click("dialog .boxes input")
        browser.type("dialog input[inputmode=numeric]", "50")
        browser.click("dialog button[type=submit]")
        browser.find("dialog h2", "The key Telegram bot")
        secret = shown_link(browser)
        assert re.fullmatch(r"crm_[a-z0-9]{8}_[A-Za-z0-9_-]{43}", secret)
        command = browser.find("dialog .copyable textarea").get_attribute("value")
        browser.press(Keys.ENTER, Keys.ESCAPE)
        assert browser.is_there("dialog h2", "The key Telegram bot")
        say_ok(browser)
        browser.find("tbody th", "Telegram bot")
        browser.find("tbody", "50 a second")
        browser.driver.refresh()
        browser.wait_until_shown()
        assert secret not in browser.run("return document.documentElement.outerHTML")
        # The command that was shown registers a contact.
        done = subprocess.run([*shlex.split(command.replace("\\\n", " ")), "-s", "-w", "%{http_code}"], capture_output=True, text=True, timeout=30)
        assert done.stdout.endswith("201"), done.stdout
        assert f'"source_id":{source["id"]}' in done.stdout.replace(" ", "")
        bearer = lambda key: staff.api.post("/api/v1/contacts", {"source_id": source["id"]}, headers={"Authorization": f"Bearer {key}"}).status
        assert bearer(secret) == 201
        # Another secret, beside which the first goes on for an hour.
        browser.click("tbody button", "New secret")
        browser.choose("dialog select", "3600")
        browser.click("dialog button[type=submit]")
        browser.find("dialog h2", "The key Telegram bot")
        second = shown_link(browser)
        say_ok(browser)
        assert second != secret and [bearer(secret), bearer(second)] == [201, 201]
        browser.click("tbody button", "Revoke")
        browser.find("dialog h2", "Revoke the key Telegram bot?")
        browser.click("dialog button[type=submit]")
        browser.find("#messages", "The key Telegram bot is revoked")
        eventually(lambda: [bearer(secret), bearer(second)] == [401, 401], 2, "a revoked key is taken")
        browser.find(".empty h2", "No keys yet")
        browser.click(".filters input[type=checkbox]")
        browser.find("tbody", "revoked")


# The way in

def test_a_wrong_password_and_too_many_of_them_are_said_in_words(staff):
    with Browser(refused=REFUSED) as browser:
        browser.open(address(staff.server, "/sign-in"))
        for _ in range(5):
            fill(browser, "anna", "not the password")
            browser.find(".fault", "nobody with this login and password")
            browser.until(lambda: browser.find("button[type=submit]").is_enabled(), "the answer")
        fill(browser, "anna")
        browser.find(".fault", "Too many attempts to sign in. Try again in 14 min")
        fill(browser, "nobody", "x")
        browser.find(".fault", "nobody with this login and password")
        assert path_of(browser) == "/sign-in"


def test_a_server_that_is_away_is_told_where_one_signs_in(staff):
    with Browser(refused=REFUSED) as browser:
        browser.open(address(staff.server, "/sign-in"))
        staff.server.terminate()
        fill(browser, "anna")
        browser.find(".fault", "The server does not answer")


def test_whoever_signs_in_stays_here_whatever_the_address_says(staff):
    with Browser(refused=REFUSED) as browser:
        for to, shown in [
            ("/dashboard/leads%3Fq%3DAnna", "/dashboard/leads?q=Anna"), ("//evil.example", "/dashboard"), ("/\\evil.example", "/dashboard"),
            ("/%09/evil.example", "/dashboard"), ("https://evil.example/", "/dashboard"), ("javascript:alert(1)", "/dashboard"),
            ("/.//evil.example", None), ("/sign-in", "/dashboard"), ("", "/dashboard"),
        ]:
            browser.driver.delete_all_cookies()
            browser.open(address(staff.server, f"/sign-in?to={to}"))
            fill(browser, "anna")
            browser.until(lambda: not path_of(browser).startswith("/sign-in"), "to be signed in")
            assert browser.run("return location.origin") == address(staff.server), to
            if shown is not None:
                browser.find(".me")
                assert path_of(browser) == shown, to


def test_fields_for_passwords_hide_them_and_take_what_a_manager_fills_in(staff):
    fields = ("return [...document.querySelectorAll('input[name*=password]')].map((each) => "
              "[each.name, each.type, each.autocomplete, each.readOnly || each.onpaste !== null])")
    link = staff.make("/people", login="vera", name="Vera", role="analyst")["url"]
    with Browser(refused=REFUSED) as browser:
        browser.open(address(staff.server, "/sign-in"))
        assert browser.run(fields) == [["password", "password", "current-password", False]]
        assert browser.find("input[name=login]").get_attribute("autocomplete") == "username"
        browser.open(link)
        browser.find("input[name=new-password]")
        new = [[name, "password", "new-password", False] for name in ("new-password", "repeat-password")]
        assert browser.run(fields) == new
        sign_in(browser, staff.server, "anna")
        browser.click(".me")
        browser.click(".items button", "Change password")
        browser.find("dialog input[name=current-password]")
        assert browser.run(fields) == [["current-password", "password", "current-password", False], *new]
        # What is pasted is taken as a whole.
        field = browser.find("dialog input[name=new-password]")
        browser.run("arguments[0].focus(); document.execCommand('insertText', false, arguments[1])", field, "pasted " * 20)
        assert field.get_attribute("value") == "pasted " * 20


def test_a_link_that_is_used_expired_or_wrong_says_so(staff, empty_database):
    link = staff.make("/people", login="vera", name="Vera", role="analyst")["url"]
    with Browser(refused=REFUSED) as browser:
        browser.open(link)
        browser.find("h1", "Welcome, Vera")
        browser.find("small", "At least 10 characters")
        for first, second, fault in [
            ("short", None, "at least 10 characters"), (PASSWORD, PASSWORD + "!", "not the same"),
            ("aaaaaaaaaaaa", None, "one character or one row"), ("vera.vera.vera", None, "login or name"),
        ]:
            choose_password(browser, first, second)
            browser.find(".fault", fault)
        empty_database.expire_links()
        choose_password(browser)
        browser.find("h1", "This link is of no use any more")
        browser.click("button", "Sign in")
        browser.find("input[name=password]")
        # Followed where the page is open already, so that nothing is loaded anew.
        browser.run("location.hash = arguments[0]", "x" * 43)
        browser.find("h1", "This link is of no use any more")
        assert path_of(browser) == "/sign-in"
        browser.open(address(staff.server, "/sign-in#rubbish"))
        browser.find("h1", "This link is of no use any more")


def test_a_new_password_by_a_link_ends_the_sessions_that_were(staff):
    person = staff.person("supervisor", "vera", "Vera")
    with Browser(refused=REFUSED) as browser, Browser(refused=REFUSED) as admin:
        sign_in(browser, staff.server, "vera", "/dashboard/leads")
        sign_in(admin, staff.server, "anna", f"/dashboard/people/{person['id']}")
        admin.find(".sessions", "Chrome on Linux")
        admin.click("main button", "Link for a new password")
        admin.click("dialog button[type=submit]")
        admin.find("dialog h2", "A link for Vera")
        link = shown_link(admin)
        say_ok(admin)
        staff.accept(link, "another horse battery")
        browser.until(lambda: path_of(browser).startswith("/sign-in?to="), "to be led to the sign-in page", within=15)
        fill(browser, "vera", "another horse battery")
        browser.find("h1", "Leads")


def test_without_javascript_and_without_a_session_the_page_says_what_it_needs(staff):
    page = staff.api.get("/sign-in").must_be(200)
    assert "needs JavaScript" in page.text and "Authorization: Bearer" in page.text
    assert "form-action 'none'" in page.headers["Content-Security-Policy"] and page.headers["Referrer-Policy"] == "no-referrer"
    files = set(re.findall(r'(?:src|href)="(/sign-in/assets/[^"]+)"', page.text))
    assert len(files) > 5
    for path in files:
        staff.api.get(path).must_be(200)
        staff.api.get(path.replace("/sign-in/", "/dashboard/")).must_be(401)
    # What is for those who are signed in is not among them.
    staff.api.get(min(files).rpartition("/")[0] + "/main.js").must_be(404)
    answer = staff.api.get("/dashboard/contacts?status=new", headers={"Accept": "text/html"})
    assert (answer.status, answer.headers["Location"]) == (303, "/sign-in?to=%2Fdashboard%2Fcontacts%3Fstatus%3Dnew")


def test_where_nobody_has_to_sign_in_the_page_says_so_and_leads_on(open_server):
    with Browser() as browser:
        browser.open(address(open_server, "/sign-in?to=/dashboard/leads"))
        browser.find("h1", "Nobody has to sign in")
        browser.click("a.button", "Go on")
        browser.find("h1", "Leads")


def test_whoever_is_signed_in_already_goes_straight_on(staff):
    with Browser(refused=REFUSED) as browser:
        sign_in(browser, staff.server, "anna")
        browser.driver.get(address(staff.server, "/sign-in?to=/dashboard/leads"))
        browser.find("h1", "Leads")


# Being signed in, and no more

def test_a_session_that_is_ended_elsewhere_leads_to_the_sign_in_page_and_back(staff):
    with Browser(refused=REFUSED) as browser, Browser(refused=REFUSED) as other:
        sign_in(browser, staff.server, "anna", "/dashboard/contacts?status=new")
        sign_in(other, staff.server, "anna", "/dashboard/sessions")
        other.find(".badge.here", "this one")
        # By the API of the test, too, Anna is signed in.
        assert len(other.driver.find_elements("css selector", ".sessions li")) == 3
        other.click("main button", "Sign out everywhere else")
        other.click("dialog button[type=submit]")
        other.find("#messages", "Signed out")
        other.until(lambda: len(other.driver.find_elements("css selector", ".sessions li")) == 1, "the others to be gone")
        # Nothing is done there: the stream of what happens tells.
        browser.until(lambda: path_of(browser) == "/sign-in?to=%2Fdashboard%2Fcontacts%3Fstatus%3Dnew", "to be led to the sign-in page", within=15)
        fill(browser, "anna")
        browser.find("h1", "Contacts")
        assert path_of(browser) == "/dashboard/contacts?status=new"


def test_what_was_typed_stays_while_one_signs_in_again(staff):
    (boris,), source = staff.team("Boris")
    with Browser(refused=REFUSED) as browser:
        sign_in(browser, staff.server, "anna", f"/dashboard/sources/{source['id']}")
        browser.type(f"tr[data-key='{boris['id']}'] input", "7")
        staff.call("DELETE", "/sessions").must_be(200)
        browser.find("#banner", "You are signed out. What you typed is still here.", within=15)
        browser.find(".unsaved")
        browser.click("#banner a", "Sign in")
        browser.until(lambda: len(browser.driver.window_handles) == 2, "a second tab")
        first, second = browser.driver.window_handles
        browser.driver.switch_to.window(second)
        browser.find("input[name=login]")
        fill(browser, "anna")
        browser.find("h1", source["name"])
        browser.driver.close()
        browser.driver.switch_to.window(first)
        browser.until_gone("#banner")
        assert browser.find(f"tr[data-key='{boris['id']}'] input").get_attribute("value") == "7"
        browser.click(".unsaved button", "Save")
        browser.find("#messages", "Weights saved")
        # The same of what is typed into a dialog, which says itself where to sign in.
        browser.click("main button", "Edit")
        browser.type("dialog .field:nth-of-type(1) input", "Another name")
        staff.call("DELETE", f"/sessions?person_id={staff.admin['id']}", cookie=staff.sign_in("anna")).must_be(200)
        browser.until(lambda: staff.api.get("/api/v1/me", headers={"Cookie": f"leads={browser.cookie('leads')}"}).status == 401, "the session to end")
        browser.click("dialog button[type=submit]")
        browser.find("dialog .fault", "You are signed out")
        browser.click("dialog .fault a", "Sign in")
        browser.until(lambda: len(browser.driver.window_handles) == 2, "a second tab")
        browser.driver.switch_to.window(browser.driver.window_handles[1])
        browser.find("input[name=login]")
        fill(browser, "anna")
        browser.find("h1", source["name"])
        browser.driver.close()
        browser.driver.switch_to.window(first)
        browser.click("dialog button[type=submit]")
        browser.find("h1", "Another name")


def test_signing_out_leaves_nothing_to_go_back_to(staff):
    with Browser(refused=REFUSED) as browser:
        sign_in(browser, staff.server, "anna", "/dashboard/contacts")
        browser.click("nav a", "Leads")
        browser.find("h1", "Leads")
        browser.click(".me")
        browser.click(".items button", "Sign out")
        browser.find("input[name=password]")
        assert path_of(browser) == "/sign-in"
        browser.driver.back()
        browser.find("input[name=password]", within=15)


def test_the_password_is_changed_by_whoever_knows_it(staff):
    with Browser(refused=REFUSED) as browser:
        sign_in(browser, staff.server, "anna")
        browser.click(".me")
        browser.click(".items button", "Change password")
        browser.type("dialog input[name=current-password]", "not the password")
        choose_password(browser, "another horse battery")
        browser.find("dialog .fault", "The present password is another one")
        # That is no reason to be led away.
        assert path_of(browser) == "/dashboard"
        browser.type("dialog input[name=current-password]", PASSWORD)
        browser.click("dialog button[type=submit]")
        browser.find("#messages", "Password changed")
        browser.open(address(staff.server, "/dashboard/leads"))
        browser.find("h1", "Leads")
    staff.api.post("/api/v1/session", {"login": "anna", "password": PASSWORD}).must_be(401)
    staff.api.post("/api/v1/session", {"login": "anna", "password": "another horse battery"}).must_be(200)


# What is offered to whom

def test_each_role_is_offered_what_it_may_do(staff):
    (boris, vera), source = staff.team("Boris", "Vera")
    contact = staff.contact(source, lead_name="Lead")
    staff.person("analyst", "ines", "Ines")
    olga = staff.person("supervisor", "olga", "Olga")
    staff.person("operator", "boris", "Boris", contact["operator_id"])
    sections = lambda browser: browser.run("return [...document.querySelectorAll('.shell nav a')].map((each) => each.textContent)")
    with Browser(refused=REFUSED) as browser:
        sign_in(browser, staff.server, "ines")
        assert sections(browser) == ["Overview", "Contacts", "Leads", "Operators", "Sources", "API"]
        for path in ["", "/contacts", f"/contacts?contact={contact['id']}", "/leads", "/leads/duplicates", f"/leads/{contact['lead_id']}", "/operators",
                     f"/operators/{boris['id']}", "/sources", f"/sources/{source['id']}"]:
            browser.open(address(staff.server, f"/dashboard{path}"))
            assert not browser.is_there("[role=alert]"), path
            buttons = browser.run("return [...document.querySelectorAll('main :is(button, input, select, [role=switch])')]"
                                  ".filter((each) => each.checkVisibility() && !each.matches(':disabled, [readonly]')).map((each) => each.outerHTML)")
            assert all(re.search(r'data-filter|aria-label="Period"|type="search"|class="icon leave"|Active only|checkbox', each) for each in buttons), (path, buttons)
        assert not browser.is_there("#search")
    with Browser(refused=REFUSED) as browser:
        sign_in(browser, staff.server, "olga", "/dashboard/people")
        # A page that is not for the role leads to the first that is.
        browser.find("#messages", "not for your role")
        browser.until(lambda: path_of(browser) == "/dashboard", "the overview")
        assert "Access" not in sections(browser)
        browser.open(address(staff.server, f"/dashboard/contacts?contact={contact['id']}"))
        browser.find("aside button", "Transfer")
        # With another role the first refusal makes the page anew.
        staff.call("PATCH", f"/people/{olga['id']}", {"role": "analyst"}).must_be(200)
        browser.click("aside button", "Close")
        browser.until_gone("aside button", "Close")
        browser.find("aside h2", f"Contact {contact['id']}")
        assert staff.call("GET", f"/contacts/{contact['id']}").json["status"] == "active"
    with Browser(refused=REFUSED) as browser:
        sign_in(browser, staff.server, "boris", f"/dashboard/contacts?contact={contact['id']}")
        browser.find("aside h2", f"Contact {contact['id']}")
        # Colleagues are known by their names alone, and what went to one of them is gone from the list.
        browser.click("aside button", "Transfer")
        assert [each.text for each in browser.find("dialog select").find_elements("css selector", "option")] == [
            one["name"] for one in (boris, vera) if one["id"] != contact["operator_id"]]
        assert not browser.is_there("dialog input[type=checkbox]")
        browser.click("dialog button[type=submit]")
        browser.until_gone("aside h2")
        browser.until_gone(f"tr[data-key='{contact['id']}']")
        browser.find(".empty h2", "No contacts yet")


def test_a_person_is_changed_disabled_and_enabled(staff):
    person = staff.person("supervisor", "vera", "Vera")
    (boris,), _ = staff.team("Boris")
    with Browser(refused=REFUSED) as browser, Browser(refused=REFUSED) as theirs:
        sign_in(theirs, staff.server, "vera", "/dashboard/sources")
        sign_in(browser, staff.server, "anna", "/dashboard/people")
        browser.click("tbody th a", "Vera")
        browser.click("main button", "Edit")
        browser.choose("dialog .field:nth-of-type(2) select", "operator")
        browser.choose("dialog .field:nth-of-type(3) select", str(boris["id"]))
        browser.click("dialog button[type=submit]")
        browser.until_gone("dialog")
        changed = staff.call("GET", f"/people/{person['id']}").json
        assert (changed["role"], changed["operator_id"], changed["name"]) == ("operator", boris["id"], "Vera")
        browser.click("main button", "Disable")
        browser.find("dialog h2", "Disable Vera?")
        browser.click("dialog button[type=submit]")
        browser.find("dl .status", "disabled")
        theirs.until(lambda: path_of(theirs).startswith("/sign-in?to="), "who was disabled to be signed out", within=15)
        browser.click("main button", "Enable")
        browser.find("dl .status", "active")
        # Somebody has to be left who may do this.
        browser.open(address(staff.server, f"/dashboard/people/{staff.admin['id']}"))
        browser.click("main button", "Disable")
        browser.click("dialog button[type=submit]")
        browser.find("dialog .fault", "Nobody would be left")


@pytest.mark.parametrize("role", ["supervisor", None], ids=["a lower role", "disabled"])
def test_an_admin_who_takes_the_role_from_oneself_is_led_to_what_is_left(staff, role):
    staff.person("admin", "olga", "Olga")
    with Browser(refused=REFUSED) as browser:
        sign_in(browser, staff.server, "anna", f"/dashboard/people/{staff.admin['id']}")
        browser.click("main button", "Edit" if role else "Disable")
        if role:
            browser.choose("dialog .field:nth-of-type(2) select", role)
        browser.click("dialog button[type=submit]")
        browser.until(lambda: path_of(browser) == "/dashboard" if role else path_of(browser).startswith("/sign-in"), "to be led on")
        assert not browser.is_there("dialog")


def test_another_role_is_taken_up_once_nothing_is_typed_any_more(staff):
    (boris,), source = staff.team("Boris")
    olga = staff.person("supervisor", "olga", "Olga")
    with Browser(refused=REFUSED) as browser:
        sign_in(browser, staff.server, "olga", f"/dashboard/sources/{source['id']}")
        weight = f"tr[data-key='{boris['id']}'] input"
        browser.type(weight, "7")
        staff.call("PATCH", f"/people/{olga['id']}", {"role": "analyst"}).must_be(200)
        browser.click(".unsaved button", "Save")
        browser.find("#messages", "Your role does not permit this")
        assert browser.find(weight).get_attribute("value") == "7"
        assert browser.is_there("#search")
        browser.type(weight, "1")
        browser.until_gone(".unsaved")
        browser.click("nav a", "Leads")
        browser.find("h1", "Leads")
        browser.until_gone("#search")


# What is told

def test_the_audit_tells_who_did_what_and_what_it_was_before(staff):
    (boris,), source = staff.team("Boris")
    person = staff.person("analyst", "vera", "Vera")
    staff.call("PATCH", f"/people/{person['id']}", {"role": "supervisor"}).must_be(200)
    staff.call("PATCH", f"/operators/{boris['id']}", {"max_load": 70}).must_be(200)
    staff.call("POST", f"/sources/{source['id']}/weights", [{"operator_id": boris["id"], "weight": 3}]).must_be(200)
    key = staff.make("/keys", name="Telegram bot", role="intake")
    contact = staff.api.post("/api/v1/contacts", {"source_id": source["id"]}, headers={"Authorization": f"Bearer {key['key']}"}).must_be(201).json
    with Browser(refused=REFUSED) as browser:
        sign_in(browser, staff.server, "anna", "/dashboard/audit")
        line = lambda text: browser.find("tbody tr", text).text
        assert "Anna Petrova" in line("Changed vera") and "Role: analyst → supervisor" in line("Changed vera")
        assert "Limit: 50 → 70" in line("Changed operator Boris")
        assert "Boris: 1 → 3" in line(f"Changed the weights of {source['name']}\nBoris: 1")
        assert "Role: intake" in line("Made the key Telegram bot") and "Sources: all sources" in line("Made the key Telegram bot")
        assert browser.find("tbody tr").text.endswith("Signed in")
        assert key["key"] not in browser.run("return document.documentElement.outerHTML")
        browser.choose("[data-filter=kind]", "people")
        browser.choose("[data-filter=who]", f"person:{staff.admin['id']}")
        browser.choose("[data-filter=from]", "2020-01-01")
        assert path_of(browser) == f"/dashboard/audit?kind=people&who=person%3A{staff.admin['id']}&from=2020-01-01"
        browser.driver.refresh()
        browser.wait_until_shown()
        deeds = lambda: browser.run("return [...document.querySelectorAll('.deed')].map((each) => each.firstChild.textContent)")
        assert deeds() == ["Changed vera", "Invited vera", "anna can sign in"]
        assert browser.find("[data-filter=kind]").get_attribute("value") == "people"
        assert browser.find("[data-filter=who]").get_attribute("value") == f"person:{staff.admin['id']}"
        browser.click("main button", "Clear filters")
        browser.find("tbody tr", "Changed operator Boris")
        browser.choose("[data-filter=kind]", "operators")
        for limit in range(60):
            staff.call("PATCH", f"/operators/{boris['id']}", {"max_load": 100 + limit}).must_be(200)
        browser.driver.refresh()
        browser.wait_until_shown()
        assert len(deeds()) == 50
        assert browser.find("tbody tr small").text == "Limit: 158 → 159"
        browser.click("button.more")
        browser.until(lambda: len(deeds()) == 62, "all that was done to operators")
        browser.until_gone("button.more")
        # The history of the contact names the key, and the feed of the overview does.
        browser.open(address(staff.server, f"/dashboard/contacts?contact={contact['id']}"))
        browser.find("aside .history", "Key Telegram bot registered it → Boris")
        staff.call("POST", f"/contacts/{contact['id']}/close").must_be(200)
        browser.find("aside .history", "Anna Petrova closed it")
        browser.open(address(staff.server, "/dashboard"))
        browser.find(".me")
        staff.call("POST", f"/contacts/{contact['id']}/reopen").must_be(200)
        browser.find(".feed", "Anna Petrova reopened it → Boris")


# How it looks

@pytest.mark.seconds(240)
@pytest.mark.parametrize("language, width, dark", [
    ("en", 1280, False), ("ru", 360, True), pytest.param("en", 1280, True, marks=pytest.mark.at_length), pytest.param("ru", 360, False, marks=pytest.mark.at_length)])
def test_the_pages_are_readable_on_a_phone_and_to_a_checker_of_accessibility_in_both_languages(staff, language, width, dark):
    (boris,), source = staff.team("Boris")
    staff.person("operator", "boris" + "b" * 60, "Boris " + "B" * 80, boris["id"])
    disabled = staff.person("analyst", "vera", "Vera")
    staff.call("PATCH", f"/people/{disabled['id']}", {"is_disabled": True}).must_be(200)
    link = staff.make("/people", login="ines", name="Ines", role="supervisor")["url"]
    for name in ("Telegram bot", "K" * 120):
        staff.make("/keys", name=name, role="intake", source_ids=[source["id"]], rate=5)
    with Browser(language, width=width, height=740, dark=dark, refused=REFUSED) as browser:
        def check(what: str) -> None:
            words = browser.text()
            assert "undefined" not in words and "NaN" not in words and "[object" not in words and "Invalid Date" not in words, (what, words)
            assert browser.run("return document.documentElement.lang") == language
            assert bool(re.search("[а-я]", words.replace("Русский", ""))) == (language == "ru"), (what, words)
            assert browser.width() <= width, (what, browser.width())
            assert browser.accessibility() == [], what

        browser.open(link)
        browser.find("input[name=new-password]")
        check("the link")
        browser.open(address(staff.server, "/sign-in#x"))
        check("a link of no use")
        sign_in(browser, staff.server, "anna", "/dashboard/people")
        for path in [*ADMIN_PAGES, f"/people/{disabled['id']}", f"/people/{staff.admin['id']}"]:
            browser.open(address(staff.server, f"/dashboard{path}"))
            assert not browser.is_there("[role=alert]"), browser.text()
            check(path)
        browser.click(".me")
        check("the menu")
        browser.open(address(staff.server, "/dashboard/people"))
        browser.click("main header button")
        browser.find("dialog")
        check("an invitation")
        browser.open(address(staff.server, "/dashboard/keys"))
        browser.click("main header button")
        browser.type("dialog .field:nth-of-type(1) input", "Website")
        check("a new key")
        browser.click("dialog button[type=submit]")
        browser.find("dialog .copyable textarea")
        check("its secret")
        browser.click("dialog button[type=submit]")
        browser.click(".me")
        browser.click(".items button:last-child")
        browser.find("input[name=password]")
        check("the way in")


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_notice_of_open_access_is_on_each_page_and_closes_it(open_server, language):
    with Browser(language, width=360, height=740, refused=REFUSED) as browser:
        for path in ["", "/contacts", "/leads", "/operators", "/sources", "/people", "/keys", "/audit"]:
            browser.open(address(open_server, f"/dashboard{path}"))
            browser.find(".open", "Любой" if language == "ru" else "Anybody")
            assert browser.width() <= 360, path
        browser.click(".open button")
        browser.find("dialog")
        assert browser.accessibility() == []
        browser.press(Keys.ESCAPE)
        # The first person and the first key close access: it has to be somebody who gets in afterwards.
        for path in ("people", "keys"):
            browser.open(address(open_server, f"/dashboard/{path}"))
            browser.find(".empty h2", "Сначала защитите сервер" if language == "ru" else "First protect this server")
            assert not browser.is_there("main header button")
            assert browser.accessibility() == []
        # Somebody else is quicker.
        browser.click(".empty button")
        browser.find("dialog")
        open_server.client().post("/api/v1/people/first", {"login": "x", "name": "X"}).must_be(201)
        browser.type("dialog input[autocomplete=name]", "Anna")
        browser.type("dialog input[autocomplete=username]", "anna")
        browser.click("dialog button[type=submit]")
        browser.find("dialog .fault", "Доступ уже закрыт" if language == "ru" else "Access is closed already")
        browser.press(Keys.ESCAPE)
        browser.click("nav a", "Лиды" if language == "ru" else "Leads")
        browser.until(lambda: path_of(browser) == "/sign-in?to=%2Fdashboard%2Fleads", "to be led to the sign-in page")


def test_access_that_a_setting_keeps_open_is_not_said_to_be_closed_from_here(servers):
    server = servers(1, LEADS_ACCESS="open")[0]
    refusal = server.client().post("/api/v1/people/first", {"login": "x", "name": "X"}).must_be(409)
    assert refusal.json["code"] == "access_kept_open" and "LEADS_ACCESS" in refusal.json["detail"]
    with Browser(refused=REFUSED) as browser:
        browser.open(address(server, "/dashboard/people"))
        browser.find(".open", "LEADS_ACCESS=open keeps it so")
        assert not browser.is_there(".open button")
        # Colleagues may be invited beforehand.
        browser.click("main header button", "Invite")
        browser.find("dialog")


def test_a_page_that_is_open_when_access_is_closed_elsewhere_leads_to_the_sign_in_page(open_server):
    with Browser(refused=REFUSED) as browser:
        browser.open(address(open_server, "/dashboard/contacts"))
        browser.find(".open")
        Staff(open_server)
        browser.until(lambda: path_of(browser) == "/sign-in?to=%2Fdashboard%2Fcontacts", "to be led to the sign-in page", within=15)


@pytest.mark.parametrize("page", ["/sign-in", "/dashboard/people"])
def test_what_people_are_called_is_no_markup(open_server, page):
    staff = Staff(open_server)
    name = "<img src=x onerror=window.hacked=1>"
    link = staff.make("/people", login="<b>x</b>", name=name, role="analyst")["url"]
    staff.make("/keys", name=name, role="intake")
    with Browser(refused=REFUSED) as browser:
        if page == "/sign-in":
            browser.open(link)
            browser.find("h1", name)
        else:
            sign_in(browser, open_server, "anna", page)
            browser.find("tbody th", name)
            browser.open(address(open_server, "/dashboard/audit"))
            browser.find("tbody", name)
        assert browser.run("return window.hacked") is None
        assert browser.run("return document.querySelectorAll('main img, main b').length") == 0
