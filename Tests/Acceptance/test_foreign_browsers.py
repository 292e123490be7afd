"""Pages of somebody else in a real browser: nothing changes, nothing is read, whatever they try."""

import http.server
import re
import threading

import pytest

from browser import Browser
from client import Api, unique
from test_access import PASSWORD, Access

# What a page can have its reader's browser do without asking.
ATTEMPTS = {
    "fetch, cors, JSON": "fetch(url + '/api/v1/operators', {method: 'POST', headers: {'Content-Type': 'application/json'}, body})",
    "fetch, no-cors, text": "fetch(url + '/api/v1/operators', {method: 'POST', mode: 'no-cors', body})",
    "fetch, no-cors, a Blob without a type": "fetch(url + '/api/v1/operators', {method: 'POST', mode: 'no-cors', body: new Blob([body])})",
    "fetch, cors, text": "fetch(url + '/api/v1/operators', {method: 'POST', headers: {'Content-Type': 'text/plain'}, body})",
    "fetch, close without a body": "fetch(url + close, {method: 'POST', mode: 'no-cors'})",
    "fetch with credentials": "fetch(url + close, {method: 'POST', mode: 'no-cors', credentials: 'include'})",
    "beacon": "Promise.resolve(navigator.sendBeacon(url + '/api/v1/operators', new Blob([body], {type: 'text/plain'})))",
    "reading": "fetch(url + '/api/v1/contacts')",
    "reading, no-cors": "fetch(url + '/api/v1/contacts', {mode: 'no-cors'})",
    "reading the health": "fetch(url + '/livez')",
    "EventSource": """new Promise((done, fail) => { const source = new EventSource(url + '/api/v1/events/stream?after=0');
        source.onmessage = source.onopen = () => done(); source.onerror = () => { source.close(); fail(); } })""",
    "an image": "new Promise((done, fail) => { const image = new Image(); image.onload = done; image.onerror = fail; image.src = url + icon; })",
    "a script": """new Promise((done, fail) => { const script = document.createElement('script'); script.onload = done; script.onerror = fail;
        script.src = url + '/api/v1/contacts'; document.head.append(script); })""",
    "a frame": """new Promise((done, fail) => { const frame = document.createElement('iframe'); frame.src = url + '/dashboard/contacts';
        frame.onload = () => { try { frame.contentDocument.body.textContent.includes('x'); done(); } catch (error) { fail(); } }; document.body.append(frame); })""",
    "a form, urlencoded": "form('application/x-www-form-urlencoded')",
    "a form, text": "form('text/plain')",
    "a form, multipart": "form('multipart/form-data')",
}
# What a page would learn of by its coming at all.
LOADED = ("EventSource", "an image", "a script", "a frame")
PAGE = b"""<!doctype html><title>page</title><body><script>
window.form = type => new Promise(done => {
  const form = Object.assign(document.createElement('form'), {method: 'POST', action: window.target + '/api/v1/operators', enctype: type, target: 'sink'});
  const frame = Object.assign(document.createElement('iframe'), {name: 'sink', onload: () => done('')});
  const input = Object.assign(document.createElement('input'), {name: window.text.slice(0, -1) + ', "x": "', value: '"}'});
  form.append(input); document.body.append(frame, form); form.submit();
});
</script>"""


class Site(http.server.BaseHTTPRequestHandler):
    """A page of somebody else's."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def page():
    """The port of a web server that is not ours."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    """Names under .example lead to this machine, as an attacker's name server would have it."""
    browser = Browser(resolving={"evil.example": "127.0.0.1", "friend.example": "127.0.0.1"})
    yield browser
    browser.quit()


def attempt(browser: Browser, script: str, target: str, body: str = "", close: str = "", icon: str = "") -> str:
    """What the page could read of the answer, as text; `refused` where the browser did not let it."""
    return browser.driver.execute_async_script(
        """const [script, target, body, close, icon, done] = arguments;
        window.target = target; window.text = body;
        const url = target;
        const read = answer => answer && answer.text ? (answer.type === 'opaque' ? 'opaque' : answer.text()) : 'done';
        new Promise(resolve => resolve(eval(script))).then(read).then(text => done(String(text)), () => done('refused'));
        setTimeout(() => done('nothing came'), 5000);""", script, target, body, close, icon)


