"""How the page writes durations, sizes, moments and JSON. Pure functions of data; templates use them as filters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from eigenpal.sandbox.clock import moment_of, timestamp

MAX_SHOWN = 6_000  # characters of one value on a page; what is longer has a page of its own
MAX_PARSED = 300_000  # characters; laying out more would cost too much for a page that is made anew every second
MAX_WHOLE = 5_000_000  # characters; likewise, for a page that is made once


def duration(milliseconds: float | None) -> str:
    """Return a duration such as `840 ms`, `3.2 s`, `4 m 05 s` or `2 h 07 m`."""
    if milliseconds is None:
        return "–"
    if milliseconds < 9.95 and milliseconds != int(milliseconds):
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 59_950:
        return f"{milliseconds / 1_000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1_000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} m" if hours else f"{minutes} m {seconds:02} s"


def size(count: int) -> str:
    """Return a number of bytes such as `512 bytes`, `1.4 MB`."""
    if count < 1_000:
        return f"{count} byte{'' if count == 1 else 's'}"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1_000
        if value < 999.5 or unit == "GB":
            break
    return f"{value:.1f} {unit}" if value < 99.95 else f"{value:,.0f} {unit}"


def clock_time(milliseconds: int, today: int) -> str:
    """Return a moment in the time zone of this machine, with its date unless it is today's.

    Args:
        milliseconds: The moment, since 1970.
        today: The present moment, likewise.
    """
    moment, now = _local(milliseconds), _local(today)
    time = f"{moment:%H:%M:%S}"
    if moment.date() == now.date():
        return time
    return f"{moment.day} {moment:%b} {time}" if moment.year == now.year else f"{moment:%Y-%m-%d} {time}"


def iso(milliseconds: int) -> str:
    """Return a moment as the API writes it."""
    return timestamp(milliseconds)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A text as a page shows it.

    Attributes:
        text: The text, or its beginning.
        cut: Whether it goes on.
        length: Characters of the whole.
    """

    text: str
    cut: bool
    length: int


def excerpt(text: str, most: int = MAX_SHOWN) -> Excerpt:
    """Return a text, cut where it is too long to be shown.

    Args:
        text: The whole text.
        most: Characters to show.
    """
    return Excerpt(text[:most], len(text) > most, len(text))


def laid_out(stored: str, most: int) -> str:
    """Return JSON text with line breaks and its letters as they are; unchanged when it is too long or too deep.

    Args:
        stored: JSON.
        most: Characters that are not too many.
    """
    if len(stored) > most:
        return stored
    try:
        return json.dumps(json.loads(stored), indent=2, ensure_ascii=False)
    except RecursionError:
        return stored


def _local(milliseconds: int) -> datetime:
    return moment_of(milliseconds).astimezone()
