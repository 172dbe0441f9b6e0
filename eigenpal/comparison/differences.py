"""Where two JSON values differ, by path. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final

from eigenpal.anyjson import is_list, is_object
from eigenpal.models.comparison import DifferenceType, FileMatch, JsonDifference

_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}|(?<!\d)\d{8}(?!\d)")
DATE_PLACEHOLDER: Final = "<date>"
_ABSENT: Final[Any] = object()


def differences(expected: Any, actual: Any, *, lists_by_element: bool) -> list[JsonDifference]:
    """Return where `actual` differs from `expected`, names in sorted order.

    Args:
        expected: What should be there. Null expects nothing in particular.
        actual: What is there.
        lists_by_element: Look into lists; otherwise a list that differs is one difference.
    """
    return [] if expected is None else list(_walk(expected, actual, "$", lists_by_element))


def _walk(expected: Any, actual: Any, path: str, lists_by_element: bool) -> Iterator[JsonDifference]:
    pairs = _pairs(expected, actual, lists_by_element)
    if pairs is None:
        if not same(expected, actual):
            yield JsonDifference(path=path, type=DifferenceType.CHANGED, expected=expected, actual=actual)
        return
    for step, one, other in pairs:
        if other is _ABSENT:
            yield JsonDifference(path=path + step, type=DifferenceType.MISSING, expected=one)
        elif one is _ABSENT:
            yield JsonDifference(path=path + step, type=DifferenceType.EXTRA, actual=other)
        else:
            yield from _walk(one, other, path + step, lists_by_element)


def _pairs(expected: Any, actual: Any, lists_by_element: bool) -> list[tuple[str, Any, Any]] | None:
    """Return what two containers of one kind have in each place; None for values that are compared whole."""
    if is_object(expected) and is_object(actual):
        names = sorted({*expected, *actual})
        return [(_step(name), expected.get(name, _ABSENT), actual.get(name, _ABSENT)) for name in names]
    if lists_by_element and is_list(expected) and is_list(actual):
        pairs = zip_longest(expected, actual, fillvalue=_ABSENT)
        return [(f"[{index}]", one, other) for index, (one, other) in enumerate(pairs)]
    return None


def _step(name: str) -> str:
    return f".{name}" if _PLAIN_NAME.fullmatch(name) else f"[{name!r}]"


def same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are equal; unlike in Python, true is not 1."""
    pairs = _pairs(one, other, lists_by_element=True)
    if pairs is not None:
        return all(left is not _ABSENT and right is not _ABSENT and same(left, right) for _, left, right in pairs)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def match_files(
    expected: Sequence[str], actual: Sequence[str], *, normalize_dates: bool
) -> tuple[list[FileMatch], list[str], list[str]]:
    """Return which files answer to which, which are missing, and which are extra.

    Args:
        expected: Names that should be there.
        actual: Names that are there; each answers to one expected name.
        normalize_dates: Take any date in a name for any other.
    """
    left = list(actual)
    matched: list[FileMatch] = []
    missing: list[str] = []
    for name in expected:
        found = name if name in left else None
        if found is None and normalize_dates:
            found = next((other for other in left if undated(other) == undated(name)), None)
        if found is None:
            missing.append(name)
        else:
            left.remove(found)
            matched.append(FileMatch(expected=name, actual=found))
    return matched, missing, left


def undated(name: str) -> str:
    """Return a file name with its dates replaced by a placeholder."""
    return _DATE.sub(DATE_PLACEHOLDER, name)
