"""A long queue meets capacity: three instances drain it while contacts go on arriving."""

import os
import random
import threading
import time

import pytest

from history import History
from load import Background, Traffic, in_parallel, until
from waiting import eventually

pytestmark = [pytest.mark.stress, pytest.mark.every_intake]

WAITING = int(os.environ.get("LEADS_WAITING", 10_000))
OPERATORS, SOURCES = 20, 10
WITHIN = 20  # seconds


def test_10_000_waiting_contacts_are_drained_in_order_while_others_arrive(record, servers, empty_database, cluster):
    log, deadlocks = cluster.log_size(), empty_database.deadlocks()
    three = servers(3)
    api = three[0].client()
    operators = [api.operator(max_load=2 * WAITING // OPERATORS, is_active=False)["id"] for _ in range(OPERATORS)]
    strategies = ("weighted_random", "smooth_weighted", "round_robin", "least_loaded", "weighted_capacity")
    sources = [
        api.source({operators[(2 * number + n) % OPERATORS]: 1 + n for n in range(4)},
                   strategy=strategies[number % len(strategies)])["id"]
        for number in range(SOURCES)]
    lead = api.contact(sources[0])["lead_id"]
    for source in sources:
        empty_database.add_waiting_contacts(lead, source, WAITING // SOURCES)
    traffic = Traffic(three)

    def arrive(stop):
        def register(thread, number):
            traffic.register(thread, random.choice(sources), f"contact {number}", priority=random.choice((0, 0, 1)))

        in_parallel(6, register, until(stop), seconds=4 * WITHIN)

    clients = [three[number % 3].client(timeout=WITHIN) for number in range(OPERATORS)]
    with Background(arrive):
        eventually(lambda: traffic.outcomes[201] >= 20, 20, "nobody arrives")
        began = time.monotonic()
        in_parallel(OPERATORS, lambda _, number: clients[number].change_operator(operators[number], is_active=True),
                    range(OPERATORS), seconds=WITHIN)
        eventually(lambda: not empty_database.waiting_reasons(), WITHIN, lambda: f"{empty_database.waiting_reasons()}")
        seconds = time.monotonic() - began
    for instance in three:
        instance.terminate()
    traffic.must_have_ended_only_with(201)
    # Whoever stands far behind waits beside capacity until it is his turn.
    history = History(patience=WITHIN).follow(record.read()).end(record.ended_at)
    assert not history.violations, history.report()
    contacts = empty_database.count("contacts")
    assert history.counts["assigned automatically"] == contacts == 1 + WAITING + len(traffic.acknowledged)
    assert set(empty_database.status_of_contacts().values()) == {"active"}
    assert "deadlock detected" not in cluster.log_since(log)
    assert empty_database.deadlocks() == deadlocks
    print(f"\n{WAITING} waiting contacts and {len(traffic.acknowledged)} arriving ones placed in {seconds:.1f} s by "
          f"{len(history.commits)} commits: no violation, no deadlock")
