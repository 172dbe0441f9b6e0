"""Many runs at once: beside aiohttp by hand, and beside the official client in as many threads; memory; a million."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

from benchmarks.environments import CURRENT, official, ours_code
from benchmarks.rounds import Figures, compare
from benchmarks.run_server import run_server
from benchmarks.table import Row, Target, beside, within

RUNS, RUN_SECONDS, ROUNDS = 1_000, 5.0, 3
UNDER_WAY = 10_000
MILLION = 1_000_000
MOST_REQUESTS = 2.2
MOST_KILOBYTES = 8
MOST_BLOCKED_MS = 50
MOST_GROWTH_MB = 4  # for a million inputs: nothing may be kept for each

_SIDE = "from benchmarks.fanout_sides import main; main()"


def fanout() -> Iterator[Row]:
    """Start and wait for runs of five seconds."""
    with run_server(RUN_SECONDS) as base:
        names = ("ours", "journaled", "by hand")
        commands = {name: [*ours_code(_SIDE), name, base, str(RUNS)] for name in names}
        commands[CURRENT] = official(CURRENT, "many", base, str(RUNS))
        taken = compare(commands, ROUNDS)
    what = f"{RUNS:,} runs of {RUN_SECONDS:g} s"

    def column(name: str, figure: str) -> list[float]:
        return [figures[figure] for figures in taken[name]]

    by_hand, threads = "aiohttp by hand", f"official {CURRENT}, {RUNS:,} threads"
    for name, label in (("ours", "run_many"), ("journaled", "run_many, journal")):
        wall, cpu = (Target("<=", 1.15), Target("<=", 1.6)) if name == "ours" else (None, None)
        yield beside(f"{label}, {what}", "s", column(name, "wall"), by_hand, column("by hand", "wall"), wall)
        yield beside(f"{label}, CPU of a run", "µs", column(name, "cpu"), by_hand, column("by hand", "cpu"), cpu)
        yield within(f"{label}, requests of a run", "requests", column(name, "requests"), MOST_REQUESTS)
        yield within(f"{label}, longest turn of the loop, CPU", "ms", column(name, "turn"), MOST_BLOCKED_MS)
    yield beside(
        "run_many, CPU of a run", "µs", column("ours", "cpu"), threads, column(CURRENT, "cpu"), Target("<=", 0.2)
    )
    requests = column("ours", "requests"), column(CURRENT, "requests")
    yield beside("run_many, requests of a run", "requests", requests[0], threads, requests[1], Target("<=", 0.5))
    with run_server(3_600.0) as base:
        weights = [_once("weigh", base, str(UNDER_WAY))["memory"] for _ in range(ROUNDS)]
    yield within(f"run_many, memory of a run, {UNDER_WAY:,} under way", "KB", weights, MOST_KILOBYTES)
    growth = [_once("instant", str(MILLION))["memory"]]
    yield within(f"run_many, {MILLION:,} inputs, memory more", "MB", growth, MOST_GROWTH_MB)


def _once(*arguments: str) -> Figures:
    command = [*ours_code(_SIDE), *arguments]
    figures: Figures = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return figures