class SignedIn(Api):
    """The API as the admin of a server whose access is closed has it."""

    def __init__(self, access: Access):
        super().__init__(access.server.port)
        self._cookie = access.admin

    def request(self, method, path, *body, headers=None, **options):
        return super().request(method, path, *body, headers=self._cookie | (headers or {}), **options)


@pytest.fixture(scope="module", params=["open", "closed"])
def place(request, instances, new_database, browser):
    """A server with access open, and one at which the admin is signed in with the browser that goes to foreign pages."""
    database = new_database()
    server = instances(database, LEADS_ACCESS="open" if request.param == "open" else "auto")
    api = server.client() if request.param == "open" else SignedIn(Access(server, database))
    for host in ("localhost", "127.0.0.1") if request.param == "closed" else ():
        browser.driver.get(f"http://{host}:{server.port}/sign-in")
        body = f'{{"login": "root", "password": "{PASSWORD}"}}'
        sign_in = "fetch('/api/v1/session', {method: 'POST', headers: {'Content-Type': 'application/json'}, body})"
        assert '"person"' in attempt(browser, f"const body = window.text; {sign_in}", "", body)
        assert '"person"' in attempt(browser, "fetch('/api/v1/me')", "")
    yield server, api
    server.end()


def icon_of(api) -> str:
    """The path of a picture that anybody may see who is not refused for where the request comes from."""
    return re.search(r'"(/sign-in/assets/[^"]+/icon.svg)"', api.get("/sign-in").text).group(1)


@pytest.mark.seconds(240)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "evil.example"])
def test_a_page_of_another_site_changes_nothing_and_reads_nothing(place, page, browser, host):
    server, api = place
    source, _ = api.staffed_source()
    contact = api.contact(source["id"], lead_name=unique("Canary"))
    icon = icon_of(api)
    browser.driver.get(f"http://{host}:{page}/")
    for what, script in ATTEMPTS.items():
        name = unique("Intruder")
        for address in ("localhost", "127.0.0.1", "evil.example"):
            read = attempt(browser, script, f"http://{address}:{server.port}", f'{{"name": "{name}"}}', f"/api/v1/contacts/{contact['id']}/close", icon)
            assert contact["lead"]["name"] not in read and '"' not in read, f"{what}, {host} to {address}: {read}"
            assert what not in LOADED or read == "refused", f"{what}, {host} to {address}: {read}"
    assert api.get(f"/api/v1/contacts/{contact['id']}").json == contact
    assert [row["name"] for row in api.get("/api/v1/operators?limit=1000").json if "Intruder" in row["name"]] == []


def test_what_a_foreign_page_is_refused_the_servers_own_page_has(place, browser):
    """Otherwise nothing would be shown by a refusal."""
    server, api = place
    icon = icon_of(api)
    browser.driver.get(f"http://localhost:{server.port}/sign-in")
    for what in ("EventSource", "an image", "reading"):
        assert attempt(browser, ATTEMPTS[what], "", icon=icon) != "refused", what


def test_a_name_that_was_made_to_lead_here_is_not_answered(server, api, browser):
    """DNS rebinding: to the browser it is the page's own origin, so that nothing of the browser's holds it back."""
    source, _ = api.staffed_source()
    contact = api.contact(source["id"], lead_name=unique("Canary"))
    browser.driver.get(f"http://evil.example:{server.port}/livez")
    assert "host_unknown" in browser.driver.page_source
    for script in ("fetch('/api/v1/contacts')", f"fetch('/api/v1/contacts/{contact['id']}/close', {{method: 'POST'}})"):
        assert "host_unknown" in attempt(browser, script, "")
    assert api.get(f"/api/v1/contacts/{contact['id']}").json == contact


