"""Judges recorded decisions: whether each follows from its draw, and whether the draws give everybody the share due.

The bounds are those of a test that a right server fails once in a million runs.
"""

import collections
import itertools
import math
import random
from dataclasses import dataclass, field

SIGMAS = 4.89
# χ² by degrees of freedom.
CRITICAL = {1: 23.9, 2: 27.6, 3: 30.7, 4: 33.4, 5: 35.9, 9: 44.8}
FARTHEST = math.sqrt(math.log(2 / 1e-6) / 2)  # Kolmogorov's, times √n


@dataclass
class Drawn:
    """A choice by lot: what each candidate's share of the whole was, and whom the lot fell on."""

    number: int
    source: int
    shares: dict[int, int]  # in order of operator id
    draw: int
    chosen: int

    @property
    def total(self) -> int:
        return sum(self.shares.values())

    @property
    def due(self) -> int | None:
        """In whose stretch the draw falls when the shares are laid end to end."""
        for operator, end in zip(self.shares, itertools.accumulate(self.shares.values())):
            if 0 <= self.draw < end:
                return operator
        return None


@dataclass
class Shares:
    """What the decisions of a database come to."""

    decisions: int = 0
    drawn: list[Drawn] = field(default_factory=list)
    violations: list[tuple[str, str, int]] = field(default_factory=list)  # kind, text, number of the decision
    counts: dict[int, collections.Counter] = field(default_factory=lambda: collections.defaultdict(collections.Counter))

    @classmethod
    def of(cls, snapshots) -> "Shares":
        """From `Database.decisions()`."""
        shares = cls()
        for snapshot in snapshots:
            shares._replay(snapshot)
        shares._check_proportions()
        shares._check_draws()
        return shares

    def _replay(self, snapshot) -> None:
        load = dict(zip(snapshot.operators, snapshot.loads))
        for decision in snapshot.decisions:
            self.decisions += 1
            excluded = set(decision.excluded or ())
            shares = {}
            for id, weight, limit, is_active in sorted(zip(
                    snapshot.operators, snapshot.weights, snapshot.limits, snapshot.are_active)):
                if is_active and load[id] < limit and id not in excluded:
                    shares[id] = weight * (limit - load[id] if snapshot.strategy == "weighted_capacity" else 1)
            if decision.rule == "strategy" and decision.operator is not None:
                self.counts[snapshot.source][decision.operator] += 1
                if snapshot.strategy in ("weighted_random", "weighted_capacity"):
                    self._check_inversion(
                        Drawn(self.decisions, snapshot.source, shares, decision.draw, decision.operator))
            if decision.operator in load:
                load[decision.operator] += 1

    def _check_inversion(self, drawn: Drawn) -> None:
        self.drawn.append(drawn)
        if drawn.due != drawn.chosen:
            self.violations.append((
                "inversion", f"draw {drawn.draw} of {drawn.total} falls on operator {drawn.due} of {drawn.shares}, but "
                             f"{drawn.chosen} was chosen", drawn.number))

    def _check_proportions(self) -> None:
        """Each operator of each source against what the probabilities of each choice add up to."""
        excess, variance = collections.Counter(), collections.Counter()
        for drawn in self.drawn:
            for operator, share in drawn.shares.items():
                p = share / drawn.total
                excess[drawn.source, operator] += (operator == drawn.chosen) - p
                variance[drawn.source, operator] += p * (1 - p)
        for (source, operator), surplus in excess.items():
            # The normal approximation wants some choices.
            if variance[source, operator] >= 25:
                z = surplus / math.sqrt(variance[source, operator])
                if abs(z) > SIGMAS:
                    self.violations.append((
                        "proportion", f"source {source}, operator {operator}: {surplus:+.1f} contacts, {z:+.1f} σ",
                        len(self.drawn)))

    def _check_draws(self) -> None:
        """The draws, as parts of their wholes, are uniform (Kolmogorov and Smirnov)."""
        jitter = random.Random(0)
        places = sorted((drawn.draw + jitter.random()) / drawn.total for drawn in self.drawn if drawn.total)
        n = len(places)
        farthest = max((max((k + 1) / n - place, place - k / n) for k, place in enumerate(places)), default=0)
        if farthest * math.sqrt(n) > FARTHEST:
            self.violations.append((
                "draws", f"{n} draws are {farthest:.4f} away from uniform, {FARTHEST / math.sqrt(n):.4f} is the bound", n))

    def report(self) -> str:
        kinds = collections.Counter(kind for kind, _, _ in self.violations)
        first = min(number for _, _, number in self.violations)
        said = [f"{len(self.violations)} violations in {self.decisions} decisions, the first in number {first}: "
                f"{dict(kinds)}"]
        for kind in kinds:
            said += [f"{kind}: {text}" for k, text, _ in self.violations if k == kind][:3]
        return "\n".join(said)


def chi_square(counts: collections.Counter, weights: dict[int, int]) -> float:
    """How far counts are from weights, all of whose operators were always open."""
    n, total = sum(counts.values()), sum(weights.values())
    return sum((counts[id] - n * weight / total) ** 2 / (n * weight / total) for id, weight in weights.items())
