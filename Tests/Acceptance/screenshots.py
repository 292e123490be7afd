"""Takes the pictures of README.md: `make screenshots`.

Starts an instance on a PostgreSQL of its own, lets the demonstration fill it, and looks at it as a supervisor would.
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
            take(api, f"http://127.0.0.1:{port}/dashboard")
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
    waits = lambda: [each["id"] for each in api.get("/api/v1/contacts?status=new&limit=1").json]
    views = [("overview", "en", False, 1280, 800, "", None), ("overview-ru-dark", "ru", True, 1280, 800, "", None),
             ("source", "en", False, 1280, 800, "/sources/1", ".band"), ("contact", "en", False, 1280, 800, "/contacts?contact={id}", "aside .candidates"),
             ("phone", "ru", False, 360, 740, "", None)]
    for name, language, dark, width, height, path, awaited in views:
        browser = Browser(language, width, height, dark)
        try:
            if path == "" and "phone" not in name:
                # A queue is worth seeing.
                eventually(waits, 60, "nobody waits")
            placed = [each["id"] for each in api.get("/api/v1/contacts?status=active&limit=3&order=desc").json]
            browser.open(base + path.format(id=placed[-1]))
            if awaited:
                browser.find(awaited)
            time.sleep(2)  # what flashed has calmed down
            browser.screenshot(PICTURES / f"{name}.png")
            print(f"{name}.png: {(PICTURES / f'{name}.png').stat().st_size} bytes")
        finally:
            browser.quit()


if __name__ == "__main__":
    sys.exit(main())
