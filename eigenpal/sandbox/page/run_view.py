"""One run as its page shows it: the timeline of phases and steps, values cut to what fits. Pure functions of rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from eigenpal.sandbox.json_values import is_object
from eigenpal.sandbox.page.wording import MAX_PARSED, Excerpt, excerpt, laid_out
from eigenpal.sandbox.rows import FileRow, RunRow, StepRow
from eigenpal.sandbox.states import Status

MAX_EVENTS = 200  # of a trace on the page; the whole trace is one link away
MAX_EVENT = 600  # characters of one event
MAX_EVENT_PARSED = 20_000  # characters; a longer event is shown as it is stored
_LABELS = ("type", "event", "name", "kind")
_LEAST_WIDTH = 0.6  # percent of the timeline, so that what took no time can still be seen


@dataclass(frozen=True, slots=True)
class Bar:
    """A line of the timeline. `left` and `width` are percent of the whole; both None where it never began."""

    name: str
    note: str
    status: str
    milliseconds: int | None
    left: float
    width: float
    step: bool


@dataclass(frozen=True, slots=True)
class Value:
    """A value with its heading; `part` names the page that has the whole of it."""

    title: str
    part: str
    shown: Excerpt


@dataclass(frozen=True, slots=True)
class Event:
    """One trace event: a short label and the event as JSON."""

    label: str
    shown: Excerpt


@dataclass(frozen=True, slots=True)
class StepValues:
    """What a step made."""

    id: str
    name: str
    status: str
    error: str | None
    output: Value | None


def run_duration(started: int | None, completed: int | None, now: int) -> int | None:
    """Return how long a run has taken so far, None before it began.

    Args:
        started: When it began.
        completed: When it ended.
        now: The present moment.
    """
    return None if started is None else max(0, (now if completed is None else completed) - started)


def timeline(run: RunRow, steps: Sequence[StepRow], now: int) -> Sequence[Bar]:
    """Return the lines of a run's timeline: what it waited, what it ran, and its steps in between."""
    ends = [moment for moment in (run.completed_at, *(step.completed_at for step in steps)) if moment is not None]
    last = max([*ends, run.created_at]) if run.finished else max([now, *ends])
    span = max(1, last - run.created_at)

    def bar(name: str, note: str, status: str, start: int, end: int | None, *, step: bool = False) -> Bar:
        stop = last if end is None else end
        left = min(100 - _LEAST_WIDTH, max(0.0, 100 * (start - run.created_at) / span))
        width = min(100 - left, max(_LEAST_WIDTH, 100 * (stop - start) / span))
        return Bar(name, note, status, max(0, stop - start), round(left, 2), round(width, 2), step)

    queued = "pending" if run.started_at is None and not run.finished else "passed"
    bars = [bar("Queued", "", queued, run.created_at, run.started_at or run.completed_at)]
    if run.started_at is not None:
        bars.append(bar("Run", "", run.status.value, run.started_at, run.completed_at))
    bars += [
        bar(
            step.name,
            "given by the client" if step.override_mode else "",
            step_status(step),
            step.started_at,
            step.completed_at,
            step=True,
        )
        for step in steps
    ]
    return bars


def step_status(step: StepRow) -> str:
    """Return the status of a step in the words of runs."""
    return {"success": "completed", "failure": "failed"}.get(step.status, step.status)


def step_values(steps: Sequence[StepRow]) -> Sequence[StepValues]:
    """Return what the steps made, those that made nothing left out."""
    return [
        StepValues(
            step.id,
            step.name,
            step_status(step),
            step.error,
            None if step.output is None else _value("Output", f"step-{step.position}", step.output),
        )
        for step in steps
        if step.output is not None or step.error is not None
    ]


def values(run: RunRow) -> Mapping[str, Value]:
    """Return the input, output and other JSON of a run, those that it has."""
    parts = {"input": "Input", "metadata": "Metadata", "overrides": "Overrides", "output": "Output", "usage": "Usage"}
    found = {part: (title, part_of(run, part)) for part, title in parts.items()}
    return {
        part: _value(title, part, stored)
        for part, (title, stored) in found.items()
        if stored is not None and not (part == "input" and stored == "{}")
    }


def part_of(run: RunRow, part: str) -> str | None:
    """Return a stored text of a run by the name that its page has for it, None when it has none."""
    stored = {
        "input": run.arguments,
        "metadata": run.metadata,
        "overrides": run.overrides,
        "output": run.output if run.status is Status.COMPLETED else None,
        "usage": run.usage,
        "error": run.error,
        "traceback": run.traceback,
    }
    return stored.get(part)


def events(stored: Sequence[str]) -> Iterator[Event]:
    """Yield trace events, cut to what fits."""
    for text in stored:
        event = json.loads(text) if len(text) <= MAX_EVENT_PARSED else None
        found = [event[name] for name in _LABELS if isinstance(event.get(name), str)] if is_object(event) else []
        readable = json.dumps(event, ensure_ascii=False) if event is not None else text
        yield Event(found[0][:80] if found else "event", excerpt(readable, MAX_EVENT))


def files_of(files: Sequence[FileRow]) -> Mapping[str, Sequence[FileRow]]:
    """Return the files of a run apart: what it got, what it should have made, and what it made."""
    found: dict[str, list[FileRow]] = {"input": [], "expected": [], "output": []}
    for file in files:
        # An agent's own files, such as its trace, lie beside the folder of its output.
        found.get(file.path.partition("/")[0], found["output"]).append(file)
    return found


def _value(title: str, part: str, stored: str) -> Value:
    return Value(title, part, excerpt(laid_out(stored, MAX_PARSED)))
