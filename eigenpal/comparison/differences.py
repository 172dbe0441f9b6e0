"""Where two JSON values differ, by path. Pure, and iterative: no depth of nesting is too deep.

Two ways to look: the documented one (objects only, lists whole, a null expects nothing), and one that goes into lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, Final

from eigenpal.anyjson import is_list, is_object
from eigenpal.comparison.result import DifferenceType, JsonDifference, ValueDifference

_ABSENT: Final[Any] = object()
_PLAIN_NAME: Final = re.compile(r"[^\W\d]\w*")


def json_differences(expected: Any, actual: Any) -> list[JsonDifference]:
    """Return where `actual` differs from `expected` in the documented way: lists are compared whole.

    Args:
        expected: What should be there. A null, in objects of any depth, takes any value that is there.
        actual: What is there.
    """
    found = _walk(expected, actual, null_takes_any=True, into_lists=False)
    return [JsonDifference(path=difference.path, type=difference.type) for difference in found]


def value_differences(expected: Any, actual: Any, *, null_takes_any: bool) -> list[ValueDifference]:
    """Return where `actual` differs from `expected`, lists by element, names in sorted order.

    Args:
        expected: What should be there.
        actual: What is there.
        null_takes_any: A null in `expected` takes any value that is there; in lists it is a value like others, so that
            there are differences exactly where `json_differences` finds some.
    """
    return list(_walk(expected, actual, null_takes_any=null_takes_any, into_lists=True))


def same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are equal; unlike in Python, true is not 1."""
    return next(_walk(one, other, null_takes_any=False, into_lists=True), None) is None


def _walk(expected: Any, actual: Any, *, null_takes_any: bool, into_lists: bool) -> Iterator[ValueDifference]:
    ahead = [("$", expected, actual, null_takes_any)]
    while ahead:
        path, one, other, lenient = ahead.pop()
        if other is _ABSENT:
            yield ValueDifference(path=path, type=DifferenceType.MISSING, expected=one)
        elif one is _ABSENT:
            yield ValueDifference(path=path, type=DifferenceType.EXTRA, actual=other)
        elif one is None and lenient:
            continue
        elif is_object(one) and is_object(other):
            names = sorted({*one, *other}, reverse=True)  # the last put on the stack is looked at first
            ahead += [(path + _step(name), one.get(name, _ABSENT), other.get(name, _ABSENT), lenient) for name in names]
        elif is_list(one) and is_list(other):
            if into_lists:
                pairs = list(enumerate(zip_longest(one, other, fillvalue=_ABSENT)))
                ahead += [(f"{path}[{index}]", left, right, False) for index, (left, right) in reversed(pairs)]
            elif not same(one, other):
                yield ValueDifference(path=path, type=DifferenceType.CHANGED, expected=one, actual=other)
        elif isinstance(one, bool) != isinstance(other, bool) or one != other:
            yield ValueDifference(path=path, type=DifferenceType.CHANGED, expected=one, actual=other)


def _step(name: str) -> str:
    """Return a name as a step of a path; one that would be misread is quoted."""
    return f".{name}" if _PLAIN_NAME.fullmatch(name) else f"[{name!r}]"
