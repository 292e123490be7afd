"""Schemathesis reads /openapi.json and holds the server to it: every check it has, on every operation.

`schemathesis.toml` says what is allowed beyond the document, `schemathesis_hooks.py` which cases are left out and why.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from load import generator
from test_access import Access, bearer
from waiting import AT_LENGTH

HERE = pathlib.Path(__file__).parent
EXAMPLES = 160 if AT_LENGTH else 6  # for each operation
SECONDS = 900 if AT_LENGTH else 400


@pytest.mark.first
@pytest.mark.seconds(SECONDS + 20)
def test_the_server_does_what_its_document_says_and_nothing_else(instances, database, tmp_path):
    """As a program of an admin's; who may do what is left to test_rights.py."""
    server = instances(database)
    client = server.client()
    source, _ = client.staffed_source()
    client.contact(source["id"])
    key = Access(server, database).key("admin")["key"]
    cases = tmp_path / "cases.json"
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml", "run",
         f"http://127.0.0.1:{server.port}/openapi.json", "--checks", "all", "--max-examples", str(EXAMPLES),
         "--header", f"Authorization: Bearer {key}",
         "--seed", str(generator("schemathesis").randrange(1_000_000))],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(HERE), "LEADS_CASES": str(cases)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS,
    )
    print(done.stdout + done.stderr)
    assert done.returncode == 0, "Schemathesis found faults; what it printed is above"
    # The stream is left out, and what would end the key.
    paths = client.get("/openapi.json", headers=bearer(key)).must_be(200).json["paths"]
    operations = sum(len(methods) for methods in paths.values()) - 3
    assert f"Tested: {operations}\n" in done.stdout
    assert int(re.search(r"(\d+) generated", done.stdout)[1]) > (10_000 if AT_LENGTH else 500)
    counts = json.loads(cases.read_text())
    print(f"to be refused: {counts['kept']} sent, {counts['lax']} left out because the references take them; "
          f"{counts['nobody']} links to nobody left out")
    assert counts["lax"] < counts["kept"], "this is more than pydantic's laxness explains"
