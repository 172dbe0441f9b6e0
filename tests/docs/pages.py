"""The pages users read, cut into their fenced blocks. Running them is test_pages.py's business."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^(?P<indent> *)(?P<marks>`{3,})(?P<language>[\w+-]*)(?P<rest>[^`\n]*)$")


@attrs.frozen
class Block:
    """One fenced block: its language, its text without the page's indentation, and where it begins."""

    language: str
    text: str
    first_line: int  # 1-based, of the text


def pages() -> list[Path]:
    """Return every page that may show code, relative to the root."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(path.relative_to(ROOT) for path in found)


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order.

    Raises:
        ValueError: A fence is never closed.
    """
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    opening: re.Match[str] | None = None
    begun = 0
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if opening is None:
            opening, begun = fence, number + 1
        elif fence and not fence["language"] and len(fence["marks"]) >= len(opening["marks"]):
            indent = len(opening["indent"])
            text = "".join(f"{inner[indent:]}\n" for inner in lines[begun:number])
            yield Block(opening["language"].lower(), text, begun + 1)
            opening = None
    if opening is not None:
        raise ValueError(f"{page}:{begun}: this fence is never closed")
