"""Three instances, everything at once, judged by what PostgreSQL recorded of every single commit."""

import os
import pathlib
import time

import pytest

from history import History
from instance import REPOSITORY
from load import generator
from metrics import Metrics
from record import Record
from turmoil import LONG_QUEUES, MANY_SOURCES, Turmoil

pytestmark = [pytest.mark.stress, pytest.mark.every_intake]

COMMITS = int(os.environ.get("LEADS_COMMITS", 3_000))
ROUNDS = int(os.environ.get("LEADS_ROUNDS", 1))
KEPT = pathlib.Path(os.environ.get("LEADS_HISTORIES", REPOSITORY / ".build/histories"))


def must_be_kept_promises(history: History, record: Record, seed: int) -> None:
    """A history with a violation fails the test, and is kept."""
    if history.violations:
        path = record.keep(KEPT / f"history-{seed}.gz")
        pytest.fail(f"{history.report()}\n\nLEADS_SEED={seed}, kept in {path}", pytrace=False)


@pytest.mark.seconds(60 + COMMITS // 50)
@pytest.mark.parametrize("house, commits", [(MANY_SOURCES, COMMITS * 3 // 4), (LONG_QUEUES, COMMITS // 4)],
                         ids=["many sources", "long queues"])
@pytest.mark.parametrize("round", range(ROUNDS))
def test_no_commit_breaks_a_promise_whatever_happens_at_once(
        round, house, commits, record, servers, empty_database):
    seed = generator(f"turmoil {round}").randrange(1_000_000_000)
    deadlocks = empty_database.deadlocks()
    # The sweep would mend a lost wake-up before anybody saw it.
    turmoil = Turmoil(servers(3, LEADS_SWEEP_SECONDS=3600), house, empty_database, seed)
    history = History(house.patience)
    began = time.monotonic()

    def is_enough():
        history.follow(record.read())
        if empty_database.deadlocks() > deadlocks:
            history.violated("deadlock", "PostgreSQL has ended a transaction to resolve a deadlock")
        return history.violations or len(history.commits) >= commits

    turmoil.run(is_enough, seconds=40 + COMMITS // 50, threads=24)
    seconds = time.monotonic() - began
    uses = [Metrics(instance.client()) for instance in turmoil.instances]
    batches, members = (sum(use.get(f"leads_intake_{name}_total") for use in uses) for name in ("batches", "members"))
    for instance in turmoil.instances:
        instance.terminate()
    history.follow(record.read()).end(record.ended_at)
    print(f"  {len(history.commits)} commits in {seconds:.1f} s by {turmoil.can}, answered {turmoil.answers()}: "
          f"{dict(history.counts)}; longest queue {history.longest_line}, longest beside capacity "
          f"{history.longest_idle:.3f} s; {members / batches:.2f} registrations to a transaction; "
          f"{empty_database.deadlocks() - deadlocks} deadlocks")
    must_be_kept_promises(history, record, seed)
    assert history.counts["answers stored"] > commits // 50 and history.counts["answers given again"] > 0
    turmoil.must_have_been_answered()
    assert empty_database.deadlocks() == deadlocks
