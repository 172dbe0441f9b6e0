"""A page of a hundred runs to typed models."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import payloads
from benchmarks.environments import SAME_GENERATION, official, ours
from benchmarks.rounds import compare
from benchmarks.table import Row, Target, beside


def decoding() -> Iterator[Row]:
    """Compare with the official models of the same generation of the API, and with the JSON parser alone."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.json")
        page.write_bytes(payloads.run_list())
        commands = {
            "ours": ours("decode", str(page)),
            "json.loads": ours("loads", str(page)),
            "official": official(SAME_GENERATION, "decode", str(page)),
        }
        taken = compare(commands, 9)

    def rates(name: str, what: str) -> list[float]:
        return [figures[what] for figures in taken[name]]

    name, parser = f"official {SAME_GENERATION} from_dict", "json.loads"
    parsed, text = rates("ours", "parsed"), rates("ours", "text")
    theirs = rates("official", "parsed")  # all of it is made at once, so it is the same whatever is asked for
    yield beside("100 rows, dict to models", "pages/s", parsed, name, theirs, Target(">=", 3))
    yield beside("and each id, status and duration read", "pages/s", rates("ours", "table"), name, theirs)
    yield beside("and every member of every model read", "pages/s", rates("ours", "all"), name, theirs)
    yield beside(
        "100 rows, bytes to models", "pages/s", text, f"official {SAME_GENERATION}, {parser}", rates("official", "text")
    )
    yield beside("100 rows, bytes to models", "pages/s", text, parser, rates(parser, "text"))