def test_the_dashboard_itself_works(server, api, browser):
    source, _ = api.staffed_source()
    contact = api.contact(source["id"])
    for host in ("localhost", "127.0.0.1"):
        browser.open(f"http://{host}:{server.port}/dashboard/contacts?contact={contact['id']}")
        closed = attempt(browser, f"fetch('/api/v1/contacts/{contact['id']}/close', {{method: 'POST'}})", "")
        assert '"closed"' in closed


def test_a_page_that_was_invited_reads_and_writes(servers, page, browser):
    server = servers(1, LEADS_CORS_ORIGINS=f"http://friend.example:{page}")[0]
    target = f"http://localhost:{server.port}"
    body = '{"name": "Guest"}'
    json = "headers: {'Content-Type': 'application/json', 'Idempotency-Key': 'x'}"
    browser.driver.get(f"http://friend.example:{page}/")
    assert '"Guest"' in attempt(browser, f"fetch(url + '/api/v1/operators', {{method: 'POST', {json}, body}})", target, body, "")
    assert '"Guest"' in attempt(browser, "fetch(url + '/api/v1/operators')", target, "", "")
    listed = "fetch(url + '/api/v1/operators?limit=1').then(answer => new Response(answer.headers.get('x-request-id').length > 0))"
    assert attempt(browser, listed, target, "", "") == "true"
    assert attempt(browser, "fetch(url + '/api/v1/operators', {credentials: 'include'})", target, "", "") == "refused", "never with cookies"
    browser.driver.get(f"http://evil.example:{page}/")
    assert attempt(browser, "fetch(url + '/api/v1/operators')", target, "", "") == "refused"
    assert [row["name"] for row in server.client().get("/api/v1/operators").json] == ["Guest"]


def test_every_answer_says_who_may_keep_and_read_it(server, api):
    source, _ = api.staffed_source()
    contact = api.contact(source["id"])
    for path in ("/livez", "/metrics", "/api/v1/contacts", f"/api/v1/contacts/{contact['id']}/explain", "/nowhere", "/api/v1/contacts/0",
                 "/api/v1/operators?limit=x", "/dashboard", "/docs", "/openapi.json"):
        headers = api.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin", path
        assert headers["Cache-Control"] == ("no-cache" if path in ("/dashboard", "/docs", "/openapi.json") else "no-store"), path
        assert headers.get("Access-Control-Allow-Origin") is None
        if headers.get_content_type() == "text/html":
            assert headers["Referrer-Policy"] == "no-referrer" and "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert api.get("/api/v1/contacts/0", headers={"Accept-Language": "ru"}).headers["Vary"] == "Accept-Language"


def test_a_browser_declares_what_it_sends(api):
    origin = {"Sec-Fetch-Site": "same-origin"}
    for declared in (None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx"):
        answer = api.post("/api/v1/operators", {"name": "A"}, headers=origin | {"Content-Type": declared})
        assert (answer.status, answer.json["code"]) == (415, "json_undeclared")
    assert api.post("/api/v1/operators", {"name": "A"}, headers=origin).status == 201
    assert api.post("/api/v1/operators", {"name": "A"}, headers={"Content-Type": None}).status == 201, "a program need not"


def test_https_is_for_good_where_it_is_published(servers):
    secure = servers(1, LEADS_PUBLIC_URL="https://crm.example", LEADS_ACCESS="open")[0].client()
    assert secure.get("/livez", headers={"Host": "crm.example"}).must_be(200).headers["Strict-Transport-Security"] == "max-age=31536000"
    assert secure.get("/livez", headers={"Host": "other.example"}).must_be(421).json["code"] == "host_unknown"


@pytest.mark.parametrize("name", ["LEADS_PUBLIC_URL", "LEADS_CORS_ORIGINS"])
def test_a_setting_that_is_no_origin_stops_the_start(instances, empty_database, name):
    instance = instances(empty_database, ready=False, **{name: "crm.example"})
    assert instance.exit_code() != 0
    assert "https://crm.example" in instance.output()
