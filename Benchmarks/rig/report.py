"""What is printed: turns, ratios, and whether the figure asked for is reached."""

import os
import pathlib
import statistics
import subprocess

from rig.servers import REPOSITORY

# A figure that is not reached is not an error of the benchmark: it is counted and told at the end.
verdicts: list[tuple[str, str]] = []


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def machine(settings: str) -> None:
    """Where these figures come from."""
    model = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown")
    memory = next(line.split()[1] for line in pathlib.Path("/proc/meminfo").read_text().splitlines()
                  if line.startswith("MemTotal"))

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(REPOSITORY), *arguments], capture_output=True, text=True).stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    print(f"machine:    {os.cpu_count()} cores, {model}, {int(memory) // 1048576} GB; load {load()} before it begins")
    print(f"commit:     {git('rev-parse', '--short', 'HEAD')}{changed}")
    print(f"PostgreSQL: {settings}")
    chosen = ", ".join(f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith("LEADS_"))
    if chosen:
        print(f"instances:  {chosen}")


def question(text: str) -> None:
    print(f"\n{text}   [load {load()}]", flush=True)


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def turns(rig, count: int, sides: dict, before=lambda: None) -> dict[str, list]:
    """Runs all sides in turns, A B A B, prints each, and returns what was measured by side."""
    measured: dict[str, list] = {name: [] for name in sides}
    for turn in range(1, count + 1):
        for name, side in sides.items():
            before()
            spent = rig.processor_time()
            result = side()
            if result.done:
                result.cost = (rig.processor_time() - spent) / result.done * 1_000_000
            measured[name].append(result)
            say(f"turn {turn}   {name:<56} {result}")
    return measured


def ratio(text: str, ours: list[float], theirs: list[float], at_least: float | None = None,
          at_most: float | None = None) -> None:
    """The median of the turns' ratios, each turn by itself, beside the figure asked for."""
    each = [a / b if b else float("inf") for a, b in zip(ours, theirs)]
    value = statistics.median(each)
    figure(f"{text}: ×{value:.2f}  ({' '.join(f'{r:.2f}' for r in each)})", value, at_least, at_most, "×")


def costs(text: str, ours: list, theirs: list) -> None:
    """How often our servers' processor time for one goes into the other side's. On a machine that others use too this says
    more than rates do: the more processes a side has, the larger its share of the cores."""
    ratio(f"  by processor time, {text}", [turn.cost for turn in theirs], [turn.cost for turn in ours])


def figure(text: str, value: float, at_least: float | None = None, at_most: float | None = None, unit: str = "") -> None:
    """A value beside the figure asked for."""
    if at_least is not None:
        asked, reached = f"at least {unit if unit == '×' else ''}{at_least:g}{unit if unit != '×' else ''}", value >= at_least
    elif at_most is not None:
        asked, reached = f"at most {unit if unit == '×' else ''}{at_most:g}{unit if unit != '×' else ''}", value <= at_most
    else:
        say(f"→ {text}")
        return
    verdict = "reached" if reached else "NOT REACHED"
    verdicts.append((text, f"asked: {asked}: {verdict}"))
    say(f"→ {text}   asked: {asked}: {verdict}")


def fault(text: str) -> None:
    """Something that must never be, found while measuring."""
    if text:
        verdicts.append((text, "WRONG"))
        say(f"WRONG: {text}")


def summary() -> None:
    if verdicts:
        print("\nAll figures that were asked for:")
        for text, verdict in verdicts:
            say(f"{text}   {verdict}")
