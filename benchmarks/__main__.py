"""Measure what docs and changelog promise: `python -m benchmarks [name ...] [--write]`.

Everything runs on this machine alone, beside the official packages and the bare libraries. What counts are the ratios
of one run: the figures themselves say more about the machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable

from benchmarks.at_once import lanes, typed_get
from benchmarks.blocking import blocking, hop
from benchmarks.decoding import decoding
from benchmarks.environments import shortcomings
from benchmarks.fanout import fanout
from benchmarks.files import files
from benchmarks.importing import importing
from benchmarks.page import PAGE, section, written
from benchmarks.sandbox import sandbox
from benchmarks.table import Row, as_text, machine
from benchmarks.waiting import waiting

MEASURES: dict[str, Callable[[], Iterable[Row]]] = {
    "get": typed_get,
    "lanes": lanes,
    "blocking": blocking,
    "hop": hop,
    "decode": decoding,
    "import": importing,
    "files": files,
    "waiting": waiting,
    "fanout": fanout,
    "sandbox": sandbox,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*MEASURES, []], metavar="name", help=", ".join(MEASURES))
    parser.add_argument("--write", action="store_true", help=f"keep what was measured in {PAGE.name}")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for name in arguments.names or MEASURES:
        began, where = time.perf_counter(), machine()
        measured = list(MEASURES[name]())
        rows += measured
        print(f"{name}: {time.perf_counter() - began:.0f} s; {where}", file=sys.stderr)
        if arguments.write:
            page = PAGE.read_text(encoding="utf-8")
            PAGE.write_text(written(page, {name: section(measured, where)}, list(MEASURES)), encoding="utf-8")
    print(as_text(rows))
    for line in shortcomings():
        print(f"note: {line}")


if __name__ == "__main__":
    main()
