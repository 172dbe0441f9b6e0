"""The page that keeps what was measured: one section for each measure, with its own day and machine.

A measure that is taken again replaces its section alone, so the others stay what they were.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.environments import CURRENT, SAME_GENERATION, shortcomings
from benchmarks.table import Row, as_markdown

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"

TEXT = """\
# Benchmarks

Measured by `nox -s benchmarks`, each part on the day and machine that it names. Client and server shared the machine
over loopback, so the figures say more about it than about any network. What counts are the ratios, which come from one
run.

{sections}

## How to read it

- *ratio* is ours to the reference: the median of the rounds, in which all sides take turns; *rounds* has the lowest and
  the highest. *target* is what this project promises, and a row that misses it says SHORT:
  [what bounds the speed](performance.md) says why.
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

_SECTION = re.compile(r"^## (?P<title>[^\n]+)\n\n(?P<body>Measured on .*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def section(rows: Sequence[Row], where: str) -> str:
    """Return what a section says of one measure."""
    return f"Measured on {dt.datetime.now(dt.UTC).date()}, on {where}.\n\n{as_markdown(rows)}\n"


def written(page: str, measured: Mapping[str, str], titles: Sequence[str]) -> str:
    """Return the page with some sections replaced.

    Args:
        page: The page so far.
        measured: The new sections, by title.
        titles: All titles, in order; those never measured are left out.
    """
    known = {found["title"]: found["body"].rstrip("\n") + "\n" for found in _SECTION.finditer(page)}
    sections = {**known, **measured}
    unmet = "; ".join(shortcomings())
    return TEXT.format(
        sections="\n".join(f"## {title}\n\n{sections[title]}" for title in titles if title in sections).rstrip("\n"),
        versions=f"{CURRENT} and {SAME_GENERATION}",
        unmet=f" ({unmet})" if unmet else "",
    )
