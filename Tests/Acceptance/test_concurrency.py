"""Three instances, everything at once, judged by what PostgreSQL recorded of every single commit."""

import os
import pathlib
import time

import pytest

from history import History
from instance import REPOSITORY
from load import generator
from record import Record
from turmoil import Turmoil
from waiting import eventually

pytestmark = pytest.mark.stress

COMMITS = int(os.environ.get("LEADS_COMMITS", 20_000))
KEPT = pathlib.Path(os.environ.get("LEADS_HISTORIES", REPOSITORY / ".build/histories"))


@pytest.fixture
def record(empty_database):
    """What is committed on the test's database, from before its instances start."""
    record = Record(empty_database)
    yield record
    record.close()


def judge(record: Record, seed: int) -> History:
    """The history so far; one with a violation fails the test and is kept."""
    began = time.monotonic()
    lines = record.read()
    read = time.monotonic()
    history = History.of(lines, record.ended_at)
    print(f"  read {len(lines)} lines in {read - began:.1f} s, judged in {time.monotonic() - read:.1f} s")
    if history.violations:
        path = record.keep(KEPT / f"history-{seed}.gz")
        pytest.fail(f"{history.report()}\n\nLEADS_SEED={seed}, kept in {path}", pytrace=False)
    return history


@pytest.mark.parametrize("round", range(int(os.environ.get("LEADS_ROUNDS", 1))))
def test_no_commit_breaks_a_promise_whatever_happens_at_once(round, record, servers, empty_database):
    seed = generator(f"turmoil {round}").randrange(1_000_000_000)
    deadlocks = empty_database.deadlocks()
    # The sweep would mend a lost wake-up before anybody saw it.
    turmoil = Turmoil(servers(3, LEADS_SWEEP_SECONDS=3600), seed)
    began = time.monotonic()
    turmoil.run(lambda: empty_database.commits_with_events() >= COMMITS)
    seconds = time.monotonic() - began
    print(f"  {turmoil.changes} changes in {seconds:.1f} s by {turmoil.can}: {turmoil.answers()}")
    for instance in turmoil.instances:
        instance.terminate()
    history = judge(record, seed)
    print(f"  {len(history.commits)} commits: {dict(history.counts)}; longest queue {history.longest_line}, longest "
          f"beside capacity {history.longest_idle:.3f} s")
    turmoil.must_have_been_answered()
    assert empty_database.deadlocks() == deadlocks
    assert len(history.commits) >= COMMITS
