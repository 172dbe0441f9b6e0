"""Large files: how fast they move, and how much memory that takes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.environments import CURRENT, official, ours, ours_plain
from benchmarks.file_server import file_server
from benchmarks.rounds import compare_fresh
from benchmarks.table import Row, beside, within

SMALL, MIDDLE, LARGE = 65_536, 300_000_000, 1_000_000_000  # the official clients hold whole files, more than once
MOST_MEMORY_MB = 32


def files() -> Iterator[Row]:
    """Upload and save a large file; then a smaller one, beside the official client."""
    with tempfile.TemporaryDirectory() as folder, file_server() as base:
        for size in (SMALL, MIDDLE, LARGE):
            with Path(folder, f"{size}.bin").open("wb") as file:
                file.truncate(size)  # zeros that take no room on the disk: reading it is not what is measured
        for name in ("upload", "save"):
            yield from _moved(name, [base, folder, str(SMALL)])


def _moved(name: str, job: list[str]) -> Iterator[Row]:
    large, middle = [name, *job, str(LARGE)], [name, *job, str(MIDDLE)]
    taken = compare_fresh({"aiohttp": ours(*large), "lanes": ours_plain(*large)}, 3)
    for transport, figures in taken.items():
        used = [each["memory"] for each in figures]
        yield within(f"{name} 1 GB, {transport}, memory", "MB", used, MOST_MEMORY_MB)
    commands = {"aiohttp": ours(*middle), "lanes": ours_plain(*middle), CURRENT: official(CURRENT, *middle)}
    taken = compare_fresh(commands, 5)
    for transport in ("aiohttp", "lanes"):
        for what, unit, label in (("rate", "MB/s", ""), ("memory", "MB", ", memory")):
            mine, theirs = ([each[what] for each in taken[side]] for side in (transport, CURRENT))
            yield beside(f"{name} 300 MB, {transport}{label}", unit, mine, f"official {CURRENT}", theirs)
