"""A comparison for people: as text, and as HTML in which everything is escaped. The same lines in both, cut alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import islice
from typing import Any, Final

from eigenpal.comparison.result import DifferenceType, RunComparison, StepComparison, ValueDifference
from eigenpal.engine.display import CELL_CHARACTERS, json_excerpt, more, one_line, table

_SIGNS: Final = {DifferenceType.MISSING: "-", DifferenceType.EXTRA: "+", DifferenceType.CHANGED: "~"}
_MARKS: Final = {"match": "=", "diff": "!"}
_NAME_CHARACTERS: Final = 120  # of a path or a file name: the longest that file systems allow is 255
# Middle tones: readable on white and on black. The word beside them says the same.
_COLOURS: Final = {"pass": "#2da44e", "fail": "#e5534b"}

Line = tuple[str, str, str]  # a sign, what it is about, what there is to say


def as_text(comparison: RunComparison, limit: int | None) -> str:
    """Return the comparison as lines, `limit` of them below the verdict at most."""
    lines = list(_lines(comparison))
    shown = [f"  {sign} {subject}{': ' if said else ''}{said}" for sign, subject, said in lines[:limit]]
    rest = [f"  … {len(lines) - len(shown)} more"] if len(shown) < len(lines) else []
    return "\n".join([f"{comparison.status}: {_title(comparison)}", *shown, *rest])


def as_html(comparison: RunComparison, limit: int | None) -> str:
    """Return the comparison as a fragment of HTML, with `limit` rows at most."""
    lines = list(_lines(comparison))
    status = one_line(comparison.status, CELL_CHARACTERS)
    colour = _COLOURS.get(status, "inherit")
    verdict = f'<b style="color:{colour}">{escape(status)}</b>: {escape(_title(comparison))}'
    rest = 0 if limit is None else len(lines) - limit
    return f"<div>{verdict}{table(islice(lines, limit)) if lines else ''}{more(rest)}</div>"


def _title(comparison: RunComparison) -> str:
    against = "what was expected of " if comparison.mode == "expected" else ""
    run, reference = _name(comparison.run_id), _name(comparison.compared_with_run_id)
    nothing = "; no step was compared" if comparison.mode is None and not comparison.steps else ""
    return f"{run} against {against}{reference}{nothing}"


def _lines(comparison: RunComparison) -> Iterator[Line]:
    for step in _all_steps(comparison):
        said = f"{_name(step.reference_status)} -> {_name(step.target_status)}"
        yield _MARKS[step.output_state], _name(step.step_name), said
        yield from map(_line, step.differences)
    yield from map(_line, comparison.differences)
    for sign, names in (("-", comparison.missing_files), ("+", comparison.extra_files)):
        yield from ((sign, f"file {_name(name)}", "") for name in names)


def _line(difference: ValueDifference) -> Line:
    sides = {
        DifferenceType.MISSING: [difference.expected],
        DifferenceType.EXTRA: [difference.actual],
        DifferenceType.CHANGED: [difference.expected, difference.actual],
    }
    return _SIGNS[difference.type], _name(difference.path), " -> ".join(map(_value, sides[difference.type]))


def _value(value: Any) -> str:
    return one_line(json_excerpt(value, CELL_CHARACTERS + 1), CELL_CHARACTERS)


def _name(name: str) -> str:
    return one_line(name, _NAME_CHARACTERS)


def _all_steps(comparison: RunComparison) -> Sequence[StepComparison]:
    return [*comparison.steps, *comparison.extra_steps]
