"""Shares under concurrency: three instances, sources that crowd one another, every decision judged from its record."""

import collections
import os
import random

import pytest

from load import Traffic, in_parallel
from shares import CRITICAL, Shares, chi_square

pytestmark = [pytest.mark.stress, pytest.mark.every_intake]

CONTACTS = int(os.environ.get("LEADS_CONTACTS", 4_000))


class House:
    """Roomy sources, whose operators are never full, and crowded ones that share operators who mostly are."""

    def __init__(self, api):
        def roomy(*weights, **fields):
            weights = {api.operator(max_load=1_000_000)["id"]: weight for weight in weights}
            return api.source(weights, **fields)["id"], weights

        self.api = api
        self.roomy = dict([roomy(10, 30), roomy(300, 100, 50, 150, 400)])
        self.smooth, self.smooth_weights = roomy(5, 1, 1, strategy="smooth_weighted")
        self.turns, self.turn_weights = roomy(1, 7, 3, 2, strategy="round_robin")
        crowd = [api.operator(max_load=limit)["id"] for limit in (2, 5, 9, 14)]
        self.crowded = [
            api.source(dict(zip(crowd, (20, 60, 40, 80))), strategy=strategy)["id"]
            for strategy in ("weighted_random", "weighted_capacity")]

    @property
    def sources(self) -> list[int]:
        return [*self.roomy, *self.roomy, self.smooth, self.turns, *self.crowded, *self.crowded]


@pytest.fixture
def decided(servers, empty_database):
    """The house after the rush, and what its decisions come to."""
    three = servers(3)
    house, traffic = House(three[0].client()), Traffic(three)
    active = collections.deque()

    def register(thread, number):
        source = house.sources[number % len(house.sources)]
        answer = traffic.register(thread, source, f"contact {number}")
        if source in house.crowded:
            active.append(answer.json["id"])
            # Most are full most of the time, so that candidates come and go.
            if len(active) > 25:
                traffic.client(thread).post(f"/api/v1/contacts/{active.popleft()}/close").must_be(200)

    numbers = random.sample(range(CONTACTS), CONTACTS)
    in_parallel(24, register, numbers, seconds=40 + CONTACTS // 40)
    traffic.must_have_ended_only_with(201)
    return house, Shares.of(empty_database.decisions())


def test_three_instances_at_once_give_everybody_the_share_due(decided):
    house, shares = decided
    assert not shares.violations, shares.report()
    print(f"\n{shares.decisions} decisions, {len(shares.drawn)} by lot: each follows from its draw")
    for source, weights in house.roomy.items():
        counts = shares.counts[source]
        found, bound = chi_square(counts, weights), CRITICAL[len(weights) - 1]
        print(f"  weights {list(weights.values())}: {[counts[id] for id in weights]}, χ² {found:.1f}, bound {bound}")
        assert found <= bound
    counts = shares.counts[house.smooth]
    n, total = counts.total(), sum(house.smooth_weights.values())
    assert all(abs(counts[id] - n * weight / total) < 1 for id, weight in house.smooth_weights.items()), counts
    counts = [shares.counts[house.turns][id] for id in house.turn_weights]
    assert max(counts) - min(counts) <= 1, counts
    print(f"  smooth {dict(shares.counts[house.smooth])}, in turn {counts}")
