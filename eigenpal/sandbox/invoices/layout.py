"""A document as lines of cells: what stands apart by two spaces, a tab or a bar is a cell of its own. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_CELL = re.compile(r"[^\s|](?:[^\S\n\t]?[^\s|])*")


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of a line and the columns it covers."""

    text: str
    start: int
    end: int

    def overlap(self, other: Cell) -> int:
        """Return how many columns both cover; negative: how far they are apart."""
        return min(self.end, other.end) - max(self.start, other.start)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a document that is not blank."""

    text: str
    cells: Sequence[Cell]


def read_lines(text: str) -> list[Line]:
    """Return the lines of a document, blank ones left out.

    Args:
        text: All of it; tabs count as they are shown.
    """
    lines: list[Line] = []
    for raw in text.splitlines():
        shown = raw.expandtabs(8) if "\t" in raw else raw
        # After a tab has become spaces it may be one space only; a cell must still end there.
        cells = [Cell(match[0], match.start(), match.end()) for match in _CELL.finditer(shown)]
        if "\t" in raw and len(cells) == 1:
            cells = _tabbed(raw)
        if cells:
            lines.append(Line(shown.rstrip(), cells))
    return lines


def _tabbed(raw: str) -> list[Cell]:
    cells: list[Cell] = []
    start = 0
    for piece in raw.split("\t"):
        if piece.strip():
            cells.append(Cell(piece.strip(), start, start + len(piece)))
        start += len(piece) + 8
    return cells
