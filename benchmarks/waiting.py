"""Waiting for many runs: requests, processor time and memory for each, and how long the event loop is kept busy."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.environments import ours_code
from benchmarks.rounds import compare, compare_fresh
from benchmarks.run_server import run_server
from benchmarks.table import Row, beside, within

RUN_SECONDS = 5.0
MANY, VERY_MANY = 1_000, 10_000
MOST_REQUESTS = 1.1  # for a run: what it is fetched with, and its part of the lists
MOST_WITH_START = 2.2
MOST_KILOBYTES = 8
MOST_MILLISECONDS = 50  # in one turn of the loop

_SIDE = "from benchmarks.waiting_sides import main; main()"


def waiting() -> Iterator[Row]:
    """Compare with limits, and with a loop of one's own around aiohttp for each run."""
    with run_server(RUN_SECONDS) as base:

        def side(measure: str, work: str, count: int) -> list[str]:
            return [*ours_code(_SIDE), measure, work, base, str(count)]

        works = ("each in a task", "all in a loop", "started and waited for", "by hand")
        taken = compare({work: side("wait", work, MANY) for work in works}, 3)
        busy = compare({"all in a loop": side("wait", "all in a loop", VERY_MANY)}, 1)
        weighed = compare_fresh({work: side("weigh", work, VERY_MANY) for work in works[:2]}, 3)

    def each(what: str, work: str) -> list[float]:
        return [figures[what] for figures in taken[work]]

    for work, name in (("each in a task", "runs.wait in tasks"), ("all in a loop", "runs.wait_many")):
        label = f"{name}, {MANY:,} runs of {RUN_SECONDS:g} s"
        yield within(f"{label}, requests a run", "requests", each("requests", work), MOST_REQUESTS)
        reference = each("cpu", "by hand")
        yield beside(f"{label}, CPU a run", "µs", each("cpu", work), "aiohttp, polling each", reference)
    started = each("requests", "started and waited for")
    yield within(f"run_and_wait, {MANY:,} at once, requests a run", "requests", started, MOST_WITH_START)
    longest = [figures["blocked"] for figures in busy["all in a loop"]]
    yield within(f"runs.wait_many, {VERY_MANY:,} runs, longest turn of the loop", "ms", longest, MOST_MILLISECONDS)
    for work, name in (("each in a task", "runs.wait in tasks"), ("all in a loop", "runs.wait_many")):
        weights = [figures["memory"] for figures in weighed[work]]
        yield within(f"{name}, {VERY_MANY:,} waiting, memory for each", "KB", weights, MOST_KILOBYTES)
