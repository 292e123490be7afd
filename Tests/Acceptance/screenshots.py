"""Takes the pictures of README.md: `make screenshots`.

Starts an instance on a PostgreSQL of its own, lets the demonstration fill it, protects it, and looks at it as its admin would.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

from browser import Browser
from client import Api, Unreachable
from instance import BINARY
from waiting import eventually, free_port

PICTURES = pathlib.Path(__file__).resolve().parents[2] / "docs/screenshots"
LARGEST = 200_000


def ready(api: Api) -> bool:
    try:
        return api.get("/readyz").status == 200
    except Unreachable:
        return False


def main() -> int:
    PICTURES.mkdir(exist_ok=True)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="leads-screenshots-", dir="/tmp") as directory:
        pathlib.Path(directory).chmod(0o755)
        server = subprocess.Popen([BINARY, "serve", "--port", str(port), "--data-directory", f"{directory}/data"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        demonstration = None
        try:
            api = Api(port)
            eventually(lambda: ready(api), 60, "the instance is not ready")
            print("The demonstration runs for a minute and a half")
            demonstration = subprocess.Popen([BINARY, "demo", "--url", f"http://127.0.0.1:{port}", "--rate", "6", "--for", "4m", "--seed", "7"],
                                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(90)
            # From the moment on that access is closed the demonstration does nothing more: a queue is worth seeing.
            eventually(lambda: api.get("/api/v1/contacts?status=new&limit=1").json, 60, "nobody waits")
            take(api, f"http://127.0.0.1:{port}")
        finally:
            for process in (demonstration, server):
                if process:
                    process.terminate()
                    process.wait()
    too_large = [path.name for path in PICTURES.glob("*.png") if path.stat().st_size > LARGEST]
    if too_large:
        print(f"larger than {LARGEST} bytes: {', '.join(too_large)}", file=sys.stderr)
    return 1 if too_large else 0


def take(api: Api, base: str) -> None:
    placed = api.get("/api/v1/contacts?status=active&limit=3&order=desc").json[-1]["id"]
    link = api.post("/api/v1/people/first", {"login": "anna@example.com", "name": "Anna Petrova"}).must_be(201).json["url"]
    answer = api.post("/api/v1/session/password", {"token": link.partition("#")[2], "password": "correct horse battery"}).must_be(200)
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    staff(api, {"Cookie": cookie})
    views = [("overview", "en", False, 1280, 800, "", None), ("overview-ru-dark", "ru", True, 1280, 800, "", None),
             ("source", "en", False, 1280, 800, "/sources/1", ".band"), ("contact", "en", False, 1280, 800, f"/contacts?contact={placed}", "aside .candidates"),
             ("people", "en", False, 1280, 560, "/people", "tbody tr"),
             ("audit", "en", False, 1280, 800, "/audit", "tbody tr"), ("phone", "ru", False, 360, 740, "", None)]
    for name, language, dark, width, height, path, awaited in views:
        browser = Browser(language, width, height, dark)
        # A cookie can be given to a browser once it is there.
        browser.open(f"{base}/sign-in")
        key, _, value = cookie.partition("=")
        browser.driver.add_cookie({"name": key, "value": value})
        picture(name, browser, f"{base}/dashboard{path}", awaited)


def staff(api: Api, headers: dict) -> None:
    """Colleagues and keys, so that there is something to see."""
    operators = api.get("/api/v1/operators?limit=3", headers=headers).json
    people = [("boris@example.com", "operator"), ("vera@example.com", "operator"), ("olga@example.com", "supervisor"), ("reports@example.com", "analyst")]
    for n, (login, role) in enumerate(people):
        operator = operators[n] if role == "operator" else None
        link = api.post("/api/v1/people", {"login": login, "name": operator["name"] if operator else {"supervisor": "Olga Smirnova"}.get(role, "Ines Sanchez"),
                                           "role": role, "operator_id": operator and operator["id"]}, headers=headers).must_be(201).json
        if n < 2:
            api.post("/api/v1/session/password", {"token": link["url"].partition("#")[2], "password": "correct horse battery"}).must_be(200)
    api.patch(f"/api/v1/people/{link['person']['id']}", {"role": "supervisor"}, headers=headers).must_be(200)
    for name, role, sources in [("Telegram bot", "intake", [1]), ("Website", "intake", [2]), ("Weekly report", "analyst", None)]:
        api.post("/api/v1/keys", {"name": name, "role": role, "source_ids": sources}, headers=headers).must_be(201)


def picture(name: str, browser: Browser, url: str, awaited: str | None) -> None:
    try:
        browser.open(url)
        if awaited:
            browser.find(awaited)
        time.sleep(2)  # what flashed has calmed down
        browser.screenshot(PICTURES / f"{name}.png")
        print(f"{name}.png: {(PICTURES / f'{name}.png').stat().st_size} bytes")
    finally:
        browser.quit()


if __name__ == "__main__":
    sys.exit(main())
