"""Rows of the result: what was measured, beside what, and whether it is as good as promised; as text and as a page."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("measure", "ours", "reference", "ratio", "rounds", "target", "")


@dataclass(frozen=True)
class Target:
    """What the ratio of ours to the reference has to be."""

    sign: str
    ratio: float

    def met(self, ratio: float) -> bool:
        """Tell whether a ratio is good enough."""
        return ratio <= self.ratio if self.sign == "<=" else ratio >= self.ratio

    def __str__(self) -> str:
        return f"{self.sign} {self.ratio:g}"


@dataclass(frozen=True)
class Row:
    """One line of the table; `low` and `high` are the ratios of the best and the worst round."""

    measure: str
    ours: str
    reference: str
    ratio: float
    low: float
    high: float
    target: Target | None

    @property
    def verdict(self) -> str:
        """`ok`, or `SHORT` of the target; nothing where none is promised."""
        return "" if self.target is None else "ok" if self.target.met(self.ratio) else "SHORT"

    @property
    def cells(self) -> tuple[str, ...]:
        """What stands in the columns."""
        spread = f"{self.low:.2f}-{self.high:.2f}"
        return (
            self.measure, self.ours, self.reference, f"{self.ratio:.2f}", spread, str(self.target or ""), self.verdict,
        )  # fmt: skip


def beside(
    measure: str, unit: str, ours: Sequence[float], name: str, reference: Sequence[float], target: Target | None = None
) -> Row:
    """Compare round by round; what counts is the median of the ratios, not the ratio of the medians."""
    ratios = [mine / theirs for mine, theirs in zip(ours, reference, strict=True)]
    return Row(
        measure,
        f"{_shown(statistics.median(ours))} {unit}",
        f"{_shown(statistics.median(reference))} {unit}, {name}",
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        target,
    )


def within(measure: str, unit: str, ours: Sequence[float], most: float) -> Row:
    """Compare with a fixed limit."""
    ratios = [mine / most for mine in ours]
    limit = f"{most:g} {unit} allowed"
    typical = statistics.median(ours)
    return Row(measure, f"{_shown(typical)} {unit}", limit, typical / most, min(ratios), max(ratios), Target("<=", 1))


def at_least(measure: str, unit: str, ours: Sequence[float], least: float) -> Row:
    """Compare with a fixed figure that is to be reached."""
    ratios = [mine / least for mine in ours]
    typical = statistics.median(ours)
    wanted = f"{least:,g} {unit} wanted"
    return Row(measure, f"{_shown(typical)} {unit}", wanted, typical / least, min(ratios), max(ratios), Target(">=", 1))


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def as_text(rows: Sequence[Row]) -> str:
    """Return the table for a terminal."""
    lines = [COLUMNS, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def as_markdown(rows: Sequence[Row]) -> str:
    """Return the table for the page."""
    head = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    return "\n".join([*head, *(f"| {' | '.join(row.cells)} |" for row in rows)])


def machine() -> str:
    """Name what the figures were measured on, and how busy it was with other things."""
    models = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    model = models[0] if models else platform.processor() or platform.machine()
    busy = f", load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores{busy}; {platform.system()}, {python}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
