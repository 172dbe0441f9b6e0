"""Dates as invoices write them: ISO, `14.03.2026`, `03/14/2026`, `14 March 2026`, `March 14, 2026`, `14-Mar-26`. Pure.

Whether the month comes first in numeric dates is decided once for a whole document.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date

# Beginnings that are enough to tell the month, in English, German, French, Spanish, Italian and Dutch.
_MONTHS = (
    ("jan", "jän", "ene", "gen"),
    ("feb", "fév", "fev"),
    ("mar", "mär", "mrt", "maa"),
    ("apr", "avr", "abr"),
    ("may", "mai", "mei", "mag"),
    ("jun", "juin", "giu"),
    ("jul", "juil", "lug"),
    ("aug", "aoû", "aou", "ago"),
    ("sep", "set"),
    ("oct", "okt", "ott"),
    ("nov",),
    ("dec", "dez", "déc", "dic"),
)
_ISO = re.compile(r"\b(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})\b")
_NUMERIC = re.compile(r"\b(\d{1,2})\s?([./-])\s?(\d{1,2})\s?\2\s?(\d{4}|\d{2})\b")
_DAY_FIRST = re.compile(
    r"\b(\d{1,2})(?:st|nd|rd|th|er|\.|º)?[\s-]+(?:de\s+)?([^\W\d_]{3,12})\.?,?[\s-]+(?:de\s+)?(\d{4}|\d{2})\b"
)
_MONTH_FIRST = re.compile(r"\b([^\W\d_]{3,12})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})\b")


def month_first(text: str, *, american: bool) -> bool:
    """Tell whether numeric dates of a document put the month first.

    Args:
        text: The whole document. A date that can be read in one way only decides.
        american: What to think when none does.
    """
    for match in _NUMERIC.finditer(text):
        first, mark, second = int(match[1]), match[2], int(match[3])
        if mark == "/" and first > 12:
            return False
        if mark == "/" and first <= 12 < second:
            return True
    return american


def find_date(text: str, *, month_first: bool) -> date | None:
    """Return the first date in a text, None when there is none.

    Args:
        text: A line or a part of one.
        month_first: Whether `03/04/2026` is the fourth of March; dates with points or dashes put the day first anyway.
    """
    found: list[tuple[int, date]] = []
    for match in _ISO.finditer(text):
        _add(found, match.start(), int(match[1]), int(match[2]), int(match[3]))
    for match in _NUMERIC.finditer(text):
        first, mark, second, year = int(match[1]), match[2], int(match[3]), _year(match[4])
        swap = (mark == "/" and month_first) or second > 12
        day, month = (second, first) if swap else (first, second)
        _add(found, match.start(), year, month, day)
    for match in _DAY_FIRST.finditer(text):
        _add(found, match.start(), _year(match[3]), _month(match[2]), int(match[1]))
    for match in _MONTH_FIRST.finditer(text):
        _add(found, match.start(), int(match[3]), _month(match[1]), int(match[2]))
    return min(found)[1] if found else None


def _add(found: list[tuple[int, date]], start: int, year: int, month: int, day: int) -> None:
    with suppress(ValueError):
        found.append((start, date(year, month, day)))


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else 2000 + int(text)


def _month(name: str) -> int:
    lowered = name.lower()
    for number, beginnings in enumerate(_MONTHS, start=1):
        if lowered.startswith(beginnings):
            return number
    return 0
