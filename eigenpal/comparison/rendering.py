"""A comparison for people: as text, and as HTML in which everything is escaped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Final

from eigenpal.models.comparison import DifferenceType, JsonDifference, RunComparison, StepComparison

MOST_VALUE_CHARACTERS: Final = 80
_SIGNS: Final = {DifferenceType.MISSING: "-", DifferenceType.EXTRA: "+", DifferenceType.CHANGED: "~"}
_COLOURS: Final = {"pass": "#1a7f37", "match": "#1a7f37", "fail": "#cf222e", "diff": "#cf222e"}


def as_text(comparison: RunComparison) -> str:
    """Return the comparison as lines."""
    return "\n".join(_lines(comparison))


def as_html(comparison: RunComparison) -> str:
    """Return the comparison as a fragment of HTML."""
    rows = "".join(_rows(comparison))
    title = f"{_mark(comparison.status)} <code>{escape(comparison.run_id)}</code> against"
    return (
        f"<div><p>{title} <code>{escape(comparison.compared_with_run_id)}</code></p>"
        f"<table><tbody>{rows}</tbody></table></div>"
    )


def _lines(comparison: RunComparison) -> Iterator[str]:
    yield f"{comparison.status}: {comparison.run_id} against {comparison.compared_with_run_id}"
    for step in _all_steps(comparison):
        yield f"  {step.output_state:5}  {step.step_name} ({step.reference_status} -> {step.target_status})"
        yield from (f"    {_line(difference)}" for difference in step.differences)
    yield from (f"  {_line(difference)}" for difference in comparison.differences or [])
    for sign, names in (("-", comparison.missing_files), ("+", comparison.extra_files)):
        yield from (f"  {sign} file {name}" for name in names or [])


def _line(difference: JsonDifference) -> str:
    return f"{_SIGNS[difference.type]} {difference.path}: {_change(difference)}"


def _change(difference: JsonDifference) -> str:
    match difference.type:
        case DifferenceType.MISSING:
            return _value(difference.expected)
        case DifferenceType.EXTRA:
            return _value(difference.actual)
        case _:
            return f"{_value(difference.expected)} -> {_value(difference.actual)}"


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_VALUE_CHARACTERS else text[: MOST_VALUE_CHARACTERS - 1] + "…"


def _rows(comparison: RunComparison) -> Iterator[str]:
    for step in _all_steps(comparison):
        states = f"{escape(step.reference_status)} → {escape(step.target_status)}"
        yield f"<tr><td>{_mark(step.output_state)}</td><td>{escape(step.step_name)}</td><td>{states}</td></tr>"
        yield from map(_row, step.differences)
    yield from map(_row, comparison.differences or [])
    for sign, names in (("-", comparison.missing_files), ("+", comparison.extra_files)):
        yield from (
            f"<tr><td>{sign}</td><td>file</td><td><code>{escape(name)}</code></td></tr>" for name in names or []
        )


def _row(difference: JsonDifference) -> str:
    cells = (_SIGNS[difference.type], f"<code>{escape(difference.path)}</code>", escape(_change(difference)))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _mark(state: str) -> str:
    return f'<b style="color:{_COLOURS[state]}">{state}</b>'


def _all_steps(comparison: RunComparison) -> Sequence[StepComparison]:
    return [*(comparison.steps or []), *(comparison.extra_steps or [])]
