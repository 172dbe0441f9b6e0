"""Two or more sides of a comparison, each in a process of its own, measured in turns on the same machine.

A side measures once for each line it is sent and answers with JSON: the functions up to `moved` are for sides, the
others for the comparison. Standard library only, since the official packages' own environments run this file too.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

Figures = dict[str, float]


def answer(measure: Callable[[], Figures]) -> None:
    """Measure for each line that arrives, after once for nothing: caches fill, connections open."""
    measure()
    for _ in sys.stdin:
        print(json.dumps(measure()), flush=True)


def rate(times: int, work: Callable[[], object]) -> float:
    """Return how often a second some work can be done, by processor time."""
    began = time.process_time()
    for _ in range(times):
        work()
    return times / (time.process_time() - began)


def one_by_one(call: Callable[[], object], calls: int = 300) -> Figures:
    """Make one call after the other; microseconds for each, by the clock and of the processor."""
    began, busy = time.perf_counter(), time.process_time()
    for _ in range(calls):
        call()
    return {
        "wall": (time.perf_counter() - began) / calls * 1e6,
        "cpu": (time.process_time() - busy) / calls * 1e6,
    }


def moved(small: int, large: int, move: Callable[[int], object]) -> Figures:
    """Move a large file; megabytes a second, and those of memory that it took at most, over what was in use before.

    For a process that has done nothing else but move a small one: memory that was used once is not always given back,
    and would seem to be free the second time.
    """
    move(small)
    gc.collect()
    with Path("/proc/self/clear_refs").open("w") as peak:
        peak.write("5")  # the highest use so far is now the present one
    before, began = _most_memory(), time.perf_counter()
    move(large)
    return {"rate": large / (time.perf_counter() - began) / 1e6, "memory": (_most_memory() - before) / 1e6}


def _most_memory() -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@contextmanager
def side(command: list[str]) -> Iterator[Callable[[], Figures]]:
    """Keep a side running; yields what makes it measure."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def measure() -> Figures:
            assert process.stdin is not None
            assert process.stdout is not None
            print(file=process.stdin, flush=True)
            if not (line := process.stdout.readline()):
                sys.exit(f"{' '.join(command)} ended before it measured")
            figures: Figures = json.loads(line)
            return figures

        try:
            yield measure
        finally:
            process.stdin.close()


def in_turns(sides: Mapping[str, Callable[[], Figures]], rounds: int) -> dict[str, list[Figures]]:
    """Measure every side in every round, so that what slows the machine for a while slows them all."""
    taken: dict[str, list[Figures]] = {name: [] for name in sides}
    for number in range(rounds):
        names = list(sides)
        for name in names if number % 2 == 0 else reversed(names):
            taken[name].append(sides[name]())
    return taken


def compare(commands: Mapping[str, list[str]], rounds: int) -> dict[str, list[Figures]]:
    """Start every side, and measure them in turns."""
    with ExitStack() as running:
        return in_turns({name: running.enter_context(side(command)) for name, command in commands.items()}, rounds)


def compare_fresh(commands: Mapping[str, list[str]], rounds: int) -> dict[str, list[Figures]]:
    """Start each command anew for each measurement; what it prints are its figures."""

    def run(command: list[str]) -> Figures:
        figures: Figures = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        return figures

    return in_turns({name: partial(run, command) for name, command in commands.items()}, rounds)
