"""Which files of a run answer to which expected ones, by name. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from eigenpal.comparison.result import FileMatch

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|(?<![0-9])[0-9]{8}(?![0-9])")
DATE_PLACEHOLDER: Final = "<date>"  # no file system in wide use lets a name have it


def match_files(
    expected: Sequence[str], actual: Sequence[str], *, normalize_dates: bool
) -> tuple[list[FileMatch], list[str], list[str]]:
    """Return which files answer to which, which are missing, and which are extra.

    Args:
        expected: Names that should be there.
        actual: Names that are there; each answers to one expected name, to the same name before any other.
        normalize_dates: Take any date in a name for any other.
    """
    left = list(actual)
    answers: dict[int, str] = {}
    for key in (str, undated) if normalize_dates else (str,):
        for place, name in enumerate(expected):
            if place not in answers and (found := next((o for o in left if key(o) == key(name)), None)) is not None:
                answers[place] = found
                left.remove(found)
    matched = [FileMatch(expected=expected[place], actual=answers[place]) for place in sorted(answers)]
    return matched, [name for place, name in enumerate(expected) if place not in answers], left


def undated(name: str) -> str:
    """Return a file name with its dates (`2026-11-22`, `20261122`) replaced by a placeholder."""
    return _DATE.sub(DATE_PLACEHOLDER, name)
