"""Two or more sides of a comparison, each in a process of its own, measured in turns on the same machine.

A side measures once for each line it is sent and answers with JSON. Standard library only: the official packages' own
environments run this file too. What is measured belongs to the sides.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

Figures = dict[str, float]


def answer(measure: Callable[[], Figures]) -> None:
    """In a side: measure for each line that arrives, after once for nothing: caches fill, connections open."""
    measure()
    for _ in sys.stdin:
        print(json.dumps(measure()), flush=True)


@contextmanager
def side(command: list[str], environment: Mapping[str, str] | None = None) -> Iterator[Callable[[], Figures]]:
    """In the comparison: keep a side running; yields what makes it measure."""
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
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
