"""The sandbox under load: polls a second, what one costs, and its memory, with thousands of runs in flight."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

from benchmarks.rounds import Figures, side
from benchmarks.table import Row, at_least, within

RUNS, CALLS, ROUNDS = 5_000, 6_000, 5
LEAST_POLLS = 1_500  # a second, with the generator on the same two cores
MOST_CPU_MICROSECONDS = 1e6 / LEAST_POLLS // 1  # it has one core for itself
LEAST_STARTS = 500  # a second: a fan-out of a thousand should be under way in two
MOST_MEMORY_MB = 160  # the interpreter and its libraries are 60 of them
MOST_GROWTH_MB = 8  # from the first round to the last: nothing may be kept for each request

_SIDES = [sys.executable, "-m", "benchmarks.sandbox_sides"]


def sandbox() -> Iterator[Row]:
    """Poll 5,000 runs that are all in flight, and look at the memory before and after."""
    with _serving() as (port, key, use), side([*_SIDES, "generate", port, key, str(RUNS), str(CALLS)]) as measure:
        taken = [measure()]
        uses = [use()]
        for _ in range(ROUNDS - 1):
            taken.append(measure())
            uses.append(use())
    busy = [(after["busy"] - before["busy"]) / CALLS * 1e6 for before, after in pairwise(uses)]
    first, last = uses[0]["memory"], uses[-1]["memory"]
    yield at_least(f"sandbox, GET of {RUNS:,} runs in flight", "/s", [each["rate"] for each in taken], LEAST_POLLS)
    yield within("sandbox, GET of a run, CPU", "µs", busy, MOST_CPU_MICROSECONDS)
    yield at_least("sandbox, start of a run", "/s", [taken[0]["starts"]], LEAST_STARTS)
    yield within(f"sandbox, memory with {RUNS:,} runs in flight", "MB", [last], MOST_MEMORY_MB)
    growth = f"sandbox, memory more after {CALLS * (ROUNDS - 1):,} polls"
    yield within(growth, "MB", [max(0.0, last - first)], MOST_GROWTH_MB)


@contextmanager
def _serving() -> Iterator[tuple[str, str, Callable[[], Figures]]]:
    with subprocess.Popen(
        [*_SIDES, "serve", str(RUNS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())

        def use() -> Figures:
            assert process.stdin is not None
            assert process.stdout is not None
            print(file=process.stdin, flush=True)
            figures: Figures = json.loads(process.stdout.readline())
            return figures

        try:
            yield str(where["port"]), where["key"], use
        finally:
            process.stdin.close()
