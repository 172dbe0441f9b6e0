"""Measure what docs and changelog promise: `python -m benchmarks [name ...] [--write]`.

Everything runs on this machine alone, beside the official packages and the bare libraries. What counts are the ratios
of one run: the figures themselves say more about the machine.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.at_once import lanes, typed_get
from benchmarks.blocking import blocking, hop
from benchmarks.decoding import decoding
from benchmarks.environments import CURRENT, SAME_GENERATION, shortcomings
from benchmarks.fanout import fanout
from benchmarks.files import files
from benchmarks.importing import importing
from benchmarks.sandbox import sandbox
from benchmarks.table import Row, as_markdown, as_text, machine

MEASURES: dict[str, Callable[[], Iterable[Row]]] = {
    "get": typed_get,
    "lanes": lanes,
    "blocking": blocking,
    "hop": hop,
    "decode": decoding,
    "import": importing,
    "files": files,
    "fanout": fanout,
    "sandbox": sandbox,
}
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"

TEXT = """\
# Benchmarks

Measured by `nox -s benchmarks` on {day}, on {machine}. Client and server shared the machine over loopback, so the
figures say more about it than about any network. What counts are the ratios, which come from one run.

{table}

How to read it:

- *ratio* is ours to the reference: the median of the rounds, in which all sides take turns; *rounds* has the lowest and
  the highest. *target* is what this project promises, and a row that misses it says SHORT.
- CPU is the processor time of the client alone: the server has a process of its own. So has each side, warm before its
  first round; imports and files begin a new one each round. Only lanes beside httpx, and the two portals, share one.
- *lanes* is what `pip install eigenpal` uses, *aiohttp* what `pip install "eigenpal[aiohttp]"` uses.
- The official packages, {versions}, are used as their documentation shows, each in an environment of its own{unmet}.
- Memory is what a side needed at most, beyond what it had in use before.
- Uploads go with the run that they are for. The newest official client would upload a large file beforehand, by a
  protocol of its own; its limit is lifted here (`multipart_max_bytes=None`), so that all send the same.
- A *load* above the number of cores says that other work had part of them during the run: the *rounds* are then further
  apart, and times by the clock say less than CPU.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*MEASURES, []], metavar="name", help=", ".join(MEASURES))
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}; takes all of them")
    arguments = parser.parse_args()
    if arguments.write and arguments.names:
        parser.error("--write takes all benchmarks")
    where = machine()
    print(where, file=sys.stderr)
    rows: list[Row] = []
    for name in arguments.names or MEASURES:
        began = time.perf_counter()
        rows += MEASURES[name]()
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    print(as_text(rows))
    for line in shortcomings():
        print(f"note: {line}")
    if arguments.write:
        PAGE.write_text(page(rows, where), encoding="utf-8")


def page(rows: list[Row], where: str) -> str:
    unmet = "; ".join(shortcomings())
    return TEXT.format(
        day=dt.datetime.now(dt.UTC).date(),
        machine=where,
        table=as_markdown(rows),
        versions=f"{CURRENT} and {SAME_GENERATION}",
        unmet=f" ({unmet})" if unmet else "",
    )


if __name__ == "__main__":
    main()
